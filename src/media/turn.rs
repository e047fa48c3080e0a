//! Pictures turned by quarters and mirrored.

use std::sync::Arc;

use crate::vocabulary::frame::Frame;

/// The frame turned clockwise by so many quarters, then mirrored.
///
/// # Panics
/// When there are more than 3 quarters.
pub fn turned(frame: &Frame, quarters: u32, mirror: bool) -> Frame {
    let (width, height) =
        if quarters.is_multiple_of(2) { (frame.width, frame.height) } else { (frame.height, frame.width) };
    let data: Arc<[u8]> = match frame.format.channels() {
        1 => turned_pixels::<1>(frame, (width, height), quarters, mirror),
        _ => turned_pixels::<3>(frame, (width, height), quarters, mirror),
    }
    .into();
    Frame { width, height, data, ..frame.clone() }
}

/// Walks over the source with one step a pixel and one a row.
fn turned_pixels<const CHANNELS: usize>(
    frame: &Frame,
    (width, height): (u32, u32),
    quarters: u32,
    mirror: bool,
) -> Vec<u8> {
    let (source_width, source_height) = (frame.width as isize, frame.height as isize);
    let (width, height) = (width as isize, height as isize);
    // Index of the source's pixel for the upper left one, and what to add to go right and down.
    let (mut start, mut right, down) = match quarters {
        0 => (0, 1, source_width),
        1 => ((source_height - 1) * source_width, -source_width, 1),
        2 => (source_width * source_height - 1, -1, -source_width),
        3 => (source_width - 1, source_width, -1),
        _ => panic!("{quarters} quarters"),
    };
    if mirror {
        start += right * (width - 1);
        right = -right;
    }
    let (pixels, _) = frame.data.as_chunks::<CHANNELS>();
    let mut out = Vec::with_capacity(frame.data.len());
    for row in 0..height {
        let first = start + down * row;
        out.extend((0..width).flat_map(|column| pixels[(first + right * column) as usize]));
    }
    out
}
