//! Why a photo cannot be used.

use super::limits::MAX_BYTES;
use crate::base::caught::Panicked;

/// Why the photo `name` cannot be used, and what helps.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", self.detail(), shown(fault.remedy()))]
pub struct PhotoError {
    name: String,
    #[source]
    fault: PhotoFault,
}

/// What is wrong with a photo.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PhotoFault {
    #[error("{0}")]
    Read(#[from] std::io::Error),
    #[error("it is no regular file")]
    NotAFile,
    #[error("{bytes} bytes are beyond the limit of {MAX_BYTES}")]
    TooLong { bytes: u64 },
    #[error("the file is empty")]
    Empty,
    #[error("it is no JPEG, PNG, WebP, BMP, TIFF or GIF")]
    NotAPicture,
    #[error("{width}x{height} pixels are beyond the limit of {} megapixels", max_pixels / 1_000_000)]
    TooLarge { width: u32, height: u32, max_pixels: u64 },
    #[error("the {format} is cut short")]
    Truncated { format: &'static str },
    #[error("the {format} is damaged: {reason}")]
    Damaged { format: &'static str, reason: String },
    #[error("{0}")]
    Unsupported(String),
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// No program here decodes it.
    #[error("this is {format}")]
    Foreign { format: &'static str, remedy: &'static str },
}

impl PhotoError {
    /// `name` is what the photo is called.
    pub fn new(name: &str, fault: PhotoFault) -> Self {
        Self { name: name.to_owned(), fault }
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &PhotoFault {
        &self.fault
    }

    /// The message without the remedy.
    pub fn detail(&self) -> String {
        let action = match self.fault {
            PhotoFault::Read(_) | PhotoFault::NotAFile | PhotoFault::TooLong { .. } => "read",
            _ => "decode",
        };
        format!("unable to {action} {}: {}", self.name, self.fault)
    }
}

impl PhotoFault {
    /// What whose photo it is can do, where that is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Read(_) => None,
            Self::NotAFile => Some("name a photo"),
            Self::TooLong { .. } | Self::TooLarge { .. } => Some("scale it down"),
            Self::Empty | Self::Truncated { .. } | Self::Damaged { .. } => Some("copy it again"),
            Self::NotAPicture => Some("convert it"),
            Self::Unsupported(_) | Self::Panicked(_) => Some("convert it to a plain PNG or JPEG"),
            Self::Foreign { remedy, .. } => Some(remedy),
        }
    }
}

fn shown(remedy: Option<&str>) -> String {
    remedy.map(|remedy| format!(" ({remedy})")).unwrap_or_default()
}
