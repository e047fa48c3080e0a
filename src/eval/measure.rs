//! A model's answers to labelled pictures, on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::corrupt::Corruption;
use super::dataset::{Picture, Sample};
use super::fer2013;
use crate::media::photo::{self, PhotoError, PhotoFault};
use crate::nets::engine::EngineError;
use crate::see::classify::Classifier;
use crate::see::search::FaceDetector;
use crate::vocabulary::emotion::{Detection, Scores};
use crate::vocabulary::frame::{Frame, PixelFormat};

/// What one worker needs; engines belong to one thread.
pub struct Nets {
    /// `None`: the pictures are faces already.
    pub detector: Option<FaceDetector>,
    /// The models that are measured; all answer to the same faces.
    pub classifiers: Vec<Classifier>,
}

/// Answers to one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// A model each; empty where no face was found.
    pub scores: Vec<Scores>,
    /// Faces that the detector found; 1 for a picture that is a face.
    pub faces: usize,
    /// Time for finding the face.
    pub detecting: Duration,
    /// Time for cutting it out and classifying it, with the first model.
    pub classifying: Duration,
}

/// Looks at every sample, spoilt where a `corruption` is given, as many at a time as there are `workers`. The results have the order of the
/// samples; `done` is called after each picture.
///
/// # Errors
/// When a net fails. A picture that cannot be read is an error of its own.
pub fn looks(
    workers: &mut [Nets],
    samples: &[&Sample],
    corruption: Option<Corruption>,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Result<Look, PhotoError>>, EngineError> {
    let next = AtomicUsize::new(0);
    let parts: Vec<Result<Vec<_>, EngineError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|nets| scope.spawn(|| work(nets, samples, corruption, &next, done)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut looks = Vec::with_capacity(samples.len());
    for part in parts {
        looks.extend(part?);
    }
    looks.sort_by_key(|(index, _)| *index);
    Ok(looks.into_iter().map(|(_, look)| look).collect())
}

type Numbered = (usize, Result<Look, PhotoError>);

fn work(
    nets: &mut Nets,
    samples: &[&Sample],
    corruption: Option<Corruption>,
    next: &AtomicUsize,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Numbered>, EngineError> {
    let mut looks = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(sample) = samples.get(index) else { return Ok(looks) };
        let look = match frame(&sample.picture).and_then(|frame| spoilt(frame, sample, corruption, index)) {
            Ok(frame) => Ok(nets.look(&frame)?),
            Err(error) => Err(error),
        };
        looks.push((index, look));
        done();
    }
}

fn frame(picture: &Picture) -> Result<Frame, PhotoError> {
    let side = fer2013::SIDE;
    Ok(match picture {
        Picture::Row { pixels, .. } => {
            Frame::new(side, side, PixelFormat::Gray8, pixels.as_slice(), Instant::now(), 0)
        }
        Picture::File(path) => photo::to_frame(photo::read(path)?, Instant::now(), 0),
    })
}

fn spoilt(
    frame: Frame,
    sample: &Sample,
    corruption: Option<Corruption>,
    index: usize,
) -> Result<Frame, PhotoError> {
    let Some(corruption) = corruption else { return Ok(frame) };
    corruption
        .apply(&frame, index as u64)
        .map_err(|error| PhotoError::new(&sample.picture.name(), PhotoFault::Unsupported(error.to_string())))
}

impl Nets {
    fn look(&mut self, frame: &Frame) -> Result<Look, EngineError> {
        let mut look =
            Look { scores: Vec::new(), faces: 1, detecting: Duration::ZERO, classifying: Duration::ZERO };
        let started = Instant::now();
        let mut face = None;
        if let Some(detector) = &mut self.detector {
            let faces = detector.detect_photo(frame)?;
            look.faces = faces.len();
            look.detecting = started.elapsed();
            face = largest(&faces);
            if face.is_none() {
                return Ok(look);
            }
        }
        let started = Instant::now();
        for (index, classifier) in self.classifiers.iter_mut().enumerate() {
            look.scores.push(match &face {
                Some(face) => classifier.classify(frame, face)?,
                None => classifier.classify_crop(frame)?,
            });
            if index == 0 {
                look.classifying = started.elapsed();
            }
        }
        Ok(look)
    }
}

/// The face that a photo's label is about, when there are several.
fn largest(faces: &[Detection]) -> Option<Detection> {
    faces.iter().copied().max_by(|a, b| a.bounds.area().total_cmp(&b.bounds.area()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::Landmarks;
    use crate::vocabulary::frame::Rect;

    #[test]
    fn the_largest_face_is_taken_not_the_surest() {
        let face = |width, score| Detection {
            bounds: Rect { x: 0.0, y: 0.0, width, height: 50.0 },
            core: Rect::default(),
            score,
            landmarks: Landmarks::default(),
        };
        let faces = [face(40.0, 0.99), face(90.0, 0.6), face(60.0, 0.9)];
        assert_eq!(largest(&faces), Some(faces[1]));
        assert_eq!(largest(&[]), None);
    }
}
