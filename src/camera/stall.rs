//! How long a source may go without a whole frame.

use std::time::{Duration, Instant};

use super::error::{CameraError, Damage, Stalled};

/// A source's time-out.
#[derive(Debug)]
pub(super) struct Stall {
    timeout: Duration,
    /// When the last whole frame came, or the source was opened.
    last: Instant,
}

impl Stall {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, last: Instant::now() }
    }

    /// A whole frame came, or one that was not due yet.
    pub fn fed(&mut self) {
        self.last = Instant::now();
    }

    /// # Errors
    /// When the time is over.
    pub fn check(&self) -> Result<(), Stalled> {
        if self.last.elapsed() <= self.timeout { Ok(()) } else { Err(Stalled(self.timeout)) }
    }

    /// That there is no frame yet, or that the source is lost.
    pub fn waiting(&self) -> CameraError {
        self.check().map_or_else(|stalled| CameraError::Lost(stalled.into()), |()| CameraError::Waiting)
    }

    /// That one frame is damaged, or that there is none but damaged ones.
    pub fn damaged(&self, damage: Damage) -> CameraError {
        match self.check() {
            Ok(()) => CameraError::Damaged(damage),
            Err(Stalled(_)) => CameraError::OnlyDamaged(damage),
        }
    }
}
