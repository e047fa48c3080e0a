//! Smaller pictures, each of whose pixels is the mean of those that it covers: for what a net is shown, for crops and
//! for pictures to look at. What a reader skips instead is noise that it keeps.

use crate::vocabulary::frame::{Frame, PixelFormat, Point, Rect};

/// Of `area`, as far as it lies within `frame`, a picture with a pixel for every `by`×`by`, and where in `frame` its
/// upper left corner is. At the right and the lower edge a pixel may cover less. Exact, rounded to the nearest.
///
/// # Panics
/// When `by` is 0.
pub fn reduced(frame: &Frame, area: &Rect, by: u32) -> (Frame, Point) {
    let (left, right) = within(area.x, area.width, frame.width);
    let (top, bottom) = within(area.y, area.height, frame.height);
    let (width, height) = ((right - left).div_ceil(by), (bottom - top).div_ceil(by));
    let channels = frame.format.channels();
    let mut data = Vec::with_capacity(width as usize * height as usize * channels);
    let mut sums = vec![0u32; (right - left) as usize * channels];
    for row in 0..height {
        let first = top + row * by;
        let rows = by.min(bottom - first);
        sums.fill(0);
        for line in first..first + rows {
            let start = (line as usize * frame.width as usize + left as usize) * channels;
            // Down first, since columns side by side are added at once.
            for (sum, value) in sums.iter_mut().zip(&frame.data[start..]) {
                *sum += u32::from(*value);
            }
        }
        match frame.format {
            PixelFormat::Gray8 => across::<1>(&sums, by, rows, &mut data),
            PixelFormat::Rgb8 => across::<3>(&sums, by, rows, &mut data),
        }
    }
    let small = Frame::new(width, height, frame.format, data, frame.captured, frame.sequence);
    (small, Point { x: left as f32, y: top as f32 })
}

/// The whole of `frame` with sides of at most `side` pixels, reduced by a whole number.
pub fn fitted(frame: Frame, side: u32) -> Frame {
    let by = frame.width.max(frame.height).div_ceil(side.max(1));
    let whole = Rect { x: 0.0, y: 0.0, width: frame.width as f32, height: frame.height as f32 };
    if by > 1 { reduced(&frame, &whole, by).0 } else { frame }
}

/// The first pixel of a stretch and the one after its last, within `length`; at least one of them.
fn within(start: f32, long: f32, length: u32) -> (u32, u32) {
    let first = (start.floor().max(0.0) as u32).min(length - 1);
    let end = ((start + long).ceil().max(0.0) as u32).clamp(first + 1, length);
    (first, end)
}

/// Means of `by` columns of sums over `rows`.
fn across<const CHANNELS: usize>(sums: &[u32], by: u32, rows: u32, data: &mut Vec<u8>) {
    for group in sums.as_chunks::<CHANNELS>().0.chunks(by as usize) {
        let count = group.len() as u32 * rows;
        for channel in 0..CHANNELS {
            let sum: u32 = group.iter().map(|sums| sums[channel]).sum();
            data.push(((sum + count / 2) / count) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn frame(width: u32, height: u32, format: PixelFormat, data: &[u8]) -> Frame {
        Frame::new(width, height, format, data, Instant::now(), 7)
    }

    #[test]
    fn each_pixel_is_the_mean_of_what_it_covers() {
        let grey = frame(5, 3, PixelFormat::Gray8, &[0, 2, 4, 6, 9, 10, 12, 14, 17, 1, 20, 21, 30, 31, 255]);
        let whole = Rect { x: -9.0, y: -9.0, width: 99.0, height: 99.0 };
        let (small, corner) = reduced(&grey, &whole, 2);
        assert_eq!((small.width, small.height, small.sequence), (3, 2, 7));
        // (4 + 6 + 14 + 17) / 4 = 10.25; the last column and row are those that are left over.
        assert_eq!((&*small.data, corner), ([6, 10, 5, 21, 31, 255].as_slice(), Point { x: 0.0, y: 0.0 }));
        let inner = Rect { x: 1.5, y: 0.2, width: 2.0, height: 1.1 };
        let (small, corner) = reduced(&grey, &inner, 3);
        assert_eq!((&*small.data, corner), ([9].as_slice(), Point { x: 1.0, y: 0.0 }));
        let rgb = frame(2, 1, PixelFormat::Rgb8, &[0, 10, 255, 3, 20, 255]);
        assert_eq!(&*fitted(rgb, 1).data, [2, 15, 255].as_slice());
        let beyond = Rect { x: 50.0, y: 50.0, width: 1.0, height: 1.0 };
        assert_eq!(&*reduced(&grey, &beyond, 4).0.data, [255].as_slice());
    }

    #[test]
    fn noise_is_averaged_away() {
        let noisy: Vec<u8> = (0..64 * 64u32)
            .map(|i| if i.wrapping_mul(2_654_435_761) >> 31 == 0 { 28 } else { 228 })
            .collect();
        let small = fitted(frame(64, 64, PixelFormat::Gray8, &noisy), 4);
        assert!(small.data.iter().all(|value| value.abs_diff(128) < 25), "{:?}", small.data);
    }
}
