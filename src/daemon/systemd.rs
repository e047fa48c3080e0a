//! What systemd is told.

use std::sync::OnceLock;

/// Tells systemd that all is well, where it wants to know.
pub fn feed_watchdog() {
    static WANTED: OnceLock<bool> = OnceLock::new();
    if *WANTED.get_or_init(|| sd_notify::watchdog_enabled().is_some()) {
        notify(&[sd_notify::NotifyState::Watchdog]);
    }
}

/// Tells systemd; without it there is nobody to tell.
pub fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("unable to notify systemd: {error}");
    }
}
