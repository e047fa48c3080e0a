//! Whether a face is good enough to be enrolled or named: large, sharp, and seen from the front.

use super::align;
use super::net::Chip;
use crate::vocabulary::emotion::Detection;

/// What is asked of a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Of the detector, 0 to 1.
    pub min_score: f32,
    /// Distance of the eyes in pixels.
    pub min_eyes: f32,
    /// Greatest [`align::turn`], to either side.
    pub max_turn: f32,
    /// Least [`sharpness`].
    pub min_sharpness: f32,
}

impl Gate {
    /// For photos that will be compared with for years. Of a hundred news photos of 250 pixels it refuses two
    /// faces in profile; those out of focus have a sharpness of 3 to 4.
    pub const ENROL: Self = Self { min_score: 0.5, min_eyes: 20.0, max_turn: 0.5, min_sharpness: 2.5 };

    /// For a live face, which gets another chance with the next frame.
    pub const LIVE: Self = Self { min_score: 0.5, min_eyes: 12.0, max_turn: 0.6, min_sharpness: 1.5 };
}

/// What is wrong with a face, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Poor {
    #[error("the detector is unsure of the face ({0:.2}; look into the camera, in better light)")]
    Unsure(f32),
    #[error("the face is too small (the eyes are {0:.0} pixels apart; come nearer)")]
    Small(f32),
    #[error("the face is turned away ({0:.2}; look into the camera)")]
    Turned(f32),
    #[error("the face is blurred ({0:.1}; hold still, in better light)")]
    Blurred(f32),
}

impl Gate {
    /// What can be told without looking at pixels.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_pose(&self, face: &Detection) -> Result<(), Poor> {
        let (right, left) = (face.landmarks.right_eye, face.landmarks.left_eye);
        let eyes = (left.x - right.x).hypot(left.y - right.y);
        let turn = align::turn(&face.landmarks);
        if face.score < self.min_score {
            Err(Poor::Unsure(face.score))
        } else if eyes < self.min_eyes {
            Err(Poor::Small(eyes))
        } else if turn.abs() > self.max_turn {
            Err(Poor::Turned(turn))
        } else {
            Ok(())
        }
    }

    /// # Errors
    /// When the face is blurred.
    pub fn check_sharpness(&self, chip: &Chip) -> Result<(), Poor> {
        let sharpness = sharpness(chip);
        if sharpness < self.min_sharpness { Err(Poor::Blurred(sharpness)) } else { Ok(()) }
    }
}

/// Mean absolute Laplacian of the chip's luma, in grey levels, over its middle half, where the face is.
/// After the variance of the Laplacian (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548), which
/// a few reflections make large.
pub fn sharpness(chip: &Chip) -> f32 {
    let (side, width) = (chip.side as usize, chip.side as usize * 3);
    let luma = |x: usize, y: usize| {
        let pixel = &chip.pixels[y * width + 3 * x..][..3];
        (299 * i32::from(pixel[0]) + 587 * i32::from(pixel[1]) + 114 * i32::from(pixel[2])) / 1000
    };
    let (from, to) = (side / 4, side - side / 4);
    let mut sum = 0_i64;
    for y in from..to {
        for x in from..to {
            let around = luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1);
            sum += i64::from((4 * luma(x, y) - around).abs());
        }
    }
    sum as f32 / ((to - from) * (to - from)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::Landmarks;
    use crate::vocabulary::frame::{Point, Rect};

    fn face(eyes: f32, nose: f32, score: f32) -> Detection {
        let landmarks = Landmarks {
            right_eye: Point { x: 0.0, y: 0.0 },
            left_eye: Point { x: eyes, y: 0.0 },
            nose: Point { x: nose, y: eyes / 2.0 },
            ..Landmarks::default()
        };
        Detection { bounds: Rect::default(), core: Rect::default(), score, landmarks }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let gate = Gate::ENROL;
        assert_eq!(gate.check_pose(&face(40.0, 22.0, 0.9)), Ok(()));
        assert_eq!(gate.check_pose(&face(40.0, 22.0, 0.4)), Err(Poor::Unsure(0.4)));
        assert_eq!(gate.check_pose(&face(10.0, 5.0, 0.9)), Err(Poor::Small(10.0)));
        assert_eq!(gate.check_pose(&face(40.0, 44.0, 0.9)), Err(Poor::Turned(0.6)));
    }

    #[test]
    fn smooth_pictures_are_blurred() {
        let chip = |pixel: fn(usize) -> u8| Chip {
            side: 32,
            pixels: (0..32 * 32).flat_map(|at| [pixel(at % 32); 3]).collect(),
        };
        assert_eq!(sharpness(&chip(|x| x as u8 * 7)), 0.0);
        assert!(sharpness(&chip(|x| if x % 4 < 2 { 90 } else { 110 })) >= 10.0);
    }
}
