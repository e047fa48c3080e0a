//! Where boxes, labels and charts go: pure geometry.

use super::mark::Mark;
use crate::vocabulary::frame::Rect;

/// Room left and right of a label's text, in units of its line height.
pub const TAG_PADDING: f32 = 0.3;
/// Height of a label, in the same units.
const TAG_HEIGHT: f32 = 1.12;

/// Room around a chart's rows, height of a row and length of a full bar, in units of its line height.
pub const CHART_PADDING: f32 = 0.4;
pub const CHART_ROW: f32 = 1.0;
pub const CHART_BAR: f32 = 3.2;
/// Between the names and the bars.
const CHART_GAP: f32 = 0.4;

/// A face narrower than this, in units of its label's line height, is marked by box and emotion only.
const TINY: f32 = 2.5;
/// A face narrower than this gets no chart.
const SMALL: f32 = 4.0;

/// Below this line height, in pixels, text cannot be read and is left out.
const LEAST_TEXT: f32 = 6.0;

/// What is drawn of one mark.
pub struct Place {
    /// The face's box, moved into the picture.
    pub frame: Rect,
    /// Width of the box's line in pixels.
    pub stroke: f32,
    pub tag: Option<Tag>,
    pub chart: Option<Chart>,
}

pub struct Tag {
    pub bounds: Rect,
    pub text: String,
    /// Line height in pixels.
    pub size: f32,
}

pub struct Chart {
    pub bounds: Rect,
    /// Line height in pixels.
    pub size: f32,
    /// Width of the names with the gap after them.
    pub names: f32,
}

/// Width in pixels of a text with a line height.
type Measure<'a> = &'a dyn Fn(&str, f32) -> f32;

/// A place for every mark, in their order.
pub fn plan(picture: (f32, f32), marks: &[Mark], measure: Measure<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = marks.iter().map(|mark| framed(picture, &mark.bounds)).collect();
    let frames: Vec<Rect> = places.iter().map(|place| place.frame).collect();
    // What lies outside of the picture has nothing to stand at.
    let mut order: Vec<usize> = (0..marks.len()).filter(|index| frames[*index].area() > 0.0).collect();
    order.sort_by(|a, b| frames[*b].area().total_cmp(&frames[*a].area()));

    let mut taken = Taken { picture, frames, labels: Vec::new() };
    for &index in &order {
        places[index].tag = tag(&taken, index, &marks[index], measure);
        taken.labels.extend(places[index].tag.as_ref().map(|tag| tag.bounds));
    }
    for &index in &order {
        places[index].chart = chart(&taken, index, &marks[index], measure);
        taken.labels.extend(places[index].chart.as_ref().map(|chart| chart.bounds));
    }
    places
}

/// The box, cut to the picture so that all four sides are seen.
fn framed(picture: (f32, f32), bounds: &Rect) -> Place {
    let stroke = stroke(picture, bounds.width);
    let inset = (stroke / 2.0).min(picture.0 / 2.0).min(picture.1 / 2.0);
    let left = bounds.x.clamp(inset, picture.0 - inset);
    let top = bounds.y.clamp(inset, picture.1 - inset);
    let right = (bounds.x + bounds.width).clamp(left, picture.0 - inset);
    let bottom = (bounds.y + bounds.height).clamp(top, picture.1 - inset);
    let frame = Rect { x: left, y: top, width: right - left, height: bottom - top };
    Place { frame, stroke, tag: None, chart: None }
}

/// Width of a box's line.
fn stroke(picture: (f32, f32), face_width: f32) -> f32 {
    (text_size(picture, face_width) / 6.0).min(face_width / 8.0).max(1.0)
}

/// Line height of a face's label: it follows the face, within what is read at the picture's size.
fn text_size(picture: (f32, f32), face_width: f32) -> f32 {
    let (least, most) = text_limits(picture);
    (0.17 * face_width).clamp(least, most)
}

fn text_limits(picture: (f32, f32)) -> (f32, f32) {
    let side = (picture.0 * picture.1).sqrt();
    let least = (0.016 * side).max(13.0);
    (least, (0.04 * side).max(least))
}

/// What is in the way.
struct Taken {
    picture: (f32, f32),
    frames: Vec<Rect>,
    labels: Vec<Rect>,
}

/// How much a place hides, in pixels.
struct Hidden {
    labels: f32,
    /// Of other faces.
    faces: f32,
    own: f32,
}

impl Taken {
    fn hidden_by(&self, bounds: &Rect, own: usize) -> Hidden {
        let faces = self.frames.iter().enumerate().filter(|(index, _)| *index != own);
        Hidden {
            labels: self.labels.iter().map(|label| overlap(bounds, label)).sum(),
            faces: faces.map(|(_, frame)| overlap(bounds, frame)).sum(),
            own: overlap(bounds, &self.frames[own]),
        }
    }

    /// Of rectangles of one size at these corners, moved into the picture, the one that hides least,
    /// the first of equals; `None` when it does not fit into the picture.
    fn best(&self, own: usize, size: (f32, f32), corners: &[(f32, f32)]) -> Option<(Rect, Hidden)> {
        let (width, height) = size;
        if width > self.picture.0 || height > self.picture.1 {
            return None;
        }
        let cost = |hidden: &Hidden| 4.0 * hidden.labels + 2.0 * hidden.faces + hidden.own;
        let places = corners.iter().map(|(x, y)| {
            let x = x.clamp(0.0, self.picture.0 - width);
            let y = y.clamp(0.0, self.picture.1 - height);
            let bounds = Rect { x, y, width, height };
            (bounds, self.hidden_by(&bounds, own))
        });
        places.reduce(|best, place| if cost(&place.1) + 0.5 < cost(&best.1) { place } else { best })
    }
}

fn overlap(a: &Rect, b: &Rect) -> f32 {
    let width = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
    let height = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
    width.max(0.0) * height.max(0.0)
}

/// The label, in the longest form that hides little; the shortest one where all hide something.
fn tag(taken: &Taken, index: usize, mark: &Mark, measure: Measure<'_>) -> Option<Tag> {
    let frame = taken.frames[index];
    let edge = stroke(taken.picture, mark.bounds.width) / 2.0;
    let outer = Rect {
        x: frame.x - edge,
        y: frame.y - edge,
        width: frame.width + 2.0 * edge,
        height: frame.height + 2.0 * edge,
    };
    let wished = text_size(taken.picture, mark.bounds.width).min(taken.picture.1 / TAG_HEIGHT);
    let forms = texts(mark, mark.bounds.width < TINY * wished);
    let mut shortest = None;
    for text in forms {
        let width = |size: f32| measure(&text, size) + 2.0 * TAG_PADDING * size;
        // Too wide for the picture: smaller, as far as it is read.
        let size = wished * (taken.picture.0 / width(wished)).min(1.0);
        if size < LEAST_TEXT {
            continue;
        }
        let dimensions = (width(size).min(taken.picture.0), TAG_HEIGHT * size);
        let Some((bounds, hidden)) = taken.best(index, dimensions, &tag_corners(&outer, dimensions)) else {
            continue;
        };
        let tag = Tag { bounds, text, size };
        if hidden.labels < 1.0 && hidden.faces < 0.2 * bounds.area() && size > 0.8 * wished {
            return Some(tag);
        }
        shortest = Some(tag);
    }
    shortest
}

/// A label's forms, the longest first.
fn texts(mark: &Mark, tiny: bool) -> Vec<String> {
    let id = mark.id.map(|id| format!("{id} ")).unwrap_or_default();
    let label = &mark.label;
    let mut texts = vec![label.clone(), label.chars().take(3).collect()];
    if !tiny {
        let percent = (100.0 * mark.confidence).round();
        texts.insert(0, format!("{id}{label} {percent:.0}%"));
    }
    texts
}

/// Above and below the box, beside it, in its corners.
fn tag_corners(frame: &Rect, (width, height): (f32, f32)) -> [(f32, f32); 10] {
    let Rect { x, y, .. } = *frame;
    let (right, bottom) = (x + frame.width, y + frame.height);
    [
        (x, y - height),
        (x, bottom),
        (right - width, y - height),
        (right - width, bottom),
        (right, y),
        (x - width, y),
        (right, bottom - height),
        (x - width, bottom - height),
        (x, y),
        (x, bottom - height),
    ]
}

/// The chart beside the box, where it hides no label, hardly any of another face, and little of its
/// own: a face that fills the picture has it in a corner.
fn chart(taken: &Taken, index: usize, mark: &Mark, measure: Measure<'_>) -> Option<Chart> {
    let frame = taken.frames[index];
    let wished = text_size(taken.picture, mark.bounds.width);
    let least = (0.8 * text_limits(taken.picture).0).max(11.0);
    let rows = mark.scores.iter().count();
    if rows == 0 || mark.bounds.width < SMALL * wished {
        return None;
    }
    let most = (0.85 * wished).max(least);
    let tries = [(most, 0.02), ((most + least) / 2.0, 0.02), (least, 0.02), (least, 0.25)];
    tries.into_iter().find_map(|(size, of_own)| {
        let names = mark.scores.iter().map(|(emotion, _)| measure(emotion.name(), size));
        let names = names.fold(0.0, f32::max) + CHART_GAP * size;
        let dimensions = (
            names + (CHART_BAR + 2.0 * CHART_PADDING) * size,
            (CHART_ROW * rows as f32 + 2.0 * CHART_PADDING) * size,
        );
        let corners = chart_corners(&frame, dimensions, 0.4 * size);
        let (bounds, hidden) = taken.best(index, dimensions, &corners)?;
        let fits =
            hidden.labels < 1.0 && hidden.faces < 0.05 * bounds.area() && hidden.own < of_own * frame.area();
        fits.then_some(Chart { bounds, size, names })
    })
}

/// Right and left of the box, below and above it, in its corners.
fn chart_corners(frame: &Rect, (width, height): (f32, f32), gap: f32) -> [(f32, f32); 12] {
    let Rect { x, y, .. } = *frame;
    let (right, bottom) = (x + frame.width, y + frame.height);
    [
        (right + gap, y),
        (x - width - gap, y),
        (right + gap, bottom - height),
        (x - width - gap, bottom - height),
        (x, bottom + gap),
        (right - width, bottom + gap),
        (x, y - height - gap),
        (right - width, y - height - gap),
        (right - width - gap, bottom - height - gap),
        (x + gap, bottom - height - gap),
        (right - width - gap, y + gap),
        (x + gap, y + gap),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::{Emotion, Scores, State};

    fn mark(x: f32, y: f32, side: f32) -> Mark {
        Mark {
            bounds: Rect { x, y, width: side, height: side },
            label: "surprise".to_owned(),
            state: State::Emotion(Emotion::Surprise),
            confidence: 1.0,
            scores: Scores::from_pairs(Emotion::ALL.map(|emotion| (emotion, 0.125))),
            id: Some(12),
        }
    }

    fn inside(picture: (f32, f32), bounds: &Rect) -> bool {
        let whole = Rect { x: 0.0, y: 0.0, width: picture.0, height: picture.1 };
        (overlap(&whole, bounds) - bounds.area()).abs() <= 0.01 * bounds.area()
    }

    /// Roughly as wide as the font.
    fn measure(text: &str, size: f32) -> f32 {
        0.55 * size * text.len() as f32
    }

    #[test]
    fn nothing_leaves_the_picture_wherever_the_face_is() {
        for picture in [(400.0_f32, 300.0_f32), (90.0, 600.0), (600.0, 30.0), (4000.0, 3000.0)] {
            for step in 0..200 {
                let at =
                    |many: f32, side: f32| (many * step as f32 / 200.0).fract() * 1.2 * side - 0.1 * side;
                let side = 10.0 + at(5.0, picture.1.min(picture.0)).abs();
                let marks = [mark(at(7.0, picture.0), at(11.0, picture.1), side)];
                let place = &plan(picture, &marks, &measure)[0];
                assert!(inside(picture, &place.frame), "{picture:?} {marks:?}");
                assert!(place.tag.as_ref().is_none_or(|tag| inside(picture, &tag.bounds)), "{marks:?}");
                assert!(place.chart.as_ref().is_none_or(|chart| inside(picture, &chart.bounds)), "{marks:?}");
            }
        }
    }

    #[test]
    fn details_give_way_to_faces() {
        let picture = (416.0, 416.0);
        let text = |places: &[Place], index: usize| places[index].tag.as_ref().expect("a label").text.clone();
        let alone = plan(picture, &[mark(150.0, 150.0, 100.0)], &measure);
        assert_eq!(text(&alone, 0), "12 surprise 100%");
        assert!(alone[0].chart.is_some());
        let tiny = plan(picture, &[mark(150.0, 150.0, 20.0)], &measure);
        assert_eq!(text(&tiny, 0), "surprise");
        assert!(tiny[0].chart.is_none());

        // Shoulder to shoulder: no label may hide another, and no chart a face.
        let marks: Vec<Mark> =
            (0..64).map(|n| mark(4.0 + 52.0 * (n % 8) as f32, 4.0 + 52.0 * (n / 8) as f32, 44.0)).collect();
        let places = plan(picture, &marks, &measure);
        assert!(places.iter().all(|place| place.chart.is_none() && place.tag.is_some()));
        let hidden: f32 = places
            .iter()
            .enumerate()
            .flat_map(|(n, place)| places[..n].iter().map(move |other| (place, other)))
            .filter_map(|(a, b)| Some(overlap(&a.tag.as_ref()?.bounds, &b.tag.as_ref()?.bounds)))
            .sum();
        assert!(hidden < 1.0, "{hidden}");
    }
}
