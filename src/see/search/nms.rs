//! One face of many overlapping candidates: MediaPipe's weighted `NonMaxSuppressionCalculator` for
//! BlazeFace, the surest for our own nets.

use super::boxes::Candidate;
use crate::vocabulary::emotion::Detection;
use crate::vocabulary::frame::Rect;

/// Replaces each group of candidates that overlap its most certain one by more than `iou` by their
/// average, weighted by score; it keeps the best score. The most certain face comes first.
pub fn weighted(mut candidates: Vec<Candidate>, iou: f32) -> Vec<Candidate> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces = Vec::new();
    while let Some(best) = candidates.first().copied() {
        let (group, rest): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| rect(candidate).iou(&rect(&best)) > iou);
        candidates = rest;
        // A box without area overlaps nothing, not even itself.
        if group.is_empty() {
            candidates.remove(0);
            continue;
        }
        faces.push(average(&group, best.score));
    }
    faces
}

/// The most certain candidate of each group that overlap it by at least `iou`; the most certain comes
/// first.
pub fn surest(mut candidates: Vec<Candidate>, iou: f32) -> Vec<Candidate> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if faces.iter().all(|face| rect(face).iou(&rect(&candidate)) < iou) {
            faces.push(candidate);
        }
    }
    faces
}

/// Adds those of `more`, the most certain first, that share at most `part` of the smaller box with
/// every other. Intersection over union would let a small box in the middle of a face pass.
pub fn add_apart(faces: &mut Vec<Detection>, mut more: Vec<Detection>, part: f32) {
    more.sort_by(|a, b| b.score.total_cmp(&a.score));
    for face in more {
        if faces.iter().all(|other| shared(&other.bounds, &face.bounds) <= part) {
            faces.push(face);
        }
    }
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// Intersection over the smaller area.
fn shared(a: &Rect, b: &Rect) -> f32 {
    let iou = a.iou(b);
    let intersection = iou / (1.0 + iou) * (a.area() + b.area());
    intersection / a.area().min(b.area())
}

fn rect(candidate: &Candidate) -> Rect {
    let [x, y, width, height] = candidate.bounds;
    Rect { x, y, width, height }
}

fn average(group: &[Candidate], score: f32) -> Candidate {
    let total: f32 = group.iter().map(|candidate| candidate.score).sum();
    let mean = |value: &dyn Fn(&Candidate) -> f32| {
        group.iter().map(|candidate| candidate.score * value(candidate)).sum::<f32>() / total
    };
    Candidate {
        score,
        bounds: std::array::from_fn(|i| mean(&|candidate| candidate.bounds[i])),
        points: std::array::from_fn(|i| {
            std::array::from_fn(|axis| mean(&|candidate| candidate.points[i][axis]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(score: f32, x: f32, width: f32) -> Candidate {
        Candidate { score, bounds: [x, 0.0, width, 0.2], points: [[x, 0.1]; 4] }
    }

    #[test]
    fn groups_are_averaged_by_score() {
        let faces = weighted(
            vec![
                candidate(0.6, 0.02, 0.2),
                candidate(0.9, 0.0, 0.2),
                candidate(0.7, 0.5, 0.2),
                candidate(0.8, 0.3, 0.0),
            ],
            0.3,
        );
        let [first, second] = faces[..] else { panic!("{faces:?}") };
        assert_eq!(first.score, 0.9);
        // (0.9 * 0 + 0.6 * 0.02) / 1.5
        assert!((first.bounds[0] - 0.008).abs() < 1e-6 && (first.points[3][0] - 0.008).abs() < 1e-6);
        assert_eq!((second.score, second.bounds[0]), (0.7, 0.5));
    }

    #[test]
    fn a_box_within_a_face_is_not_added() {
        let face = |x, side, score| Detection {
            bounds: Rect { x, y: 0.0, width: side, height: side },
            core: Rect::default(),
            score,
            landmarks: Default::default(),
        };
        let mut faces = vec![face(0.0, 100.0, 0.6)];
        // A twentieth of the face; a third of its width beside it; far away; and that one's double.
        let more = vec![
            face(30.0, 22.0, 0.9),
            face(70.0, 90.0, 0.7),
            face(200.0, 50.0, 0.7),
            face(210.0, 50.0, 0.8),
        ];
        add_apart(&mut faces, more, 0.4);
        let kept: Vec<f32> = faces.iter().map(|face| face.bounds.x).collect();
        assert_eq!(kept, [210.0, 70.0, 0.0]);
    }
}
