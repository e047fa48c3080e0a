//! Words whose letters are as wide as their ink: the fixed-width fonts, set close.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::Baseline;
use embedded_graphics::text::renderer::TextRenderer;

use super::font::{self, Family};

/// Dark columns between two letters.
const GAP: i32 = 1;

/// The columns that a letter lights.
#[derive(Default)]
struct Ink {
    columns: Option<(i32, i32)>,
}

impl OriginDimensions for Ink {
    fn size(&self) -> Size {
        Size::new_equal(u32::from(u8::MAX))
    }
}

impl DrawTarget for Ink {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, _) in pixels.into_iter().filter(|pixel| pixel.1.is_on()) {
            let (first, last) = self.columns.unwrap_or((point.x, point.x));
            self.columns = Some((first.min(point.x), last.max(point.x)));
        }
        Ok(())
    }
}

/// A word in the fonts of one size.
pub struct Word<'a> {
    text: &'a str,
    family: Family,
}

impl<'a> Word<'a> {
    pub const fn new(text: &'a str, family: Family) -> Self {
        Self { text, family }
    }

    pub fn width(&self) -> i32 {
        self.letters().last().map_or(0, |(_, _, end)| end)
    }

    /// Draws it with its upper left corner at `corner`.
    pub fn draw<D>(&self, target: &mut D, corner: Point) -> Result<(), D::Error>
    where
        D: DrawTarget<Color = BinaryColor>,
    {
        for (letter, start, _) in self.letters() {
            self.style(letter).draw_string(letter, corner + Point::new(start, 0), Baseline::Top, target)?;
        }
        Ok(())
    }

    fn style(&self, letter: &str) -> MonoTextStyle<'static, BinaryColor> {
        let font = letter.chars().next().and_then(|letter| font::of(self.family, letter));
        MonoTextStyle::new(font.unwrap_or(self.family[0]), BinaryColor::On)
    }

    /// Each letter with the column where its cell starts and the one after its ink.
    fn letters(&self) -> impl Iterator<Item = (&'a str, i32, i32)> + '_ {
        let mut cursor = 0;
        self.text.char_indices().map(move |(index, letter)| {
            let letter = &self.text[index..index + letter.len_utf8()];
            let mut ink = Ink::default();
            // Figures are all as wide as a 0, so that a number does not wander when it changes.
            let measured = if letter.as_bytes()[0].is_ascii_digit() { "0" } else { letter };
            let style = self.style(letter);
            let Ok(_) = style.draw_string(measured, Point::zero(), Baseline::Top, &mut ink);
            // A blank is half as wide as a letter's cell.
            let blank = style.font.character_size.width as i32 / 2;
            let (first, last) = ink.columns.unwrap_or((0, blank - 1));
            let start = cursor - first;
            let end = start + last + 1;
            cursor = end + GAP;
            (letter, start, end)
        })
    }
}
