//! The panel's picture for people without a panel: as PNG and in the terminal.

use std::io::{self, Cursor, Write};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::picture::Picture;
use crate::base::atomic_file::{self, Part};

/// Side of a pixel in the PNG, the dark gap to the next included.
const MAGNIFICATION: usize = 4;

type Rgb = [u8; 3];
const LIT: Rgb = [196, 230, 255];
/// The light of two lit pixels spreads a little into the gap.
const LIT_GAP: Rgb = [70, 92, 116];
const DARK: Rgb = [8, 11, 18];
const DARK_GAP: Rgb = [5, 7, 12];

/// The picture as PNG, magnified and in a panel's colours.
pub fn png(picture: &Picture) -> Vec<u8> {
    let (width, height) = (picture.width() * MAGNIFICATION, picture.height() * MAGNIFICATION);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            rgb.extend(color(picture, x, y));
        }
    }
    let mut png = Cursor::new(Vec::new());
    // The same few bytes over and over: unfiltered they pack best, to about 4 KB.
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::NoFilter)
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

/// Writes the PNG to `path`; who reads it meanwhile sees the old picture or the new one, whole.
///
/// # Errors
/// When the folder cannot be written to.
pub fn save(picture: &Picture, path: &Path) -> io::Result<()> {
    let mut part = Part::create(path, true)?;
    part.write_all(&png(picture))?;
    part.commit()
}

/// Deletes what a program that was killed while it saved has left beside `path`.
///
/// # Errors
/// When the folder cannot be read.
pub fn sweep(path: &Path) -> io::Result<()> {
    atomic_file::sweep(path)
}

/// The picture in half blocks: each line of text shows two rows.
pub fn text(picture: &Picture) -> String {
    let mut text = String::with_capacity(picture.width() * picture.height() * 2);
    for y in (0..picture.height()).step_by(2) {
        text.extend((0..picture.width()).map(|x| match (picture.lit(x, y), picture.lit(x, y + 1)) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        }));
        text.push('\n');
    }
    text
}

/// The picture at the top of a terminal, over the one before, the cursor staying where it was; with
/// `first` on a cleared terminal, the cursor below.
///
/// Control sequences of ECMA-48 and xterm: 2J clears, H moves, 7 and 8 save and restore the cursor,
/// ?7 l and h switch wrapping off and on, for terminals that are too narrow.
pub fn terminal(picture: &Picture, first: bool) -> String {
    let below = picture.height() / 2 + 1;
    let clear = if first { format!("\x1b[2J\x1b[{below};1H") } else { String::new() };
    format!("{clear}\x1b7\x1b[?7l\x1b[H{}\x1b[?7h\x1b8", text(picture))
}
