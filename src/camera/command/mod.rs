//! Pictures that a program writes to its standard output: `rpicam-vid`, `ffmpeg`, GStreamer.

pub(super) mod stream;

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use self::stream::{Piece, Splitter};
use super::error::{CameraError, CommandEnd, Damage, Loss, Unopened};
use super::source::{Camera, first_frame};
use super::stall::Stall;
use crate::base::printable::without_credentials;
use crate::base::process_group::{Group, PRIVATE};
use crate::base::secret::Secret;
use crate::config::{self, CommandFormat, Pace};
use crate::media::decode::{self, DecodeError};
use crate::vocabulary::frame::Frame;

/// Longest wait in one call of [`Camera::next`].
const WAIT: Duration = Duration::from_millis(200);

/// What a program gets to end by itself: after it was asked to, or when it closed its output.
const GRACE: Duration = Duration::from_millis(500);

/// Most bytes that are read in one call, so that one which writes faster than it can be read cannot
/// keep this from handing out frames.
const MAX_READ: usize = 1 << 24;

/// The longest message that is kept, in bytes.
const MAX_MESSAGE: usize = 512;

/// Of the Raspberry Pi's programs for its camera modules the one that is installed; the second is
/// what Raspberry Pi OS before 2024 calls it.
const PI_PROGRAMS: [&str; 2] = ["rpicam-vid", "libcamera-vid"];

/// A running program that writes pictures.
pub struct CommandCamera {
    /// Declared before the child, so dropped before it: until that is waited for, the group's number
    /// is no other's.
    group: Option<Group>,
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
    program: String,
    description: String,
    /// Width and height of the last frame.
    size: (u32, u32),
    splitter: Splitter,
    messages: LastLine,
    pace: Pace,
    /// The shortest time between two frames that are handed on.
    interval: Duration,
    /// When the next frame is wanted.
    due: Instant,
    stall: Stall,
    sequence: u64,
    /// A frame that was taken to see whether the program delivers any.
    probed: Option<Frame>,
}

impl CommandCamera {
    /// Starts the program `words[0]` with the other words as its arguments, in a process group of its own.
    ///
    /// # Errors
    /// [`CameraError::Open`] when it cannot be started.
    pub fn open(words: &[Secret], config: &config::Camera) -> Result<Self, CameraError> {
        let program = words.first().map_or("", Secret::reveal).to_owned();
        let failed = |error: io::Error| CameraError::Open {
            source_name: format!("command {program}"),
            reason: Unopened::Program(error),
        };
        let mut command = Command::new(&program);
        command.args(words.iter().skip(1).map(Secret::reveal)).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in PRIVATE {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(failed)?;
        let group = Group::of(Some(child.id()));
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::Error::other("no pipe to its output")));
        };
        for pipe in [stdout.as_fd(), stderr.as_fd()] {
            rustix::io::ioctl_fionbio(pipe, true).map_err(|errno| failed(errno.into()))?;
        }
        let now = Instant::now();
        Ok(Self {
            group: Some(group),
            child,
            stdout,
            stderr,
            description: format!("command {program}"),
            program,
            size: (0, 0),
            splitter: Splitter::new(config.format, (config.width, config.height)),
            messages: LastLine::default(),
            pace: config.pace,
            interval: Duration::from_secs(1) / config.fps.max(1),
            due: now,
            stall: Stall::new(config.timeout),
            sequence: 0,
            probed: None,
        })
    }

    /// Waits for a first frame and keeps it for [`Camera::next`].
    fn probe(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), CameraError> {
        self.probed = Some(first_frame(self, go_on)?);
        Ok(())
    }

    /// Reads what has been written; whether there may be more.
    fn read(&mut self) -> Result<bool, CameraError> {
        self.messages.read(&mut self.stderr);
        let mut buffer = [0; 1 << 16];
        let mut left = MAX_READ;
        while left > 0 {
            match self.stdout.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.splitter.push(&buffer[..count]);
                    left = left.saturating_sub(count);
                    // Flat out, one frame after the other is wanted, and the program waits meanwhile.
                    if self.pace == Pace::FlatOut {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(self.lost(error)),
            }
        }
        Ok(true)
    }

    /// The frame to hand on: the next one, or in real time the newest, when it is due.
    fn take_frame(&mut self) -> Result<Option<Piece>, CameraError> {
        let mut newest = None;
        loop {
            match self.splitter.next() {
                Ok(Some(piece)) => {
                    self.sequence += 1;
                    let keeps = matches!(piece, Piece::Damaged(_)) || self.pace == Pace::FlatOut;
                    newest = Some(piece);
                    if keeps {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => return Err(self.lost(error)),
            }
        }
        if self.pace == Pace::FlatOut || !matches!(newest, Some(Piece::Frame(..))) {
            return Ok(newest);
        }
        let now = Instant::now();
        if now < self.due {
            self.stall.fed();
            return Ok(None);
        }
        // They come a little early and late: half an interval is allowed, on average each lets one through.
        self.due = (self.due + self.interval).max(now + self.interval / 2);
        Ok(newest)
    }

    /// Why there is no frame, when the program has ended or closed its output.
    fn ended(&mut self) -> CameraError {
        let status = self.wait(GRACE);
        self.messages.read(&mut self.stderr);
        match status {
            Some(status) => self.lost(CommandEnd::Ended(status)),
            None => self.lost(CommandEnd::Closed),
        }
    }

    /// Names the program, its last message included.
    fn lost(&self, end: impl Into<CommandEnd>) -> CameraError {
        let (program, end) = (self.program.clone(), end.into());
        Loss::Command { program, end, message: self.messages.last() }.into()
    }

    /// Waits for the program, but not for what it started, and ends the group.
    fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let leader = self.group.as_ref().and_then(Group::leader)?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let until = Instant::now() + limit;
        // Without reaping it, so that the group's number stays its own.
        while matches!(rustix::process::waitid(WaitId::Pid(leader), options), Ok(None)) {
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(self.group.take());
        self.child.wait().ok()
    }

    fn decode(&mut self, layout: &decode::Layout, bytes: &[u8]) -> Result<Frame, CameraError> {
        let pixels = decode::decode(layout, bytes).map_err(|error| self.damaged(error.into()))?;
        let pixels = decode::squared(pixels, self.splitter.aspect());
        let size = (pixels.width, pixels.height);
        if std::mem::replace(&mut self.size, size) != size {
            let format = self.splitter.name().unwrap_or_default();
            self.description = format!("command {}, {}x{} {format}", self.program, size.0, size.1);
        }
        self.stall.fed();
        Ok(Frame::new(size.0, size.1, pixels.format, pixels.data, Instant::now(), self.sequence - 1))
    }

    /// That the frame is damaged, or that there was no whole one for too long.
    fn damaged(&self, damage: Damage) -> CameraError {
        match self.stall.damaged(damage) {
            CameraError::OnlyDamaged(damage) => {
                let (program, damage) = (self.program.clone(), Box::new(damage));
                CameraError::OnlyDamaged(Damage::Command { program, damage })
            }
            error => error,
        }
    }
}

impl Camera for CommandCamera {
    fn description(&self) -> &str {
        &self.description
    }

    fn next(&mut self) -> Result<Frame, CameraError> {
        if let Some(frame) = self.probed.take() {
            return Ok(frame);
        }
        // Flat out there may be more whole frames in what was read before.
        let mut piece = self.take_frame()?;
        if piece.is_none() {
            let timeout = Timespec::try_from(WAIT).ok();
            let mut pipes = [PollFd::new(&self.stdout, PollFlags::IN)];
            let ready = rustix::event::poll(&mut pipes, timeout.as_ref()).unwrap_or(0) > 0;
            let more = self.read()?;
            piece = self.take_frame()?;
            if piece.is_none() && ready && !more {
                return Err(self.ended());
            }
        }
        match piece {
            Some(Piece::Frame(layout, bytes)) => self.decode(&layout, &bytes),
            Some(Piece::Damaged(error)) => Err(self.damaged(DecodeError::from(error).into())),
            None => Err(match (self.stall.check(), self.splitter.unknown()) {
                (Ok(()), _) => CameraError::Waiting,
                (Err(_), Some(unknown)) => self.lost(unknown),
                (Err(stalled), None) => self.lost(stalled),
            }),
        }
    }
}

impl Drop for CommandCamera {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.signal(Signal::TERM);
        }
        if self.wait(GRACE).is_none() {
            drop(self.group.take());
            // It was killed; an error means that it has been waited for.
            let _ = self.child.wait();
        }
    }
}

/// Starts the Raspberry Pi's program for its camera modules and waits for a first frame; `None` where
/// none is installed.
pub fn open_pi(
    config: &config::Camera,
    go_on: &dyn Fn() -> bool,
) -> Option<Result<CommandCamera, CameraError>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = PI_PROGRAMS.iter().find_map(|name| find(name, &path))?;
    let config = config::Camera { format: CommandFormat::Auto, ..config.clone() };
    let mut camera = match CommandCamera::open(&pi_words(&program, &config), &config) {
        Ok(camera) => camera,
        Err(error) => return Some(Err(error)),
    };
    Some(camera.probe(go_on).map(|()| camera))
}

/// Where `PATH` says that the program is.
fn find(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn pi_words(program: &Path, config: &config::Camera) -> Vec<Secret> {
    let (width, height, fps) = (config.width.to_string(), config.height.to_string(), config.fps.to_string());
    let words = [
        &*program.to_string_lossy(),
        "--timeout=0",
        "--nopreview",
        "--codec=mjpeg",
        "--flush=1",
        &format!("--width={width}"),
        &format!("--height={height}"),
        &format!("--framerate={fps}"),
        "--output=-",
    ];
    words.map(|word| Secret::from(word.to_owned())).to_vec()
}

/// The last line that a program wrote, without what could be a password.
#[derive(Debug, Default)]
struct LastLine {
    last: String,
    /// The line that is being written.
    open: Vec<u8>,
}

impl LastLine {
    /// Reads what is there, without waiting.
    fn read(&mut self, pipe: &mut impl Read) {
        let mut buffer = [0; 4096];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => buffer[..count].iter().for_each(|byte| self.push(*byte)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }

    /// A line also ends where the next is written over it, as figures of progress are.
    fn push(&mut self, byte: u8) {
        if !matches!(byte, b'\n' | b'\r') {
            if self.open.len() < MAX_MESSAGE {
                self.open.push(byte);
            }
            return;
        }
        let line = tidy(&self.open);
        self.open.clear();
        if !line.is_empty() {
            log::debug!("camera: the command says: {line}");
            self.last = line;
        }
    }

    fn last(&self) -> Option<String> {
        let open = tidy(&self.open);
        let last = if open.is_empty() { self.last.clone() } else { open };
        (!last.is_empty()).then_some(last)
    }
}

/// On one line, and without user name and password of an address.
fn tidy(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line).trim().replace(char::is_control, " ");
    without_credentials(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_tells_no_password() {
        let mut last = LastLine::default();
        assert_eq!(last.last(), None);
        last.read(&mut b"frame=1\rframe=2\n\nrtsp://eve:s3cret@10.0.0.9:554/a: 401 \x1b[0m\n\n".as_slice());
        assert_eq!(last.last().as_deref(), Some("rtsp://10.0.0.9:554/a: 401  [0m"));
        last.read(&mut b"to http://a/b@c and x://u:p@y".as_slice());
        assert_eq!(last.last().as_deref(), Some("to http://c and x://y"));
        last.read(&mut [b'x'; 100_000].as_slice());
        assert_eq!(last.open.len(), MAX_MESSAGE);
    }
}
