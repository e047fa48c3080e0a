//! Faces in photos, for which time matters less than with a camera: the net looks more than once, at tiles for small
//! faces, from farther away for one that fills the photo, and our own also at a photo that lies on its side.

use std::ops::RangeInclusive;

use super::letterbox::Region;
use super::{FaceDetector, Kind, nms};
use crate::media::resample;
use crate::media::turn::turned;
use crate::nets::engine::EngineError;
use crate::vocabulary::emotion::{Detection, Landmarks};
use crate::vocabulary::frame::{Frame, Point, Rect};

/// A face that fills a photo is missed by nets made on faces with surroundings: a photo in which
/// nothing is found is looked at from farther away, by these factors.
const ZOOM_OUT: [f32; 2] = [1.5, 2.5];

/// Size of faces that are believed in such a look, in units of the photo's shorter side. It is about
/// faces that fill the photo; smaller ones were large enough in the first look.
const FILLING: RangeInclusive<f32> = 0.4..=1.4;

/// Side of the first tiles in which a photo's small faces are looked for, in units of its longer side.
const TILE: f32 = 0.6;

/// How fine the tiles become.
struct Tiling {
    /// From one size of tiles to the next one.
    finer: f32,
    /// Smallest tiles, in units of the net's input; below 1 they are enlarged.
    closest: f32,
    /// Tiles of at most so many inputs are the last.
    enough: f32,
    /// Tiles that would take more looks are left out.
    most_looks: usize,
}

/// Tiles without more pixels than the input show BlazeFace nothing new, and at a sixth a face of 80 pixels has a dozen of
/// its own, about the least that it finds.
const BLAZE_FACE: Tiling = Tiling { finer: 0.5, closest: 1.0, enough: 6.7, most_looks: usize::MAX };

/// Our own nets find blurred and half-hidden faces when they are enlarged.
const OWN: Tiling = Tiling { finer: 2.0 / 3.0, closest: 0.8, enough: 0.0, most_looks: 250 };

/// More looks see more false faces: a face that BlazeFace finds in a tile must be surer by this part of what
/// `min_score` leaves to certainty (0.65 for 0.5).
const TILE_SURER: f32 = 0.3;

/// What our own nets find must be surer by this, as a logit, times the logarithm of the looks.
const LOOKS_SURER: f32 = 0.35;

/// Beyond these, looks are at ever smaller parts of what was seen before.
const LOOKS_THAT_COUNT: usize = 64;

/// A photo is seen turned when its surest face is surer by this than the surest of the photo as it is, and at least so sure:
/// an upright face is seen in a turned photo, too, with less certainty.
const TURNED_SURER: f32 = 0.1;
const TURNED_SURE: f32 = 0.6;

/// Longer side of a photo, in pixels, beyond which it is reduced by a whole number: tiles of at most 250 looks see no more.
const MOST_PIXELS: u32 = 2560;

/// Pixels along the longer side, in units of the net's, that are enough to tell how a photo lies.
const TO_TURN: u32 = 2;

impl FaceDetector {
    /// All faces in a photo, otherwise as [`Self::detect`] answers them, also in one that was taken sideways or upside
    /// down. Takes up to 250 looks of our own net, some 45 for a photo of 640x480; of BlazeFace 25 for 12 megapixels, for 48 some 90.
    ///
    /// # Errors
    /// When the net fails.
    pub fn detect_photo(&mut self, photo: &Frame) -> Result<Vec<Detection>, EngineError> {
        if let Kind::BlazeFace { .. } = self.kind {
            return self.detect_upright(photo);
        }
        let small = resample::fitted(photo.clone(), MOST_PIXELS);
        let factor = photo.width.max(photo.height).div_ceil(MOST_PIXELS);
        let least = self.settings.min_size;
        self.settings.min_size = least / factor;
        let faces = self.detect_turned(&small);
        self.settings.min_size = least;
        let enlarged = |Point { x, y }: Point| Point { x: x * factor as f32, y: y * factor as f32 };
        Ok(faces?.iter().map(|face| moved(face, &enlarged)).collect())
    }

    fn detect_turned(&mut self, photo: &Frame) -> Result<Vec<Detection>, EngineError> {
        let quarters = self.quarters(photo)?;
        if quarters == 0 {
            return self.detect_upright(photo);
        }
        let faces = self.detect_upright(&turned(photo, quarters, false))?;
        Ok(faces.iter().map(|face| turned_back(face, quarters, (photo.width, photo.height))).collect())
    }

    fn detect_upright(&mut self, photo: &Frame) -> Result<Vec<Detection>, EngineError> {
        let mut faces = self.look(photo, self.whole(photo), self.settings.min_score)?;
        if faces.is_empty() {
            faces = self.look_from_afar(photo)?;
        }
        self.look_at_tiles(photo, &mut faces)?;
        Ok(faces)
    }

    /// By how many quarters, clockwise, the photo is to be turned so that its faces are upright.
    fn quarters(&mut self, photo: &Frame) -> Result<u32, EngineError> {
        let input = &self.model.header.input;
        let small = resample::fitted(photo.clone(), TO_TURN * input.width.max(input.height));
        let mut surest = [0.0; 4];
        for (quarters, surest) in (0..).zip(&mut surest) {
            let frame = turned(&small, quarters, false);
            let faces = self.look(&frame, self.whole(&frame), 0.0)?;
            *surest = faces.first().map_or(0.0, |face| face.score);
        }
        let least = TURNED_SURE.max(surest[0] + TURNED_SURER);
        let best = (1..4).max_by(|&a, &b| surest[a].total_cmp(&surest[b]));
        Ok(best.filter(|&best| surest[best] >= least).unwrap_or(0) as u32)
    }

    fn look_from_afar(&mut self, photo: &Frame) -> Result<Vec<Detection>, EngineError> {
        let shorter = photo.width.min(photo.height) as f32;
        for factor in ZOOM_OUT {
            let region = self.whole(photo).enlarged(factor);
            let mut faces = self.look(photo, region, self.settings.min_score)?;
            faces.retain(|face| FILLING.contains(&(face.core.width / shorter)));
            if !faces.is_empty() {
                return Ok(faces);
            }
        }
        Ok(Vec::new())
    }

    /// Adds what is seen in tiles of [`TILE`] of the photo, and in ever smaller ones.
    fn look_at_tiles(&mut self, photo: &Frame, faces: &mut Vec<Detection>) -> Result<(), EngineError> {
        let tiling = match self.kind {
            Kind::BlazeFace { .. } => BLAZE_FACE,
            Kind::Cells { .. } => OWN,
        };
        let input = self.model.header.input.width as f32;
        let longer = photo.width.max(photo.height) as f32;
        let (mut part, mut looks) = (TILE, 1);
        while longer * part > tiling.closest * input {
            let tiles: Vec<Region> = Region::tiles(photo, self.aspect(), part).collect();
            looks += tiles.len();
            if looks > tiling.most_looks {
                break;
            }
            let least = self.least_score(looks);
            let mut more = Vec::new();
            for tile in tiles {
                more.extend(self.look(photo, tile, least)?);
            }
            nms::add_apart(faces, more, self.model.iou);
            if longer * part <= tiling.enough * input {
                break;
            }
            part *= tiling.finer;
        }
        Ok(())
    }

    /// The least certainty of a face that is found in one of so many looks at a photo.
    fn least_score(&self, looks: usize) -> f32 {
        let least = self.settings.min_score;
        match self.kind {
            Kind::BlazeFace { .. } => least + TILE_SURER * (1.0 - least),
            Kind::Cells { .. } => {
                let odds = least / (1.0 - least) * (looks.min(LOOKS_THAT_COUNT) as f32).powf(LOOKS_SURER);
                odds / (1.0 + odds)
            }
        }
    }
}

/// A face of the frame that [`turned`] made, in that which was given it, of size `width` and `height`.
fn turned_back(face: &Detection, quarters: u32, (width, height): (u32, u32)) -> Detection {
    let (width, height) = (width as f32, height as f32);
    moved(face, &|Point { x, y }| match quarters {
        1 => Point { x: y, y: height - x },
        2 => Point { x: width - x, y: height - y },
        _ => Point { x: width - y, y: x },
    })
}

/// The face with its places moved as `to` says, which keeps upright rectangles upright.
fn moved(face: &Detection, to: &dyn Fn(Point) -> Point) -> Detection {
    let rect = |Rect { x, y, width, height }: Rect| {
        let (a, b) = (to(Point { x, y }), to(Point { x: x + width, y: y + height }));
        Rect { x: a.x.min(b.x), y: a.y.min(b.y), width: (a.x - b.x).abs(), height: (a.y - b.y).abs() }
    };
    let Landmarks { right_eye, left_eye, nose, mouth } = face.landmarks;
    let landmarks =
        Landmarks { right_eye: to(right_eye), left_eye: to(left_eye), nose: to(nose), mouth: to(mouth) };
    Detection { bounds: rect(face.bounds), core: rect(face.core), score: face.score, landmarks }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::vocabulary::frame::PixelFormat;

    #[test]
    fn what_is_seen_in_a_turned_photo_is_where_it_was() {
        let data: Vec<u8> = (0..24).collect();
        let frame = Frame::new(6, 4, PixelFormat::Gray8, data, Instant::now(), 0);
        // The pixel of the fifth column and the second row, as a face.
        let bounds = Rect { x: 4.0, y: 1.0, width: 1.0, height: 1.0 };
        for quarters in 1..4 {
            let turned = turned(&frame, quarters, false);
            let at = turned.data.iter().position(|&value| value == 10).expect("it is there") as u32;
            let (x, y) = ((at % turned.width) as f32, (at / turned.width) as f32);
            let seen = Rect { x, y, ..bounds };
            let face = Detection { bounds: seen, core: seen, score: 1.0, landmarks: Landmarks::default() };
            assert_eq!(turned_back(&face, quarters, (6, 4)).bounds, bounds, "{quarters} quarters");
        }
    }
}
