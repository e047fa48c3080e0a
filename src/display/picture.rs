//! A monochrome picture in memory.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;

use crate::config::DisplaySize;

/// Columns of every supported panel.
pub const WIDTH: usize = 128;

/// Rows in a page, the unit that the panel is written in.
pub const PAGE_ROWS: usize = 8;

/// A picture, laid out as the panel's memory is: pages of eight rows; one byte holds eight pixels of
/// a column, the uppermost in bit 0 (SSD1306 datasheet 8.7, GDDRAM).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pages: Vec<[u8; WIDTH]>,
}

impl Picture {
    /// All dark.
    pub fn new(size: DisplaySize) -> Self {
        let rows: usize = match size {
            DisplaySize::W128H64 => 64,
            DisplaySize::W128H32 => 32,
        };
        Self { pages: vec![[0; WIDTH]; rows / PAGE_ROWS] }
    }

    pub fn height(&self) -> usize {
        self.pages.len() * PAGE_ROWS
    }

    /// Whether the pixel is lit; (0, 0) is the upper left one.
    ///
    /// # Panics
    /// Outside the picture.
    pub fn lit(&self, x: usize, y: usize) -> bool {
        self.pages[y / PAGE_ROWS][x] & (1 << (y % PAGE_ROWS)) != 0
    }

    pub fn pages(&self) -> &[[u8; WIDTH]] {
        &self.pages
    }
}

impl OriginDimensions for Picture {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, self.height() as u32)
    }
}

impl DrawTarget for Picture {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else { continue };
            let Some(byte) = self.pages.get_mut(y / PAGE_ROWS).and_then(|page| page.get_mut(x)) else {
                continue;
            };
            let bit = 1 << (y % PAGE_ROWS);
            if color.is_on() { *byte |= bit } else { *byte &= !bit }
        }
        Ok(())
    }
}
