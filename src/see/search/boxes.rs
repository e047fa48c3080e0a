//! Anchors and what the net says of each: MediaPipe's `SsdAnchorsCalculator` with a fixed anchor
//! size and `TensorsToDetectionsCalculator` with reversed output order, as the graphs
//! `face_detection_short_range` and `face_detection_full_range` of MediaPipe 0.10.21 set them.

use crate::nets::sidecar::AnchorLayer;
use crate::vocabulary::frame::Point;

/// Values an anchor: centre, size, six key points.
pub const VALUES: usize = 16;

/// Raw scores beyond this are clipped before the sigmoid (`score_clipping_thresh`).
const SCORE_LIMIT: f32 = 100.0;

/// A possible face in units of the width and height of the net's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// 0 to 1.
    pub score: f32,
    /// Left, top, width, height.
    pub bounds: [f32; 4],
    /// Right eye, left eye, nose, mouth.
    pub points: [[f32; 2]; 4],
}

/// Centres of all anchors, in units of the input's side: layer by layer, row by row, as often as the
/// layer has anchors a cell. Their size is 1: the net says a face's size itself.
pub fn anchors(layers: &[AnchorLayer], width: u32, height: u32) -> Vec<Point> {
    let mut anchors = Vec::new();
    for layer in layers {
        let (columns, rows) = (width.div_ceil(layer.stride), height.div_ceil(layer.stride));
        for row in 0..rows {
            for column in 0..columns {
                let center =
                    Point { x: (column as f32 + 0.5) / columns as f32, y: (row as f32 + 0.5) / rows as f32 };
                anchors.extend(std::iter::repeat_n(center, layer.per_cell));
            }
        }
    }
    anchors
}

/// Anchors whose score is at least `min_score`. `boxes` holds [`VALUES`] floats an anchor, in
/// pixels of the input relative to the anchor's centre; `scores` one logit an anchor.
pub fn decode(
    boxes: &[u8],
    scores: &[u8],
    anchors: &[Point],
    (width, height): (u32, u32),
    min_score: f32,
) -> Vec<Candidate> {
    let (boxes, _) = boxes.as_chunks::<4>();
    let (scores, _) = scores.as_chunks::<4>();
    let (width, height) = (width as f32, height as f32);
    // Compared as logits, so that only candidates cost a sigmoid.
    let min_logit = (min_score / (1.0 - min_score)).ln();
    let mut candidates = Vec::new();
    for ((anchor, score), values) in anchors.iter().zip(scores).zip(boxes.chunks_exact(VALUES)) {
        let logit = f32::from_ne_bytes(*score);
        if logit.is_nan() || logit < min_logit {
            continue;
        }
        let value = |index: usize| f32::from_ne_bytes(values[index]);
        let point = |index: usize| [value(index) / width + anchor.x, value(index + 1) / height + anchor.y];
        let [x, y] = point(0);
        let (w, h) = (value(2) / width, value(3) / height);
        candidates.push(Candidate {
            score: sigmoid(logit.clamp(-SCORE_LIMIT, SCORE_LIMIT)),
            bounds: [x - w / 2.0, y - h / 2.0, w, h],
            points: std::array::from_fn(|index| point(4 + 2 * index)),
        });
    }
    candidates
}

pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_ne_bytes()).collect()
    }

    #[test]
    fn anchors_of_the_short_range_net() {
        let layers = [AnchorLayer { stride: 8, per_cell: 2 }, AnchorLayer { stride: 16, per_cell: 6 }];
        let anchors = anchors(&layers, 128, 128);
        assert_eq!(anchors.len(), 896);
        // 16 columns of 1/16, then 8 of 1/8: centres worked by hand.
        assert_eq!(anchors[0], Point { x: 0.03125, y: 0.03125 });
        assert_eq!(anchors[3], Point { x: 0.09375, y: 0.03125 });
        assert_eq!(anchors[511], Point { x: 0.96875, y: 0.96875 });
        assert_eq!(anchors[512], Point { x: 0.0625, y: 0.0625 });
        assert_eq!(anchors[895], Point { x: 0.9375, y: 0.9375 });
    }

    #[test]
    fn an_anchor_is_decoded() {
        let anchors = [Point { x: 0.5, y: 0.25 }; 2];
        let mut values = vec![0.0; VALUES];
        values.extend([12.8, -6.4, 64.0, 32.0, -12.8, 0.0]);
        values.resize(2 * VALUES, 12.8);
        let candidates = decode(&bytes(&values), &bytes(&[-0.1, 3.0]), &anchors, (128, 128), 0.5);
        let [face] = candidates[..] else { panic!("{candidates:?}") };
        assert!((face.score - 0.952_574).abs() < 1e-5, "sigmoid of 3");
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6;
        let [x, y, w, h] = face.bounds;
        assert!(near(x, 0.35) && near(y, 0.075) && near(w, 0.5) && near(h, 0.25), "{face:?}");
        assert!(near(face.points[0][0], 0.4) && near(face.points[0][1], 0.25), "{face:?}");
        assert!(near(face.points[3][0], 0.6) && near(face.points[3][1], 0.35), "{face:?}");
    }
}
