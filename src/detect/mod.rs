//! Finding faces in a frame: BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047) as MediaPipe 0.10
//! runs it. Pure apart from the engine.

mod boxes;
mod letterbox;
mod nms;

use crate::config;
use crate::emotion::{Detection, Landmarks};
use crate::engine::{DType, Engine, EngineError};
use crate::frame::{Frame, Point, Rect};
use crate::sidecar::{DetectorModel, Unfit};

use boxes::Candidate;
use letterbox::{Letterbox, Region};

/// A face that fills the picture is missed, because the net was trained on faces with surroundings:
/// a photo in which nothing was found is looked at again from farther away.
const ZOOM_OUT: [f32; 2] = [1.5, 2.2];

/// Finds faces; belongs to one thread.
pub struct FaceDetector {
    engine: Box<dyn Engine>,
    model: DetectorModel,
    settings: config::Detector,
    anchors: Vec<Point>,
    letterbox: Letterbox,
    input: Vec<u8>,
}

impl FaceDetector {
    /// # Errors
    /// When the sidecar does not describe the engine's model.
    pub fn new(
        engine: Box<dyn Engine>,
        model: DetectorModel,
        settings: &config::Detector,
    ) -> Result<Self, Unfit> {
        model.check(engine.as_ref())?;
        let input = &model.header.input;
        let anchors = boxes::anchors(&model.anchors, input.width, input.height);
        let counts = [(model.boxes_output, boxes::VALUES), (model.scores_output, 1)];
        for (index, values) in counts {
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
        Ok(Self { engine, model, settings: settings.clone(), anchors, letterbox, input: Vec::new() })
    }

    /// The model's name and version.
    pub fn name(&self) -> String {
        format!("{} {}", self.model.header.name, self.model.header.version)
    }

    /// The faces in `frame`, the most certain first, in pixels of the frame; at most
    /// `detector.max_faces`, each at least as certain and as large as configured.
    pub fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, EngineError> {
        self.detect_in(frame, Region::whole(frame))
    }

    /// The faces in a photo: time matters less than with a camera, so one in which nothing is found
    /// gets further looks.
    pub fn detect_photo(&mut self, frame: &Frame) -> Result<Vec<Detection>, EngineError> {
        let mut faces = self.detect(frame)?;
        for zoom in ZOOM_OUT {
            if !faces.is_empty() {
                break;
            }
            faces = self.detect_in(frame, Region::whole(frame).enlarged(zoom))?;
        }
        Ok(faces)
    }

    fn detect_in(&mut self, frame: &Frame, region: Region) -> Result<Vec<Detection>, EngineError> {
        self.letterbox.fill(frame, region, &mut self.input);
        self.engine.run(&self.input)?;
        let input = &self.model.header.input;
        let candidates = boxes::decode(
            self.engine.output(self.model.boxes_output),
            self.engine.output(self.model.scores_output),
            &self.anchors,
            (input.width, input.height),
            self.settings.min_score,
        );
        let mut faces: Vec<Detection> =
            nms::weighted(candidates, self.model.iou).iter().map(|face| to_frame(face, region)).collect();
        let least = self.settings.min_size as f32;
        faces.retain(|face| face.bounds.width.min(face.bounds.height) >= least);
        faces.truncate(self.settings.max_faces);
        Ok(faces)
    }
}

/// From the net's unit square to pixels of the frame.
fn to_frame(candidate: &Candidate, region: Region) -> Detection {
    let point = |[x, y]: [f32; 2]| Point { x: region.x + x * region.side, y: region.y + y * region.side };
    let [x, y, width, height] = candidate.bounds;
    let corner = point([x, y]);
    let [right_eye, left_eye, nose, mouth, right_ear, left_ear] = candidate.points.map(point);
    Detection {
        bounds: Rect { x: corner.x, y: corner.y, width: width * region.side, height: height * region.side },
        score: candidate.score,
        landmarks: Landmarks { right_eye, left_eye, nose, mouth, right_ear, left_ear },
    }
}
