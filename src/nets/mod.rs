//! A model file to something that runs.

/// Where models and the runtime library are looked for.
pub mod assets;
/// Running a TFLite model.
pub mod engine;
/// A model's sidecar file: what the net expects and what it answers.
pub mod sidecar;
