//! Where frames come from: V4L2 devices, programs and replayed files.

use crate::config::{self, Source};

pub(crate) mod command;
mod error;
pub mod list;
pub(crate) mod negotiate;
mod node;
pub(crate) mod replay;
mod settle;
mod source;
mod stall;
pub mod thread;
mod turn;
pub(crate) mod v4l2;

pub use error::{CameraError, Damage, Loss, Unopened};
pub use source::Camera;

/// Opens the configured source.
///
/// # Errors
/// [`CameraError::Open`].
pub fn open(config: &config::Camera) -> Result<Box<dyn Camera>, CameraError> {
    open_while(config, &|| true)
}

/// Like [`open`], but gives up soon after `go_on` says no.
///
/// # Errors
/// [`CameraError::Open`]; also when `go_on` said no.
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
            let reason = Unopened::Neither { devices: Box::new(reason), module: Box::new(module) };
            Err(CameraError::Open { source_name, reason })
        }
        (_, error) => Err(error),
    }
}
