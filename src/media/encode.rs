//! Pictures to files' bytes.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageResult};

use crate::vocabulary::frame::{Frame, PixelFormat};

/// The frame as JPEG; `quality` 1 to 100.
///
/// # Errors
/// When it has no pixels, or more than 65,535 a side.
pub fn jpeg(frame: &Frame, quality: u8) -> ImageResult<Vec<u8>> {
    let color = match frame.format {
        PixelFormat::Gray8 => ExtendedColorType::L8,
        PixelFormat::Rgb8 => ExtendedColorType::Rgb8,
    };
    // About what a webcam's picture needs.
    let mut jpeg = Vec::with_capacity(frame.data.len() / 12);
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode(
        &frame.data,
        frame.width,
        frame.height,
        color,
    )?;
    Ok(jpeg)
}
