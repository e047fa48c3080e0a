//! Where frames come from: V4L2 devices, programs and replayed files.

use crate::config::{self, Source};

pub mod command;
pub mod list;
pub mod negotiate;
mod node;
pub mod replay;
mod source;
pub mod thread;
mod turn;
pub mod v4l2;

pub use source::{Camera, CameraError};

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
