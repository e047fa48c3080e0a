//! Strict decoding of JPEG, for photos and for the frames of MJPEG cameras.

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::exif;

/// A decoded picture, before its orientation is applied.
pub struct Jpeg {
    pub width: u32,
    pub height: u32,
    /// Red, green, blue; rows from the top.
    pub rgb: Vec<u8>,
    /// What its Exif data asks for.
    pub orientation: Orientation,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    #[error("the JPEG is cut short")]
    Truncated,
    #[error("{width}x{height} is too large")]
    TooLarge { width: u32, height: u32 },
    #[error("the JPEG is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Decodes a JPEG of at most `max_pixels`; bytes after its end are ignored.
///
/// Decoders, `zune-jpeg` in strict mode included, accept data that stop within the last rows or
/// scan, so what counts is made sure of here: that every block is there. The end-of-image marker, which many cameras
/// leave out, may be missing where that can be told without it, in a picture of a single sequential scan. What is
/// not noticed is a hole within a scan of a progressive picture that has that marker all the same.
pub fn decode(bytes: &[u8], max_pixels: u64) -> Result<Jpeg, JpegError> {
    // Many webcams leave the tables out, as MJPEG in AVI does; the decoder supplies those of
    // ITU-T T.81, K.3.3, to what says that it comes from there.
    const AVI1: &[u8] = b"\xff\xe0\x00\x07AVI1\0";
    // At a marker the decoder goes on with zeros, which read as grey. Ones, of which no Huffman code
    // consists (T.81, C), make it fail where data are missing. (FF is stuffed with 00.)
    const ONES: &[u8] = &[0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00];
    let layout = layout(bytes, true)?;
    let body = &bytes[SOI.len()..layout.end];
    let body = match (layout.marked, layout.single_scan) {
        (true, _) => body,
        (false, true) => without_padding(body),
        (false, false) => return Err(JpegError::Truncated),
    };
    let tables = if layout.huffman_tables { &[] } else { AVI1 };
    let ones = if layout.single_scan { ONES } else { &[] };
    decode_whole(&[&SOI, tables, body, ones, &[0xff, EOI]].concat(), max_pixels).map_err(
        |error| match error {
            JpegError::Damaged(_) if !layout.marked => JpegError::Truncated,
            error => error,
        },
    )
}

/// Without the zeros with which drivers fill the rest of a buffer: they would be taken for data.
fn without_padding(scan: &[u8]) -> &[u8] {
    /// Fewer may be data.
    const LEAST: usize = 8;
    let used = scan.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if scan.len() - used < LEAST {
        return scan;
    }
    // Of a stuffed FF the zero is a part.
    let stuffed = used > 0 && scan[used - 1] == 0xff;
    &scan[..used + usize::from(stuffed)]
}

fn decode_whole(bytes: &[u8], max_pixels: u64) -> Result<Jpeg, JpegError> {
    let damaged = |error: zune_jpeg::errors::DecodeErrors| {
        JpegError::Damaged(error.to_string().trim_matches('"').replace('\n', " "))
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) =
        decoder.dimensions().ok_or_else(|| JpegError::Damaged("no frame header".to_owned()))?;
    // A JPEG's sides are 16-bit numbers.
    let (width, height) = (width as u32, height as u32);
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(JpegError::TooLarge { width, height });
    }
    let mut rgb = vec![0; width as usize * height as usize * 3];
    decoder.decode_into(&mut rgb).map_err(damaged)?;
    let orientation = decoder.exif().map_or(Orientation::NoTransforms, |exif| exif::orientation(exif));
    Ok(Jpeg { width, height, rgb, orientation })
}

/// Bytes of the JPEG with which `bytes` begin, up to and with its end-of-image marker, or up to the next picture
/// where it has none.
///
/// # Errors
/// [`JpegError::Truncated`] when more bytes may make it whole, [`JpegError::Damaged`] when none can.
pub fn length(bytes: &[u8]) -> Result<usize, JpegError> {
    layout(bytes, false).map(|layout| layout.end + if layout.marked { 2 } else { 0 })
}

struct Layout {
    /// Where the end-of-image marker is or should be.
    end: usize,
    /// Whether it is there.
    marked: bool,
    huffman_tables: bool,
    /// Sequential, and all components in one scan.
    single_scan: bool,
}

/// Start of image.
pub const SOI: [u8; 2] = [0xff, 0xd8];

/// End of image, the marker's second byte.
const EOI: u8 = 0xd9;

/// Walks over segments and scans to the end-of-image marker (ITU-T T.81, B.1 and B.2), or where another picture
/// begins, or, if the bytes are `all` that there is, to their end within a scan.
fn layout(bytes: &[u8], all: bool) -> Result<Layout, JpegError> {
    const TEM: u8 = 0x01;
    const SOF2: u8 = 0xc2;
    const DHT: u8 = 0xc4;
    const SOS: u8 = 0xda;
    if bytes.get(..2).ok_or(JpegError::Truncated)? != SOI {
        return Err(JpegError::Damaged("it does not begin with the start-of-image marker".to_owned()));
    }
    let (mut huffman_tables, mut progressive, mut scans) = (false, false, 0);
    let mut at = SOI.len();
    loop {
        let layout =
            |end, marked| Ok(Layout { end, marked, huffman_tables, single_scan: !progressive && scans == 1 });
        at = match next_marker(bytes, at) {
            Ok(at) => at,
            Err(JpegError::Truncated) if all && scans > 0 => {
                // A marker that was begun is none.
                let begun = bytes.len() > at && bytes.last() == Some(&0xff);
                return layout(bytes.len() - usize::from(begun), false);
            }
            Err(error) => return Err(error),
        };
        let marker = bytes[at - 1];
        match marker {
            EOI => return layout(at - 2, true),
            TEM => continue,
            marker if marker == SOI[1] && scans > 0 => return layout(at - 2, false),
            // The rest of this one was lost.
            marker if marker == SOI[1] => {
                return Err(JpegError::Damaged("another picture begins within it".to_owned()));
            }
            DHT => huffman_tables = true,
            SOF2 => progressive = true,
            // Frames of other kinds (T.81, table B.1).
            0xc3 | 0xc5..=0xc7 | 0xcd..=0xcf => {
                return Err(JpegError::Unsupported("it is a lossless or hierarchical JPEG"));
            }
            0xc9..=0xcb => return Err(JpegError::Unsupported("it is an arithmetically coded JPEG")),
            SOS => scans += 1,
            _ => {}
        }
        let length = bytes.get(at..at + 2).ok_or(JpegError::Truncated)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if matches!(marker, 0xc0..=SOF2) && bytes.get(at + 2).is_some_and(|precision| *precision != 8) {
            return Err(JpegError::Unsupported("it is a JPEG of 12 bits a colour"));
        }
        if length < 2 {
            return Err(JpegError::Damaged(format!("segment {marker:#04x} has length {length}")));
        }
        at += length;
        if marker != SOS && at > bytes.len() {
            return Err(JpegError::Truncated);
        }
    }
}

/// The offset after the next marker from `at` on; stuffed zeros and restart markers, which belong
/// to a scan, are passed over, and so are fill bytes.
fn next_marker(bytes: &[u8], at: usize) -> Result<usize, JpegError> {
    let mut at = at;
    loop {
        let rest = bytes.get(at..).ok_or(JpegError::Truncated)?;
        at += rest.iter().position(|byte| *byte == 0xff).ok_or(JpegError::Truncated)? + 1;
        match bytes.get(at).ok_or(JpegError::Truncated)? {
            0x00 | 0xd0..=0xd7 => at += 1,
            0xff => {}
            _ => return Ok(at + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A baseline colour JPEG of 40x24 pixels with some detail.
    fn sample() -> Vec<u8> {
        let picture = image::RgbImage::from_fn(40, 24, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 10) as u8, ((x ^ y) * 4) as u8])
        });
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&picture)
            .expect("encoded");
        bytes
    }

    /// The JPEG without its Huffman tables, as many webcams send it.
    fn without_tables(bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes[..2].to_vec();
        let mut at = 2;
        loop {
            let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
            match bytes[at + 1] {
                0xc4 => {}
                0xda => {
                    out.extend_from_slice(&bytes[at..]);
                    return out;
                }
                _ => out.extend_from_slice(&bytes[at..end]),
            }
            at = end;
        }
    }

    #[test]
    fn missing_tables_and_padding_change_nothing() {
        let bytes = sample();
        let whole = decode(&bytes, 1000).expect("decoded");
        assert_eq!((whole.width, whole.height), (40, 24));
        let mut webcam = without_tables(&bytes);
        assert!(webcam.len() + 400 < bytes.len(), "tables taken out");
        webcam.extend_from_slice(&[0; 500]);
        assert_eq!(decode(&webcam, 1000).expect("decoded").rgb, whole.rgb);
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = sample();
        // The last two are the end marker, without which it is whole.
        for end in 0..bytes.len() - 2 {
            assert!(decode(&bytes[..end], 1000).is_err(), "cut after {end} of {}", bytes.len());
        }
        assert_eq!(decode(&bytes[..900], 1000).err(), Some(JpegError::Truncated));
    }

    #[test]
    fn without_the_end_marker_it_is_whole_while_every_block_is_there() {
        let bytes = sample();
        let whole = decode(&bytes, 1000).expect("decoded").rgb;
        let unmarked = &bytes[..bytes.len() - 2];
        let next = [unmarked, &bytes].concat();
        let forms =
            [unmarked.to_vec(), [unmarked, &[0xff]].concat(), [unmarked, &[0; 300]].concat(), next.clone()];
        for (number, form) in forms.iter().enumerate() {
            assert_eq!(decode(form, 1000).expect("decoded").rgb, whole, "form {number}");
        }
        assert_eq!(length(&next), Ok(unmarked.len()));
        assert_eq!(length(unmarked), Err(JpegError::Truncated), "more may come");
        let short = [&unmarked[..unmarked.len() - 20], &[0; 300]].concat();
        assert_eq!(decode(&short, 1000).err(), Some(JpegError::Truncated), "padding is no data");
        assert_eq!(decode(&[&unmarked[..700], &bytes].concat(), 1000).err(), Some(JpegError::Truncated));
        // Of a progressive one it cannot be told.
        let progressive = include_bytes!("../../../tests/data/progressive.jpg");
        assert!(decode(progressive, 1 << 30).is_ok());
        assert_eq!(decode(&progressive[..progressive.len() - 2], 1 << 30).err(), Some(JpegError::Truncated));
    }

    #[test]
    fn data_lost_in_the_middle_is_an_error() {
        let bytes = sample();
        let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).expect("scan") + 20;
        let end = bytes.len() - 2;
        for kept in scan..end - 2 {
            let holed = [&bytes[..kept], &bytes[end..]].concat();
            assert!(matches!(decode(&holed, 1000).err(), Some(JpegError::Damaged(_))), "{kept} of {end}");
        }
    }

    #[test]
    fn size_is_checked_before_decoding() {
        let error = decode(&sample(), 40 * 24 - 1).err();
        assert_eq!(error, Some(JpegError::TooLarge { width: 40, height: 24 }));
    }
}
