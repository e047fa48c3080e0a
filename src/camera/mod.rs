//! Where frames come from: V4L2 devices, programs and replayed files.

use crate::config::{self, Source};
use crate::vocabulary::frame::Frame;

pub mod command;
pub mod list;
pub mod negotiate;
pub mod replay;
pub mod thread;
mod turn;
pub mod v4l2;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// None has come yet; ask again.
    #[error("no frame yet")]
    Waiting,
    /// One frame was cut short or could not be decoded; the next may be whole.
    #[error("damaged frame: {0}")]
    Damaged(String),
    /// A replay that is not repeated is over.
    #[error("the replay has ended")]
    Ended,
    /// The source does not deliver any more and must be opened again.
    #[error("{0}")]
    Lost(String),
    /// The source cannot be opened.
    #[error("unable to open {source_name}: {reason}")]
    Open { source_name: String, reason: String },
}

/// A source of frames: a device, a program or a replay.
pub trait Camera: Send {
    /// What it is and delivers, for people and logs: `/dev/video0 (C920), 640x480 MJPG at 30/s`.
    fn description(&self) -> &str;

    /// Waits for the next frame, but no longer than a fraction of a second, so that the caller can
    /// see to other things.
    ///
    /// # Errors
    /// After [`CameraError::Waiting`] and [`CameraError::Damaged`] it may be called again; after
    /// any other error the camera must be dropped. [`CameraError::Lost`] also comes when there was
    /// no frame for the configured time-out.
    fn next(&mut self) -> Result<Frame, CameraError>;
}

/// Opens the configured source.
///
/// # Errors
/// [`CameraError::Open`].
pub fn open(config: &config::Camera) -> Result<Box<dyn Camera>, CameraError> {
    open_while(config, &|| true)
}

/// Like [`open`], but gives up soon after `go_on` says no.
pub fn open_while(config: &config::Camera, go_on: &dyn Fn() -> bool) -> Result<Box<dyn Camera>, CameraError> {
    let camera: Box<dyn Camera> = match &config.source {
        Source::Auto => open_any(config, go_on)?,
        Source::Device(path) => Box::new(v4l2::V4l2Camera::open(path, config)?),
        Source::Replay(path) => Box::new(replay::Replay::open(path, config)?),
        Source::Command(words) => Box::new(command::CommandCamera::open(words, config)?),
    };
    Ok(turn::turned(camera, config.rotate, config.mirror))
}

/// The first device that delivers, else a Raspberry Pi's camera module where its program is installed:
/// those devices give nothing but raw sensor data.
fn open_any(config: &config::Camera, go_on: &dyn Fn() -> bool) -> Result<Box<dyn Camera>, CameraError> {
    let error = match v4l2::open_any(config, go_on) {
        Ok(camera) => return Ok(Box::new(camera)),
        Err(error) => error,
    };
    match (command::open_pi(config, go_on), error) {
        (Some(Ok(camera)), _) => Ok(Box::new(camera)),
        (Some(Err(module)), CameraError::Open { source_name, reason }) => {
            Err(CameraError::Open { source_name, reason: format!("{reason}; {module}") })
        }
        (_, error) => Err(error),
    }
}

/// Waits for a first whole frame, as long as `go_on` says so.
fn first_frame(camera: &mut dyn Camera, go_on: &dyn Fn() -> bool) -> Result<Frame, CameraError> {
    while go_on() {
        match camera.next() {
            Err(CameraError::Waiting | CameraError::Damaged(_)) => {}
            result => return result,
        }
    }
    Err(CameraError::Lost("not waited for".to_owned()))
}

/// What a caught panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
