//! From a detected face to the picture that the net was trained on: cut, turned level, resampled.

use crate::media::resample;
use crate::nets::sidecar::{Align, Crop};
use crate::vocabulary::emotion::Detection;
use crate::vocabulary::frame::{Frame, PixelFormat, Point, Rect};

/// Luma weights of ITU-R BT.601-7, 2.5.1, in 1/65536, as every common library uses them.
const LUMA: [u32; 3] = [19_595, 38_470, 7_471];

/// Samples along each axis that one output pixel averages at most; what is larger is reduced first.
const MAX_SAMPLES: u32 = 8;

/// A square in a frame, possibly turned and reaching beyond the edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    pub center: Point,
    /// In pixels of the frame.
    pub side: f32,
    /// Clockwise, in radians: direction of the crop's x axis.
    pub angle: f32,
}

impl Square {
    /// The square that `crop` cuts for a detected face.
    pub fn of_face(face: &Detection, crop: &Crop) -> Self {
        let side = face.core.width.max(face.core.height) * crop.scale;
        let angle = match crop.align {
            Align::None => 0.0,
            Align::Eyes => face.landmarks.roll(),
        };
        let (sin, cos) = angle.sin_cos();
        let (dx, dy) = (crop.shift_x * side, crop.shift_y * side);
        let center = face.core.center();
        Self {
            center: Point { x: center.x + cos * dx - sin * dy, y: center.y + sin * dx + cos * dy },
            side,
            angle,
        }
    }
}

/// Where output pixels come from: an upright or turned rectangle of the frame.
struct Mapping {
    origin: Point,
    /// Step in the frame for one output pixel to the right and one down.
    right: Point,
    down: Point,
    samples: (u32, u32),
}

impl Mapping {
    fn turned(square: &Square, width: u32, height: u32) -> Self {
        let (sin, cos) = square.angle.sin_cos();
        let (step_x, step_y) = (square.side / width as f32, square.side / height as f32);
        let half = square.side / 2.0;
        Self {
            origin: Point {
                x: square.center.x - cos * half + sin * half,
                y: square.center.y - sin * half - cos * half,
            },
            right: Point { x: cos * step_x, y: sin * step_x },
            down: Point { x: -sin * step_y, y: cos * step_y },
            samples: (samples(step_x), samples(step_y)),
        }
    }

    fn upright(rect: &Rect, width: u32, height: u32) -> Self {
        let (step_x, step_y) = (rect.width / width as f32, rect.height / height as f32);
        Self {
            origin: Point { x: rect.x, y: rect.y },
            right: Point { x: step_x, y: 0.0 },
            down: Point { x: 0.0, y: step_y },
            samples: (samples(step_x), samples(step_y)),
        }
    }
}

/// A step of several pixels averages about as many samples, so that nothing is skipped.
fn samples(step: f32) -> u32 {
    (step.round() as u32).clamp(1, MAX_SAMPLES)
}

/// Cuts `square` out of `frame` into `out`: `width * height * channels` bytes, rows from the top;
/// one channel is luma. Beyond the frame its edge pixels go on.
pub fn cut_square(frame: &Frame, square: &Square, size: (u32, u32), channels: usize, out: &mut Vec<u8>) {
    let reach = square.side * (square.angle.sin().abs() + square.angle.cos().abs());
    let area = Rect::around(square.center, reach);
    match reduced(frame, &area, square.side, size) {
        Some((small, corner, by)) => {
            let center = Point { x: (square.center.x - corner.x) / by, y: (square.center.y - corner.y) / by };
            let square = Square { center, side: square.side / by, angle: square.angle };
            sample(&small, &Mapping::turned(&square, size.0, size.1), size, channels, out);
        }
        None => sample(frame, &Mapping::turned(square, size.0, size.1), size, channels, out),
    }
}

/// The pixels of `area`, by so much smaller that `side` of them need no more samples than an output pixel may take;
/// `None` where they need no more as they are.
fn reduced(frame: &Frame, area: &Rect, side: f32, size: (u32, u32)) -> Option<(Frame, Point, f32)> {
    let by = (side / size.0.min(size.1) as f32 / MAX_SAMPLES as f32).ceil();
    (by > 1.0).then(|| {
        let (small, corner) = resample::reduced(frame, area, by as u32);
        (small, corner, by)
    })
}

/// The whole frame at another size, as a face that is cut out already.
pub fn fit_whole(frame: &Frame, size: (u32, u32), channels: usize, out: &mut Vec<u8>) {
    let whole = Rect { x: 0.0, y: 0.0, width: frame.width as f32, height: frame.height as f32 };
    if let Some((small, ..)) = reduced(frame, &whole, frame.width.max(frame.height) as f32, size) {
        return fit_whole(&small, size, channels, out);
    }
    sample(frame, &Mapping::upright(&whole, size.0, size.1), size, channels, out);
}

fn sample(frame: &Frame, mapping: &Mapping, size: (u32, u32), channels: usize, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(size.0 as usize * size.1 as usize * channels);
    let (across, along) = mapping.samples;
    let count = (across * along) as f32;
    for row in 0..size.1 {
        for column in 0..size.0 {
            let mut sum = [0.0f32; 3];
            for sample in 0..across * along {
                let u = column as f32 + ((sample % across) as f32 + 0.5) / across as f32;
                let v = row as f32 + ((sample / across) as f32 + 0.5) / along as f32;
                let x = mapping.origin.x + mapping.right.x * u + mapping.down.x * v;
                let y = mapping.origin.y + mapping.right.y * u + mapping.down.y * v;
                add_bilinear(frame, channels, x, y, &mut sum);
            }
            out.extend(sum[..channels].iter().map(|value| (value / count + 0.5) as u8));
        }
    }
}

/// Adds the value at (x, y), between the four nearest pixel centres.
fn add_bilinear(frame: &Frame, channels: usize, x: f32, y: f32, sum: &mut [f32; 3]) {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let clamp = |value: f32, side: u32| (value as i64).clamp(0, i64::from(side) - 1) as usize;
    let columns = [clamp(left, frame.width), clamp(left + 1.0, frame.width)];
    let rows = [clamp(top, frame.height), clamp(top + 1.0, frame.height)];
    for (row, weight_y) in rows.into_iter().zip([1.0 - fy, fy]) {
        for (column, weight_x) in columns.into_iter().zip([1.0 - fx, fx]) {
            let pixel = pixel(frame, column, row, channels);
            for (total, value) in sum.iter_mut().zip(pixel) {
                *total += weight_x * weight_y * value;
            }
        }
    }
}

fn pixel(frame: &Frame, column: usize, row: usize, channels: usize) -> [f32; 3] {
    let at = (row * frame.width as usize + column) * frame.format.channels();
    match (frame.format, channels) {
        (PixelFormat::Gray8, _) => [f32::from(frame.data[at]); 3],
        (PixelFormat::Rgb8, 1) => [luma(frame.data[at], frame.data[at + 1], frame.data[at + 2]), 0.0, 0.0],
        (PixelFormat::Rgb8, _) => {
            [f32::from(frame.data[at]), f32::from(frame.data[at + 1]), f32::from(frame.data[at + 2])]
        }
    }
}

fn luma(red: u8, green: u8, blue: u8) -> f32 {
    let sum = LUMA[0] * u32::from(red) + LUMA[1] * u32::from(green) + LUMA[2] * u32::from(blue);
    sum as f32 / 65_536.0
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::vocabulary::emotion::Landmarks;

    fn gray(width: u32, height: u32, pixel: impl Fn(u32, u32) -> u8) -> Frame {
        let data: Vec<u8> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect();
        Frame::new(width, height, PixelFormat::Gray8, data, Instant::now(), 0)
    }

    #[test]
    fn the_square_follows_box_shift_and_eyes() {
        let crop = Crop { scale: 1.5, shift_x: 0.0, shift_y: -0.1, align: Align::Eyes };
        let mut face = Detection {
            bounds: Rect { x: 101.0, y: 45.0, width: 38.0, height: 52.0 },
            core: Rect { x: 100.0, y: 50.0, width: 40.0, height: 40.0 },
            score: 1.0,
            landmarks: Landmarks::default(),
        };
        face.landmarks.right_eye = Point { x: 110.0, y: 60.0 };
        face.landmarks.left_eye = Point { x: 130.0, y: 60.0 };
        let level = Square::of_face(&face, &crop);
        assert_eq!(level, Square { center: Point { x: 120.0, y: 64.0 }, side: 60.0, angle: 0.0 });
        // A head turned by a quarter, clockwise: what was up is to the right.
        face.landmarks.left_eye = Point { x: 110.0, y: 80.0 };
        let turned = Square::of_face(&face, &crop);
        assert!(
            (turned.center.x - 126.0).abs() < 1e-4 && (turned.center.y - 70.0).abs() < 1e-4,
            "{turned:?}"
        );
    }

    #[test]
    fn a_square_of_the_output_size_is_copied() {
        let frame = gray(8, 8, |x, y| (x * 10 + y) as u8);
        let square = Square { center: Point { x: 4.0, y: 4.0 }, side: 4.0, angle: 0.0 };
        let mut out = Vec::new();
        cut_square(&frame, &square, (4, 4), 1, &mut out);
        let expected: Vec<u8> = (2..6).flat_map(|y| (2..6).map(move |x| (x * 10 + y) as u8)).collect();
        assert_eq!(out, expected);
        // Turned by a quarter, the crop's x axis runs down the frame.
        cut_square(&frame, &Square { angle: std::f32::consts::FRAC_PI_2, ..square }, (4, 4), 1, &mut out);
        let expected: Vec<u8> =
            (0..4).flat_map(|v| (0..4).map(move |u| ((5 - v) * 10 + 2 + u) as u8)).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn shrinking_averages_and_edges_go_on() {
        let stripes = gray(16, 16, |x, _| if x % 2 == 0 { 0 } else { 200 });
        let mut out = Vec::new();
        fit_whole(&stripes, (4, 4), 1, &mut out);
        assert!(out.iter().all(|&value| (90..=110).contains(&value)), "{out:?}");
        let beyond = Square { center: Point { x: -20.0, y: 8.0 }, side: 8.0, angle: 0.0 };
        cut_square(&stripes, &beyond, (2, 2), 1, &mut out);
        assert_eq!(out, [0, 0, 0, 0]);
    }

    #[test]
    fn luma_is_bt601() {
        let frame = Frame::new(1, 1, PixelFormat::Rgb8, vec![200, 100, 50], Instant::now(), 0);
        let mut out = Vec::new();
        fit_whole(&frame, (1, 1), 1, &mut out);
        // 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
        assert_eq!(out, [124]);
    }
}
