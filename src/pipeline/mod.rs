//! One frame in, one observation out: detect, track, crop, classify, smooth. No I/O, no threads, no
//! clock of its own: the same frames give the same observations.

/// From names in the configuration to loaded nets.
pub mod load;
/// Photos one by one, with nets of their own.
pub(crate) mod stills;

use std::collections::HashMap;
use std::time::Instant;

use crate::config::Smoothing;
use crate::nets::engine::EngineError;
use crate::people::gallery::Gallery;
use crate::people::recogniser::Recogniser;
use crate::people::watch::Watch;
use crate::see::classify::{Classifier, FaceCrop};
use crate::see::search::FaceDetector;
use crate::see::smooth::Smoother;
use crate::see::track::{Track, Tracker};
use crate::vocabulary::emotion::{Detection, Face, Observation, Scores, State, Still};
use crate::vocabulary::frame::Frame;

/// Most faces of a photo that are told; a crowd's photo has more than a desk's camera sees, but bounds what it takes.
pub const MAX_STILL_FACES: usize = 500;

/// Finds, follows and reads faces.
pub struct Pipeline {
    detector: FaceDetector,
    classifier: Classifier,
    tracker: Tracker,
    smoothing: Smoothing,
    min_confidence: f32,
    people: Option<Recogniser>,
    /// What is remembered of each followed face.
    faces: HashMap<u64, Followed>,
}

struct Followed {
    smoother: Smoother,
    scores: Scores,
    watch: Watch,
}

impl Pipeline {
    /// `min_confidence`: probability below which a face is `uncertain`.
    pub fn new(
        detector: FaceDetector,
        classifier: Classifier,
        smoothing: &Smoothing,
        min_confidence: f32,
    ) -> Self {
        Self {
            detector,
            classifier,
            tracker: Tracker::new(smoothing.hold),
            smoothing: smoothing.clone(),
            min_confidence,
            people: None,
            faces: HashMap::new(),
        }
    }

    /// Names faces from now on.
    pub fn recognise(&mut self, people: Recogniser) {
        self.people = Some(people);
    }

    /// What names faces, if anything does.
    pub fn recogniser(&self) -> Option<&Recogniser> {
        self.people.as_ref()
    }

    /// Other people are enrolled: every face is looked at anew at `now`.
    pub fn enrol(&mut self, gallery: Gallery, now: Instant) {
        if let Some(people) = &mut self.people {
            people.enrol(gallery);
            self.faces.values_mut().for_each(|face| face.watch.reset(now));
        }
    }

    /// What can be changed while running. No face is forgotten, so that nobody seems to come or go.
    pub fn configure(&mut self, smoothing: &Smoothing, min_confidence: f32) {
        self.smoothing = smoothing.clone();
        self.min_confidence = min_confidence;
        self.tracker.hold_for(smoothing.hold);
        for face in self.faces.values_mut() {
            face.smoother.configure(smoothing, min_confidence);
        }
    }

    /// Forgets every face, as after the camera was switched off. Ids go on.
    pub fn reset(&mut self) {
        self.tracker.forget();
        self.faces.clear();
    }

    /// Begins anew, as if nothing had been seen yet: the next face gets the first id.
    pub fn restart(&mut self) {
        self.tracker = Tracker::new(self.smoothing.hold);
        self.faces.clear();
    }

    /// The emotion net: its name and what runs it.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Takes the next frame; `now` is the time on the frames' clock and never goes back.
    ///
    /// # Errors
    /// When a net fails.
    pub fn step(&mut self, frame: &Frame, now: Instant) -> Result<Observation, EngineError> {
        let detections = self.detector.detect(frame)?;
        let tracks: Vec<Track> = self.tracker.update(&detections, now).into_iter().cloned().collect();
        let mut faces = Vec::with_capacity(tracks.len());
        for track in &tracks {
            faces.push(self.face(frame, track, &detections, now)?);
        }
        self.name(frame, &mut faces, now)?;
        self.faces.retain(|id, _| tracks.iter().any(|track| track.id == *id));
        let (state, confidence) =
            faces.first().map_or((State::None, 0.0), |face| (face.state, face.confidence));
        Ok(Observation { faces, state, confidence })
    }

    /// The faces of a photo, at most [`MAX_STILL_FACES`]: no past, so the strongest label, or `uncertain` below the confidence.
    ///
    /// # Errors
    /// When a net fails.
    pub fn still(&mut self, frame: &Frame) -> Result<Still, EngineError> {
        let detections = self.detector.detect_photo(frame)?;
        let left_out = detections.len().saturating_sub(MAX_STILL_FACES);
        let mut faces = Vec::with_capacity(detections.len() - left_out);
        for (id, detection) in (1..).zip(detections).take(MAX_STILL_FACES) {
            let scores = self.classifier.classify(frame, &detection)?;
            let (state, confidence) = match scores.top() {
                Some((emotion, score)) if score >= self.min_confidence => (State::Emotion(emotion), score),
                Some((_, score)) => (State::Uncertain, score),
                None => (State::Uncertain, 0.0),
            };
            let person = match &mut self.people {
                Some(people) => people.still(frame, &detection)?,
                None => None,
            };
            faces.push(Face { id, visible: true, detection, scores, state, confidence, person });
        }
        Ok(Still { faces, left_out })
    }

    /// The faces of a photo as the emotion net sees them.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn crops(&mut self, frame: &Frame) -> Result<Vec<FaceCrop>, EngineError> {
        let detections = self.detector.detect_photo(frame)?;
        Ok(detections.iter().map(|detection| self.classifier.crop(frame, detection)).collect())
    }

    fn face(
        &mut self,
        frame: &Frame,
        track: &Track,
        detections: &[Detection],
        now: Instant,
    ) -> Result<Face, EngineError> {
        let detection = track.found.map(|index| detections[index]);
        if let Some(detection) = &detection {
            let scores = self.classifier.classify(frame, detection)?;
            let followed = self.faces.entry(track.id).or_insert_with(|| Followed {
                smoother: Smoother::new(&self.smoothing, self.min_confidence, &scores, now),
                scores,
                watch: Watch::new(now),
            });
            followed.smoother.update(&scores, now);
            followed.scores = scores;
        }
        let followed = self.faces.get(&track.id);
        Ok(Face {
            id: track.id,
            visible: detection.is_some(),
            detection: track.detection,
            scores: followed.map(|face| face.scores).unwrap_or_default(),
            state: followed.map_or(State::Uncertain, |face| face.smoother.state()),
            confidence: followed.map_or(0.0, |face| face.smoother.confidence()),
            person: None,
        })
    }

    /// Says who the faces are; one of them at most is described, so that a crowd does not hold up a frame.
    fn name(&mut self, frame: &Frame, faces: &mut [Face], now: Instant) -> Result<(), EngineError> {
        let Some(people) = &mut self.people else { return Ok(()) };
        let mut described = false;
        for face in faces {
            let Some(followed) = self.faces.get_mut(&face.id) else { continue };
            if face.visible && !described {
                described = people.look(frame, &face.detection, &mut followed.watch, now)?;
            }
            face.person = people.person(&followed.watch);
        }
        Ok(())
    }
}
