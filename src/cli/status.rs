//! How the program ends, and what it says of errors.

use std::process::ExitCode;

use crate::base::printable::printable;
use crate::config::ConfigError;
use crate::mqtt::MqttError;
use crate::pipeline::load::ModelError;
use crate::rules::RulesError;
use crate::web::WebError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that was asked for was done.
    Done,
    /// Failed while running, or a file was skipped.
    Failed,
    /// Wrong usage, as clap ends the program, too.
    Usage,
    /// Bad configuration or model: systemd does not restart on it (`EX_CONFIG` of sysexits.h).
    Misconfigured,
    /// By this signal, as shells count it.
    Stopped(i32),
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::Misconfigured => 78,
            Status::Stopped(signal) => u8::try_from(128 + signal).unwrap_or(1),
        })
    }
}

impl Status {
    /// The status that an error ends the program with.
    pub fn of(error: &anyhow::Error) -> Self {
        let misconfigured = error.chain().any(|cause| {
            cause.is::<ConfigError>()
                || cause.is::<ModelError>()
                || cause.is::<MqttError>()
                || cause.is::<RulesError>()
                || cause.is::<WebError>()
        });
        match error {
            // The configuration is not to blame: systemd may try again.
            _ if is_exhausted(error) => Self::Failed,
            _ if misconfigured => Self::Misconfigured,
            _ if error.is::<UsageError>() => Self::Usage,
            _ => {
                error.downcast_ref::<Stopped>().map_or(Self::Failed, |stopped| Self::Stopped(stopped.signal))
            }
        }
    }
}

/// Standard output was closed by who reads it.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(super) struct OutputClosed;

/// A signal ended the work.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("stopped by a signal")]
pub(super) struct Stopped {
    pub signal: i32,
}

/// The system has no more files, memory or threads to give.
fn is_exhausted(error: &anyhow::Error) -> bool {
    use rustix::io::Errno;
    error.chain().any(|cause| {
        let code = cause.downcast_ref::<std::io::Error>().and_then(Errno::from_io_error);
        // The dynamic linker tells in words.
        matches!(code, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN))
            || cause.to_string().contains("Too many open files")
    })
}

/// Arguments that do not fit each other.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// What an error says: all mistakes of a configuration, a line each, or `one_line`.
pub fn lines(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref() {
        Some(ConfigError::Invalid(mistakes)) => mistakes.clone(),
        _ => vec![one_line(error)],
    }
}

/// An error with its causes, on one line; a cause that is told already is not told again.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    printable(&line.replace('\n', " "))
}
