//! The section `[smoothing]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::keys::Keys;

/// Bounds of `smoothing.dwell_s` in seconds, also when it is changed while running.
pub const DWELL_S: RangeInclusive<f64> = 0.0..=60.0;

/// How scores become a label over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Smoothing {
    /// Time constant of the exponential average of the probabilities.
    pub window: Duration,
    /// By how much, 0 to 1, another emotion must lead before the label changes.
    pub margin: f32,
    /// How long a label stays at least, and another must lead to replace it.
    pub dwell: Duration,
    /// How long a face that is not found any more is still followed.
    pub hold: Duration,
}

impl Smoothing {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            window: keys
                .seconds("window_s", 0.3, 0.0..=60.0)
                .help("Time constant of the average over time.")
                .get(),
            margin: keys
                .number("margin", 0.1, 0.0..=1.0)
                .help("By how much another emotion must lead before it is shown.")
                .get() as f32,
            dwell: keys.seconds("dwell_s", 0.3, DWELL_S).help("For how long it must lead.").get(),
            hold: keys
                .seconds("hold_s", 1.0, 0.0..=60.0)
                .help("For how long a face that is not found any more is still followed.")
                .get(),
        }
    }
}
