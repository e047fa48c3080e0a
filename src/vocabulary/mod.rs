//! The words that all parts share: plain data.

/// Emotions, scores, faces and observations.
pub mod emotion;
/// A picture in memory and the geometry on it.
pub mod frame;
/// The JSON that leaves the program.
pub mod wire;
