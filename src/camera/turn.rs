//! Rotating and mirroring the frames of any camera.

use super::error::CameraError;
use super::source::Camera;
use crate::config::Rotation;
use crate::media::turn;
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
    let quarters = match rotate {
        Rotation::None => 0,
        Rotation::Quarter => 1,
        Rotation::Half => 2,
        Rotation::ThreeQuarters => 3,
    };
    turn::turned(frame, quarters, mirror)
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
