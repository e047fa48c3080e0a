//! A monochrome picture in memory.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;

use crate::config::DisplaySize;

/// Columns of every supported panel's memory.
pub const WIDTH: usize = 128;

/// Rows in a page, the unit that the panel is written in.
pub const PAGE_ROWS: usize = 8;

/// A picture, laid out as the panel's memory is: pages of eight rows; one byte holds eight pixels of
/// a column, the uppermost in bit 0 (SSD1306 datasheet 8.7, GDDRAM). On a panel that stands on end it lies
/// there turned clockwise by 90 degrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pages: Vec<[u8; WIDTH]>,
    on_end: bool,
}

impl Picture {
    /// All dark.
    pub fn new(size: DisplaySize) -> Self {
        let rows: usize = match size {
            DisplaySize::W128H64 | DisplaySize::W64H128 => 64,
            DisplaySize::W128H32 => 32,
        };
        Self { pages: vec![[0; WIDTH]; rows / PAGE_ROWS], on_end: size == DisplaySize::W64H128 }
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        if self.on_end { self.rows() } else { WIDTH }
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        if self.on_end { WIDTH } else { self.rows() }
    }

    /// Whether the pixel is lit; (0, 0) is the upper left one as the viewer sees it.
    ///
    /// # Panics
    /// Outside the picture.
    pub fn lit(&self, x: usize, y: usize) -> bool {
        let (column, row) = self.place(x, y).expect("a pixel of the picture");
        self.pages[row / PAGE_ROWS][column] & (1 << (row % PAGE_ROWS)) != 0
    }

    /// Rows of the memory.
    pub fn rows(&self) -> usize {
        self.pages.len() * PAGE_ROWS
    }

    /// Column and row of a pixel in the memory; `None` outside the picture.
    fn place(&self, x: usize, y: usize) -> Option<(usize, usize)> {
        let inside = x < self.width() && y < self.height();
        inside.then(|| if self.on_end { (WIDTH - 1 - y, x) } else { (x, y) })
    }

    /// Rows of eight pixels each, from the top: a byte a column, the least significant bit uppermost.
    pub fn pages(&self) -> &[[u8; WIDTH]] {
        &self.pages
    }
}

impl OriginDimensions for Picture {
    fn size(&self) -> Size {
        Size::new(self.width() as u32, self.height() as u32)
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
            let Some((column, row)) = self.place(x, y) else { continue };
            let (byte, bit) = (&mut self.pages[row / PAGE_ROWS][column], 1 << (row % PAGE_ROWS));
            if color.is_on() { *byte |= bit } else { *byte &= !bit }
        }
        Ok(())
    }
}
