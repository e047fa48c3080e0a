//! The section `[people]`.

use std::path::PathBuf;

use super::keys::Keys;

/// Name of the face descriptor that is used when none is configured.
pub const DEFAULT_DESCRIPTOR: &str = "face-descriptor-int8";

/// Who is recognised, and how surely.
#[derive(Clone, Debug, PartialEq)]
pub struct People {
    /// Whether faces are named.
    pub enabled: bool,
    /// Name or path of the descriptor model.
    pub model: PathBuf,
    /// Greatest distance of two descriptors of one person.
    pub threshold: f32,
    /// By how much the second best person must be farther away.
    pub margin: f32,
    /// What a face must do before it is named.
    pub check: LiveCheck,
}

/// What a person must have done before an event or a rule speaks of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveCheck {
    /// Nothing.
    None,
    /// Turned the head, which a flat photo cannot.
    Turn,
}

impl People {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            enabled: keys
                .flag("enabled", false)
                .help("Names faces of people who were enrolled with `emotiond people add`. Needs the model.")
                .get(),
            model: keys
                .path("model", DEFAULT_DESCRIPTOR)
                .help(
                    "The descriptor model, which `make people-model` builds: \"face-descriptor-int8\", \
                     \"face-descriptor\" (float, about twice as slow and no better on the photos that it was measured \
                     with), or the path of another one.",
                )
                .get(),
            threshold: keys
                .number("threshold", 0.5, 0.05..=2.0)
                .help("Greatest distance at which a face is a person's.")
                .get() as f32,
            margin: keys
                .number("margin", 0.05, 0.0..=1.0)
                .help("By how much the next person must be farther away.")
                .get() as f32,
            check: keys
                .choice("check", LiveCheck::None, &[("none", LiveCheck::None), ("turn", LiveCheck::Turn)])
                .help(
                    "\"turn\": events and rules speak of a person only after the head was turned, which a flat photo \
                     cannot.",
                )
                .get(),
        }
    }
}
