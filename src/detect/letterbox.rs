//! From a frame to the net's square input: a square region of the frame, bilinear, black beyond the
//! frame (MediaPipe's `ImageToTensorCalculator` with `keep_aspect_ratio` and `BORDER_ZERO`).

use crate::frame::{Frame, PixelFormat};

/// A square of a frame in pixels; may reach beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    pub x: f32,
    pub y: f32,
    pub side: f32,
}

impl Region {
    /// The smallest square around the whole frame.
    pub fn whole(frame: &Frame) -> Self {
        let side = frame.width.max(frame.height) as f32;
        Self { x: (frame.width as f32 - side) / 2.0, y: (frame.height as f32 - side) / 2.0, side }
    }

    /// The square `factor` times as large around the same centre.
    pub fn enlarged(self, factor: f32) -> Self {
        let more = self.side * (factor - 1.0) / 2.0;
        Self { x: self.x - more, y: self.y - more, side: self.side * factor }
    }
}

/// Where an output column or row comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    /// The two nearest pixels; both the same at an edge.
    near: usize,
    far: usize,
    /// Weight of the far one, in 1/256.
    weight: u32,
}

/// Fills input tensors of one size.
pub struct Letterbox {
    width: u32,
    height: u32,
    /// The tensor's bytes for a channel value in 1/256 steps would be too many; a value's float.
    levels: Vec<f32>,
    pad: f32,
    columns: Vec<Option<Tap>>,
}

impl Letterbox {
    /// For a `width`×`height`×3 float input of `(pixel - mean) / std`.
    pub fn new(width: u32, height: u32, mean: f32, std: f32) -> Self {
        let levels: Vec<f32> = (0..=255).map(|value| (value as f32 - mean) / std).collect();
        Self { width, height, pad: levels[0], levels, columns: Vec::new() }
    }

    /// Replaces `out` by the bytes of `region` of `frame` as the net's input.
    pub fn fill(&mut self, frame: &Frame, region: Region, out: &mut Vec<u8>) {
        let (step_x, step_y) = (region.side / self.width as f32, region.side / self.height as f32);
        self.columns.clear();
        self.columns.extend((0..self.width).map(|column| tap(region.x, step_x, column, frame.width)));
        out.resize(self.width as usize * self.height as usize * 12, 0);
        let row_bytes = self.width as usize * 12;
        for (row, line) in (0..self.height).zip(out.chunks_exact_mut(row_bytes)) {
            match tap(region.y, step_y, row, frame.height) {
                Some(tap) => self.fill_row(frame, tap, line),
                None => self.pad_row(line),
            }
        }
    }

    fn fill_row(&self, frame: &Frame, row: Tap, line: &mut [u8]) {
        let channels = frame.format.channels();
        let stride = frame.width as usize * channels;
        let near = &frame.data[row.near * stride..][..stride];
        let far = &frame.data[row.far * stride..][..stride];
        let mix = |column: &Tap, channel: usize| {
            let (a, b) = (column.near * channels + channel, column.far * channels + channel);
            let across =
                |line: &[u8]| u32::from(line[a]) * (256 - column.weight) + u32::from(line[b]) * column.weight;
            let value = across(near) * (256 - row.weight) + across(far) * row.weight;
            self.levels[((value + (1 << 15)) >> 16) as usize]
        };
        let (pixels, _) = line.as_chunks_mut::<12>();
        for (pixel, column) in pixels.iter_mut().zip(&self.columns) {
            let rgb = match (column, frame.format) {
                (None, _) => [self.pad; 3],
                (Some(column), PixelFormat::Gray8) => [mix(column, 0); 3],
                (Some(column), PixelFormat::Rgb8) => [mix(column, 0), mix(column, 1), mix(column, 2)],
            };
            for (bytes, value) in pixel.as_chunks_mut::<4>().0.iter_mut().zip(rgb) {
                *bytes = value.to_ne_bytes();
            }
        }
    }

    fn pad_row(&self, line: &mut [u8]) {
        for bytes in line.as_chunks_mut::<4>().0 {
            *bytes = self.pad.to_ne_bytes();
        }
    }
}

/// The two pixels of `side` between which output `index` lies; `None` beyond the frame.
///
/// As in MediaPipe, which maps corners with OpenCV's `warpPerspective`, output pixel 0 is the region's
/// first pixel and not the mean of the first few. The nets expect it: with centres aligned instead, the
/// short-range net found two faces fewer in 79 photos and four false ones more in 150.
fn tap(start: f32, step: f32, index: u32, side: u32) -> Option<Tap> {
    let position = start + index as f32 * step;
    if !(0.0..side as f32).contains(&position) {
        return None;
    }
    let near = position as usize;
    let weight = ((position - near as f32) * 256.0) as u32;
    Some(Tap { near, far: (near + 1).min(side as usize - 1), weight })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn filled(frame: &Frame, region: Region, side: u32) -> Vec<f32> {
        let mut out = Vec::new();
        Letterbox::new(side, side, 127.5, 127.5).fill(frame, region, &mut out);
        out.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect()
    }

    #[test]
    fn a_wide_frame_gets_black_above_and_below() {
        let data: Vec<u8> = (0..8).flat_map(|pixel| [pixel * 30, 255, 0]).collect();
        let frame = Frame::new(4, 2, PixelFormat::Rgb8, data, Instant::now(), 0);
        let values = filled(&frame, Region::whole(&frame), 4);
        assert!(values[..12].iter().chain(&values[36..]).all(|value| *value == -1.0));
        // The second row is the frame's first: red 0, 30, 60, 90.
        let red: Vec<f32> = values[12..24].iter().step_by(3).map(|value| value * 127.5 + 127.5).collect();
        for (red, expected) in red.iter().zip([0.0, 30.0, 60.0, 90.0]) {
            assert!((red - expected).abs() < 1e-3, "{red}");
        }
        assert_eq!(values[13..15], [1.0, -1.0]);
    }

    #[test]
    fn between_pixels_it_is_bilinear() {
        let frame = Frame::new(2, 2, PixelFormat::Gray8, vec![0, 100, 200, 40], Instant::now(), 0);
        let values = filled(&frame, Region { x: 0.5, y: 0.5, side: 1.0 }, 1);
        // The mean of all four: 85.
        assert!((values[0] * 127.5 + 127.5 - 85.0).abs() < 1e-3, "{values:?}");
        let outside = filled(&frame, Region::whole(&frame).enlarged(2.0), 4);
        assert_eq!(outside[0], -1.0);
        assert!((outside[15] * 127.5 + 127.5 - 0.0).abs() < 1e-3);
        assert!((outside[18] * 127.5 + 127.5 - 100.0).abs() < 1e-3, "{outside:?}");
    }
}
