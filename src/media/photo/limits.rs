//! What is too large to be a photo.

/// Most pixels of a photo.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Most bytes of a photo's file: an uncompressed picture of [`MAX_PIXELS`] with four channels.
pub const MAX_BYTES: u64 = 4 * MAX_PIXELS + (1 << 20);
