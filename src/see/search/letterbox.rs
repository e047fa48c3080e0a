//! From a frame to BlazeFace's square input: a square region of the frame, bilinear, black beyond the
//! frame. Positions and border are those of MediaPipe 0.10.21's `ImageToTensorCalculator` on the CPU
//! (`image_to_tensor_converter_opencv.cc`, `keep_aspect_ratio`, `BORDER_ZERO`), on which the nets were
//! made: output pixel i takes the frame's pixel `start + i * step`. The nets want just that: centres
//! aligned (half a pixel's shift) double the short-range net's false faces in photos without any.
//!
//! Of what is much larger than the input, most pixels would be skipped and their noise kept, so it is reduced first.

use crate::media::resample;
use crate::vocabulary::frame::{Frame, PixelFormat, Rect};

/// Pixels from one that is taken to the next, at most. Up to here the nets get what they were made on: averaged instead,
/// the short-range net sees four times as many false faces in photos without any.
const MAX_STEP: f32 = 8.0;

/// As many are left between two that are taken of what is reduced.
const REDUCED_STEP: f32 = 2.0;

/// A part of a frame in pixels; may reach beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Region {
    /// The smallest region of `aspect` (width over height) around the whole frame.
    pub fn whole(frame: &Frame, aspect: f32) -> Self {
        let (width, height) = (frame.width as f32, frame.height as f32);
        let region =
            Self { x: 0.0, y: 0.0, width: width.max(height * aspect), height: height.max(width / aspect) };
        Self { x: (width - region.width) / 2.0, y: (height - region.height) / 2.0, ..region }
    }

    /// The region `factor` times as large around the same centre.
    pub fn enlarged(self, factor: f32) -> Self {
        let more = |side: f32| side * (factor - 1.0) / 2.0;
        Self {
            x: self.x - more(self.width),
            y: self.y - more(self.height),
            width: self.width * factor,
            height: self.height * factor,
        }
    }

    /// What lies in it of a frame, reduced by a whole number, and where it is in that.
    fn reduced(self, frame: &Frame, by: f32) -> (Frame, Self) {
        // A pixel more on each side, between which and the next the last ones lie.
        let area = Rect {
            x: self.x - by,
            y: self.y - by,
            width: self.width + 2.0 * by,
            height: self.height + 2.0 * by,
        };
        let (small, corner) = resample::reduced(frame, &area, by as u32);
        // A pixel's place is its middle's, and the first one's is that of `by` pixels.
        let place = |start: f32, corner: f32| (start - corner - (by - 1.0) / 2.0) / by;
        let (x, y) = (place(self.x, corner.x), place(self.y, corner.y));
        (small, Self { x, y, width: self.width / by, height: self.height / by })
    }

    /// Regions of `part` of the size of [`Self::whole`] that together cover the frame.
    pub fn tiles(frame: &Frame, aspect: f32, part: f32) -> impl Iterator<Item = Self> {
        let Self { width, height, .. } = Self::whole(frame, aspect);
        let (width, height) = (width * part, height * part);
        let columns = starts(frame.width as f32, width);
        starts(frame.height as f32, height)
            .flat_map(move |y| columns.clone().map(move |x| Self { x, y, width, height }))
    }
}

/// Where tiles of `side` start that cover `length`: evenly, overlapping by at least a quarter; one in
/// the middle where it covers all.
fn starts(length: f32, side: f32) -> impl Iterator<Item = f32> + Clone {
    const STEP: f32 = 0.75;
    let rest = length - side;
    let steps = (rest / (STEP * side)).ceil().max(0.0);
    (0..=steps as u32).map(move |i| if steps == 0.0 { rest / 2.0 } else { rest * i as f32 / steps })
}

/// One in the fixed-point arithmetic of weights.
const ONE: u32 = 256;

/// The two pixels between which an output column or row lies, and their shares in 1/[`ONE`]; a pixel
/// beyond the frame has no share, so what is left of the sum is black.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    near: usize,
    far: usize,
    shares: [u32; 2],
}

impl Tap {
    /// For a position in a row or column of `length` pixels; pixel i is at i, and the first and the last reach
    /// outwards by `reach`.
    fn new(position: f32, length: u32, reach: f32) -> Self {
        let last = length as f32 - 1.0;
        let inner = position.clamp(0.0, last);
        let position = if (position - inner).abs() <= reach { inner } else { position };
        let near = position.floor();
        let share = ((position - near) * ONE as f32).round() as u32;
        let inside = |index: f32| (0.0..length as f32).contains(&index);
        let index = |index: f32| if inside(index) { index as usize } else { 0 };
        Self {
            near: index(near),
            far: index(near + 1.0),
            shares: [if inside(near) { ONE - share } else { 0 }, if inside(near + 1.0) { share } else { 0 }],
        }
    }

    fn is_outside(&self) -> bool {
        self.shares == [0, 0]
    }
}

/// Fills input tensors of one size.
pub struct Letterbox {
    width: u32,
    height: u32,
    /// A pixel's value becomes `value * gain + offset`.
    gain: f32,
    offset: f32,
    columns: Vec<Tap>,
}

impl Letterbox {
    /// For a `width`×`height`×3 float input of `(pixel - mean) / std`.
    pub fn new(width: u32, height: u32, mean: f32, std: f32) -> Self {
        Self { width, height, gain: 1.0 / std, offset: -mean / std, columns: Vec::new() }
    }

    /// Replaces `out` by the bytes of `region` of `frame` as the net's input.
    pub fn fill(&mut self, frame: &Frame, region: Region, out: &mut Vec<u8>) {
        let step = (region.width / self.width as f32).min(region.height / self.height as f32);
        if step > MAX_STEP {
            let (small, region) = region.reduced(frame, (step / REDUCED_STEP).floor());
            // Half of a pixel lies on this side of its middle.
            self.sample(&small, region, 0.5, out);
        } else {
            self.sample(frame, region, 0.0, out);
        }
    }

    fn sample(&mut self, frame: &Frame, region: Region, reach: f32, out: &mut Vec<u8>) {
        let (step_x, step_y) = (region.width / self.width as f32, region.height / self.height as f32);
        self.columns.clear();
        let column = |index| Tap::new(region.x + index as f32 * step_x, frame.width, reach);
        self.columns.extend((0..self.width).map(column));
        let row_bytes = self.width as usize * 12;
        out.resize(self.height as usize * row_bytes, 0);
        for (index, line) in (0..self.height).zip(out.chunks_exact_mut(row_bytes)) {
            let row = Tap::new(region.y + index as f32 * step_y, frame.height, reach);
            let pixels = line.as_chunks_mut::<12>().0;
            match frame.format {
                _ if row.is_outside() => pixels.fill(encode([self.offset; 3])),
                PixelFormat::Gray8 => self.fill_row::<1>(frame, row, pixels),
                PixelFormat::Rgb8 => self.fill_row::<3>(frame, row, pixels),
            }
        }
    }

    fn fill_row<const CHANNELS: usize>(&self, frame: &Frame, row: Tap, out: &mut [[u8; 12]]) {
        let stride = frame.width as usize * CHANNELS;
        let line = |index: usize| frame.data[index * stride..][..stride].as_chunks::<CHANNELS>().0;
        let (near, far) = (line(row.near), line(row.far));
        for (pixel, column) in out.iter_mut().zip(&self.columns) {
            let corners = [near[column.near], near[column.far], far[column.near], far[column.far]];
            let shares = [
                row.shares[0] * column.shares[0],
                row.shares[0] * column.shares[1],
                row.shares[1] * column.shares[0],
                row.shares[1] * column.shares[1],
            ];
            *pixel = encode(std::array::from_fn(|channel| {
                // A grey pixel's only value is all three.
                let channel = channel.min(CHANNELS - 1);
                let sum: u32 = corners
                    .iter()
                    .zip(shares)
                    .map(|(corner, share)| u32::from(corner[channel]) * share)
                    .sum();
                let value = (sum + ONE * ONE / 2) / (ONE * ONE);
                value as f32 * self.gain + self.offset
            }));
        }
    }
}

fn encode(rgb: [f32; 3]) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(rgb) {
        *bytes = value.to_ne_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn gray(width: u32, height: u32, data: &[u8]) -> Frame {
        Frame::new(width, height, PixelFormat::Gray8, data, Instant::now(), 0)
    }

    /// The pixel values, red, green, blue, of an input of `side` × `side`.
    fn filled(frame: &Frame, region: Region, side: u32) -> Vec<f32> {
        let mut out = Vec::new();
        Letterbox::new(side, side, 127.5, 127.5).fill(frame, region, &mut out);
        let floats = out.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes));
        floats.map(|value| (value * 127.5 + 127.5).round()).collect()
    }

    fn filled_gray(frame: &Frame, region: Region, side: u32) -> Vec<f32> {
        let values = filled(frame, region, side);
        assert!(values.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b), "{values:?}");
        values.into_iter().step_by(3).collect()
    }

    #[test]
    fn a_wide_frame_gets_black_above_and_below() {
        let data: Vec<u8> = (0..8).flat_map(|pixel| [pixel * 30, 255, 7]).collect();
        let frame = Frame::new(4, 2, PixelFormat::Rgb8, data, Instant::now(), 0);
        let mut expected = vec![0.0; 12];
        expected.extend((0..8).flat_map(|pixel| [30.0 * pixel as f32, 255.0, 7.0]));
        expected.resize(48, 0.0);
        assert_eq!(filled(&frame, Region::whole(&frame, 1.0), 4), expected);
    }

    #[test]
    fn a_tall_frame_gets_black_at_both_sides() {
        let frame = gray(2, 4, &[10, 20, 30, 40, 50, 60, 70, 80]);
        let expected =
            [0, 10, 20, 0, 0, 30, 40, 0, 0, 50, 60, 0, 0, 70, 80, 0].map(|value| value as f32).to_vec();
        assert_eq!(filled_gray(&frame, Region::whole(&frame, 1.0), 4), expected);
    }

    #[test]
    fn shrinking_takes_every_nth_pixel() {
        let data: Vec<u8> = (0..36).collect();
        let frame = gray(6, 6, &data);
        // Rows and columns 0, 2 and 4.
        let expected = [0.0, 2.0, 4.0, 12.0, 14.0, 16.0, 24.0, 26.0, 28.0];
        assert_eq!(filled_gray(&frame, Region::whole(&frame, 1.0), 3), expected);
    }

    #[test]
    fn between_pixels_it_is_bilinear() {
        let frame = gray(2, 2, &[0, 100, 200, 40]);
        // Positions 0, 0.5, 1 and 1.5; beyond pixel 1 the frame fades into black.
        let expected =
            [0, 50, 100, 50, 100, 85, 70, 35, 200, 120, 40, 20, 100, 60, 20, 10].map(|value| value as f32);
        assert_eq!(filled_gray(&frame, Region::whole(&frame, 1.0), 4), expected);
    }

    #[test]
    fn what_is_much_larger_is_averaged_and_stays_where_it_is() {
        let ramp: Vec<u8> = (0..240 * 240).map(|pixel| (pixel % 240) as u8).collect();
        let frame = gray(240, 240, &ramp);
        let values = filled_gray(&frame, Region::whole(&frame, 1.0), 12);
        for (index, value) in values.iter().enumerate() {
            let place = 20.0 * (index % 12) as f32;
            // The first is the mean of the pixels at the edge.
            let near = if place == 0.0 { 5.0 } else { 1.0 };
            assert!((value - place).abs() <= near, "{value} at {place}");
        }
        let noise: Vec<u8> = (0..240 * 240u32)
            .map(|i| if i.wrapping_mul(2_654_435_761) >> 31 == 0 { 28 } else { 228 })
            .collect();
        let values = filled_gray(&gray(240, 240, &noise), Region::whole(&frame, 1.0), 12);
        assert!(values.iter().all(|value| (value - 128.0).abs() < 60.0), "{values:?}");
    }

    #[test]
    fn an_enlarged_region_surrounds_the_frame() {
        let frame = gray(2, 2, &[90, 100, 200, 40]);
        let region = Region::whole(&frame, 1.0).enlarged(2.0);
        assert_eq!(region, Region { x: -1.0, y: -1.0, width: 4.0, height: 4.0 });
        let mut expected = [0.0; 16];
        (expected[5], expected[6], expected[9], expected[10]) = (90.0, 100.0, 200.0, 40.0);
        assert_eq!(filled_gray(&frame, region, 4), expected);
    }

    #[test]
    fn tiles_cover_the_frame_and_overlap() {
        let tiles: Vec<_> = Region::tiles(&gray(100, 50, &[0; 5000]), 1.0, 0.75).collect();
        let tile = |x| Region { x, y: -12.5, width: 75.0, height: 75.0 };
        assert_eq!(tiles, [tile(0.0), tile(25.0)]);
        let wide = Region::whole(&gray(60, 60, &[0; 3600]), 4.0 / 3.0);
        assert_eq!(wide, Region { x: -10.0, y: 0.0, width: 80.0, height: 60.0 });
        assert_eq!(Region::tiles(&gray(10, 10, &[0; 100]), 1.0, 0.5).count(), 9);
    }
}
