//! What Exif data say of a picture (CIPA DC-008).

use std::ops::Range;

use image::metadata::Orientation;

const ORIENTATION: u16 = 0x112;

/// How the picture is to be turned; not at all where that is not said.
pub fn orientation(exif: &[u8]) -> Orientation {
    let value = entry(exif).and_then(|(value, little)| {
        let bytes = exif.get(value)?;
        let value = match (bytes, little) {
            ([low, high], true) | ([high, low], false) => u32::from(*high) << 8 | u32::from(*low),
            ([a, b, c, d], true) => u32::from_le_bytes([*a, *b, *c, *d]),
            ([a, b, c, d], false) => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => return None,
        };
        u8::try_from(value).ok()
    });
    value.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The same data of a picture that was turned.
pub fn upright(mut exif: Vec<u8>) -> Vec<u8> {
    if let Some((value, little)) = entry(&exif) {
        let bytes = &mut exif[value];
        bytes.fill(0);
        let one = if little { 0 } else { bytes.len() - 1 };
        bytes[one] = 1;
    }
    exif
}

/// Where the orientation's value stands, and whether numbers are little-endian. The standard has it as
/// SHORT (3), some programs write LONG (4).
fn entry(exif: &[u8]) -> Option<(Range<usize>, bool)> {
    let little = match exif.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = exif.get(at..at + 2)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = exif.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let count = usize::from(short(directory)?);
    for at in (0..count).map(|index| directory + 2 + index * 12) {
        if short(at)? == ORIENTATION && long(at + 4)? == 1 {
            let bytes = match short(at + 2)? {
                3 => 2,
                4 => 4,
                _ => return None,
            };
            exif.get(at + 8..at + 12)?;
            return Some((at + 8..at + 8 + bytes, little));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientation_as_short_and_long() {
        let cases: [&[u8]; 3] = [
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
            b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0",
        ];
        for exif in cases {
            assert_eq!(orientation(exif), Orientation::Rotate90, "{exif:?}");
            assert_eq!(orientation(&upright(exif.to_vec())), Orientation::NoTransforms, "{exif:?}");
            for end in 0..exif.len() {
                let _ = (orientation(&exif[..end]), upright(exif[..end].to_vec()));
            }
        }
        let far = b"II*\0\xff\xff\xff\xff\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        assert_eq!(orientation(far), Orientation::NoTransforms);
    }
}
