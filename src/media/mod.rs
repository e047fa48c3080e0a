//! Bytes to pictures and back, for cameras, the command line and the page alike.

/// What cameras send: YUV, RGB, grey and MJPEG.
pub(crate) mod decode;
/// Pictures to files' bytes.
pub(crate) mod encode;
/// What the installed `ffmpeg` can do.
pub(crate) mod ffmpeg;
/// Films, by an `ffmpeg` child process, and pictures that move.
pub mod film;
/// Photo files, strictly and within limits.
pub mod photo;
/// Smaller pictures.
pub(crate) mod resample;
/// Turned and mirrored pictures.
pub(crate) mod turn;
