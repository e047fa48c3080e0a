//! Finding faces in a frame: by the toolkit's own detectors, or by BlazeFace (Bazarevsky et al. 2019,
//! arXiv:1907.05047) as MediaPipe 0.10 runs it. Pure apart from the engine.

mod boxes;
mod cells;
mod letterbox;
mod nms;
mod photo;
mod planes;

use crate::config;
use crate::nets::engine::{DType, Engine, EngineError};
use crate::nets::sidecar::{AnchorHeads, Core, DetectorModel, Heads, Unfit};
use crate::vocabulary::emotion::{Detection, Landmarks};
use crate::vocabulary::frame::{Frame, Point, Rect};

use boxes::Candidate;
use cells::Cells;
use letterbox::{Letterbox, Region};
use planes::Planes;

/// Where a face is known to be, a weak answer is one, too.
const LOOSE_SCORE: f32 = 0.3;

/// Boxes that overlap by so much are of one face.
pub const SAME_FACE_IOU: f32 = 0.3;

/// Finds faces; belongs to one thread.
pub struct FaceDetector {
    engine: Box<dyn Engine>,
    model: DetectorModel,
    settings: config::Detector,
    kind: Kind,
    input: Vec<u8>,
}

/// How a kind of net is shown a region, and what it says of it.
enum Kind {
    BlazeFace { heads: AnchorHeads, anchors: Vec<Point>, letterbox: Letterbox },
    Cells { cells: Cells, planes: Planes },
}

impl Kind {
    fn new(model: &DetectorModel, engine: &dyn Engine) -> Result<Self, Unfit> {
        model.check(engine)?;
        let input = &model.header.input;
        let heads = match &model.heads {
            Heads::Anchors(heads) => heads.clone(),
            Heads::Cells(heads) => {
                let cells = Cells::new(heads, input, engine)?;
                return Ok(Self::Cells { cells, planes: Planes::new(input.width, input.height) });
            }
        };
        let anchors = boxes::anchors(&heads.anchors, input.width, input.height);
        for (index, values) in [(heads.boxes_output, boxes::VALUES), (heads.scores_output, 1)] {
            let tensor = engine
                .outputs()
                .get(index)
                .ok_or_else(|| Unfit(format!("it has no output {index}, which the sidecar names")))?;
            if tensor.elements() != anchors.len() * values || tensor.dtype != DType::Float32 {
                return Err(Unfit(format!(
                    "output {index} is {:?} of {}, the sidecar's {} anchors want {values} float32 each",
                    tensor.shape,
                    tensor.dtype.name(),
                    anchors.len()
                )));
            }
        }
        let letterbox = Letterbox::new(input.width, input.height, input.mean, input.std);
        Ok(Self::BlazeFace { heads, anchors, letterbox })
    }

    /// The faces in a region, the most certain first.
    fn faces(
        &mut self,
        engine: &mut dyn Engine,
        model: &DetectorModel,
        shown: (&Frame, Region),
        buffer: &mut Vec<u8>,
        min_score: f32,
    ) -> Result<Vec<Candidate>, EngineError> {
        let (frame, region) = shown;
        let size = (model.header.input.width, model.header.input.height);
        Ok(match self {
            Self::BlazeFace { heads, anchors, letterbox } => {
                letterbox.fill(frame, region, buffer);
                engine.run(buffer)?;
                let (boxes, scores) = (engine.output(heads.boxes_output), engine.output(heads.scores_output));
                nms::weighted(boxes::decode(boxes, scores, anchors, size, min_score), model.iou)
            }
            Self::Cells { cells, planes } => {
                planes.fill(frame, region, buffer);
                engine.run(buffer)?;
                nms::surest(cells.decode(engine, size, min_score), model.iou)
            }
        })
    }
}

impl FaceDetector {
    /// # Errors
    /// When the sidecar does not describe the engine's model.
    pub fn new(
        engine: Box<dyn Engine>,
        model: DetectorModel,
        settings: &config::Detector,
    ) -> Result<Self, Unfit> {
        let kind = Kind::new(&model, engine.as_ref())?;
        Ok(Self { engine, model, settings: settings.clone(), kind, input: Vec::new() })
    }

    fn whole(&self, frame: &Frame) -> Region {
        Region::whole(frame, self.aspect())
    }

    /// Width over height of the net's input.
    fn aspect(&self) -> f32 {
        let input = &self.model.header.input;
        input.width as f32 / input.height as f32
    }

    /// The model's name and version.
    pub fn name(&self) -> String {
        format!("{} {}", self.model.header.name, self.model.header.version)
    }

    /// The faces in `frame`, the most certain first, in pixels of the frame; at most
    /// `detector.max_faces`, each at least as certain and as large as configured.
    ///
    /// # Errors
    /// When the net fails.
    pub fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, EngineError> {
        let mut faces = self.look(frame, self.whole(frame), self.settings.min_score)?;
        faces.truncate(self.settings.max_faces);
        Ok(faces)
    }

    /// The faces in a photo that is seen from `factor` times as far away, each at least as certain as
    /// `min_score`.
    ///
    /// # Errors
    /// When the net fails.
    pub fn detect_from(
        &mut self,
        photo: &Frame,
        factor: f32,
        min_score: f32,
    ) -> Result<Vec<Detection>, EngineError> {
        self.look(photo, self.whole(photo).enlarged(factor), min_score)
    }

    /// The face again, in a region whose shorter side is `factor` times its core's: with a face of always the
    /// same size in the same place, the net places the key points better. `None` where it sees none there.
    ///
    /// # Errors
    /// When the net fails.
    pub fn look_closer(
        &mut self,
        frame: &Frame,
        face: &Detection,
        factor: f32,
    ) -> Result<Option<Detection>, EngineError> {
        let (center, core) = (face.core.center(), face.core);
        let side = factor * core.width.max(core.height);
        let (width, height) = (side * self.aspect().max(1.0), side / self.aspect().min(1.0));
        let region = Region { x: center.x - width / 2.0, y: center.y - height / 2.0, width, height };
        let faces = self.look(frame, region, LOOSE_SCORE)?;
        let overlap = |face: &Detection| face.core.iou(&core);
        let nearest = faces.into_iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        Ok(nearest.filter(|face| overlap(face) >= SAME_FACE_IOU))
    }

    /// All faces of the configured size in `region` of `frame`, the most certain first.
    fn look(&mut self, frame: &Frame, region: Region, min_score: f32) -> Result<Vec<Detection>, EngineError> {
        let faces = self.kind.faces(
            self.engine.as_mut(),
            &self.model,
            (frame, region),
            &mut self.input,
            min_score,
        )?;
        let least = self.settings.min_size as f32;
        let faces = faces.iter().map(|face| to_frame(face, region, self.model.core));
        Ok(faces.filter(|face| face.core.width.min(face.core.height) >= least).collect())
    }
}

/// From units of the net's input to pixels of the frame.
fn to_frame(candidate: &Candidate, region: Region, core: Option<Core>) -> Detection {
    let point = |[x, y]: [f32; 2]| Point { x: region.x + x * region.width, y: region.y + y * region.height };
    let [x, y, width, height] = candidate.bounds;
    let corner = point([x, y]);
    let [right_eye, left_eye, nose, mouth] = candidate.points.map(point);
    let bounds =
        Rect { x: corner.x, y: corner.y, width: width * region.width, height: height * region.height };
    let landmarks = Landmarks { right_eye, left_eye, nose, mouth };
    let core = core.map_or(bounds, |core| core_of(&bounds, &landmarks, core));
    Detection { bounds, core, score: candidate.score, landmarks }
}

fn core_of(bounds: &Rect, landmarks: &Landmarks, core: Core) -> Rect {
    let side = core.scale * bounds.width.max(bounds.height);
    let (sin, cos) = landmarks.roll().sin_cos();
    let (center, down) = (bounds.center(), core.shift_y * side);
    Rect::around(Point { x: center.x - sin * down, y: center.y + cos * down }, side)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::nets::sidecar::AnchorLayer;

    fn floats(values: &Value) -> Vec<f32> {
        values
            .as_array()
            .expect("numbers")
            .iter()
            .map(|value| value.as_f64().expect("number") as f32)
            .collect()
    }

    #[test]
    fn the_core_lies_along_the_faces_axis() {
        let bounds = Rect { x: 10.0, y: 20.0, width: 30.0, height: 40.0 };
        let core = Core { scale: 0.5, shift_y: 0.1 };
        let mut landmarks = Landmarks { left_eye: Point { x: 1.0, y: 0.0 }, ..Landmarks::default() };
        assert_eq!(core_of(&bounds, &landmarks, core), Rect { x: 15.0, y: 32.0, width: 20.0, height: 20.0 });
        // Turned by a quarter, clockwise, down is to the left.
        landmarks.left_eye = Point { x: 0.0, y: 1.0 };
        let turned = core_of(&bounds, &landmarks, core);
        assert!((turned.x - 13.0).abs() < 1e-4 && (turned.y - 30.0).abs() < 1e-4, "{turned:?}");
    }

    /// From the nets' raw answers to the faces that MediaPipe makes of them (`tests/data/blazeface.py`).
    #[test]
    fn raw_answers_become_mediapipes_faces() {
        let short = vec![AnchorLayer { stride: 8, per_cell: 2 }, AnchorLayer { stride: 16, per_cell: 6 }];
        let full = vec![AnchorLayer { stride: 4, per_cell: 1 }];
        let cases: Value =
            serde_json::from_str(include_str!("../../../tests/data/blazeface.json")).expect("JSON");
        for case in cases.as_array().expect("cases") {
            let (layers, side) =
                if case["detector"] == "face-short-range" { (&short, 128) } else { (&full, 192) };
            let anchors = boxes::anchors(layers, side, side);
            let mut values = vec![0.0; anchors.len() * boxes::VALUES];
            let mut scores = vec![f32::NEG_INFINITY; anchors.len()];
            for candidate in case["candidates"].as_array().expect("candidates") {
                let anchor = candidate["anchor"].as_u64().expect("index") as usize;
                scores[anchor] = candidate["logit"].as_f64().expect("number") as f32;
                values[anchor * boxes::VALUES..][..boxes::VALUES]
                    .copy_from_slice(&floats(&candidate["values"]));
            }
            let bytes =
                |values: &[f32]| values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<u8>>();
            let min_score = case["min_score"].as_f64().expect("number") as f32;
            let candidates =
                boxes::decode(&bytes(&values), &bytes(&scores), &anchors, (side, side), min_score);
            let region = match case["picture"].as_str() {
                Some("pair") => Region { x: 0.0, y: -256.0, width: 1024.0, height: 1024.0 },
                _ => Region { x: 0.0, y: 0.0, width: 512.0, height: 512.0 },
            };
            let faces = nms::weighted(candidates, 0.3);
            let expected = case["faces"].as_array().expect("faces");
            assert_eq!(faces.len(), expected.len(), "{case}");
            for (face, expected) in faces.iter().map(|face| to_frame(face, region, None)).zip(expected) {
                let Rect { x, y, width, height } = face.bounds;
                let own = [face.score * 100.0, x, y, width, height];
                let score = 100.0 * expected["score"].as_f64().expect("number") as f32;
                let theirs = [vec![score], floats(&expected["box"])].concat();
                for (own, theirs) in own.iter().zip(theirs) {
                    assert!((own - theirs).abs() < 0.05, "{face:?} {expected}");
                }
                let eye = floats(&expected["points"][0]);
                let own = face.landmarks.right_eye;
                assert!(
                    (own.x - eye[0]).abs() < 0.05 && (own.y - eye[1]).abs() < 0.05,
                    "{face:?} {expected}"
                );
            }
        }
    }
}
