//! The section `[detector]`.

use std::path::PathBuf;

use super::keys::Keys;

/// Name of the face detector that is used when none is configured.
pub const DEFAULT_DETECTOR: &str = "face";

/// Name of the face detector for a face that is known to be there.
pub const CLOSE_DETECTOR: &str = "face-short-range";

/// The face detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// File, or name of a shipped detector.
    pub model: PathBuf,
    /// 0 to 1.
    pub min_score: f32,
    /// Smallest side of a face from the brows to the chin, in pixels: of its core.
    pub min_size: u32,
    /// Most faces of a camera's or film's picture, the most certain ones.
    pub max_faces: usize,
}

impl Detector {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            model: keys
                .path("model", DEFAULT_DETECTOR)
                .help(
                    "\"face\", our own; MediaPipe's \"face-full-range\" or \"face-short-range\" (in a clone, `make detectors` \
                     fetches them); or a .tflite file.",
                )
                .get(),
            min_score: keys.number("min_score", 0.5, 0.05..=1.0).help("Least certainty of a face.").get() as f32,
            min_size: keys
                .integer("min_size", 24, 0..=4096)
                .unit("pixels")
                .help("Least side of a face, from the brows to the chin.")
                .get(),
            max_faces: keys
                .integer("max_faces", 8, 1..=100)
                .help("Most faces in a picture of a camera or film, the most certain ones; of a photo up to 500 are told.")
                .get(),
        }
    }
}
