//! The words that all parts share: plain data.

/// Emotions, scores, faces and observations.
pub mod emotion;
/// A picture in memory and the geometry on it.
pub mod frame;
/// What an enrolled person is called.
pub mod name;
/// The JSON that leaves the program.
pub mod wire;
