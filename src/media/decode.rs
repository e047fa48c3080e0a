//! What cameras send, as frames' pixels.
//!
//! Colours: ITU-R BT.601, in the range that V4L2 reports. The kernel's default for Y'CbCr is
//! limited range, and full range with the colour space JPEG
//! (docs.kernel.org/userspace-api/media/v4l/colorspaces-details.html).

use image::imageops::{FilterType, resize};
use image::{GrayImage, RgbImage};
use yuv::{
    YuvBiPlanarImage, YuvConversionMode, YuvError, YuvPackedImage, YuvPlanarImage, YuvRange,
    YuvStandardMatrix, uyvy422_to_rgb, yuv_nv12_to_rgb, yuv420_to_rgb, yuv422_to_rgb, yuv444_to_rgb,
    yuyv422_to_rgb,
};

use crate::media::photo;
use crate::media::photo::jpeg::{self, JpegError};
use crate::vocabulary::encoding::Encoding;
use crate::vocabulary::frame::PixelFormat;

/// How the bytes of an encoding lie.
impl Encoding {
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

impl From<Range> for YuvRange {
    fn from(range: Range) -> Self {
        match range {
            Range::Limited => Self::Limited,
            Range::Full => Self::Full,
        }
    }
}

const MATRIX: YuvStandardMatrix = YuvStandardMatrix::Bt601;

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
    #[error("its colours cannot be converted: {0}")]
    Colours(#[from] YuvError),
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
    let range = layout.range.into();
    match encoding {
        Encoding::Nv12 => {
            let (y_stride, uv_stride) = (stride as u32, stride as u32);
            let image =
                YuvBiPlanarImage { y_plane: luma, y_stride, uv_plane: chroma, uv_stride, width, height };
            yuv_nv12_to_rgb(&image, &mut data, 3 * width, range, MATRIX, YuvConversionMode::Balanced)?;
            return Ok(Pixels { width, height, format, data });
        }
        Encoding::I420 | Encoding::I422 | Encoding::I444 => {
            planes(encoding, layout, luma, chroma, &mut data)?;
            return Ok(Pixels { width, height, format, data });
        }
        _ => {}
    }
    for (y, out) in data.chunks_exact_mut(out_row.max(1)).enumerate() {
        let row = &luma[y * stride..][..row_bytes];
        match encoding {
            Encoding::Rgb | Encoding::Grey => out.copy_from_slice(row),
            Encoding::Bgr => swap_row(row, out),
            // Row by row, since the last one may lack its padding.
            Encoding::Yuyv => yuyv422_to_rgb(&packed(row, width), out, 3 * width, range, MATRIX)?,
            Encoding::Uyvy => uyvy422_to_rgb(&packed(row, width), out, 3 * width, range, MATRIX)?,
            Encoding::Nv12 | Encoding::I420 | Encoding::I422 | Encoding::I444 | Encoding::Mjpeg => {}
        }
    }
    Ok(Pixels { width, height, format, data })
}

/// One row of pixels that share their chroma by twos.
fn packed(row: &[u8], width: u32) -> YuvPackedImage<'_, u8> {
    YuvPackedImage { yuy: row, yuy_stride: row.len() as u32, width, height: 1 }
}

/// Y, Cb and Cr in planes of their own, one after the other.
fn planes(
    encoding: Encoding,
    layout: &Layout,
    y_plane: &[u8],
    chroma: &[u8],
    data: &mut [u8],
) -> Result<(), YuvError> {
    let Layout { width, height, .. } = *layout;
    let (across, down) = encoding.planes().unwrap_or((1, 1));
    let y_stride = layout.stride.max(width);
    let stride = y_stride.div_ceil(across as u32);
    // Drivers' buffers may be longer than the planes.
    let (u_plane, v_plane) = chroma.split_at(stride as usize * (height as usize).div_ceil(down));
    let (u_stride, v_stride) = (stride, stride);
    let image = YuvPlanarImage { y_plane, y_stride, u_plane, u_stride, v_plane, v_stride, width, height };
    let convert = match encoding {
        Encoding::I422 => yuv422_to_rgb,
        Encoding::I444 => yuv444_to_rgb,
        _ => yuv420_to_rgb,
    };
    convert(&image, data, 3 * width, layout.range.into(), MATRIX)
}

fn swap_row(row: &[u8], out: &mut [u8]) {
    for (out, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks::<3>().0) {
        *out = [pixel[2], pixel[1], pixel[0]];
    }
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
            let (luma, chroma) = match range {
                Range::Limited => (16..=235, 16..=240),
                Range::Full => (0..=255, 0..=255),
            };
            for y in luma.step_by(5) {
                for cb in chroma.clone().step_by(15) {
                    for cr in chroma.clone().step_by(15) {
                        let (y, cb, cr) = (y as u8, cb as u8, cr as u8);
                        let layout = Layout { range, ..layout(Encoding::Yuyv, 2, 1, 0) };
                        let pixels = decode(&layout, &[y, cb, y, cr]).expect("decoded").data;
                        for (value, expected) in pixels.iter().zip(reference(y, cb, cr, range)) {
                            assert!((f64::from(*value) - expected).abs() <= 2.5, "{y} {cb} {cr} {range:?}");
                        }
                    }
                }
            }
        }
    }

    /// The crate rounds: over all legal values it is off by two levels at most, by half a level on average.
    fn near(pixels: &[u8], expected: &[u8]) {
        assert_eq!(pixels.len(), expected.len());
        let far = pixels.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(2), "{pixels:?} instead of {expected:?}");
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
            near(&uyvy.data, &[rgb, rgb].concat());
            for encoding in [Encoding::Nv12, Encoding::I420] {
                let frame = decode(&layout(encoding, 2, 2, 0), &[y, y, y, y, cb, cr]).expect("decoded");
                near(&frame.data, &[rgb; 4].concat());
            }
            let i422 = decode(&layout(Encoding::I422, 2, 1, 0), &[y, y, cb, cr]).expect("decoded");
            near(&i422.data, &[rgb; 2].concat());
            let i444 = decode(&layout(Encoding::I444, 2, 1, 0), &[y, 16, cb, 128, cr, 128]).expect("decoded");
            near(&i444.data, &[rgb, [0; 3]].concat());
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
