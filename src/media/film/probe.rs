//! What `ffprobe` knows of a film before it is decoded.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use super::child::{self, file_url, one_line, spawn_failed};
use super::error::FilmError;
use super::source::Source;

/// Packets that are looked at for how the film begins: sound may come before the pictures.
const PACKETS: &str = "%+#200";

/// Of one of a film's video tracks.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Its number among all of the film's streams.
    pub stream: usize,
    /// Frames a second on the average, as far as the film says so.
    pub fps: f64,
    /// How many frames there are, about, where the film says so or how long it is.
    pub frames: Option<u64>,
    pub interlaced: bool,
    /// The transfer function of high dynamic range, by `zscale`'s name.
    pub hdr: Option<&'static str>,
    /// The first packet depends on ones that are not there.
    pub late_entry: bool,
    /// Codecs of the sound, track by track.
    pub sound: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    packets: Vec<Packet>,
    #[serde(default)]
    format: Times,
}

#[derive(Deserialize)]
struct Stream {
    index: usize,
    #[serde(default)]
    codec_type: String,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    avg_frame_rate: String,
    #[serde(default)]
    r_frame_rate: String,
    nb_frames: Option<String>,
    #[serde(default)]
    field_order: String,
    #[serde(default)]
    color_transfer: String,
    #[serde(default)]
    disposition: Disposition,
    #[serde(flatten)]
    times: Times,
}

#[derive(Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    default: u8,
    /// A cover, which is no film.
    #[serde(default)]
    attached_pic: u8,
}

/// Seconds as text; absent where not known.
#[derive(Default, Deserialize)]
struct Times {
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Packet {
    stream_index: usize,
    #[serde(default)]
    flags: String,
}

impl Probe {
    /// # Errors
    /// `ffprobe` is missing, or knows no such video track.
    pub fn read(source: &Source, track: Option<usize>) -> Result<Self, FilmError> {
        let output = match source {
            Source::File(path) => ask_file(path)?,
            Source::Pipe { head, .. } => super::source::ask(head, command().arg("pipe:0"))?,
        };
        if !output.status.success() {
            let said = one_line(&output.stderr);
            let reason = if said.is_empty() { format!("ffprobe ended with {}", output.status) } else { said };
            return Err(FilmError::NotAFilm { reason });
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|error| FilmError::NotAFilm { reason: format!("ffprobe's answer: {error}") })?;
        Self::of(&answer, track)
    }

    fn of(answer: &Answer, track: Option<usize>) -> Result<Self, FilmError> {
        let videos: Vec<&Stream> = answer
            .streams
            .iter()
            .filter(|stream| stream.codec_type == "video" && stream.disposition.attached_pic == 0)
            .collect();
        let by_default = || videos.iter().find(|stream| stream.disposition.default == 1).or(videos.first());
        let chosen = match track {
            Some(track) => videos.get(track.wrapping_sub(1)),
            None => by_default(),
        };
        let stream = *chosen.ok_or_else(|| match track {
            Some(track) if !videos.is_empty() => FilmError::NoTrack { track, tracks: videos.len() },
            _ => FilmError::NotAFilm { reason: "it has no video".to_owned() },
        })?;
        let fps = rate(&stream.avg_frame_rate).or(rate(&stream.r_frame_rate)).unwrap_or(25.0);
        let seconds = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
        let duration = seconds(&stream.times.duration).or(seconds(&answer.format.duration));
        let told = stream.nb_frames.as_ref().and_then(|frames| frames.parse().ok());
        let sound = answer.streams.iter().filter(|stream| stream.codec_type == "audio");
        let first = answer.packets.iter().find(|packet| packet.stream_index == stream.index);
        Ok(Self {
            stream: stream.index,
            fps,
            frames: told.or(duration.map(|duration| (duration * fps).round().max(0.0) as u64)),
            // DV is, but says so only frame by frame.
            interlaced: matches!(stream.field_order.as_str(), "tt" | "bb" | "tb" | "bt")
                || stream.codec_name == "dvvideo",
            hdr: match stream.color_transfer.as_str() {
                "smpte2084" => Some("smpte2084"),
                "arib-std-b67" => Some("arib-std-b67"),
                _ => None,
            },
            late_entry: first.is_some_and(|packet| !packet.flags.contains('K')),
            sound: sound.map(|stream| stream.codec_name.clone()).collect(),
        })
    }
}

fn ask_file(path: &Path) -> Result<Output, FilmError> {
    let output = command().arg(file_url(path)).stdin(Stdio::null()).output();
    output.map_err(|source| spawn_failed("ffprobe", source))
}

/// All but the film.
fn command() -> Command {
    let mut command = child::command("ffprobe");
    command
        .args(["-v", "error", "-protocol_whitelist", "file,pipe", "-of", "json"])
        .args(["-show_entries", "stream=index,codec_type,codec_name,avg_frame_rate,r_frame_rate,nb_frames"])
        .args(["-show_entries", "stream=duration,field_order,color_transfer"])
        .args(["-show_entries", "stream_disposition=default,attached_pic:format=duration"])
        .args(["-show_entries", "packet=stream_index,flags", "-read_intervals", PACKETS]);
    command
}

/// From `30000/1001`; `None` for `0/0` and what no film has.
fn rate(text: &str) -> Option<f64> {
    let (frames, seconds) = text.split_once('/')?;
    let rate = frames.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?;
    (0.001..=1000.0).contains(&rate).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        assert_eq!(rate("25/1"), Some(25.0));
        for text in ["0/0", "0/1", "90000/1", "25", "a/b", "-1/1"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn the_default_track_is_taken() {
        let answer: Answer = serde_json::from_str(
            r#"{"streams": [
                {"index": 0, "codec_type": "video", "disposition": {"default": 1, "attached_pic": 1}},
                {"index": 1, "codec_type": "audio", "codec_name": "flac"},
                {"index": 2, "codec_type": "video", "disposition": {"default": 0}},
                {"index": 3, "codec_type": "video", "disposition": {"default": 1}, "field_order": "tt"}],
            "packets": [{"stream_index": 1, "flags": "K_"}, {"stream_index": 3, "flags": "__"}],
            "format": {"duration": "2.0"}}"#,
        )
        .expect("JSON");
        let probe = Probe::of(&answer, None).expect("a film");
        assert_eq!((probe.stream, probe.interlaced, probe.late_entry), (3, true, true));
        assert_eq!((probe.frames, probe.sound), (Some(50), vec!["flac".to_owned()]));
        assert_eq!(Probe::of(&answer, Some(1)).expect("a film").stream, 2);
        let error = Probe::of(&answer, Some(3)).expect_err("no third").to_string();
        assert_eq!(error, "it has no video track 3 but 2 (--track)");
    }
}
