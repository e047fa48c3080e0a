//! The small display: what it shows, when, and how it gets there.

pub mod bus;
pub mod error;
mod figure;
mod font;
mod icon;
pub mod night;
mod output;
pub mod panel;
pub mod picture;
pub mod policy;
pub mod preview;
pub mod screen;
mod spi;
mod status;
mod text;
mod view;
pub mod wire;

pub use status::Status;
pub use view::{BrokerMark, CameraMark, Caption, View};

use std::sync::Arc;
use std::time::{Duration, Instant};

use embedded_graphics::geometry::Point;

use self::output::{PanelOutput, PngOutput, TextOutput};
use self::picture::Picture;
use self::policy::{Policy, Showing};
use crate::base::clock;
use crate::base::latest::Latest;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;
use crate::config::{self, DisplaySize};

/// The picture changes at most ten times a second: more is not seen, and a slow bus could not keep up.
const TICK: Duration = Duration::from_millis(100);

impl View {
    /// As PNG, as the panel would show it: four pixels for each of its.
    pub fn png(&self, size: DisplaySize) -> Vec<u8> {
        preview::png(&screen::picture(self, size, Point::zero()))
    }
}

/// Shows the newest view until shutdown, then leaves the panel off and the previews dark. The only
/// thread that talks to the panel. Trouble is logged and counted, and never ends it.
///
/// `terminal`: also draw on standard output. `pulse` is fed about ten times a second, at least once a second as long as
/// the bus answers or refuses in time.
pub fn run(
    config: config::Display,
    views: Latest<View>,
    terminal: bool,
    status: Arc<Status>,
    shutdown: Shutdown,
    pulse: &Pulse,
) {
    let mut panel = PanelOutput::new(&config);
    let mut png = config.preview_png.clone().map(PngOutput::new);
    let mut text = terminal.then(TextOutput::new);
    let dark = Picture::new(config.size);
    let mut policy = Policy::new(&config, Instant::now());
    let mut view = View::default();
    let mut drawn = None;
    let mut picture = None;
    let mut previewed = None;
    loop {
        let now = Instant::now();
        pulse.beat();
        let showing = policy.step(&view, now);
        if drawn != Some((view, showing)) {
            drawn = Some((view, showing));
            let next = match showing {
                Showing::Blank => None,
                Showing::Shifted(shift) => Some(screen::picture(&view, config.size, shift)),
            };
            let visible = next.as_ref().unwrap_or(&dark);
            if previewed.as_ref() != Some(visible) {
                if let Some(text) = &mut text {
                    text.show(visible);
                }
                previewed = Some(visible.clone());
            }
            picture = next;
        }
        if let Some(png) = &mut png {
            png.show(picture.as_ref().unwrap_or(&dark), now, &status);
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
    if let Some(png) = &mut png {
        png.close(&dark, &status);
    }
    if let Some(text) = &mut text {
        text.show(&dark);
    }
    if let Some(panel) = panel {
        panel.close();
    }
}
