//! Faces over time: which detection is which face, and which face is the primary one. Pure; the
//! clock is handed in.

use std::time::{Duration, Instant};

use crate::vocabulary::emotion::Detection;
use crate::vocabulary::frame::Rect;

/// A detection farther from a track than this, in units of the face's side, is another face. A head
/// that moves by its own width between two frames at 5 frames a second crosses a room in a second.
const MAX_DISTANCE: f32 = 1.0;

/// A face whose side changes by more than this factor between frames is another face.
const MAX_GROWTH: f32 = 2.0;

/// A detection this certain is a face at once; a weaker one when it comes again.
const SURE_SCORE: f32 = 0.75;

/// Frames in which a weak detection must be found before it is a face: false faces flicker.
const CONFIRMING_HITS: u32 = 3;

/// Another face becomes primary when its side is this much longer.
const PRIMARY_LEAD: f32 = 1.25;

/// A face that is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// From 1; never used twice.
    pub id: u64,
    pub detection: Detection,
    /// Index into the detections of the last update, when found there.
    pub found: Option<usize>,
    last_seen: Instant,
    hits: u32,
}

impl Track {
    fn confirmed(&self) -> bool {
        self.id != 0
    }
}

/// Follows faces from frame to frame.
#[derive(Clone, Debug)]
pub struct Tracker {
    hold: Duration,
    tracks: Vec<Track>,
    last_id: u64,
    primary: Option<u64>,
}

impl Tracker {
    /// A face that is not found any more is followed for `hold`.
    pub const fn new(hold: Duration) -> Self {
        Self { hold, tracks: Vec::new(), last_id: 0, primary: None }
    }

    /// From now on faces that are not found any more are held for `hold`.
    pub fn hold_for(&mut self, hold: Duration) {
        self.hold = hold;
    }

    /// Drops every face; ids go on.
    pub fn forget(&mut self) {
        self.tracks.clear();
        self.primary = None;
    }

    /// Takes the faces found in one frame; answers the faces followed now, the primary one first,
    /// the others by size.
    pub fn update(&mut self, detections: &[Detection], now: Instant) -> Vec<&Track> {
        self.tracks.iter_mut().for_each(|track| track.found = None);
        let mut free: Vec<usize> = (0..detections.len()).collect();
        for (track, detection) in self.matches(detections) {
            self.tracks[track].see(detection, detections[detection], now);
            free.retain(|index| *index != detection);
        }
        for index in free {
            self.tracks.push(Track {
                id: 0,
                detection: detections[index],
                found: Some(index),
                last_seen: now,
                hits: 1,
            });
        }
        let hold = self.hold;
        // A face is held; what was not yet known to be one is not.
        self.tracks.retain(|track| {
            track.found.is_some()
                || (track.confirmed() && now.saturating_duration_since(track.last_seen) <= hold)
        });
        for track in &mut self.tracks {
            if !track.confirmed() && (track.detection.score >= SURE_SCORE || track.hits >= CONFIRMING_HITS) {
                self.last_id += 1;
                track.id = self.last_id;
            }
        }
        self.choose_primary();
        let mut faces: Vec<&Track> = self.tracks.iter().filter(|track| track.confirmed()).collect();
        faces.sort_by(|a, b| {
            let rank = |track: &Track| (Some(track.id) == self.primary, side(&track.detection.bounds));
            rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal)
        });
        faces
    }

    /// Pairs of track and detection, the nearest first, each used once.
    fn matches(&self, detections: &[Detection]) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            for (d, detection) in detections.iter().enumerate() {
                if let Some(distance) = distance(&track.detection.bounds, &detection.bounds) {
                    pairs.push((distance, t, d));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        for (_, track, detection) in pairs {
            if chosen.iter().all(|(t, d)| *t != track && *d != detection) {
                chosen.push((track, detection));
            }
        }
        chosen
    }

    /// The primary face stays so until it is gone or another is clearly nearer.
    fn choose_primary(&mut self) {
        let largest = self
            .tracks
            .iter()
            .filter(|track| track.confirmed())
            .max_by(|a, b| side(&a.detection.bounds).total_cmp(&side(&b.detection.bounds)));
        let Some(largest) = largest else {
            self.primary = None;
            return;
        };
        let current = self.tracks.iter().find(|track| Some(track.id) == self.primary);
        let keeps = current.is_some_and(|current| {
            side(&largest.detection.bounds) < PRIMARY_LEAD * side(&current.detection.bounds)
        });
        if !keeps {
            self.primary = Some(largest.id);
        }
    }
}

impl Track {
    fn see(&mut self, index: usize, detection: Detection, now: Instant) {
        self.detection = detection;
        self.found = Some(index);
        self.last_seen = now;
        self.hits += 1;
    }
}

fn side(bounds: &Rect) -> f32 {
    bounds.width.max(bounds.height)
}

/// Distance of the centres in units of the mean side; `None` when it cannot be the same face.
fn distance(a: &Rect, b: &Rect) -> Option<f32> {
    let (side_a, side_b) = (side(a), side(b));
    if side_a <= 0.0 || side_b <= 0.0 || (side_a / side_b).max(side_b / side_a) > MAX_GROWTH {
        return None;
    }
    let (from, to) = (a.center(), b.center());
    let distance = (from.x - to.x).hypot(from.y - to.y) / ((side_a + side_b) / 2.0);
    (distance <= MAX_DISTANCE).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::Landmarks;

    fn face(x: f32, side: f32, score: f32) -> Detection {
        let bounds = Rect { x, y: 100.0, width: side, height: side };
        Detection { bounds, core: bounds, score, landmarks: Landmarks::default() }
    }

    fn ids(tracks: &[&Track]) -> Vec<u64> {
        tracks.iter().map(|track| track.id).collect()
    }

    fn times() -> impl Iterator<Item = Instant> {
        let start = Instant::now();
        (0..).map(move |n| start + Duration::from_millis(100 * n))
    }

    #[test]
    fn ids_follow_faces_that_cross_frames() {
        let mut tracker = Tracker::new(Duration::from_millis(250));
        let mut now = times();
        let mut next = |faces: &[Detection]| ids(&tracker.update(faces, now.next().expect("endless")));
        assert_eq!(next(&[face(100.0, 80.0, 0.9), face(400.0, 60.0, 0.9)]), [1, 2]);
        // In another order and moved.
        assert_eq!(next(&[face(380.0, 62.0, 0.9), face(130.0, 78.0, 0.9)]), [1, 2]);
        // One is lost, held for 250 ms, and found again.
        assert_eq!(next(&[face(380.0, 62.0, 0.9)]), [1, 2]);
        assert_eq!(next(&[face(380.0, 62.0, 0.9), face(140.0, 80.0, 0.9)]), [1, 2]);
        // Gone for good; who comes later is somebody else.
        for _ in 0..2 {
            assert_eq!(next(&[face(140.0, 80.0, 0.9)]), [1, 2]);
        }
        assert_eq!(next(&[face(140.0, 80.0, 0.9)]), [1]);
        assert_eq!(next(&[face(140.0, 80.0, 0.9), face(380.0, 62.0, 0.9)]), [1, 3]);
    }

    #[test]
    fn the_primary_face_changes_only_for_a_clearly_larger_one() {
        let mut tracker = Tracker::new(Duration::ZERO);
        let mut now = times();
        let mut next = |faces: &[Detection]| ids(&tracker.update(faces, now.next().expect("endless")));
        assert_eq!(next(&[face(0.0, 100.0, 0.9), face(300.0, 90.0, 0.9)]), [1, 2]);
        assert_eq!(next(&[face(0.0, 100.0, 0.9), face(300.0, 120.0, 0.9)]), [1, 2]);
        assert_eq!(next(&[face(0.0, 100.0, 0.9), face(300.0, 130.0, 0.9)]), [2, 1]);
        assert_eq!(next(&[face(0.0, 110.0, 0.9)]), [1]);
        assert!(next(&[]).is_empty());
    }

    #[test]
    fn weak_detections_must_come_again() {
        let mut tracker = Tracker::new(Duration::from_secs(1));
        let mut now = times();
        let mut next = |faces: &[Detection]| ids(&tracker.update(faces, now.next().expect("endless")));
        let weak = face(50.0, 80.0, 0.55);
        assert!(next(&[weak]).is_empty());
        assert!(next(&[]).is_empty());
        assert!(next(&[weak]).is_empty());
        assert!(next(&[weak]).is_empty());
        assert_eq!(next(&[weak]), [1]);
        assert_eq!(next(&[]), [1]);
    }
}
