//! What every source of frames does, and how it fails.

use crate::vocabulary::frame::Frame;

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
    /// The source delivers, but nothing whole for the configured time-out; it is opened again as a lost one is.
    #[error("none of its pictures is whole: {0}")]
    OnlyDamaged(String),
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
    Err(CameraError::Lost("not waited for".to_owned()))
}

/// What a caught panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
