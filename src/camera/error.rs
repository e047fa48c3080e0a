//! Why there is no next frame.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::command::stream::StreamError;
use super::node::{NodeError, cause};
use crate::media::decode::DecodeError;
use crate::media::film::FilmError;
use crate::media::photo::PhotoError;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CameraError {
    /// None has come yet; ask again.
    #[error("no frame yet")]
    Waiting,
    /// One frame was cut short or could not be decoded; the next may be whole.
    #[error("damaged frame: {0}")]
    Damaged(#[source] Damage),
    /// A replay that is not repeated is over.
    #[error("the replay has ended")]
    Ended,
    /// The source does not deliver any more and must be opened again.
    #[error(transparent)]
    Lost(#[from] Loss),
    /// The source delivers, but nothing whole for the configured time-out; it is opened again as a lost one is.
    #[error("none of its pictures is whole: {0}")]
    OnlyDamaged(#[source] Damage),
    /// The source cannot be opened.
    #[error("unable to open {source_name}: {reason}")]
    Open {
        source_name: String,
        #[source]
        reason: Unopened,
    },
}

/// What is wrong with a frame, or with all of a source.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Damage {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the driver marked it as damaged")]
    Marked,
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error("{}: {source}", path.display())]
    Film { path: PathBuf, source: FilmError },
    #[error("none of the {photos} photos in {} is whole", folder.display())]
    Folder { folder: PathBuf, photos: usize },
    #[error("command {program}: {damage}")]
    Command {
        program: String,
        #[source]
        damage: Box<Damage>,
    },
    #[error("{0}")]
    Devices(Tried),
}

/// Why a source does not deliver any more.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Loss {
    #[error(transparent)]
    Stalled(#[from] Stalled),
    #[error("{action}: {}", cause(source))]
    Device { action: &'static str, source: io::Error },
    #[error("{}: {source}", path.display())]
    Film { path: PathBuf, source: FilmError },
    /// With the last line that the program wrote to its standard error.
    #[error("command {program}: {end}{}", message.as_ref().map_or_else(String::new, |line| format!(": {line}")))]
    Command {
        program: String,
        #[source]
        end: CommandEnd,
        message: Option<String>,
    },
    /// Whoever asked does not want it any more.
    #[error("not waited for")]
    GivenUp,
}

/// No whole frame came for the configured time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no frame in {} s", .0.as_secs_f64())]
pub struct Stalled(pub Duration);

/// How a program that writes pictures ended.
#[derive(Debug, thiserror::Error)]
pub enum CommandEnd {
    #[error("it ended with {0}")]
    Ended(ExitStatus),
    #[error("it closed its output")]
    Closed,
    #[error("unable to read its output: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Stalled(#[from] Stalled),
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Unopened {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("{}", program_cause(.0))]
    Program(#[source] io::Error),
    #[error(transparent)]
    Path(#[from] io::Error),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Film(#[from] FilmError),
    #[error("there is no photo in this folder (name one with some)")]
    NoPhotos,
    #[error("there is no /dev/video* (is one connected and its driver loaded?)")]
    NoDevices,
    #[error("none delivers pictures: {0}")]
    Devices(Tried),
    /// Neither a device nor the camera module.
    #[error("{devices}; {module}")]
    Neither { devices: Box<Unopened>, module: Box<CameraError> },
}

/// The devices that were tried, and why each will not do.
#[derive(Debug)]
pub struct Tried(pub Vec<(PathBuf, CameraError)>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (path, error)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{}: ", path.display())?;
            match error {
                CameraError::Open { reason, .. } => reason.fmt(f)?,
                error => error.fmt(f)?,
            }
        }
        Ok(())
    }
}

/// What an error of the system means for a program that was to be started.
fn program_cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such program (is it installed?)".to_owned(),
        ErrorKind::PermissionDenied => "it may not be run (is it executable?)".to_owned(),
        _ => error.to_string(),
    }
}
