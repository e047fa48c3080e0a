//! What a copy of a photo keeps beside its pixels: date, place, camera, colour space.

use std::io::Cursor;

use image::{ImageDecoder, ImageReader};

use super::exif;
use crate::base::caught::caught;

/// As the encoders of `image` take it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// TIFF header and directories, the picture upright.
    pub exif: Option<Vec<u8>>,
    /// The profile of its RGB.
    pub icc: Option<Vec<u8>>,
}

impl Metadata {
    /// Of a photo's file; empty where it has none or they cannot be read.
    pub fn of(bytes: &[u8]) -> Self {
        caught(|| Self::read(bytes)).ok().flatten().unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
        let mut decoder = reader.into_decoder().ok()?;
        let exif = decoder.exif_metadata().ok().flatten().map(exif::upright);
        let icc = decoder.icc_profile().ok().flatten();
        // Pixels are RGB by now: a profile of a printer's inks or of grey would be wrong (ICC.1, 7.2.6).
        let icc = icc.filter(|profile| profile.get(16..20) == Some(b"RGB "));
        Some(Self { exif, icc })
    }
}
