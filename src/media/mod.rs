//! Bytes to pictures, for cameras, the command line and the page alike.

/// What cameras send: YUV, RGB, grey and MJPEG.
pub mod decode;
/// Films, by an `ffmpeg` child process.
pub mod film;
/// Photo files, strictly and within limits.
pub mod photo;
