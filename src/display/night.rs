//! How bright the panel is, by the time of day.

use crate::config;

/// The contrast, 0 to 255, at so many minutes after midnight.
pub fn contrast(config: &config::Display, minute: u16) -> u8 {
    match &config.night {
        Some(night) if night.contains(minute) => night.contrast,
        _ => config.contrast,
    }
}
