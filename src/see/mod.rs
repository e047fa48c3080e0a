//! Pictures to faces and their emotions.

/// Telling a face's emotion.
pub mod classify;
/// Finding faces anywhere in a frame.
pub mod search;
/// Probabilities over time: averaging, hysteresis, dwell.
pub(crate) mod smooth;
/// Faces over time: ids and the primary face.
pub(crate) mod track;
