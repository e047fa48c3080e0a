//! Why a photo cannot be used.

use super::limits::MAX_BYTES;

/// Why a photo cannot be used. `name` is the file's.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    #[error("unable to read {name}: {source}")]
    Read { name: String, source: std::io::Error },
    #[error("unable to read {name}: it is no regular file (name a photo)")]
    NotAFile { name: String },
    #[error("unable to read {name}: {bytes} bytes are beyond the limit of {MAX_BYTES} (scale it down)")]
    TooLong { name: String, bytes: u64 },
    #[error("unable to decode {name}: the file is empty (copy it again)")]
    Empty { name: String },
    #[error("unable to decode {name}: it is no JPEG, PNG, WebP, BMP, TIFF or GIF (convert it)")]
    NotAPicture { name: String },
    #[error(
        "unable to decode {name}: {width}x{height} pixels are beyond the limit of {} megapixels (scale it down)",
        max_pixels / 1_000_000
    )]
    TooLarge { name: String, width: u32, height: u32, max_pixels: u64 },
    #[error("unable to decode {name}: the {format} is cut short (copy it again)")]
    Truncated { name: String, format: &'static str },
    #[error("unable to decode {name}: the {format} is damaged: {reason} (copy it again)")]
    Damaged { name: String, format: &'static str, reason: String },
    #[error("unable to decode {name}: {reason} (convert it to a plain PNG or JPEG)")]
    Unsupported { name: String, reason: String },
    /// No program here decodes it.
    #[error("unable to decode {name}: this is {format} ({remedy})")]
    Foreign { name: String, format: &'static str, remedy: &'static str },
}
