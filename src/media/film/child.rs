//! What is common to the `ffmpeg` and `ffprobe` child processes.

use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command};
use std::thread::JoinHandle;

use super::error::FilmError;
use crate::base::process_group::PRIVATE;

/// What is kept of a child's messages.
pub const MAX_MESSAGES: usize = 2048;

/// What a child says on its standard error, read by a thread of its own.
#[derive(Debug)]
pub struct Messages(JoinHandle<String>);

impl Messages {
    pub fn read(stderr: ChildStderr) -> Self {
        Self(std::thread::spawn(move || read_messages(stderr)))
    }

    /// Waits for the child to end; the start of what it said as one line.
    pub fn finish(self) -> String {
        self.0.join().unwrap_or_default()
    }
}

/// Reads to the end, so that the child never waits.
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
pub fn one_line(text: &[u8]) -> String {
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

/// A program in a process group of its own: what is typed at the terminal, Ctrl-C above all, is for the daemon, which
/// ends its children itself.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.process_group(0);
    for name in PRIVATE {
        command.env_remove(name);
    }
    command
}

/// `file:PATH`, so that no name is taken for an option or another protocol.
pub fn file_url(path: &Path) -> PathBuf {
    let mut url = std::ffi::OsString::from("file:");
    url.push(path);
    url.into()
}

/// Why the child could not be started.
pub fn spawn_failed(program: &'static str, source: std::io::Error) -> FilmError {
    match source.kind() {
        ErrorKind::NotFound => FilmError::NoFfmpeg { program },
        _ => FilmError::Run { program, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_at_the_terminal_is_not_for_it() {
        let mut child = command("sleep").arg("60").spawn().expect("started");
        let group =
            rustix::process::getpgid(rustix::process::Pid::from_raw(child.id() as i32)).expect("a group");
        assert_eq!(group.as_raw_nonzero().get(), child.id() as i32, "it is in this program's group");
        child.kill().expect("killed");
        child.wait().expect("waited for");
    }

    #[test]
    fn messages_become_one_line() {
        let said = b"[h264 @ 0x5581] no frame!\n[h264 @ 0x5599] no frame!\n\nfile:a.mp4: Invalid data\n";
        assert_eq!(one_line(said), "no frame!; file:a.mp4: Invalid data");
        assert_eq!(one_line(b"[odd] text"), "[odd] text");
    }
}
