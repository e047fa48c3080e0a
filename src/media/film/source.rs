//! Where a film's bytes come from: a file, or a pipe that can be read once.

use std::fmt;
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Output, Stdio};

use super::child::spawn_failed;
use super::error::FilmError;

/// Bytes of a pipe that are looked at before it is decoded.
pub const HEAD: u64 = 5_000_000;

pub enum Source {
    File(PathBuf),
    Pipe {
        /// What was read of it already.
        head: Vec<u8>,
        rest: Box<dyn Read + Send>,
    },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Pipe { head, .. } => f.debug_tuple("Pipe").field(&head.len()).finish(),
        }
    }
}

/// Runs the program with `bytes` on its standard input.
pub fn ask(bytes: &[u8], command: &mut Command) -> Result<Output, FilmError> {
    let failed = |source| spawn_failed("ffprobe", source);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // Beside the reading of its answer, so that neither waits for the other.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(bytes)));
        child.wait_with_output().map_err(failed)
    })
}

/// Hands the pipe's bytes on until it ends or the child does.
pub fn feed(head: Vec<u8>, mut rest: Box<dyn Read + Send>, mut stdin: ChildStdin) {
    std::thread::spawn(move || {
        // A child that has gone needs no more.
        let _ = io::copy(&mut Cursor::new(head), &mut stdin);
        let _ = io::copy(&mut rest, &mut stdin);
    });
}
