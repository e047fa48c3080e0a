//! All that the display shows.

use crate::vocabulary::emotion::State;

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

    pub(super) fn text(&self) -> &str {
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
