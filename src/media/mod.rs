//! Bytes to pictures, for cameras, the command line and the page alike.

/// What cameras send: YUV, RGB, grey and MJPEG.
pub mod decode;
/// What the installed `ffmpeg` can do.
pub mod ffmpeg;
/// Films, by an `ffmpeg` child process, and pictures that move.
pub mod film;
/// Photo files, strictly and within limits.
pub mod photo;
/// Smaller pictures.
pub mod resample;
