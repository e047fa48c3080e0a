//! How the display fares.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::mutex::lock;

/// How the display fares, for health checks and figures.
#[derive(Debug, Default)]
pub struct Status {
    panel: Mutex<Option<String>>,
    last_error: Mutex<Option<String>>,
    errors: AtomicU64,
}

impl Status {
    /// The bus whose panel is in use; `None` without one.
    pub fn panel(&self) -> Option<String> {
        lock(&self.panel).clone()
    }

    /// Why there was no panel, or what failed, last.
    pub fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    /// Transfers and writes of the PNG that failed. That no panel is found is none.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    pub(super) fn set_panel(&self, panel: Option<String>) {
        *lock(&self.panel) = panel;
    }

    pub(super) fn set_error(&self, error: &str) {
        *lock(&self.last_error) = Some(error.to_owned());
    }

    pub(super) fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }
}
