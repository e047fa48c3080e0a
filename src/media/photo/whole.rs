//! Whether a photo's file reaches its own end, where decoders would stop before.

use image::ImageFormat;

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    There,
    /// The mark of the end is missing; the pixels may be there all the same.
    Unmarked,
    /// Pixels are missing.
    Cut,
}

pub fn end(bytes: &[u8], format: ImageFormat) -> End {
    match format {
        ImageFormat::Png => match png_chunks(bytes) {
            (_, true) => End::There,
            // No more than a part of the last chunk.
            (whole, false) if whole > 8 && bytes.len() - whole < IEND.len() => End::Unmarked,
            _ => End::Cut,
        },
        ImageFormat::Gif => gif(bytes).1,
        // RIFF: four characters, then the length of what follows, little-endian.
        ImageFormat::WebP => {
            let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
            let whole = length.is_some_and(|length| u64::from(length) + 8 <= bytes.len() as u64);
            if whole { End::There } else { End::Cut }
        }
        _ => End::There,
    }
}

/// Bytes of the `IEND` chunk.
const IEND: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// Where its last whole chunk ends, and whether that is `IEND`. After 8 bytes of signature each chunk has its
/// length, type, data and 4 bytes of checksum.
fn png_chunks(bytes: &[u8]) -> (usize, bool) {
    let mut at = 8;
    while let Some((head, tail)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(next) = length.checked_add(4).filter(|next| *next <= tail.len()) else { break };
        at += 8 + next;
        if &head[4..] == b"IEND" {
            return (at, true);
        }
    }
    (at, false)
}

/// The PNG with the chunk at its end that is missing.
pub fn with_png_end(bytes: &[u8]) -> Vec<u8> {
    let (whole, _) = png_chunks(bytes);
    [bytes.get(..whole).unwrap_or_default(), IEND].concat()
}

/// How many whole pictures a GIF holds.
pub fn gif_pictures(bytes: &[u8]) -> usize {
    gif(bytes).0
}

/// Whole pictures, and the end. After the header and the logical screen descriptor come blocks:
/// extensions (0x21) and pictures (0x2c), each ending in sub-blocks, and a trailer (GIF89a, 15 to 27).
fn gif(bytes: &[u8]) -> (usize, End) {
    /// Bytes of the colour table that a packed field speaks of.
    fn table(packed: u8) -> usize {
        if packed & 0x80 != 0 { 3 << ((packed & 7) + 1) } else { 0 }
    }
    /// Where the block at `at` ends.
    fn block(bytes: &[u8], at: usize, picture: bool) -> Option<usize> {
        let mut at = if picture { at + 11 + table(*bytes.get(at + 9)?) } else { at + 2 };
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                return Some(at);
            }
        }
    }
    let mut pictures = 0;
    let Some(packed) = bytes.get(10) else { return (0, End::Cut) };
    let mut at = 13 + table(*packed);
    loop {
        let kind = bytes.get(at).copied();
        let next = match kind {
            Some(0x21 | 0x2c) => block(bytes, at, kind == Some(0x2c)),
            Some(0x3b) => return (pictures, End::There),
            // Nothing more, or what some programs append without a trailer.
            _ => return (pictures, if pictures > 0 { End::Unmarked } else { End::Cut }),
        };
        let Some(next) = next else { return (pictures, End::Cut) };
        pictures += usize::from(kind == Some(0x2c));
        at = next;
    }
}
