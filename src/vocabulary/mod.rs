//! The words that all parts share: plain data.

/// Emotions, scores, faces and observations.
pub mod emotion;
/// How pictures' bytes are laid out as cameras and programs send them.
pub mod encoding;
/// A picture in memory and the geometry on it.
pub mod frame;
/// What an enrolled person is called.
pub(crate) mod name;
/// The JSON that leaves the program.
pub mod wire;
