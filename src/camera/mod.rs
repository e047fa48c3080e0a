//! Where frames come from: V4L2 devices and replayed files.

use crate::frame::Frame;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
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

/// A source of frames: a device or a replay.
pub trait Camera: Send {
    /// What it is and delivers, for people and logs: `/dev/video0 (C920), 640x480 MJPG at 30/s`.
    fn description(&self) -> &str;

    /// Waits for the next frame, at most for the configured time-out.
    ///
    /// # Errors
    /// After [`CameraError::Damaged`] it may be called again; after any other error the camera must
    /// be dropped.
    fn next(&mut self) -> Result<Frame, CameraError>;
}
