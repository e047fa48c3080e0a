//! One face of many overlapping candidates: MediaPipe's weighted `NonMaxSuppressionCalculator`.

use super::boxes::Candidate;
use crate::frame::Rect;

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
        Candidate { score, bounds: [x, 0.0, width, 0.2], points: [[x, 0.1]; 6] }
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
}
