//! The section `[log]`.

use log::LevelFilter;

use super::keys::Keys;

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe messages that are written.
    pub level: LevelFilter,
}

const LEVELS: [(&str, LevelFilter); 5] = [
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

impl Log {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            level: keys
                .choice("level", LevelFilter::Info, &LEVELS)
                .help("Least important messages that are logged. EMOTIOND_LOG in the environment wins.")
                .get(),
        }
    }
}
