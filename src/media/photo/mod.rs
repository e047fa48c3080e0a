//! Decoding of photo files, strictly and within limits.
//!
//! What is cut short or damaged is an error, never a picture with a grey half.

use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Instant;

use image::error::{LimitError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

pub use error::{PhotoError, PhotoFault};
pub use limits::{MAX_BYTES, MAX_PIXELS};
pub use metadata::Metadata;
use whole::End;

use crate::base::caught::caught;
use crate::vocabulary::frame::{Frame, PixelFormat};

mod error;
mod exif;
mod foreign;
pub(crate) mod jpeg;
mod limits;
mod metadata;
mod whole;

/// Names of photos' files end so, in lower or upper case.
const EXTENSIONS: [&str; 11] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "tif", "tiff", "gif"];

/// Whether the file's name says that it is a photo.
pub fn has_photo_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let mut known = EXTENSIONS.iter().chain(&foreign::EXTENSIONS);
    extension.is_some_and(|extension| known.any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Whether the file begins as a photo does, or is empty.
///
/// # Errors
/// When it cannot be read.
pub fn begins_as_photo(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    if std::fs::metadata(path)?.is_file() {
        std::fs::File::open(path)?.take(16).read_to_end(&mut start)?;
    }
    Ok(is_photo(&start))
}

/// Whether `bytes` begin as a photo does, or are none.
pub fn is_photo(start: &[u8]) -> bool {
    start.is_empty() || image::guess_format(start).is_ok() || foreign::recognise(start).is_some()
}

/// Reads and decodes the photo at `path`, upright as its Exif data say.
///
/// # Errors
/// When it cannot be read, or is no whole photo.
pub fn read(path: &Path) -> Result<RgbImage, PhotoError> {
    decode(&load(path)?, &path.display().to_string())
}

/// The content of the photo's file at `path`.
///
/// # Errors
/// When it cannot be read, is no file or too long.
pub fn load(path: &Path) -> Result<Vec<u8>, PhotoError> {
    let load = || {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(PhotoFault::NotAFile);
        }
        if metadata.len() > MAX_BYTES {
            return Err(PhotoFault::TooLong { bytes: metadata.len() });
        }
        Ok(std::fs::read(path)?)
    };
    load().map_err(|fault| PhotoError::new(&path.display().to_string(), fault))
}

/// The content of a photo's file that comes through a pipe called `name`.
///
/// # Errors
/// When it cannot be read or is too long.
pub fn load_from(pipe: &mut dyn Read, name: &str) -> Result<Vec<u8>, PhotoError> {
    let failed = |fault| PhotoError::new(name, fault);
    let mut bytes = Vec::new();
    pipe.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
    let length = bytes.len() as u64;
    if length > MAX_BYTES { Err(failed(PhotoFault::TooLong { bytes: length })) } else { Ok(bytes) }
}

/// How many pixels the photo says it has; 0 where that cannot be told.
pub fn pixels(bytes: &[u8]) -> u64 {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let size = reader.ok().and_then(|reader| reader.into_dimensions().ok());
    size.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

/// Decodes a photo, or an animation's first picture, upright as its Exif data say. Transparency is
/// dropped. `name` is what errors call it.
///
/// # Errors
/// When it is no whole photo of at most [`MAX_PIXELS`].
pub fn decode(bytes: &[u8], name: &str) -> Result<RgbImage, PhotoError> {
    decode_within(bytes, name, MAX_PIXELS)
}

/// Like [`decode`], with a limit of its own.
///
/// # Errors
/// When it is no whole photo of at most `max_pixels`.
pub fn decode_within(bytes: &[u8], name: &str, max_pixels: u64) -> Result<RgbImage, PhotoError> {
    let failed = |fault| PhotoError::new(name, fault);
    let own = match foreign::recognise(bytes) {
        Some(format) => Some(foreign::to_own(bytes, format).map_err(failed)?),
        None => None,
    };
    let bytes = own.as_deref().unwrap_or(bytes);
    caught(|| decode_own(bytes, name, max_pixels)).unwrap_or_else(|panic| Err(panic.into())).map_err(failed)
}

/// `name` is what the log calls it.
fn decode_own(bytes: &[u8], name: &str, max_pixels: u64) -> Result<RgbImage, PhotoFault> {
    if bytes.is_empty() {
        return Err(PhotoFault::Empty);
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => decode_jpeg(bytes, max_pixels),
        Ok(format @ ImageFormat::Png) => decode_other(bytes, name, (format, "PNG"), max_pixels),
        Ok(format @ ImageFormat::WebP) => decode_other(bytes, name, (format, "WebP"), max_pixels),
        Ok(format @ ImageFormat::Bmp) => decode_other(bytes, name, (format, "BMP"), max_pixels),
        Ok(format @ ImageFormat::Tiff) => decode_other(bytes, name, (format, "TIFF"), max_pixels),
        Ok(format @ ImageFormat::Gif) => decode_other(bytes, name, (format, "GIF"), max_pixels),
        _ => Err(PhotoFault::NotAPicture),
    }
}

/// The photo as a frame.
pub fn to_frame(photo: RgbImage, captured: Instant, sequence: u64) -> Frame {
    let (width, height) = photo.dimensions();
    Frame::new(width, height, PixelFormat::Rgb8, photo.into_raw(), captured, sequence)
}

fn decode_jpeg(bytes: &[u8], max_pixels: u64) -> Result<RgbImage, PhotoFault> {
    use jpeg::JpegError;
    let format = "JPEG";
    let photo = jpeg::decode(bytes, max_pixels).map_err(|error| match error {
        JpegError::Truncated => PhotoFault::Truncated { format },
        JpegError::TooLarge { width, height } => PhotoFault::TooLarge { width, height, max_pixels },
        JpegError::Unsupported(reason) => PhotoFault::Unsupported(reason.to_owned()),
        JpegError::Damaged(reason) => PhotoFault::Damaged { format, reason },
    })?;
    let reason = || format!("not {}x{} pixels", photo.width, photo.height);
    let mut picture = RgbImage::from_raw(photo.width, photo.height, photo.rgb)
        .map(DynamicImage::ImageRgb8)
        .ok_or_else(|| PhotoFault::Damaged { format, reason: reason() })?;
    picture.apply_orientation(photo.orientation);
    Ok(picture.into_rgb8())
}

fn decode_other(
    bytes: &[u8],
    name: &str,
    (format, label): (ImageFormat, &'static str),
    max_pixels: u64,
) -> Result<RgbImage, PhotoFault> {
    let end = whole::end(bytes, format);
    if end == End::Cut {
        return Err(PhotoFault::Truncated { format: label });
    }
    let mended = (end == End::Unmarked && format == ImageFormat::Png).then(|| whole::with_png_end(bytes));
    let bytes = mended.as_deref().unwrap_or(bytes);
    let mut limits = Limits::no_limits();
    // 16-bit RGBA, and some for the decoder itself.
    limits.max_alloc = Some(8 * max_pixels + (64 << 20));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| described(error, label))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(PhotoFault::Unsupported("it has no pixels".to_owned()));
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(PhotoFault::TooLarge { width, height, max_pixels });
    }
    let exif = decoder.exif_metadata().ok().flatten();
    match DynamicImage::from_decoder(decoder) {
        Ok(mut picture) => {
            if end == End::Unmarked {
                log::warn!("{name}: the {label} has no end mark, its pixels are whole");
            }
            picture
                .apply_orientation(exif.map_or(Orientation::NoTransforms, |exif| exif::orientation(&exif)));
            Ok(picture.into_rgb8())
        }
        Err(_) if end == End::Unmarked => Err(PhotoFault::Truncated { format: label }),
        Err(error) => Err(described(error, label)),
    }
}

/// Whether the GIF holds more than one picture.
///
/// # Errors
/// When it cannot be read.
pub fn has_several_pictures(file: &mut impl Read) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(whole::gif_pictures(&bytes) > 1)
}

/// Of a size that no photo has.
pub fn impossible_size(width: u32, height: u32) -> ImageError {
    let limits = LimitError::from_kind(LimitErrorKind::DimensionError);
    log::debug!("a picture of {width}x{height} pixels");
    ImageError::Limits(limits)
}

fn described(error: ImageError, format: &'static str) -> PhotoFault {
    let reason = plain(&error.to_string());
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PhotoFault::Truncated { format }
        }
        ImageError::Unsupported(_) | ImageError::Limits(_) => PhotoFault::Unsupported(reason),
        _ => PhotoFault::Damaged { format, reason },
    }
}

/// What a decoder says, without its own names for things.
fn plain(reason: &str) -> String {
    let reason = reason.replace('\n', " ");
    let reason = match reason.split_once(" decoding ").and_then(|(_, rest)| rest.split_once(": ")) {
        Some((_, rest)) => rest,
        None => &reason,
    };
    if reason.contains(['{', '(']) || reason.contains("::") {
        return "its content contradicts itself".to_owned();
    }
    reason.trim_matches(['"', '.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [ImageFormat; 6] = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Gif,
    ];

    fn sample(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 5) as u8, (y * 7) as u8, (x * y) as u8]))
            .into()
    }

    fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    }

    #[test]
    fn lossless_formats_keep_every_pixel() {
        let picture = sample(50, 30);
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
            let mut bytes = encode(&picture, format);
            assert_eq!(&decode(&bytes, "a").expect("decoded"), picture.as_rgb8().expect("RGB"));
            bytes.extend_from_slice(b"more");
            assert!(decode(&bytes, "a").is_ok(), "{format:?} with bytes after its end");
        }
    }

    #[test]
    fn grey_becomes_rgb() {
        let grey = DynamicImage::ImageLuma8(sample(20, 20).into_luma8());
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let photo = decode(&encode(&grey, format), "a").expect("decoded");
            assert!(photo.pixels().all(|p| p[0] == p[1] && p[1] == p[2]), "{format:?}");
            assert!(photo.get_pixel(19, 19)[0] > 60, "{format:?}");
        }
    }

    #[test]
    fn a_cut_at_any_point_is_an_error() {
        for format in FORMATS {
            let bytes = encode(&sample(24, 16), format);
            let whole = decode(&bytes, "a.x").expect("whole");
            for end in 0..bytes.len() {
                match decode(&bytes[..end], "a.x") {
                    // The mark of the end is missing, no pixel is.
                    Ok(picture)
                        if matches!(format, ImageFormat::Png | ImageFormat::Gif | ImageFormat::Jpeg) =>
                    {
                        assert!(bytes.len() - end <= 16, "{format:?}: {end} of {}", bytes.len());
                        assert_eq!(picture, whole, "{format:?}: {end} of {}", bytes.len());
                    }
                    Ok(_) => panic!("{format:?}: {end} of {}", bytes.len()),
                    Err(error) => {
                        let error = error.to_string();
                        assert!(
                            error.starts_with("unable to decode a.x: ") && !error.contains('\n'),
                            "{error}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_stands_in_a_file_is_a_picture_or_an_error() {
        let mut random = fastrand::Rng::with_seed(1);
        for format in FORMATS {
            let bytes = encode(&sample(24, 16), format);
            for _ in 0..300 {
                let mut bytes = bytes.clone();
                for _ in 0..random.usize(1..6) {
                    // More often near the start, where sizes stand.
                    let end = if random.bool() { bytes.len().min(64) } else { bytes.len() };
                    let at = random.usize(4..end);
                    bytes[at] = if random.bool() { random.u8(..) } else { 0 };
                }
                match decode_within(&bytes, "a.x", 1_000_000) {
                    Ok(picture) => {
                        assert!(picture.width() > 0 && picture.height() > 0, "{format:?}: {bytes:?}")
                    }
                    Err(error) => {
                        let error = error.to_string();
                        assert!(error.starts_with("unable to decode a.x: "), "{error}");
                        assert!(!error.contains("::") && !error.contains('{'), "Rust's own words: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn too_large_is_refused_before_memory_is_taken() {
        // 20,000 x 20,000 in a header of 54 bytes.
        let mut bytes = encode(&sample(4, 4), ImageFormat::Bmp);
        bytes[18..22].copy_from_slice(&20_000_i32.to_le_bytes());
        bytes[22..26].copy_from_slice(&20_000_i32.to_le_bytes());
        let error = decode(&bytes, "big.bmp").expect_err("too large").to_string();
        assert_eq!(
            error,
            "unable to decode big.bmp: 20000x20000 pixels are beyond the limit of 100 megapixels (scale it down)"
        );
        let mut bytes = encode(&sample(8, 8), ImageFormat::Jpeg);
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("frame header");
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
        let error = decode(&bytes, "a").expect_err("too large");
        assert!(matches!(error.fault(), PhotoFault::TooLarge { width: 20_000, .. }));
    }

    #[test]
    fn exif_orientation_is_applied() {
        // Exif with the one entry 0x112 = 6: to be turned by a quarter clockwise.
        let exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut picture = sample(32, 16).into_rgb8();
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            *pixel = if x < 16 && y < 8 { image::Rgb([255; 3]) } else { image::Rgb([0; 3]) };
        }
        let bytes = encode(&picture.into(), ImageFormat::Jpeg);
        let bytes = [&bytes[..2], exif, &bytes[2..]].concat();
        let photo = decode(&bytes, "a").expect("decoded");
        assert_eq!(photo.dimensions(), (16, 32));
        // The upper left quarter is at the upper right now.
        assert!(photo.get_pixel(12, 4)[0] > 200);
        assert!(photo.get_pixel(4, 4)[0] < 50);
    }

    #[test]
    fn what_is_no_photo() {
        let cases: [(&[u8], &str); 3] = [
            (b"", "unable to decode x: the file is empty (copy it again)"),
            (b"hello", "unable to decode x: it is no JPEG"),
            (b"\x00\x00\x01\x00", "unable to decode x: it is no JPEG"),
        ];
        for (bytes, message) in cases {
            let error = decode(bytes, "x").expect_err("no photo").to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let fault = |path: &str| read(Path::new(path)).expect_err("no photo").fault().to_string();
        assert_eq!(fault("/dev/zero"), "it is no regular file");
        assert_eq!(fault("/nowhere.jpg"), "No such file or directory (os error 2)");
    }
}
