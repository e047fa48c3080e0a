//! What `ffprobe` knows of a film before it is decoded.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::child::{file_url, one_line, spawn_failed};
use super::error::FilmError;

/// Frames in a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub frames: u32,
    pub seconds: u32,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.frames, self.seconds)
    }
}

impl Rate {
    /// From `30000/1001`; `None` for `0/0` and what no film has.
    fn parse(text: &str) -> Option<Self> {
        let (frames, seconds) = text.split_once('/')?;
        let rate = Self { frames: frames.parse().ok()?, seconds: seconds.parse().ok()? };
        let per_second = f64::from(rate.frames) / f64::from(rate.seconds);
        (0.01..=1000.0).contains(&per_second).then_some(rate)
    }

    /// When frame `index`, from 0, is due.
    pub fn time(self, index: u64) -> Duration {
        let nanoseconds =
            u128::from(index) * u128::from(self.seconds) * 1_000_000_000 / u128::from(self.frames);
        Duration::from_nanos(nanoseconds.try_into().unwrap_or(u64::MAX))
    }
}

/// Of a film's first video stream.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub rate: Rate,
    /// How many frames at `rate`, where the file says so or how long it is.
    pub frames: Option<u64>,
    /// How long after the file's start the stream starts, in seconds.
    pub delay: f64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Times,
}

#[derive(Deserialize)]
struct Stream {
    avg_frame_rate: String,
    r_frame_rate: String,
    #[serde(flatten)]
    times: Times,
}

/// Seconds as text; absent where not known.
#[derive(Default, Deserialize)]
struct Times {
    start_time: Option<String>,
    duration: Option<String>,
}

impl Probe {
    pub fn read(path: &Path) -> Result<Self, FilmError> {
        let program = "ffprobe";
        let output = Command::new(program)
            .args(["-v", "error", "-protocol_whitelist", "file", "-select_streams", "v:0"])
            .args(["-show_entries", "stream=avg_frame_rate,r_frame_rate,start_time,duration"])
            .args(["-show_entries", "format=start_time,duration", "-of", "json"])
            .arg(file_url(path))
            .stdin(Stdio::null())
            .output()
            .map_err(|source| spawn_failed(program, source))?;
        if !output.status.success() {
            let said = one_line(&output.stderr);
            let reason = if said.is_empty() { format!("ffprobe ended with {}", output.status) } else { said };
            return Err(FilmError::NotAFilm { reason });
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|error| FilmError::NotAFilm { reason: format!("ffprobe's answer: {error}") })?;
        let Some(stream) = answer.streams.first() else {
            return Err(FilmError::NotAFilm { reason: "it has no video".to_owned() });
        };
        Ok(Self::of(stream, &answer.format))
    }

    fn of(stream: &Stream, file: &Times) -> Self {
        let default = Rate { frames: 25, seconds: 1 };
        let rate =
            Rate::parse(&stream.avg_frame_rate).or(Rate::parse(&stream.r_frame_rate)).unwrap_or(default);
        let seconds = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
        let duration = seconds(&stream.times.duration).or(seconds(&file.duration));
        let per_second = f64::from(rate.frames) / f64::from(rate.seconds);
        let delay = seconds(&stream.times.start_time).zip(seconds(&file.start_time));
        Self {
            rate,
            frames: duration.map(|duration| (duration * per_second).round().max(0.0) as u64),
            delay: delay.map_or(0.0, |(stream, file)| (stream - file).max(0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let ntsc = Rate::parse("30000/1001").expect("a rate");
        assert_eq!(ntsc.time(30_000), Duration::from_secs(1001));
        assert_eq!(ntsc.time(1), Duration::from_nanos(33_366_666));
        for text in ["0/0", "0/1", "90000/1", "25", "a/b", "-1/1"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }
}
