//! A film's marked copy, encoded by an `ffmpeg` child process, with the original's sound.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
use image::RgbImage;

use super::copies;
use crate::base::atomic_file::Part;
use crate::media::ffmpeg::Ffmpeg;
use crate::media::film::child::{Messages, file_url, spawn_failed};
use crate::media::film::timed::TimedFrames;
use crate::media::film::{Film, Range};
use crate::overlay;

/// What `ffmpeg` 5 says of a full disk when it has nothing more to write than the file's end; it ends
/// as if all were well.
const WRITE_ERRORS: [&str; 2] = ["Error writing", "Error closing"];

/// A film that is being encoded; dropped before [`Encoder::finish`] it leaves no file.
pub struct Encoder {
    child: Child,
    frames: Option<TimedFrames<ChildStdin>>,
    messages: Option<Messages>,
    part: Option<Part>,
    target: PathBuf,
}

impl Encoder {
    /// Begins the copy at `target` of `film`'s `range`, which is at `source`; without one, as of a pipe,
    /// it has no sound.
    pub fn start(
        film: &Film,
        source: Option<&Path>,
        range: Range,
        target: &Path,
        force: bool,
    ) -> anyhow::Result<Self> {
        let part = copies::begin(target, force)?;
        let container = Container::of(target);
        if source.is_none() {
            log::warn!("{}: a film from a pipe is copied without its sound", target.display());
        }
        for codec in film.sound().iter().filter(|codec| source.is_some() && !container.holds(codec)) {
            let place = target.display();
            log::warn!("{place}: its sound is encoded anew, as AAC, because {container:?} holds no {codec}");
        }
        let failed = || format!("unable to write {}", target.display());
        let mut child = command(film, source, range, container, part.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| spawn_failed("ffmpeg", error))
            .with_context(failed)?;
        let messages = child.stderr.take().map(Messages::read);
        let stdin = child.stdin.take();
        let mut encoder = Self { child, frames: None, messages, part: Some(part), target: target.to_owned() };
        let duration = Duration::from_secs_f64(1.0 / film.fps());
        let factor = overlay::enlargement(film.width(), film.height());
        let (width, height) = (film.width() * factor, film.height() * factor);
        match stdin.map(|stdin| TimedFrames::begin(stdin, width, height, duration)) {
            Some(Err(error)) => return Err(encoder.failure(&error)),
            frames => encoder.frames = frames.and_then(Result::ok),
        }
        Ok(encoder)
    }

    /// Takes the next frame.
    ///
    /// # Errors
    /// When `ffmpeg` has given up, and why; the copy is lost then.
    pub fn write(&mut self, time: Duration, frame: &RgbImage) -> anyhow::Result<()> {
        let written = match &mut self.frames {
            Some(frames) => frames.write(time, frame.as_raw()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| self.failure(&error))
    }

    /// What `ffmpeg` says of it, else the error.
    fn failure(&mut self, error: &io::Error) -> anyhow::Error {
        self.end().err().unwrap_or_else(|| copies::unwritable(&self.target, error))
    }

    /// Waits for `ffmpeg` to end and moves the copy to its place.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.end()?;
        let part = self.part.take();
        part.map_or(Ok(()), Part::commit).map_err(|error| copies::unwritable(&self.target, &error))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        // Without more frames to come it ends by itself.
        drop(self.frames.take());
        let status = self.child.wait();
        let said = self.messages.take().map(Messages::finish).unwrap_or_default();
        let target = self.target.display();
        match status {
            Ok(status) if status.success() && !WRITE_ERRORS.iter().any(|error| said.contains(error)) => {
                if !said.is_empty() {
                    // Such as sound that is damaged in the original.
                    log::warn!("{target}: ffmpeg says: {said}");
                }
                Ok(())
            }
            Ok(status) if said.is_empty() => {
                Err(anyhow!("unable to write {target}: ffmpeg ended with {status}"))
            }
            Ok(_) => Err(anyhow!("unable to write {target}: ffmpeg says: {said}")),
            Err(error) => Err(anyhow!("unable to write {target}: {error}")),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Both fail only when the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.messages.take().map(Messages::finish));
    }
}

/// What a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms, reason = "as people write them")]
enum Container {
    MP4,
    MOV,
    Matroska,
}

impl Container {
    fn of(target: &Path) -> Self {
        let extension = target.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "mkv" => Self::Matroska,
            "mov" => Self::MOV,
            _ => Self::MP4,
        }
    }

    /// Whether sound of the codec, by ffmpeg's name, can be copied into it, and is played there.
    fn holds(self, codec: &str) -> bool {
        let everywhere = ["aac", "ac3", "alac", "eac3", "mp3"].contains(&codec);
        match self {
            Self::MP4 => everywhere || codec == "opus",
            Self::MOV => everywhere || (codec.starts_with("pcm_") && codec != "pcm_bluray"),
            Self::Matroska => {
                !["nellymoser", "adpcm_swf", "adpcm_ima_qt", "qdm2", "pcm_bluray"].contains(&codec)
            }
        }
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::MP4 => &["-f", "mp4", "-movflags", "+faststart", "-video_track_timescale", "90000"],
            Self::MOV => &["-f", "mov", "-movflags", "+faststart", "-video_track_timescale", "90000"],
            Self::Matroska => &["-f", "matroska"],
        }
    }
}

/// Frames with their times on standard input, sound from the source, written to `part`.
fn command(film: &Film, source: Option<&Path>, range: Range, container: Container, part: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    // What is read begins at 0 for ffmpeg, whatever its times are: pictures that start after the sound
    // keep doing so.
    let delay = film.start_time().saturating_sub(range.from);
    command.args(["-v", "error", "-y", "-protocol_whitelist", "file,pipe"]).args([
        "-itsoffset",
        &delay.as_secs_f64().to_string(),
        "-f",
        "matroska",
        "-i",
        "pipe:0",
    ]);
    if let Some(source) = source {
        cut(&mut command, range).arg("-i").arg(file_url(source));
    }
    command.args(["-map", "0:v:0"]);
    if source.is_some() {
        sound(&mut command, film, container);
    }
    command
        // In the order in which they are shown: else MP4 is cut to before the last one.
        .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-bf", "0"])
        // Each frame at its own time, to the tick that films have in common.
        .args([Ffmpeg::installed().rate_option, "passthrough", "-enc_time_base", "1:90000"])
        // Players want sides that are even, and to be told the colour matrix.
        .args([
            "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        ])
        .args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"])
        .args(container.options())
        .arg(file_url(part));
    command
}

/// Of the input that follows, the range.
fn cut(command: &mut Command, range: Range) -> &mut Command {
    if !range.from.is_zero() {
        command.args(["-ss", &range.from.as_secs_f64().to_string()]);
    }
    if let Some(to) = range.to {
        command.args(["-t", &to.saturating_sub(range.from).as_secs_f64().to_string()]);
    }
    command
}

/// The source's sound, as it is where the container holds it; and date and place.
fn sound(command: &mut Command, film: &Film, container: Container) {
    command.args(["-map", "1:a?", "-map_metadata", "1", "-c:a", "copy"]);
    for (track, codec) in film.sound().iter().enumerate() {
        if !container.holds(codec) {
            command.args([&format!("-c:a:{track}"), "aac", &format!("-b:a:{track}"), "192k"]);
        }
    }
}
