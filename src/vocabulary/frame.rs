//! A picture in memory and the geometry on it.

use std::sync::Arc;
use std::time::Instant;

/// Layout of a frame's pixels: rows from the top, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// One byte a pixel, luma.
    Gray8,
    /// Three bytes a pixel: red, green, blue.
    Rgb8,
}

impl PixelFormat {
    /// Bytes a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::Rgb8 => 3,
        }
    }
}

/// One picture of a camera, a photo or a film. Cloning shares the pixels.
#[derive(Clone, Debug)]
pub struct Frame {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How `data` is laid out.
    pub format: PixelFormat,
    /// `width * height * format.channels()` bytes.
    pub data: Arc<[u8]>,
    /// When the picture was taken (camera) or became due (replay).
    pub captured: Instant,
    /// Number since the source was opened, from 0; counts frames that were dropped, too.
    pub sequence: u64,
}

impl Frame {
    /// # Panics
    /// When `data` is not `width * height * channels` bytes: a defect of the caller.
    pub fn new(
        width: u32,
        height: u32,
        format: PixelFormat,
        data: impl Into<Arc<[u8]>>,
        captured: Instant,
        sequence: u64,
    ) -> Self {
        let data = data.into();
        assert_eq!(
            data.len(),
            width as usize * height as usize * format.channels(),
            "{width}x{height} {format:?}"
        );
        Self { width, height, format, data, captured, sequence }
    }
}

/// A point in pixels; (0, 0) is the upper left corner of the upper left pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// An upright rectangle in pixels; may reach beyond the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Of the left edge.
    pub x: f32,
    /// Of the upper edge.
    pub y: f32,
    /// In pixels.
    pub width: f32,
    /// In pixels.
    pub height: f32,
}

impl Rect {
    /// The square of `side` around `center`.
    pub const fn around(center: Point, side: f32) -> Self {
        Self { x: center.x - side / 2.0, y: center.y - side / 2.0, width: side, height: side }
    }

    /// In square pixels; 0 where a side is not positive.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Its middle.
    pub fn center(&self) -> Point {
        Point { x: self.x + self.width / 2.0, y: self.y + self.height / 2.0 }
    }

    /// Intersection over union, 0 to 1; 0 when both are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        let intersection = width.max(0.0) * height.max(0.0);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_of_known_rectangles() {
        let a = Rect { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
        let half = Rect { x: 5.0, ..a };
        assert_eq!(a.iou(&a), 1.0);
        assert!((a.iou(&half) - 50.0 / 150.0).abs() < 1e-6);
        assert_eq!(a.iou(&Rect { x: 10.0, ..a }), 0.0);
        assert_eq!(Rect::default().iou(&Rect::default()), 0.0);
    }
}
