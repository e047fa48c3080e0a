//! A film that `ffmpeg` decodes.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use image::RgbImage;
use image::imageops::{self, FilterType};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::child::{self, file_url, spawn_failed};
use super::error::FilmError;
use super::filters;
use super::frame::FilmFrame;
use super::log::{Log, Shown};
use super::options::{FilmOptions, Range};
use super::probe::Probe;
use super::source::{self, Source};
use crate::media::ffmpeg::Ffmpeg;
use crate::media::photo::MAX_PIXELS;

/// A film that is being decoded by an `ffmpeg` child process; dropping it ends that.
#[derive(Debug)]
pub struct Decoder {
    child: Child,
    pixels: BufReader<ChildStdout>,
    log: Option<Log>,
    /// Size in pixels as shown: upright, with square pixels.
    width: u32,
    height: u32,
    probe: Probe,
    /// The first frame's header was read, its pixels were not.
    header_read: bool,
    /// The next frame's place, where `ffmpeg` has told it already.
    next: Option<Shown>,
    /// Of the last frame.
    last: Option<(u64, Duration)>,
}

impl Decoder {
    /// # Errors
    /// `ffmpeg` is missing, or no frame can be decoded.
    pub fn start(source: Source, options: FilmOptions) -> Result<Self, FilmError> {
        let is_pipe = matches!(source, Source::Pipe { .. });
        Self::begin(source, options).map_err(|error| match error {
            FilmError::NotAFilm { reason } if is_pipe => FilmError::NotAFilm {
                reason: format!("{reason} (a film whose index stands at its end must be a file)"),
            },
            error => error,
        })
    }

    fn begin(source: Source, options: FilmOptions) -> Result<Self, FilmError> {
        let probe = Probe::read(&source, options.track)?;
        let program = "ffmpeg";
        let mut child = command(&source, &probe, &options.range)
            .spawn()
            .map_err(|source| spawn_failed(program, source))?;
        if let (Source::Pipe { head, rest }, Some(stdin)) = (source, child.stdin.take()) {
            source::feed(head, rest, stdin);
        }
        let log = child.stderr.take().map(|stderr| Log::read(stderr, options.range, probe.late_entry));
        let Some(stdout) = child.stdout.take() else {
            let source = std::io::Error::other("no pipe to its output");
            return Err(FilmError::Run { program, source });
        };
        let pixels = BufReader::with_capacity(1 << 16, stdout);
        let mut film = Self {
            child,
            pixels,
            log,
            width: 0,
            height: 0,
            probe,
            header_read: false,
            next: None,
            last: None,
        };
        match film.read_header() {
            Ok(Some((width, height))) => {
                if u64::from(width) * u64::from(height) > MAX_PIXELS {
                    return Err(FilmError::TooLarge { width, height });
                }
                (film.width, film.height, film.header_read) = (width, height, true);
                film.next = film.log.as_ref().and_then(Log::frame);
                Ok(film)
            }
            Ok(None) => Err(match film.finish() {
                Some((reason, _)) => FilmError::NotAFilm { reason },
                None if options.range.is_all() => {
                    FilmError::NotAFilm { reason: "it has no frames".to_owned() }
                }
                None => FilmError::OutOfRange,
            }),
            Err(error) => {
                let reason = film.finish().map_or(error.to_string(), |(reason, _)| reason);
                Err(FilmError::NotAFilm { reason })
            }
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

    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// When its first frame is shown, since the film's start: sound may come before.
    pub fn start_time(&self) -> Duration {
        self.next.map_or(Duration::ZERO, |shown| self.time(&shown))
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
    /// At the end, [`FilmError::Damaged`] when something could not be decoded.
    pub fn next_frame(&mut self) -> Result<Option<FilmFrame>, FilmError> {
        match self.read_frame() {
            Ok(Some(rgb)) => {
                let (index, time) = self.place();
                self.last = Some((index, time));
                Ok(Some(FilmFrame { index, time, rgb }))
            }
            Ok(None) => match self.finish() {
                Some((reason, near)) => Err(FilmError::Damaged { near, reason }),
                None => Ok(None),
            },
            Err(error) => {
                let last = self.last.map_or(Duration::ZERO, |(_, time)| time);
                let (reason, near) = self.finish().unwrap_or((error.to_string(), last));
                Err(FilmError::Damaged { near, reason })
            }
        }
    }

    /// Number and time of the frame that was just read, which `ffmpeg` has told before its pixels came.
    fn place(&mut self) -> (u64, Duration) {
        let next = || self.log.as_ref().and_then(Log::frame);
        let index = self.last.map_or(0, |(last, _)| last + 1);
        let shown = self.next.or_else(next).unwrap_or(Shown { index, seconds: None });
        self.next = None;
        (shown.index, self.time(&shown))
    }

    /// Where the film does not say, as long after the frame before as frames are on the average.
    fn time(&self, shown: &Shown) -> Duration {
        let last = self.last.map(|(_, time)| time);
        let time = match shown.seconds {
            Some(seconds) => Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default(),
            None => last.map_or(Duration::ZERO, |last| last + Duration::from_secs_f64(1.0 / self.probe.fps)),
        };
        time.max(last.unwrap_or_default())
    }

    fn read_frame(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut size = (self.width, self.height);
        if !std::mem::take(&mut self.header_read) {
            match self.read_header()? {
                None => return Ok(None),
                Some(other) => size = other,
            }
        }
        let (width, height) = size;
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(std::io::Error::other(format!("a frame has {width}x{height} pixels")));
        }
        let mut rgb = vec![0; width as usize * height as usize * 3];
        self.pixels.read_exact(&mut rgb)?;
        if size == (self.width, self.height) {
            return Ok(Some(rgb));
        }
        let other = RgbImage::from_raw(width, height, rgb).ok_or(ErrorKind::InvalidData)?;
        Ok(Some(fitted(&other, self.width, self.height).into_raw()))
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

    /// Ends the child; why it failed, if it did by itself, and near what time.
    fn finish(&mut self) -> Option<(String, Duration)> {
        // At the end of its output it is about to exit; else it is of no use any more.
        let at_end = self.pixels.fill_buf().is_ok_and(|rest| rest.is_empty());
        if !at_end {
            // An error means that it has exited.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let complaints = self.log.take().map(Log::finish).unwrap_or_default();
        let near = Duration::try_from_secs_f64(complaints.near.max(0.0)).unwrap_or_default();
        let reason = match status {
            Ok(status) if status.success() && complaints.text.is_empty() => return None,
            Ok(status) if complaints.text.is_empty() => format!("ffmpeg ended with {status}"),
            Ok(_) => complaints.text,
            Err(error) => format!("unable to wait for ffmpeg: {error}"),
        };
        Some((reason, near))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // Both fail only when the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.log.take().map(Log::finish));
    }
}

/// Decodes to a stream of PPM, each of which says its size, so that shape and rotation are ffmpeg's
/// business alone; the frames' times stand in its log.
fn command(source: &Source, probe: &Probe, range: &Range) -> Command {
    let mut command = child::command("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-nostats", "-v", "level+info"]);
    // Without the pictures in which the decoder had to guess.
    command.args(["-protocol_whitelist", "file,pipe", "-flags", "-output_corrupt", "-i"]);
    match source {
        Source::File(path) => command.arg(file_url(path)).stdin(Stdio::null()),
        Source::Pipe { .. } => command.arg("pipe:0").stdin(Stdio::piped()),
    };
    command
        .args(["-map", &format!("0:{}", probe.stream), "-vf", &filters::chain(probe, range)])
        .args([Ffmpeg::installed().rate_option, "passthrough"])
        // Its encoder would complain of two frames in one tick of the average rate.
        .args(["-enc_time_base", "1:90000"])
        .args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A picture of another size, as broadcasts have it between two programmes, whole within the film's.
fn fitted(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let scale =
        (f64::from(width) / f64::from(picture.width())).min(f64::from(height) / f64::from(picture.height()));
    let side = |pixels: u32, most: u32| ((f64::from(pixels) * scale).round() as u32).clamp(1, most);
    let (inner_width, inner_height) = (side(picture.width(), width), side(picture.height(), height));
    let inner = imageops::resize(picture, inner_width, inner_height, FilterType::Triangle);
    let mut whole = RgbImage::new(width, height);
    let (x, y) = ((width - inner_width) / 2, (height - inner_height) / 2);
    imageops::replace(&mut whole, &inner, i64::from(x), i64::from(y));
    whole
}
