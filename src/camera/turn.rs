//! Rotating and mirroring the frames of any camera.

use std::sync::Arc;

use super::error::CameraError;
use super::source::Camera;
use crate::config::Rotation;
use crate::vocabulary::frame::Frame;

/// The camera whose frames are rotated clockwise, then mirrored; itself when there is nothing to do.
pub fn turned(camera: Box<dyn Camera>, rotate: Rotation, mirror: bool) -> Box<dyn Camera> {
    if rotate == Rotation::None && !mirror { camera } else { Box::new(Turned { camera, rotate, mirror }) }
}

struct Turned {
    camera: Box<dyn Camera>,
    rotate: Rotation,
    mirror: bool,
}

impl Camera for Turned {
    fn description(&self) -> &str {
        self.camera.description()
    }

    fn next(&mut self) -> Result<Frame, CameraError> {
        self.camera.next().map(|frame| turn(&frame, self.rotate, self.mirror))
    }
}

fn turn(frame: &Frame, rotate: Rotation, mirror: bool) -> Frame {
    let (width, height) = match rotate {
        Rotation::None | Rotation::Half => (frame.width, frame.height),
        Rotation::Quarter | Rotation::ThreeQuarters => (frame.height, frame.width),
    };
    let data: Arc<[u8]> = match frame.format.channels() {
        1 => turn_pixels::<1>(frame, width, height, rotate, mirror),
        _ => turn_pixels::<3>(frame, width, height, rotate, mirror),
    }
    .into();
    Frame { width, height, data, ..frame.clone() }
}

/// Walks over the source with one step a pixel and one a row.
fn turn_pixels<const CHANNELS: usize>(
    frame: &Frame,
    width: u32,
    height: u32,
    rotate: Rotation,
    mirror: bool,
) -> Vec<u8> {
    let (source_width, source_height) = (frame.width as isize, frame.height as isize);
    let (width, height) = (width as isize, height as isize);
    // Index of the source's pixel for the upper left one, and what to add to go right and down.
    let (mut start, mut right, down) = match rotate {
        Rotation::None => (0, 1, source_width),
        Rotation::Quarter => ((source_height - 1) * source_width, -source_width, 1),
        Rotation::Half => (source_width * source_height - 1, -1, -source_width),
        Rotation::ThreeQuarters => (source_width - 1, source_width, -1),
    };
    if mirror {
        start += right * (width - 1);
        right = -right;
    }
    let (pixels, _) = frame.data.as_chunks::<CHANNELS>();
    let mut out = Vec::with_capacity(frame.data.len());
    for row in 0..height {
        let first = start + down * row;
        out.extend((0..width).flat_map(|column| pixels[(first + right * column) as usize]));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::vocabulary::frame::PixelFormat;

    fn turned_letters(rotate: Rotation, mirror: bool) -> (u32, u32, String) {
        let frame = Frame::new(3, 2, PixelFormat::Gray8, b"abcdef".to_vec(), Instant::now(), 5);
        let turned = turn(&frame, rotate, mirror);
        assert_eq!((turned.sequence, turned.captured), (5, frame.captured));
        (turned.width, turned.height, String::from_utf8(turned.data.to_vec()).expect("letters"))
    }

    #[test]
    fn clockwise_then_mirrored() {
        let cases = [
            (Rotation::None, true, (3, 2, "cbafed")),
            (Rotation::Quarter, false, (2, 3, "daebfc")),
            (Rotation::Quarter, true, (2, 3, "adbecf")),
            (Rotation::Half, false, (3, 2, "fedcba")),
            (Rotation::Half, true, (3, 2, "defabc")),
            (Rotation::ThreeQuarters, false, (2, 3, "cfbead")),
            (Rotation::ThreeQuarters, true, (2, 3, "fcebda")),
        ];
        for (rotate, mirror, (width, height, letters)) in cases {
            assert_eq!(turned_letters(rotate, mirror), (width, height, letters.to_owned()), "{rotate:?}");
        }
    }

    #[test]
    fn colours_stay_together() {
        let frame = Frame::new(2, 1, PixelFormat::Rgb8, b"rgbRGB".to_vec(), Instant::now(), 0);
        assert_eq!(&*turn(&frame, Rotation::Half, false).data, b"RGBrgb");
    }
}
