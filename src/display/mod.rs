//! The small display: what it shows, when, and how it gets there.

mod figure;
mod icon;
pub mod picture;
pub mod preview;
pub mod screen;
mod text;

use crate::emotion::State;

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

/// All that the display shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    pub state: State,
    /// 0 to 1.
    pub confidence: f32,
    pub faces: usize,
    pub camera: CameraMark,
    pub broker: BrokerMark,
}
