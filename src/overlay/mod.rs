//! Faces marked in a picture: a box, the emotion's name and confidence, a bar chart of the scores.
//!
//! Knows pictures and emotions only, so that the command line and the web page draw alike. An
//! emotion has a colour, but is always told by its name, too.

mod canvas;
mod layout;
mod look;
mod mark;

use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::vocabulary::emotion::State;
use crate::vocabulary::frame::Rect;
use canvas::{Canvas, Ink};

pub use canvas::font;
pub use look::{Look, look};
pub use mark::Mark;

/// A picture whose longer side is shorter than this, in pixels, is enlarged until that is at least
/// `ROOMY_SIDE`, so that there is room for text.
const LEAST_SIDE: u32 = 256;
const ROOMY_SIDE: u32 = 384;

const DARK: [u8; 3] = [16, 18, 22];
const LIGHT: [u8; 3] = [244, 246, 248];
const DIM: [u8; 3] = [190, 196, 204];

/// How many times its size a picture of these sides has after [`annotate`], where text would not fit.
pub fn enlargement(width: u32, height: u32) -> u32 {
    let side = width.max(height).max(1);
    if side < LEAST_SIDE { ROOMY_SIDE.div_ceil(side) } else { 1 }
}

/// Marks the faces in `picture`, which comes back [enlarged](enlargement) if it is tiny.
///
/// Sizes follow the picture and each face. Nothing that is drawn leaves the picture. Where faces
/// are many or small, charts give way first, then confidences, then all but a label's first letters.
pub fn annotate(picture: RgbImage, marks: &[Mark]) -> RgbImage {
    let factor = enlargement(picture.width(), picture.height());
    if factor == 1 {
        return draw(picture, marks);
    }
    let (width, height) = (picture.width() * factor, picture.height() * factor);
    let picture = imageops::resize(&picture, width, height, FilterType::CatmullRom);
    let scale = factor as f32;
    let marks: Vec<Mark> = marks
        .iter()
        .map(|mark| {
            let Rect { x, y, width, height } = mark.bounds;
            let bounds = Rect { x: x * scale, y: y * scale, width: width * scale, height: height * scale };
            Mark { bounds, ..mark.clone() }
        })
        .collect();
    draw(picture, &marks)
}

fn draw(mut picture: RgbImage, marks: &[Mark]) -> RgbImage {
    let mut canvas = Canvas::new(&mut picture);
    let plan = layout::plan(canvas.size(), marks, &|text, size| canvas.text_width(text, size));
    let mut by_size: Vec<_> = marks.iter().zip(&plan).filter(|(_, place)| place.frame.area() > 0.0).collect();
    // A small face before a large one is not hidden by it.
    by_size.sort_by(|(_, a), (_, b)| b.frame.area().total_cmp(&a.frame.area()));
    for (mark, place) in &by_size {
        draw_box(&mut canvas, mark, place);
    }
    for (mark, place) in &by_size {
        if let Some(chart) = &place.chart {
            draw_chart(&mut canvas, mark, chart);
        }
    }
    for (mark, place) in &by_size {
        if let Some(tag) = &place.tag {
            canvas.fill(tag.bounds, tag.size * 0.22, Ink { color: look(mark.state).color, alpha: 1.0 });
            let at = (tag.bounds.x + layout::TAG_PADDING * tag.size, tag.bounds.y);
            canvas.text(at, tag.bounds.height, tag.size, &tag.text, DARK);
        }
    }
    picture
}

/// A stroke in the emotion's colour between two dark ones, so that it is seen on any background.
fn draw_box(canvas: &mut Canvas<'_>, mark: &Mark, place: &layout::Place) {
    let stroke = place.stroke;
    let edge = (stroke / 2.0).clamp(1.0, 3.0);
    canvas.ring(place.frame, stroke * 2.0, stroke + 2.0 * edge, Ink { color: DARK, alpha: 0.55 });
    canvas.ring(place.frame, stroke * 2.0, stroke, Ink { color: look(mark.state).color, alpha: 1.0 });
}

/// A row for each label that the model knows, always in the same order; the strongest stands out.
fn draw_chart(canvas: &mut Canvas<'_>, mark: &Mark, chart: &layout::Chart) {
    let layout::Chart { bounds, size, .. } = *chart;
    canvas.fill(bounds, size * 0.3, Ink { color: DARK, alpha: 0.88 });
    let strongest = mark.scores.top().map(|(emotion, _)| emotion);
    let padding = layout::CHART_PADDING * size;
    let row = layout::CHART_ROW * size;
    for (index, (emotion, score)) in mark.scores.iter().enumerate() {
        let top = bounds.y + padding + row * index as f32;
        let ink = if Some(emotion) == strongest { LIGHT } else { DIM };
        canvas.text((bounds.x + padding, top), row, size, emotion.name(), ink);
        let (x, full) = (bounds.x + padding + chart.names, layout::CHART_BAR * size);
        let bar = Rect { x, y: top + row * 0.2, width: full, height: row * 0.6 };
        canvas.fill(bar, 1.0, Ink { color: LIGHT, alpha: 0.16 });
        let width = full * score.clamp(0.0, 1.0);
        if width >= 0.5 {
            let ink = Ink { color: look(State::Emotion(emotion)).color, alpha: 1.0 };
            canvas.fill(Rect { width, ..bar }, 1.0, ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::Emotion;

    /// Relative luminance of an sRGB colour (WCAG 2.2).
    fn luminance(color: [u8; 3]) -> f32 {
        let linear = color.map(|value| {
            let value = f32::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn every_label_is_read_on_its_colour() {
        let states = Emotion::ALL.map(State::Emotion).into_iter().chain([State::Uncertain]);
        for state in states {
            let contrast = (luminance(look(state).color) + 0.05) / (luminance(DARK) + 0.05);
            assert!(contrast >= 7.0, "{state}: {contrast}");
        }
    }

    #[test]
    fn only_tiny_pictures_are_enlarged() {
        assert_eq!(enlargement(48, 48), 8);
        assert_eq!(enlargement(250, 250), 2);
        assert_eq!(enlargement(400, 300), 1);
        assert_eq!(enlargement(20, 256), 1);
        let tiny = annotate(RgbImage::new(48, 30), &[]);
        assert_eq!(tiny.dimensions(), (384, 240));
    }
}
