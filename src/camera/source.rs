//! What every source of frames does.

use super::error::{CameraError, Loss};
use crate::vocabulary::frame::Frame;

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
    /// no frame for the configured time-out, [`CameraError::OnlyDamaged`] when there was none but damaged ones.
    fn next(&mut self) -> Result<Frame, CameraError>;
}

/// Waits for a first whole frame, as long as `go_on` says so.
pub(super) fn first_frame(camera: &mut dyn Camera, go_on: &dyn Fn() -> bool) -> Result<Frame, CameraError> {
    while go_on() {
        match camera.next() {
            Err(CameraError::Waiting | CameraError::Damaged(_)) => {}
            result => return result,
        }
    }
    Err(Loss::GivenUp.into())
}

/// What a caught panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
