//! From a frame to our own nets' input: a region of the frame as Y, U and V (ITU-R BT.601, full range),
//! each output pixel the mean of what it covers, black beyond the frame. The nets have learnt on pictures
//! that were averaged so, and on some that were not.

use super::letterbox::Region;
use crate::vocabulary::frame::{Frame, PixelFormat};

/// One in the fixed-point arithmetic of shares; 255 times its square fits into 32 bits.
const ONE: u32 = 1 << 10;

/// A colourless pixel's U and V.
const NO_COLOUR: u8 = 128;

/// The pixels of a row or column that an output pixel covers, and their shares in 1/[`ONE`], which sum
/// to less than one where it reaches beyond the frame.
#[derive(Clone, Debug, Default, PartialEq)]
struct Span {
    first: usize,
    shares: Vec<u32>,
}

impl Span {
    /// For the stretch from `start` on, `step` long, of `length` pixels; pixel i reaches from i to i + 1.
    /// Where a step is shorter than a pixel, one pixel's length around the stretch's middle: bilinear.
    fn new(start: f32, step: f32, length: u32) -> Self {
        let middle = start + step / 2.0;
        let (start, step) = match step {
            _ if step >= 1.0 => (start, step),
            _ if (0.0..length as f32).contains(&middle) => {
                ((middle - 0.5).clamp(0.0, length as f32 - 1.0), 1.0)
            }
            _ => return Self::default(),
        };
        let (low, high) = (start.max(0.0), (start + step).min(length as f32));
        if low >= high {
            return Self::default();
        }
        let covered = |pixel: usize| (high.min(pixel as f32 + 1.0) - low.max(pixel as f32)).max(0.0);
        let pixels = low as usize..(high.ceil() as usize).min(length as usize);
        let shares = pixels.clone().map(|pixel| (covered(pixel) / step * ONE as f32).round() as u32);
        Self { first: pixels.start, shares: shares.collect() }
    }

    fn all(start: f32, step: f32, length: u32, count: u32) -> Vec<Self> {
        (0..count).map(|index| Self::new(start + index as f32 * step, step, length)).collect()
    }
}

/// Fills input tensors of one size.
pub struct Planes {
    width: u32,
    height: u32,
    /// The rows that an output row covers, added up: three sums a pixel of the frame's width.
    sums: Vec<u32>,
}

impl Planes {
    /// For a `width`×`height`×3 int8 input whose value is the pixel's less 128.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, sums: Vec::new() }
    }

    /// Replaces `out` by the bytes of `region` of `frame` as the net's input.
    pub fn fill(&mut self, frame: &Frame, region: Region, out: &mut Vec<u8>) {
        let columns = Span::all(region.x, region.width / self.width as f32, frame.width, self.width);
        let rows = Span::all(region.y, region.height / self.height as f32, frame.height, self.height);
        out.clear();
        for row in &rows {
            match frame.format {
                PixelFormat::Gray8 => {
                    self.add_rows::<1>(frame, row);
                    out.extend(columns.iter().flat_map(|span| {
                        let [luma] = mean::<1>(&self.sums, span);
                        encode([luma, NO_COLOUR, NO_COLOUR])
                    }));
                }
                PixelFormat::Rgb8 => {
                    self.add_rows::<3>(frame, row);
                    out.extend(columns.iter().flat_map(|span| encode(to_yuv(mean::<3>(&self.sums, span)))));
                }
            }
        }
    }

    fn add_rows<const CHANNELS: usize>(&mut self, frame: &Frame, row: &Span) {
        let stride = frame.width as usize * CHANNELS;
        self.sums.clear();
        self.sums.resize(stride, 0);
        for (line, share) in frame.data.chunks_exact(stride).skip(row.first).zip(&row.shares) {
            for (sum, value) in self.sums.iter_mut().zip(line) {
                *sum += share * u32::from(*value);
            }
        }
    }
}

/// The mean of the covered pixels of summed rows.
fn mean<const CHANNELS: usize>(sums: &[u32], span: &Span) -> [u8; CHANNELS] {
    let mut total = [0; CHANNELS];
    for (pixel, share) in sums.as_chunks::<CHANNELS>().0.iter().skip(span.first).zip(&span.shares) {
        for (total, sum) in total.iter_mut().zip(pixel) {
            *total += share * sum;
        }
    }
    total.map(|sum: u32| ((sum + ONE * ONE / 2) / (ONE * ONE)).min(255) as u8)
}

/// ITU-T T.871, section 7, as JPEG has it.
fn to_yuv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let [red, green, blue] = [red, green, blue].map(f32::from);
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    [luma, (blue - luma) / 1.772 + 128.0, (red - luma) / 1.402 + 128.0].map(|value| value.round() as u8)
}

fn encode(pixel: [u8; 3]) -> [u8; 3] {
    pixel.map(|value| value ^ 0x80)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn filled(frame: &Frame, region: Region, width: u32, height: u32) -> Vec<[u8; 3]> {
        let mut out = Vec::new();
        Planes::new(width, height).fill(frame, region, &mut out);
        out.as_chunks::<3>().0.iter().map(|pixel| encode(*pixel)).collect()
    }

    fn gray(width: u32, height: u32, data: &[u8]) -> Frame {
        Frame::new(width, height, PixelFormat::Gray8, data, Instant::now(), 0)
    }

    fn luma(frame: &Frame, region: Region, width: u32, height: u32) -> Vec<u8> {
        let pixels = filled(frame, region, width, height);
        assert!(pixels.iter().all(|[_, u, v]| (*u, *v) == (128, 128)), "{pixels:?}");
        pixels.iter().map(|[luma, ..]| *luma).collect()
    }

    #[test]
    fn shrinking_averages_what_is_covered() {
        let frame = gray(3, 2, &[0, 90, 30, 60, 30, 0]);
        let region = Region { x: 0.0, y: 0.0, width: 3.0, height: 2.0 };
        // Each takes one column and half of the middle one: (0 + 60 + 45 + 15) / 3, (30 + 45 + 15) / 3.
        assert_eq!(luma(&frame, region, 2, 1), [40, 30]);
        assert_eq!(luma(&frame, region, 3, 2), [0, 90, 30, 60, 30, 0]);
    }

    #[test]
    fn enlarging_is_bilinear_and_beyond_the_frame_is_black() {
        let frame = gray(2, 1, &[100, 200]);
        let region = Region { x: 0.0, y: 0.0, width: 2.0, height: 1.0 };
        assert_eq!(luma(&frame, region, 4, 1), [100, 125, 175, 200]);
        let wide = Region { x: -2.0, y: 0.0, width: 6.0, height: 1.0 };
        assert_eq!(luma(&frame, wide, 6, 1), [0, 0, 100, 200, 0, 0]);
    }

    #[test]
    fn colours_are_those_of_jpeg() {
        let frame =
            Frame::new(3, 1, PixelFormat::Rgb8, [255, 0, 0, 0, 0, 255, 90, 90, 90], Instant::now(), 0);
        let region = Region { x: 0.0, y: 0.0, width: 3.0, height: 1.0 };
        assert_eq!(filled(&frame, region, 3, 1), [[76, 85, 255], [29, 255, 107], [90, 128, 128]]);
    }
}
