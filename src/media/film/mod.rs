//! The frames of a film, decoded by an `ffmpeg` child process.

pub mod child;
mod error;
mod probe;

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::media::photo::MAX_PIXELS;
use child::{Messages, file_url, spawn_failed};
pub use error::FilmError;
use probe::Probe;
pub use probe::Rate;

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
    messages: Option<Messages>,
    /// Decoding goes on after damage.
    forgiving: bool,
    /// Frames read when the first complaint came.
    complaint: Option<u64>,
    /// Size in pixels after the rotation that the film's own data ask for.
    width: u32,
    height: u32,
    probe: Probe,
    /// The first frame's header was read, its pixels were not.
    header_read: bool,
    frames: u64,
}

impl Film {
    /// Begins to decode the first video stream of `path`, at its average rate: frames that came
    /// at uneven times are repeated or left out. Damage ends it.
    ///
    /// # Errors
    /// `ffmpeg` is missing, or no frame can be decoded.
    pub fn open(path: &Path) -> Result<Self, FilmError> {
        Self::start(path, false)
    }

    /// Like [`Self::open`], but decodes what can be: the last whole frame is repeated where frames
    /// are damaged, so that the others keep their times.
    pub fn open_forgiving(path: &Path) -> Result<Self, FilmError> {
        Self::start(path, true)
    }

    fn start(path: &Path, forgiving: bool) -> Result<Self, FilmError> {
        let probe = Probe::read(path)?;
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file"]);
        if forgiving {
            // Without the pictures in which the decoder had to guess.
            command.args(["-flags", "-output_corrupt"]);
        } else {
            command.arg("-xerror");
        }
        command
            .arg("-i")
            .arg(file_url(path))
            .args(["-map", "0:v:0", "-vf", &format!("fps={}", probe.rate)])
            // A PPM says its size, so that rotation is ffmpeg's business alone.
            .args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = "ffmpeg";
        let mut child = command.spawn().map_err(|source| spawn_failed(program, source))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let messages = stderr.map(Messages::read);
        let Some(stdout) = stdout else {
            let source = std::io::Error::other("no pipe to its output");
            return Err(FilmError::Run { program, source });
        };
        let pixels = BufReader::with_capacity(1 << 16, stdout);
        let mut film = Self {
            child,
            pixels,
            messages,
            forgiving,
            complaint: None,
            width: 0,
            height: 0,
            probe,
            header_read: false,
            frames: 0,
        };
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
        self.probe.rate
    }

    /// Frames a second.
    pub fn fps(&self) -> f64 {
        f64::from(self.probe.rate.frames) / f64::from(self.probe.rate.seconds)
    }

    /// How many frames there should be, where the file says so or how long it is.
    pub fn expected_frames(&self) -> Option<u64> {
        self.probe.frames
    }

    /// How long after the file's start its pictures start, in seconds.
    pub fn delay(&self) -> f64 {
        self.probe.delay
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
    /// At the end, [`FilmError::Damaged`] when decoding stopped too early, and
    /// [`FilmError::Holed`] when it went on after damage.
    pub fn next_frame(&mut self) -> Result<Option<FilmFrame>, FilmError> {
        if self.complaint.is_none() && self.messages.as_ref().is_some_and(Messages::any) {
            self.complaint = Some(self.frames);
        }
        match self.read_frame() {
            Ok(Some(rgb)) => {
                let index = self.frames;
                self.frames += 1;
                Ok(Some(FilmFrame { index, time: self.probe.rate.time(index), rgb }))
            }
            Ok(None) => match self.finish() {
                Some(reason) if self.forgiving => {
                    let near = self.probe.rate.time(self.complaint.unwrap_or(self.frames));
                    Err(FilmError::Holed { near, reason })
                }
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
        let messages = self.messages.take().map(Messages::finish).unwrap_or_default();
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
        drop(self.messages.take().map(Messages::finish));
    }
}
