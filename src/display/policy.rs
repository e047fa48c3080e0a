//! When the panel is dark, and where on it the picture lies: the clock is handed in.

use std::time::{Duration, Instant};

use embedded_graphics::geometry::Point;

use super::view::{CameraMark, View};
use crate::config;
use crate::vocabulary::emotion::State;

/// One round of the picture against burn-in: every pixel of the margin is used, and no step is
/// longer than one pixel in either direction.
pub const SHIFTS: [Point; 9] = [
    Point::new(0, 0),
    Point::new(1, 0),
    Point::new(1, 1),
    Point::new(0, 1),
    Point::new(-1, 1),
    Point::new(-1, 0),
    Point::new(-1, -1),
    Point::new(0, -1),
    Point::new(1, -1),
];

/// What becomes of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// Nothing, the panel dark.
    Blank,
    /// Moved by so many pixels.
    Shifted(Point),
}

/// Decides what is shown, from what is seen and the time.
#[derive(Debug)]
pub struct Policy {
    blank_after: Option<Duration>,
    shift_every: Option<Duration>,
    started: Instant,
    camera: CameraMark,
    /// When there was a face last, or the camera's state changed.
    eventful: Instant,
}

impl Policy {
    /// Begins at `now` with a lit panel.
    pub fn new(config: &config::Display, now: Instant) -> Self {
        Self {
            blank_after: config.blank_after,
            shift_every: config.shift_every,
            started: now,
            camera: CameraMark::default(),
            eventful: now,
        }
    }

    /// To be called with every view, in the order of time.
    pub fn step(&mut self, view: &View, now: Instant) -> Showing {
        let face = view.camera == CameraMark::Reading && view.state != State::None;
        if face || view.camera != self.camera {
            self.eventful = now;
            self.camera = view.camera;
        }
        if self.blank_after.is_some_and(|after| now.duration_since(self.eventful) >= after) {
            return Showing::Blank;
        }
        let steps = self
            .shift_every
            .map_or(0, |every| now.duration_since(self.started).as_nanos() / every.as_nanos().max(1));
        Showing::Shifted(SHIFTS[(steps % SHIFTS.len() as u128) as usize])
    }
}
