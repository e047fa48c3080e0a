//! The small display: what it shows, when, and how it gets there.

pub mod bus;
mod figure;
mod icon;
pub mod night;
mod output;
pub mod panel;
pub mod picture;
pub mod policy;
pub mod preview;
pub mod screen;
mod spi;
mod text;
pub mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use embedded_graphics::geometry::Point;

use self::output::{PanelOutput, PngOutput, TextOutput};
use self::picture::Picture;
use self::policy::{Policy, Showing};
use crate::base::clock;
use crate::base::latest::Latest;
use crate::base::shutdown::Shutdown;
use crate::config::{self, DisplaySize};
use crate::vocabulary::emotion::State;

/// The picture changes at most ten times a second: more is not seen, and a slow bus could not keep up.
const TICK: Duration = Duration::from_millis(100);

/// What is known of the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameraMark {
    #[default]
    Starting,
    Reading,
    /// It does not deliver; it is looked for.
    Lost,
    /// Switched off for privacy.
    Off,
}

/// What is known of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrokerMark {
    Connected,
    /// Configured, but not to be reached.
    Away,
    /// Not configured.
    #[default]
    Off,
}

/// Characters of a [`Caption`].
const CAPTION: usize = 12;

/// A name as far as the display can show it: twelve characters, a `?` for each that its fonts lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caption([u8; CAPTION]);

impl Caption {
    pub fn new(name: &str) -> Self {
        let mut text = [b' '; CAPTION];
        for (place, letter) in text.iter_mut().zip(name.chars()) {
            *place = if letter.is_ascii_graphic() { letter as u8 } else { b'?' };
        }
        Self(text)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end()
    }
}

/// All that the display shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    pub state: State,
    /// 0 to 1.
    pub confidence: f32,
    pub faces: usize,
    /// Who the primary face is.
    pub person: Option<Caption>,
    pub camera: CameraMark,
    pub broker: BrokerMark,
}

impl View {
    /// As PNG, as the panel would show it: four pixels for each of its.
    pub fn png(&self, size: DisplaySize) -> Vec<u8> {
        preview::png(&screen::picture(self, size, Point::zero()))
    }
}

/// How the display fares, for health checks and figures.
#[derive(Debug, Default)]
pub struct Status {
    panel: Mutex<Option<String>>,
    last_error: Mutex<Option<String>>,
    errors: AtomicU64,
    heartbeat: AtomicU64,
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

    /// Grows about ten times a second while the display's thread lives, at least once a second as
    /// long as the bus answers or refuses in time.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Ordering::Relaxed)
    }

    fn set_panel(&self, panel: Option<String>) {
        *lock(&self.panel) = panel;
    }

    fn set_error(&self, error: &str) {
        *lock(&self.last_error) = Some(error.to_owned());
    }

    fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    fn beat(&self) {
        self.heartbeat.fetch_add(1, Ordering::Relaxed);
    }
}

/// A panicked holder leaves a whole value: nothing here can be half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows the newest view until shutdown, then leaves the panel off and the previews dark. The only
/// thread that talks to the panel. Trouble is logged and counted, and never ends it.
///
/// `terminal`: also draw on standard output.
pub fn run(
    config: config::Display,
    views: Latest<View>,
    terminal: bool,
    status: Arc<Status>,
    shutdown: Shutdown,
) {
    let mut panel = PanelOutput::new(&config);
    let mut png = config.preview_png.clone().map(PngOutput::new);
    let mut text = terminal.then(TextOutput::new);
    let mut previews = |picture: &Picture| {
        if let Some(png) = &mut png {
            png.show(picture, &status);
        }
        if let Some(text) = &mut text {
            text.show(picture);
        }
    };
    let dark = Picture::new(config.size);
    let mut policy = Policy::new(&config, Instant::now());
    let mut view = View::default();
    let mut drawn = None;
    let mut picture = None;
    let mut previewed = None;
    loop {
        let now = Instant::now();
        status.beat();
        let showing = policy.step(&view, now);
        if drawn != Some((view, showing)) {
            drawn = Some((view, showing));
            let next = match showing {
                Showing::Blank => None,
                Showing::Shifted(shift) => Some(screen::picture(&view, config.size, shift)),
            };
            let visible = next.as_ref().unwrap_or(&dark);
            if previewed.as_ref() != Some(visible) {
                previews(visible);
                previewed = Some(visible.clone());
            }
            picture = next;
        }
        if let Some(panel) = &mut panel {
            panel.set_contrast(night::contrast(&config, clock::minute_of_day()));
            panel.show(picture.as_ref(), now, &status);
        }
        if shutdown.wait(TICK) {
            break;
        }
        view = views.take(Duration::ZERO).unwrap_or(view);
    }
    previews(&dark);
    if let Some(panel) = panel {
        panel.close();
    }
}
