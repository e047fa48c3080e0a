//! What goes wrong with pictures of faces, as a fixed list, so that versions of a model compare.

use std::f32::consts::TAU;
use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageError, RgbImage};

use super::fer2013;
use crate::media::encode;
use crate::see::classify::crop::{Square, cut_square};
use crate::vocabulary::frame::{Frame, PixelFormat, Point};

/// One way of spoiling a picture that a face fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Corruption {
    /// Gaussian blur; its standard deviation in pixels of a 48×48 picture, and as much of a larger one.
    Blur(f32),
    /// Gaussian noise; its standard deviation in grey levels.
    Noise(f32),
    /// Every value times this.
    Light(f32),
    /// JPEG of this quality, 1 to 100.
    Jpeg(u8),
    /// The face this many times as large; the edge goes on where the picture ends.
    Zoom(f32),
    /// Turned clockwise by degrees.
    Turn(f32),
}

/// All of them with the names that figures go by.
pub const ALL: [(&str, Corruption); 8] = [
    ("blur", Corruption::Blur(2.0)),
    ("noise", Corruption::Noise(20.0)),
    ("half_light", Corruption::Light(0.5)),
    ("jpeg", Corruption::Jpeg(20)),
    ("smaller", Corruption::Zoom(0.8)),
    ("larger", Corruption::Zoom(1.25)),
    ("turned_right", Corruption::Turn(20.0)),
    ("turned_left", Corruption::Turn(-20.0)),
];

impl Corruption {
    /// The picture spoilt; `seed` decides the noise, which is the same every time.
    ///
    /// # Errors
    /// When the picture cannot be written as JPEG: it has no pixel, or more than 65,535 on a side.
    pub fn apply(self, frame: &Frame, seed: u64) -> Result<Frame, ImageError> {
        Ok(match self {
            Self::Blur(deviation) => {
                let scale = frame.width.min(frame.height) as f32 / fer2013::SIDE as f32;
                back(frame, picture(frame).blur(deviation * scale))
            }
            Self::Noise(deviation) => {
                let mut random = fastrand::Rng::with_seed(seed);
                each(frame, |value| value + deviation * normal(&mut random))
            }
            Self::Light(factor) => each(frame, |value| value * factor),
            Self::Jpeg(quality) => back(frame, jpeg(frame, quality)?),
            Self::Zoom(times) => cut(frame, times, 0.0),
            // The face turns the other way than what is cut.
            Self::Turn(degrees) => cut(frame, 1.0, -degrees.to_radians()),
        })
    }
}

fn each(frame: &Frame, mut change: impl FnMut(f32) -> f32) -> Frame {
    let data: Vec<u8> =
        frame.data.iter().map(|value| (change(f32::from(*value)) + 0.5).clamp(0.0, 255.0) as u8).collect();
    Frame::new(frame.width, frame.height, frame.format, data, frame.captured, frame.sequence)
}

/// A number of the standard normal distribution (Box and Muller 1958, doi:10.1214/aoms/1177706645).
fn normal(random: &mut fastrand::Rng) -> f32 {
    (-2.0 * (1.0 - random.f32()).ln()).sqrt() * (TAU * random.f32()).cos()
}

fn cut(frame: &Frame, times: f32, angle: f32) -> Frame {
    let (width, height) = (frame.width as f32, frame.height as f32);
    let square =
        Square { center: Point { x: width / 2.0, y: height / 2.0 }, side: width.min(height) / times, angle };
    let mut data = Vec::new();
    let side = frame.width.min(frame.height);
    cut_square(frame, &square, (side, side), frame.format.channels(), &mut data);
    Frame::new(side, side, frame.format, data, frame.captured, frame.sequence)
}

fn picture(frame: &Frame) -> DynamicImage {
    let (width, height, data) = (frame.width, frame.height, frame.data.to_vec());
    let made = match frame.format {
        PixelFormat::Gray8 => GrayImage::from_raw(width, height, data).map(DynamicImage::from),
        PixelFormat::Rgb8 => RgbImage::from_raw(width, height, data).map(DynamicImage::from),
    };
    made.expect("a frame holds its pixels")
}

fn back(frame: &Frame, picture: DynamicImage) -> Frame {
    let data = match frame.format {
        PixelFormat::Gray8 => picture.into_luma8().into_raw(),
        PixelFormat::Rgb8 => picture.into_rgb8().into_raw(),
    };
    Frame::new(frame.width, frame.height, frame.format, data, frame.captured, frame.sequence)
}

fn jpeg(frame: &Frame, quality: u8) -> Result<DynamicImage, ImageError> {
    let bytes = encode::jpeg(frame, quality)?;
    image::ImageReader::with_format(Cursor::new(bytes), image::ImageFormat::Jpeg).decode()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SIDE: u32 = 48;

    fn frame(value: impl Fn(f32, f32) -> u8) -> Frame {
        let data: Vec<u8> = (0..SIDE * SIDE)
            .map(|place| value((place % SIDE) as f32 - 23.5, (place / SIDE) as f32 - 23.5))
            .collect();
        Frame::new(SIDE, SIDE, PixelFormat::Gray8, data, Instant::now(), 0)
    }

    fn apply(corruption: Corruption, frame: &Frame) -> Frame {
        corruption.apply(frame, 7).expect("a picture")
    }

    fn mean_and_deviation(frame: &Frame) -> (f64, f64) {
        let count = frame.data.len() as f64;
        let mean = frame.data.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let square = frame.data.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
        (mean, (square / count).sqrt())
    }

    /// Whether the pixel at `(x, y)` is.
    fn bright(frame: &Frame, x: u32, y: u32) -> bool {
        frame.data[(y * SIDE + x) as usize] > 127
    }

    #[test]
    fn each_does_what_its_name_says() {
        let grey = frame(|_, _| 100);
        assert_eq!(mean_and_deviation(&apply(Corruption::Light(0.5), &grey)), (50.0, 0.0));
        let (mean, deviation) = mean_and_deviation(&apply(Corruption::Noise(20.0), &grey));
        assert!((mean - 100.0).abs() < 1.5 && (deviation - 20.0).abs() < 1.5, "{mean} {deviation}");
        assert_eq!(apply(Corruption::Noise(20.0), &grey).data, apply(Corruption::Noise(20.0), &grey).data);
        // An edge blurred by a deviation of 2 pixels is at 84 % one deviation beyond it.
        let edge = apply(Corruption::Blur(2.0), &frame(|x, _| if x > 0.0 { 200 } else { 0 }));
        let (one, two) = (edge.data[(24 * SIDE + 25) as usize], edge.data[(24 * SIDE + 26) as usize]);
        assert!(one < 168 && 168 < two, "{one} {two}");
        // Steps of JPEG at this quality lose the finest stripes.
        let stripes = frame(|x, _| if (x as i32).rem_euclid(2) == 0 { 108 } else { 92 });
        assert!(mean_and_deviation(&apply(Corruption::Jpeg(20), &stripes)).1 < 6.0);
    }

    #[test]
    fn faces_grow_and_turn_about_the_middle() {
        // A spot 16 pixels to the right of the middle.
        let spot = frame(|x, y| if (x - 16.0).hypot(y) < 3.0 { 255 } else { 0 });
        assert!(bright(&apply(Corruption::Zoom(0.8), &spot), 24 + 13, 24), "16 · 0.8");
        assert!(bright(&apply(Corruption::Zoom(1.25), &spot), 24 + 20, 24), "16 · 1.25");
        // Clockwise: to the right and down by 16 · cos 20° and 16 · sin 20°.
        assert!(bright(&apply(Corruption::Turn(20.0), &spot), 24 + 15, 24 + 5));
        assert!(bright(&apply(Corruption::Turn(-20.0), &spot), 24 + 15, 24 - 6));
    }

    #[test]
    fn colours_and_sizes_stay() {
        let data: Vec<u8> = (0..96 * 96).flat_map(|_| [200, 100, 50]).collect();
        let colour = Frame::new(96, 96, PixelFormat::Rgb8, data, Instant::now(), 3);
        for (name, corruption) in ALL {
            let spoilt = apply(corruption, &colour);
            assert_eq!((spoilt.width, spoilt.height, spoilt.format), (96, 96, PixelFormat::Rgb8), "{name}");
            assert!(spoilt.data[0] > spoilt.data[2], "{name}");
        }
    }
}
