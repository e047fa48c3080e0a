//! The frames of a film, decoded by an `ffmpeg` child process.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::Deserialize;

use crate::photo::MAX_PIXELS;

/// What is kept of the child's messages.
const MAX_MESSAGES: usize = 2048;

#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    #[error("{program} is not installed (apt install ffmpeg)")]
    NoFfmpeg { program: &'static str },
    #[error("unable to run {program}: {source}")]
    Run { program: &'static str, source: std::io::Error },
    /// It is no film, or one that cannot be decoded at all.
    #[error("it is neither a photo nor a film: {reason}")]
    NotAFilm { reason: String },
    #[error("{width}x{height} pixels are beyond the limit of {} megapixels", MAX_PIXELS / 1_000_000)]
    TooLarge { width: u32, height: u32 },
    /// Decoding stopped before the film's end.
    #[error("the film is damaged after frame {frames}: {reason}")]
    Damaged { frames: u64, reason: String },
}

/// One picture of a film.
#[derive(Clone, Debug)]
pub struct FilmFrame {
    /// From 0.
    pub index: u64,
    /// Since the film's start.
    pub time: Duration,
    /// Red, green, blue; rows from the top.
    pub rgb: Vec<u8>,
}

/// A film that is being decoded; dropping it ends the child process.
#[derive(Debug)]
pub struct Film {
    child: Child,
    pixels: BufReader<ChildStdout>,
    messages: Option<JoinHandle<String>>,
    /// Size in pixels after the rotation that the film's own data ask for.
    width: u32,
    height: u32,
    rate: Rate,
    /// The first frame's header was read, its pixels were not.
    header_read: bool,
    frames: u64,
}

impl Film {
    /// Begins to decode the first video stream of `path`, at its average rate: frames that came
    /// at uneven times are repeated or left out.
    ///
    /// # Errors
    /// `ffmpeg` is missing, or no frame can be decoded.
    pub fn open(path: &Path) -> Result<Self, FilmError> {
        let rate = probe_rate(path)?;
        let mut command = Command::new("ffmpeg");
        command
            .args(["-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file", "-i"])
            .arg(file_url(path))
            .args(["-map", "0:v:0", "-vf", &format!("fps={}/{}", rate.frames, rate.seconds)])
            // A PPM says its size, so that rotation is ffmpeg's business alone.
            .args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = "ffmpeg";
        let mut child = command.spawn().map_err(|source| spawn_failed(program, source))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let messages = stderr.map(|stderr| std::thread::spawn(move || read_messages(stderr)));
        let Some(stdout) = stdout else {
            let source = std::io::Error::other("no pipe to its output");
            return Err(FilmError::Run { program, source });
        };
        let pixels = BufReader::with_capacity(1 << 16, stdout);
        let mut film =
            Self { child, pixels, messages, width: 0, height: 0, rate, header_read: false, frames: 0 };
        let size = film.read_header();
        match size {
            Ok(Some((width, height))) => {
                if u64::from(width) * u64::from(height) > MAX_PIXELS {
                    return Err(FilmError::TooLarge { width, height });
                }
                (film.width, film.height, film.header_read) = (width, height, true);
                Ok(film)
            }
            Ok(None) => {
                let reason = film.finish().unwrap_or_else(|| "it has no frames".to_owned());
                Err(FilmError::NotAFilm { reason })
            }
            Err(error) => Err(FilmError::NotAFilm { reason: film.finish().unwrap_or(error.to_string()) }),
        }
    }

    /// Width in pixels, as shown.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, as shown.
    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Frames a second.
    pub fn fps(&self) -> f64 {
        f64::from(self.rate.frames) / f64::from(self.rate.seconds)
    }

    /// Waits until the next frame, or the end, begins to come; `false` when it did not in `wait`.
    pub fn ready(&self, wait: Duration) -> bool {
        if !self.pixels.buffer().is_empty() {
            return true;
        }
        let timeout = Timespec::try_from(wait).ok();
        let mut descriptors = [PollFd::new(self.pixels.get_ref(), PollFlags::IN)];
        match rustix::event::poll(&mut descriptors, timeout.as_ref()) {
            Ok(count) => count > 0,
            Err(error) => error != rustix::io::Errno::INTR,
        }
    }

    /// The next frame; `None` at the film's end.
    ///
    /// # Errors
    /// [`FilmError::Damaged`] when decoding stopped before the end.
    pub fn next_frame(&mut self) -> Result<Option<FilmFrame>, FilmError> {
        match self.read_frame() {
            Ok(Some(rgb)) => {
                let index = self.frames;
                self.frames += 1;
                Ok(Some(FilmFrame { index, time: self.rate.time(index), rgb }))
            }
            Ok(None) => match self.finish() {
                Some(reason) => Err(FilmError::Damaged { frames: self.frames, reason }),
                None => Ok(None),
            },
            Err(error) => {
                let reason = self.finish().unwrap_or_else(|| error.to_string());
                Err(FilmError::Damaged { frames: self.frames, reason })
            }
        }
    }

    fn read_frame(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        if !std::mem::take(&mut self.header_read) {
            match self.read_header()? {
                None => return Ok(None),
                Some(size) if size == (self.width, self.height) => {}
                Some((width, height)) => {
                    return Err(std::io::Error::other(format!("a frame has {width}x{height} pixels")));
                }
            }
        }
        let mut rgb = vec![0; self.width as usize * self.height as usize * 3];
        self.pixels.read_exact(&mut rgb)?;
        Ok(Some(rgb))
    }

    /// Reads `P6`, width, height and 255, as `ffmpeg` writes them; `None` at the end.
    fn read_header(&mut self) -> std::io::Result<Option<(u32, u32)>> {
        let mut header = String::new();
        for _ in 0..3 {
            // A header has a few bytes; this bounds what is no header.
            (&mut self.pixels).take(64).read_line(&mut header)?;
        }
        if header.is_empty() {
            return Ok(None);
        }
        let words: Vec<&str> = header.split_ascii_whitespace().collect();
        let size = match words[..] {
            ["P6", width, height, "255"] => width.parse().ok().zip(height.parse().ok()),
            _ => None,
        };
        size.map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// Ends the child; why it failed, if it did by itself.
    fn finish(&mut self) -> Option<String> {
        // At the end of its output it is about to exit; else it is of no use any more.
        let at_end = self.pixels.fill_buf().is_ok_and(|rest| rest.is_empty());
        if !at_end {
            // An error means that it has exited.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let messages = self.messages.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        match status {
            Ok(status) if status.success() && messages.is_empty() => None,
            Ok(status) if messages.is_empty() => Some(format!("ffmpeg ended with {status}")),
            Ok(_) => Some(messages),
            Err(error) => Some(format!("unable to wait for ffmpeg: {error}")),
        }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        // Both fail only when the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(thread) = self.messages.take() {
            let _ = thread.join();
        }
    }
}

/// Reads to the end, so that the child never waits, and keeps the start as one line.
fn read_messages(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let room = MAX_MESSAGES.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    one_line(&kept)
}

/// The lines joined, each once: `ffmpeg` tends to say the same of every packet.
fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(|line| strip_context(line.trim())) {
        if !line.is_empty() && !lines.contains(&line) && lines.len() < 3 {
            lines.push(line);
        }
    }
    lines.join("; ")
}

/// The message without `[h264 @ 0x55d0c8a3b2c0] ` before it.
fn strip_context(line: &str) -> &str {
    match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((context, message)) if context.contains(" @ 0x") => message,
        _ => line,
    }
}

/// `file:PATH`, so that no name is taken for an option or another protocol.
fn file_url(path: &Path) -> PathBuf {
    let mut url = std::ffi::OsString::from("file:");
    url.push(path);
    url.into()
}

fn spawn_failed(program: &'static str, source: std::io::Error) -> FilmError {
    match source.kind() {
        ErrorKind::NotFound => FilmError::NoFfmpeg { program },
        _ => FilmError::Run { program, source },
    }
}

/// Frames in a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub frames: u32,
    pub seconds: u32,
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

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    streams: Vec<ProbeStream>,
}

#[derive(Deserialize)]
struct ProbeStream {
    avg_frame_rate: String,
    r_frame_rate: String,
}

fn probe_rate(path: &Path) -> Result<Rate, FilmError> {
    let program = "ffprobe";
    let output = Command::new(program)
        .args(["-v", "error", "-protocol_whitelist", "file", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=avg_frame_rate,r_frame_rate", "-of", "json"])
        .arg(file_url(path))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| spawn_failed(program, source))?;
    if !output.status.success() {
        let said = one_line(&output.stderr);
        let reason = if said.is_empty() { format!("ffprobe ended with {}", output.status) } else { said };
        return Err(FilmError::NotAFilm { reason });
    }
    let probe: Probe = serde_json::from_slice(&output.stdout)
        .map_err(|error| FilmError::NotAFilm { reason: format!("ffprobe's answer: {error}") })?;
    let Some(stream) = probe.streams.first() else {
        return Err(FilmError::NotAFilm { reason: "it has no video".to_owned() });
    };
    let default = Rate { frames: 25, seconds: 1 };
    Ok(Rate::parse(&stream.avg_frame_rate).or(Rate::parse(&stream.r_frame_rate)).unwrap_or(default))
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

    #[test]
    fn messages_become_one_line() {
        let said = b"[h264 @ 0x5581] no frame!\n[h264 @ 0x5599] no frame!\n\nfile:a.mp4: Invalid data\n";
        assert_eq!(one_line(said), "no frame!; file:a.mp4: Invalid data");
        assert_eq!(one_line(b"[odd] text"), "[odd] text");
    }
}
