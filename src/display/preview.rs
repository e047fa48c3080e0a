//! The panel's picture for people without a panel: as PNG and in the terminal.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::picture::{Picture, WIDTH};

/// Side of a pixel in the PNG, with the dark gap between two.
const MAGNIFICATION: usize = 4;
type Rgb = [u8; 3];
const LIT: Rgb = [196, 230, 255];
/// The gap between two lit pixels: their light spreads a little.
const LIT_GAP: Rgb = [70, 92, 116];
const DARK: Rgb = [8, 11, 18];
const DARK_GAP: Rgb = [5, 7, 12];

/// The picture as PNG, magnified and in a panel's colours.
pub fn png(picture: &Picture) -> Vec<u8> {
    let (width, height) = (WIDTH * MAGNIFICATION, picture.height() * MAGNIFICATION);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            rgb.extend(color(picture, x, y));
        }
    }
    let mut png = Cursor::new(Vec::new());
    PngEncoder::new(&mut png)
        .write_image(&rgb, width as u32, height as u32, ExtendedColorType::Rgb8)
        .expect("the buffer is as large as it says, and memory takes all that is written");
    png.into_inner()
}

fn color(picture: &Picture, x: usize, y: usize) -> Rgb {
    let lit = picture.lit(x / MAGNIFICATION, y / MAGNIFICATION);
    let gap = x % MAGNIFICATION == MAGNIFICATION - 1 || y % MAGNIFICATION == MAGNIFICATION - 1;
    match (lit, gap) {
        (true, false) => LIT,
        (true, true) => LIT_GAP,
        (false, false) => DARK,
        (false, true) => DARK_GAP,
    }
}
