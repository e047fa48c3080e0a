//! Keeps one line of the runtime's from standard error.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, TryLockError};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::stdio::{dup2_stderr, stderr};

/// What TFLite says of every process's first compiled model. Its logger ("minimal logging") has no switch that the
/// library exports, and heeds none of LiteRT's.
const CHATTER: &str = "Created TensorFlow Lite XNNPACK delegate for CPU.";

/// Runs `work` while standard error goes to memory, then writes what came there to the real one, less [`CHATTER`]. Only
/// the first run is caught, as TFLite says it but once; what other threads say meanwhile comes a few milliseconds late.
/// Where the redirection fails, the line is the lesser evil.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static FIRST: Mutex<bool> = Mutex::new(true);
    let mut first = match FIRST.try_lock() {
        Ok(first) => first,
        Err(TryLockError::Poisoned(first)) => first.into_inner(),
        Err(TryLockError::WouldBlock) => return work(),
    };
    if !std::mem::take(&mut *first) {
        return work();
    }
    let Ok((memory, real)) = redirect() else { return work() };
    let done = work();
    if dup2_stderr(&real).is_ok() {
        // There is nowhere to tell that standard error fails.
        let _ = pass_on(memory, &mut File::from(real));
    }
    done
}

/// Standard error to a file in memory; that file, and where standard error went.
fn redirect() -> io::Result<(File, OwnedFd)> {
    let memory = memfd_create("stderr", MemfdFlags::CLOEXEC)?;
    let real = rustix::io::fcntl_dupfd_cloexec(stderr(), 3)?;
    dup2_stderr(&memory)?;
    Ok((File::from(memory), real))
}

fn pass_on(mut memory: File, real: &mut File) -> io::Result<()> {
    memory.rewind()?;
    for line in BufReader::new(memory).split(b'\n') {
        let mut line = line?;
        if !String::from_utf8_lossy(&line).contains(CHATTER) {
            line.push(b'\n');
            real.write_all(&line)?;
        }
    }
    Ok(())
}
