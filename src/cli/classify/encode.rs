//! A film's marked copy, encoded by an `ffmpeg` child process, with the original's sound.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, anyhow};
use image::RgbImage;

use super::copies;
use crate::base::atomic_file::Part;
use crate::media::film::Film;
use crate::media::film::child::{Messages, file_url, spawn_failed};
use crate::overlay;

/// What `ffmpeg` 5 says of a full disk when it has nothing more to write than the file's end; it ends
/// as if all were well.
const WRITE_ERRORS: [&str; 2] = ["Error writing", "Error closing"];

/// A film that is being encoded; dropped before [`Encoder::finish`] it leaves no file.
pub struct Encoder {
    child: Child,
    messages: Option<Messages>,
    part: Option<Part>,
    target: PathBuf,
}

impl Encoder {
    /// Begins the copy at `target` of `film`, which is at `source`.
    pub fn start(film: &Film, source: &Path, target: &Path, force: bool) -> anyhow::Result<Self> {
        let part = copies::begin(target, force)?;
        let mut child = command(film, source, target, part.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| spawn_failed("ffmpeg", error))
            .with_context(|| format!("unable to write {}", target.display()))?;
        let messages = child.stderr.take().map(Messages::read);
        Ok(Self { child, messages, part: Some(part), target: target.to_owned() })
    }

    /// Takes the next frame.
    ///
    /// # Errors
    /// When `ffmpeg` has given up, and why; the copy is lost then.
    pub fn write(&mut self, frame: &RgbImage) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut();
        match stdin.map_or(Err(io::ErrorKind::BrokenPipe.into()), |stdin| stdin.write_all(frame.as_raw())) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.end().err().unwrap_or_else(|| copies::unwritable(&self.target, &error))),
        }
    }

    /// Waits for `ffmpeg` to end and moves the copy to its place.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.end()?;
        let part = self.part.take();
        part.map_or(Ok(()), Part::commit).map_err(|error| copies::unwritable(&self.target, &error))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        // Without more frames to come it ends by itself.
        drop(self.child.stdin.take());
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

/// Raw frames on standard input, sound from the source, written to `part`.
fn command(film: &Film, source: &Path, target: &Path, part: &Path) -> Command {
    let factor = overlay::enlargement(film.width(), film.height());
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-y", "-f", "rawvideo", "-pixel_format", "rgb24"])
        .args(["-video_size", &format!("{}x{}", film.width() * factor, film.height() * factor)])
        .args(["-framerate", &film.rate().to_string()])
        // Pictures that start after the sound keep doing so.
        .args(["-itsoffset", &format!("{:.6}", film.delay()), "-i", "pipe:0"])
        .args(["-protocol_whitelist", "file", "-i"])
        .arg(file_url(source))
        .args(["-map", "0:v:0", "-map", "1:a?", "-map_metadata", "1", "-c:a", "copy"])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "20"])
        // Players want sides that are even, and to be told the colour matrix.
        .args([
            "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        ])
        .args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]);
    let extension = target.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "mkv" => command.args(["-f", "matroska"]),
        "mov" => command.args(["-f", "mov", "-movflags", "+faststart"]),
        _ => command.args(["-f", "mp4", "-movflags", "+faststart"]),
    };
    command.arg(file_url(part));
    command
}
