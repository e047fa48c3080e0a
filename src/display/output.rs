//! Where pictures go: the panel, the PNG, the terminal. Each failure is told once and retried.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::bus::{self, AnyWire};
use super::error::DisplayError;
use super::panel::Panel;
use super::picture::Picture;
use super::preview;
use super::status::Status;
use crate::base::backoff::Backoff;
use crate::config;

/// The panel, or the wait for one.
pub struct PanelOutput {
    config: config::Display,
    panel: Option<(Panel<AnyWire>, PathBuf)>,
    contrast: u8,
    backoff: Backoff,
    next_try: Option<Instant>,
    /// The last trouble that was logged.
    told: String,
}

impl PanelOutput {
    /// `None` when the driver is none that has a panel.
    pub fn new(config: &config::Display) -> Option<Self> {
        config.driver.takes_panel().then(|| Self {
            config: config.clone(),
            panel: None,
            contrast: config.contrast,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            next_try: None,
            told: String::new(),
        })
    }

    /// Sets the contrast of what is shown next.
    pub const fn set_contrast(&mut self, contrast: u8) {
        self.contrast = contrast;
    }

    /// Shows the picture, or switches off with `None`, when a panel is there or found again.
    pub fn show(&mut self, picture: Option<&Picture>, now: Instant, status: &Status) {
        if self.panel.is_none() && self.next_try.is_none_or(|next| now >= next) {
            match bus::open(&self.config) {
                Ok((panel, bus)) => {
                    let place = match self.config.spi {
                        Some(_) => String::new(),
                        None => format!(" at {:#04x}", self.config.address),
                    };
                    log::info!("display: panel{place} on {}", bus.display());
                    self.told.clear();
                    status.set_panel(Some(bus.display().to_string()));
                    self.panel = Some((panel, bus));
                }
                Err(error) => self.wait(&error, now, status),
            }
        }
        let Some((panel, _)) = &mut self.panel else { return };
        panel.set_contrast(self.contrast);
        match panel.show(picture, now) {
            Ok(()) => self.backoff.reset(),
            Err(error) => {
                status.count_error();
                self.panel = None;
                self.wait(&error, now, status);
            }
        }
    }

    /// Switches off; what fails now is of no interest any more.
    pub fn close(self) {
        if let Some((mut panel, _)) = self.panel {
            let _ = panel.show(None, Instant::now());
        }
    }

    fn wait(&mut self, error: &DisplayError, now: Instant, status: &Status) {
        self.next_try = Some(now + self.backoff.pause());
        status.set_panel(None);
        let error = error.to_string();
        status.set_error(&error);
        if error != self.told {
            if self.config.driver.needs_panel() {
                log::warn!("display: {error}; trying again");
            } else {
                log::info!("display: {error}; going on without, trying again");
            }
            self.told = error;
        }
    }
}

/// Memory cards wear: the PNG is written at most this often.
const PNG_PAUSE: Duration = Duration::from_secs(1);

/// The PNG that is written when the picture has changed.
pub struct PngOutput {
    path: PathBuf,
    failed: bool,
    /// What was written last, or tried to be, and when.
    written: Option<(Picture, Instant)>,
}

impl PngOutput {
    /// Deletes what a run that was killed while it wrote has left.
    pub fn new(path: PathBuf) -> Self {
        // The first picture says what is wrong with the folder.
        let _ = preview::sweep(&path);
        Self { path, failed: false, written: None }
    }

    /// To be called again and again: what comes too soon after the last picture is written later.
    pub fn show(&mut self, picture: &Picture, now: Instant, status: &Status) {
        let due = self
            .written
            .as_ref()
            .is_none_or(|(last, at)| last != picture && now.saturating_duration_since(*at) >= PNG_PAUSE);
        if due {
            self.write(picture, status);
            self.written = Some((picture.clone(), now));
        }
    }

    /// The last picture, however soon it comes.
    pub fn close(&mut self, picture: &Picture, status: &Status) {
        self.write(picture, status);
    }

    fn write(&mut self, picture: &Picture, status: &Status) {
        match preview::save(picture, &self.path) {
            Ok(()) => self.failed = false,
            Err(error) => {
                let error = format!("unable to write {}: {error}", self.path.display());
                status.count_error();
                status.set_error(&error);
                if !std::mem::replace(&mut self.failed, true) {
                    log::warn!("display: {error}");
                }
            }
        }
    }
}

/// Standard output: redrawn in place on a terminal, else one picture after the other.
pub struct TextOutput {
    in_place: bool,
    first: bool,
}

impl TextOutput {
    pub fn new() -> Self {
        Self { in_place: io::stdout().is_terminal(), first: true }
    }

    pub fn show(&mut self, picture: &Picture) {
        let first = std::mem::replace(&mut self.first, false);
        let text =
            if self.in_place { preview::terminal(picture, first) } else { preview::text(picture) + "\n" };
        let mut out = io::stdout().lock();
        // Nobody reads any more: that is no reason to stop.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
