//! Antialiased rounded rectangles and text, blended onto an RGB picture in place.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

use crate::vocabulary::frame::Rect;

/// What is blended over the picture.
#[derive(Clone, Copy)]
pub struct Ink {
    pub color: [u8; 3],
    /// 1 hides what is below.
    pub alpha: f32,
}

pub struct Canvas<'a> {
    picture: &'a mut RgbImage,
    font: FontRef<'static>,
}

impl<'a> Canvas<'a> {
    pub fn new(picture: &'a mut RgbImage) -> Self {
        let font = FontRef::try_from_slice(font()).expect("the font that is built in");
        Self { picture, font }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (f32, f32) {
        (self.picture.width() as f32, self.picture.height() as f32)
    }

    /// Width in pixels of a line of `text` whose height is `size`.
    pub fn text_width(&self, text: &str, size: f32) -> f32 {
        self.glyphs(text, size).1
    }

    /// A line of text whose middle is that of `height` below `at`.
    pub fn text(&mut self, at: (f32, f32), height: f32, size: f32, text: &str, color: [u8; 3]) {
        let font = self.font.as_scaled(size);
        // On whole pixels, so that the base line is sharp.
        let (x, y) = (at.0.round(), (at.1 + (height - size) / 2.0 + font.ascent()).round());
        for mut glyph in self.glyphs(text, size).0 {
            glyph.position = point(glyph.position.x + x, y);
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                self.blend(corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy), color, coverage);
            });
        }
    }

    /// The glyphs on a base line from 0, and the line's width.
    fn glyphs(&self, text: &str, size: f32) -> (Vec<Glyph>, f32) {
        let font = self.font.as_scaled(PxScale::from(size));
        let mut x = 0.0;
        let mut glyphs: Vec<Glyph> = Vec::with_capacity(text.len());
        for character in text.chars() {
            let mut glyph = font.scaled_glyph(character);
            if let Some(last) = glyphs.last() {
                x += font.kern(last.id, glyph.id);
            }
            glyph.position = point(x, 0.0);
            x += font.h_advance(glyph.id);
            glyphs.push(glyph);
        }
        (glyphs, x)
    }

    /// A filled rectangle with round corners.
    pub fn fill(&mut self, bounds: Rect, radius: f32, ink: Ink) {
        let (left, right) = span(bounds.x, bounds.width, 0.0, self.picture.width());
        let (top, bottom) = span(bounds.y, bounds.height, 0.0, self.picture.height());
        for y in top..bottom {
            for x in left..right {
                let coverage = 0.5 - distance(bounds, radius, x, y);
                self.blend(x, y, ink.color, ink.alpha * coverage.min(1.0));
            }
        }
    }

    /// The outline of a rectangle with round corners, its stroke half within and half without.
    pub fn ring(&mut self, bounds: Rect, radius: f32, stroke: f32, ink: Ink) {
        let half = stroke / 2.0;
        let (left, right) = span(bounds.x, bounds.width, half, self.picture.width());
        let (top, bottom) = span(bounds.y, bounds.height, half, self.picture.height());
        // What is farther inside than corner and stroke needs no look.
        let inset = radius.max(half) + 1.0;
        let inner = (bounds.x + inset)..(bounds.x + bounds.width - inset);
        let middle = (bounds.y + inset)..(bounds.y + bounds.height - inset);
        for y in top..bottom {
            let mut x = left;
            while x < right {
                if middle.contains(&(y as f32)) && inner.contains(&(x as f32)) {
                    x = inner.end.ceil() as i64;
                    continue;
                }
                let coverage = 0.5 + half - distance(bounds, radius, x, y).abs();
                self.blend(x, y, ink.color, ink.alpha * coverage.min(1.0));
                x += 1;
            }
        }
    }

    fn blend(&mut self, x: i64, y: i64, color: [u8; 3], alpha: f32) {
        let place = u32::try_from(x).ok().zip(u32::try_from(y).ok());
        let pixel = place.and_then(|(x, y)| self.picture.get_pixel_mut_checked(x, y));
        let (Some(Rgb(pixel)), true) = (pixel, alpha > 0.0) else { return };
        for (below, above) in pixel.iter_mut().zip(color) {
            let below_value = f32::from(*below);
            *below = (below_value + alpha * (f32::from(above) - below_value)).round() as u8;
        }
    }
}

/// The pixels of a side of the picture that a stretch, wider by `margin` at both ends, touches.
fn span(start: f32, length: f32, margin: f32, side: u32) -> (i64, i64) {
    let first = (start - margin - 1.0).floor().max(0.0) as i64;
    let last = (start + length + margin + 1.0).ceil() as i64;
    (first, last.min(i64::from(side)))
}

/// Signed distance of a pixel's centre from the edge of a rectangle with round corners; negative
/// inside.
fn distance(bounds: Rect, radius: f32, x: i64, y: i64) -> f32 {
    let (half_width, half_height) = (bounds.width / 2.0, bounds.height / 2.0);
    let radius = radius.min(half_width).min(half_height).max(0.0);
    let from_corner = |at: i64, centre: f32, half: f32| (at as f32 + 0.5 - centre).abs() - half + radius;
    let dx = from_corner(x, bounds.x + half_width, half_width);
    let dy = from_corner(y, bounds.y + half_height, half_height);
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// DejaVu Sans Condensed Bold (licence of Bitstream Vera): latin, greek and cyrillic.
pub fn font() -> &'static [u8] {
    dejavu::sans_condensed::bold()
}
