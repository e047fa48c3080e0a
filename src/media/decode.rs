//! What cameras send, as frames' pixels.
//!
//! Colours: ITU-R BT.601, in the range that V4L2 reports. The kernel's default for Y'CbCr is
//! limited range, and full range with the colour space JPEG
//! (docs.kernel.org/userspace-api/media/v4l/colorspaces-details.html).

use image::imageops::{FilterType, resize};
use image::{GrayImage, RgbImage};

use crate::media::photo;
use crate::media::photo::jpeg::{self, JpegError};
use crate::vocabulary::frame::PixelFormat;

/// How a camera encodes its frames; the name is V4L2's four-character code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// `RGB3`: red, green, blue.
    Rgb,
    /// `BGR3`: blue, green, red.
    Bgr,
    /// `YUYV`: two pixels in four bytes: Y, Cb, Y, Cr.
    Yuyv,
    /// `UYVY`: two pixels in four bytes: Cb, Y, Cr, Y.
    Uyvy,
    /// `NV12`: all Y, then Cb and Cr of each two by two pixels.
    Nv12,
    /// `YU12`: all Y, then all Cb, then all Cr, one of each for two by two pixels.
    I420,
    /// All Y, then all Cb, then all Cr, one of each for two pixels of a row.
    I422,
    /// All Y, then all Cb, then all Cr, one of each a pixel.
    I444,
    /// `MJPG`, `JPEG`: a JPEG each.
    Mjpeg,
    /// `GREY`: luma only.
    Grey,
}

impl Encoding {
    /// In the order of preference: colour before grey, cheap before dear.
    pub const ALL: [(Self, [u8; 4]); 9] = [
        (Self::Rgb, *b"RGB3"),
        (Self::Bgr, *b"BGR3"),
        (Self::Yuyv, *b"YUYV"),
        (Self::Uyvy, *b"UYVY"),
        (Self::Nv12, *b"NV12"),
        (Self::I420, *b"YU12"),
        (Self::Mjpeg, *b"MJPG"),
        (Self::Mjpeg, *b"JPEG"),
        (Self::Grey, *b"GREY"),
    ];

    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        Self::ALL.iter().find(|(_, code)| *code == fourcc).map(|(encoding, _)| *encoding)
    }

    /// Bytes of a row without padding; 0 where rows have no fixed length.
    const fn row_bytes(self, width: usize) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3 * width,
            Self::Yuyv | Self::Uyvy => 2 * width.next_multiple_of(2),
            Self::Nv12 => width.next_multiple_of(2),
            Self::I420 | Self::I422 | Self::I444 | Self::Grey => width,
            Self::Mjpeg => 0,
        }
    }

    /// How many pixels share a chroma sample, across and down; `None` where Cb and Cr are not planes.
    const fn planes(self) -> Option<(usize, usize)> {
        match self {
            Self::I420 => Some((2, 2)),
            Self::I422 => Some((2, 1)),
            Self::I444 => Some((1, 1)),
            _ => None,
        }
    }
}

/// Range of Y'CbCr values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Y 16 to 235, Cb and Cr 16 to 240.
    Limited,
    /// 0 to 255.
    Full,
}

/// What a device was set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub encoding: Encoding,
    pub width: u32,
    pub height: u32,
    /// Bytes from one row's start to the next one's, padding included; 0: no padding.
    pub stride: u32,
    pub range: Range,
}

impl Layout {
    /// Bytes of a frame without the last row's padding; 0 where frames have no fixed length.
    pub fn frame_bytes(&self) -> usize {
        let (columns, rows) = (self.width as usize, self.height as usize);
        let row = self.encoding.row_bytes(columns);
        let stride = (self.stride as usize).max(row);
        let chroma_rows = match (self.encoding.planes(), self.encoding) {
            (Some((across, down)), _) => {
                return stride * rows + 2 * stride.div_ceil(across) * rows.div_ceil(down);
            }
            (None, Encoding::Nv12) => rows.div_ceil(2),
            (None, _) => 0,
        };
        stride * (rows + chroma_rows).saturating_sub(1) + row
    }
}

/// Decoded pixels, as a frame has them.
#[derive(Debug)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    pub format: PixelFormat,
    pub data: Vec<u8>,
}

/// What is wrong with a frame.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Of a JPEG: it is cut short, damaged or none.
    #[error(transparent)]
    Jpeg(#[from] JpegError),
    #[error("{found} bytes instead of {needed}")]
    Short { found: usize, needed: usize },
}

/// Enlarges the shorter side of pixels that are `aspect` times as wide as high, so that they are square. A ratio
/// beyond 8 is a mistake, not a shape.
pub fn squared(pixels: Pixels, aspect: f64) -> Pixels {
    if !(0.125..=8.0).contains(&aspect) || (aspect - 1.0).abs() < 1e-3 {
        return pixels;
    }
    let side = |side: u32, factor: f64| (f64::from(side) * factor.max(1.0)).round() as u32;
    let (width, height) = (side(pixels.width, aspect), side(pixels.height, 1.0 / aspect));
    let Pixels { width: from_width, height: from_height, format, data } = pixels;
    let data = match format {
        PixelFormat::Gray8 => GrayImage::from_raw(from_width, from_height, data)
            .map(|picture| resize(&picture, width, height, FilterType::Triangle).into_raw()),
        PixelFormat::Rgb8 => RgbImage::from_raw(from_width, from_height, data)
            .map(|picture| resize(&picture, width, height, FilterType::Triangle).into_raw()),
    };
    Pixels { width, height, format, data: data.unwrap_or_default() }
}

/// Decodes one frame of a camera. A JPEG's size is its own, whatever the device was set to.
///
/// # Errors
/// Says what is wrong with the frame: too short, cut short, damaged.
pub fn decode(layout: &Layout, bytes: &[u8]) -> Result<Pixels, DecodeError> {
    let Layout { encoding, width, height, .. } = *layout;
    if encoding == Encoding::Mjpeg {
        let picture = jpeg::decode(bytes, photo::MAX_PIXELS)?;
        let (width, height, format) = (picture.width, picture.height, PixelFormat::Rgb8);
        return Ok(Pixels { width, height, format, data: picture.rgb });
    }
    let (columns, rows) = (width as usize, height as usize);
    let row_bytes = encoding.row_bytes(columns);
    let stride = (layout.stride as usize).max(row_bytes);
    let needed = layout.frame_bytes();
    if bytes.len() < needed {
        return Err(DecodeError::Short { found: bytes.len(), needed });
    }
    let format = if encoding == Encoding::Grey { PixelFormat::Gray8 } else { PixelFormat::Rgb8 };
    let out_row = columns * format.channels();
    let mut data = vec![0; out_row * rows];
    let (luma, chroma) = bytes.split_at((stride * rows).min(bytes.len()));
    let convert = Converter::new(layout.range);
    if let Some(sharing) = encoding.planes() {
        convert.planes(luma, chroma, (columns, stride), sharing, &mut data);
        return Ok(Pixels { width, height, format, data });
    }
    for (y, out) in data.chunks_exact_mut(out_row.max(1)).enumerate() {
        let row = &luma[y * stride..][..row_bytes];
        match encoding {
            Encoding::Rgb | Encoding::Grey => out.copy_from_slice(row),
            Encoding::Bgr => swap_row(row, out),
            Encoding::Yuyv => convert.packed_row(row, out, |[y0, cb, y1, cr]| ([y0, y1], [cb, cr])),
            Encoding::Uyvy => convert.packed_row(row, out, |[cb, y0, cr, y1]| ([y0, y1], [cb, cr])),
            Encoding::Nv12 => convert.planar_row(row, &chroma[y / 2 * stride..][..row_bytes], out),
            Encoding::I420 | Encoding::I422 | Encoding::I444 | Encoding::Mjpeg => {}
        }
    }
    Ok(Pixels { width, height, format, data })
}

fn swap_row(row: &[u8], out: &mut [u8]) {
    for (out, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks::<3>().0) {
        *out = [pixel[2], pixel[1], pixel[0]];
    }
}

/// From Y'CbCr to RGB by ITU-R BT.601 (2.5.1: luma weights 0.299, 0.587, 0.114), in 16.16 fixed
/// point.
#[derive(Clone, Copy)]
struct Converter {
    black: i32,
    luma: i32,
    red_cr: i32,
    green_cb: i32,
    green_cr: i32,
    blue_cb: i32,
}

impl Converter {
    const fn new(range: Range) -> Self {
        match range {
            // Luma times 255 / 219, chroma times 255 / 224.
            Range::Limited => Self {
                black: 16,
                luma: 76_309,
                red_cr: 104_597,
                green_cb: 25_675,
                green_cr: 53_279,
                blue_cb: 132_201,
            },
            Range::Full => Self {
                black: 0,
                luma: 65_536,
                red_cr: 91_881,
                green_cb: 22_554,
                green_cr: 46_802,
                blue_cb: 116_130,
            },
        }
    }

    /// Two neighbours, which share their chroma. Writing into `out`, rather than answering six bytes,
    /// takes a third off the time.
    #[inline(always)]
    fn pair(self, luma: [u8; 2], [cb, cr]: [u8; 2], out: &mut [u8; 6]) {
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let red = self.red_cr * cr;
        let green = -self.green_cb * cb - self.green_cr * cr;
        let blue = self.blue_cb * cb;
        for (out, luma) in out.as_chunks_mut::<3>().0.iter_mut().zip(luma) {
            let luma = (i32::from(luma) - self.black) * self.luma + (1 << 15);
            out[0] = byte(luma + red);
            out[1] = byte(luma + green);
            out[2] = byte(luma + blue);
        }
    }

    /// Four bytes for two pixels; `split` says which is which: luma, then Cb and Cr.
    #[inline(always)]
    fn packed_row(self, row: &[u8], out: &mut [u8], split: impl Fn([u8; 4]) -> ([u8; 2], [u8; 2])) {
        let quads = row.as_chunks::<4>().0;
        let (pairs, rest) = out.as_chunks_mut::<6>();
        for (out, quad) in pairs.iter_mut().zip(quads) {
            let (luma, chroma) = split(*quad);
            self.pair(luma, chroma, out);
        }
        if let (false, Some(quad)) = (rest.is_empty(), quads.last()) {
            let (luma, chroma) = split(*quad);
            self.odd(luma, chroma, rest);
        }
    }

    /// A row of luma, and Cb and Cr by turns.
    fn planar_row(self, luma: &[u8], chroma: &[u8], out: &mut [u8]) {
        let (luma, chroma) = (luma.as_chunks::<2>().0, chroma.as_chunks::<2>().0);
        let (pairs, rest) = out.as_chunks_mut::<6>();
        for ((out, luma), chroma) in pairs.iter_mut().zip(luma).zip(chroma) {
            self.pair(*luma, *chroma, out);
        }
        if let (false, Some(luma), Some(chroma)) = (rest.is_empty(), luma.last(), chroma.last()) {
            self.odd(*luma, *chroma, rest);
        }
    }

    /// Rows of luma in `luma`, planes of Cb and Cr in `chroma`; the length of a luma row is given without
    /// and with its padding, `sharing` as [`Encoding::planes`] answers it.
    fn planes(
        self,
        luma: &[u8],
        chroma: &[u8],
        (columns, stride): (usize, usize),
        (across, down): (usize, usize),
        out: &mut [u8],
    ) {
        let chroma_stride = stride.div_ceil(across);
        // Drivers' buffers may be longer than the planes.
        let plane = chroma_stride * (out.len() / (3 * columns.max(1))).div_ceil(down);
        let (blue, red) = chroma.split_at(plane);
        let rows = luma.chunks_exact(stride.max(1)).zip(out.chunks_exact_mut(3 * columns.max(1)));
        for (y, (row, out)) in rows.enumerate() {
            let start = y / down * chroma_stride;
            let chroma = blue[start..][..chroma_stride].iter().zip(&red[start..][..chroma_stride]);
            // As many pixels as share their chroma: one or two, at the end of an odd row one.
            for ((luma, out), (cb, cr)) in
                row[..columns].chunks(across).zip(out.chunks_mut(3 * across)).zip(chroma)
            {
                let luma = [luma[0], luma.last().copied().unwrap_or_default()];
                match out.as_chunks_mut::<6>() {
                    ([pair], []) => self.pair(luma, [*cb, *cr], pair),
                    _ => self.odd(luma, [*cb, *cr], out),
                }
            }
        }
    }

    /// The last pixel of a row of odd width.
    fn odd(self, luma: [u8; 2], chroma: [u8; 2], out: &mut [u8]) {
        let mut both = [0; 6];
        self.pair(luma, chroma, &mut both);
        out.copy_from_slice(&both[..out.len()]);
    }
}

/// A fixed-point value as a byte, clamped without a branch that noise would mislead.
#[inline(always)]
const fn byte(fixed: i32) -> u8 {
    let value = fixed >> 16;
    if value as u32 > 255 { !(value >> 31) as u8 } else { value as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(encoding: Encoding, width: u32, height: u32, stride: u32) -> Layout {
        Layout { encoding, width, height, stride, range: Range::Limited }
    }

    /// BT.601 in floating point, straight from the definition R = Y + 2 (1 - Kr) Cr and so on.
    fn reference(y: u8, cb: u8, cr: u8, range: Range) -> [f64; 3] {
        let (y, cb, cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
        let (y, cb, cr) = match range {
            Range::Limited => ((y - 16.0) / 219.0, cb / 224.0, cr / 224.0),
            Range::Full => (y / 255.0, cb / 255.0, cr / 255.0),
        };
        let (kr, kb) = (0.299, 0.114);
        let red = y + 2.0 * (1.0 - kr) * cr;
        let blue = y + 2.0 * (1.0 - kb) * cb;
        let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|value| (value * 255.0).clamp(0.0, 255.0))
    }

    #[test]
    fn colours_match_the_standard() {
        for range in [Range::Limited, Range::Full] {
            for y in (0..=255).step_by(5) {
                for cb in (0..=255).step_by(15) {
                    for cr in (0..=255).step_by(15) {
                        let (y, cb, cr) = (y as u8, cb as u8, cr as u8);
                        let layout = Layout { range, ..layout(Encoding::Yuyv, 2, 1, 0) };
                        let pixels = decode(&layout, &[y, cb, y, cr]).expect("decoded").data;
                        for (value, expected) in pixels.iter().zip(reference(y, cb, cr, range)) {
                            assert!((f64::from(*value) - expected).abs() <= 0.51, "{y} {cb} {cr} {range:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn known_colours() {
        // BT.601 limited range: 75 % of nothing, all, red, green, blue.
        let cases = [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([81, 90, 240], [254, 0, 0]),
            ([145, 54, 34], [0, 255, 1]),
            ([41, 240, 110], [0, 0, 255]),
        ];
        for ([y, cb, cr], rgb) in cases {
            let uyvy = decode(&layout(Encoding::Uyvy, 2, 1, 0), &[cb, y, cr, y]).expect("decoded");
            assert_eq!(uyvy.data, [rgb, rgb].concat());
            for encoding in [Encoding::Nv12, Encoding::I420] {
                let frame = decode(&layout(encoding, 2, 2, 0), &[y, y, y, y, cb, cr]).expect("decoded");
                assert_eq!(frame.data, [rgb; 4].concat(), "{encoding:?}");
            }
            let i422 = decode(&layout(Encoding::I422, 2, 1, 0), &[y, y, cb, cr]).expect("decoded");
            assert_eq!(i422.data, [rgb; 2].concat());
            let i444 = decode(&layout(Encoding::I444, 2, 1, 0), &[y, 16, cb, 128, cr, 128]).expect("decoded");
            assert_eq!(i444.data, [rgb, [0; 3]].concat());
        }
    }

    #[test]
    fn pixels_become_square() {
        let pixels = |width, height| Pixels {
            width,
            height,
            format: PixelFormat::Rgb8,
            data: vec![7; width as usize * height as usize * 3],
        };
        for (aspect, size) in [(2.0, (8, 2)), (0.5, (4, 4)), (1.0, (4, 2)), (0.0, (4, 2)), (100.0, (4, 2))] {
            let square = squared(pixels(4, 2), aspect);
            assert_eq!((square.width, square.height), size, "{aspect}");
            assert_eq!(square.data, vec![7; size.0 as usize * size.1 as usize * 3], "{aspect}");
        }
    }

    #[test]
    fn padding_of_rows_is_passed_over() {
        let grey = decode(&layout(Encoding::Grey, 2, 2, 4), b"ab..cd").expect("decoded");
        assert_eq!((grey.format, grey.data.as_slice()), (PixelFormat::Gray8, b"abcd".as_slice()));
        let bgr = decode(&layout(Encoding::Bgr, 1, 2, 4), b"bgr.BGR.").expect("decoded");
        assert_eq!(bgr.data, b"rgbRGB");
        let yuyv = [235, 128, 16, 128, 9, 9, 16, 128, 235, 128, 9, 9];
        let yuyv = decode(&layout(Encoding::Yuyv, 2, 2, 6), &yuyv).expect("decoded");
        assert_eq!(yuyv.data, [[255; 3], [0; 3], [0; 3], [255; 3]].concat());
        let nv12 = [235, 16, 9, 16, 235, 9, 16, 16, 9, 128, 128, 9, 128, 128];
        let nv12 = decode(&layout(Encoding::Nv12, 2, 3, 3), &nv12).expect("decoded");
        assert_eq!(nv12.data, [[255; 3], [0; 3], [0; 3], [255; 3], [0; 3], [0; 3]].concat());
    }

    #[test]
    fn odd_widths() {
        let yuyv = decode(&layout(Encoding::Yuyv, 3, 1, 0), &[235, 128, 16, 128, 235, 128, 16, 128]);
        assert_eq!(yuyv.expect("decoded").data, [[255; 3], [0; 3], [255; 3]].concat());
        let nv12 = decode(&layout(Encoding::Nv12, 1, 1, 0), &[235, 0, 128, 128]);
        assert_eq!(nv12.expect("decoded").data, [255; 3]);
        // Two chroma samples a row, of which the second belongs to the third pixel alone.
        let i420 = [[235; 3].as_slice(), &[128, 240], &[128, 110]].concat();
        let i420 = decode(&layout(Encoding::I420, 3, 1, 0), &i420).expect("decoded").data;
        assert_eq!(i420[..6], [255; 6]);
        assert_ne!(i420[6..], [255; 3]);
    }

    #[test]
    fn short_frames_are_damaged() {
        for (encoding, needed) in [
            (Encoding::Rgb, 12),
            (Encoding::Bgr, 12),
            (Encoding::Yuyv, 8),
            (Encoding::Uyvy, 8),
            (Encoding::Nv12, 6),
            (Encoding::I420, 6),
            (Encoding::I422, 8),
            (Encoding::I444, 12),
            (Encoding::Grey, 4),
        ] {
            let layout = layout(encoding, 2, 2, 0);
            assert!(decode(&layout, &vec![0; needed]).is_ok(), "{encoding:?}");
            let error = decode(&layout, &vec![0; needed - 1]).expect_err("too short");
            assert_eq!(error.to_string(), format!("{} bytes instead of {needed}", needed - 1));
        }
        assert!(decode(&layout(Encoding::Mjpeg, 2, 2, 0), &[0xff, 0xd8, 0xff]).is_err());
        assert!(decode(&layout(Encoding::Mjpeg, 2, 2, 0), &[]).is_err());
    }
}
