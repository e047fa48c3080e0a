//! The picture of the last face, for those who switched it on.

use std::time::{Duration, Instant};

use crate::media::encode;
use crate::vocabulary::emotion::Observation;
use crate::vocabulary::frame::{Frame, Rect};
use crate::vocabulary::wire::{Event, EventType};

/// Most pictures: one in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// What is shown around the face's box, as a share of its side.
const MARGIN: f32 = 0.3;

/// JPEG quality, 1 to 100.
const QUALITY: u8 = 85;

/// Says when a picture is due and makes it.
#[derive(Debug, Default)]
pub struct FaceImage {
    last: Option<Instant>,
}

impl FaceImage {
    /// The primary face as a JPEG when a face came or its emotion changed.
    pub fn picture(&mut self, frame: &Frame, seen: &Observation, events: &[Event]) -> Option<Vec<u8>> {
        let worth = [EventType::FaceAppeared, EventType::EmotionChanged];
        let primary = seen.faces.first().filter(|face| face.visible)?;
        let due = self.last.is_none_or(|last| frame.captured.saturating_duration_since(last) >= PAUSE);
        if !due || !events.iter().any(|event| worth.contains(&event.event_type)) {
            return None;
        }
        self.last = Some(frame.captured);
        cut(frame, &primary.detection.bounds)
    }
}

/// `None` when nothing of the box lies within the frame.
fn cut(frame: &Frame, bounds: &Rect) -> Option<Vec<u8>> {
    let margin = MARGIN * bounds.width.max(bounds.height);
    let within = |value: f32, most: u32| (value.max(0.0) as u32).min(most);
    let (left, right) =
        (within(bounds.x - margin, frame.width), within(bounds.x + bounds.width + margin, frame.width));
    let (top, bottom) =
        (within(bounds.y - margin, frame.height), within(bounds.y + bounds.height + margin, frame.height));
    if left >= right || top >= bottom {
        return None;
    }
    let (width, height) = (right - left, bottom - top);
    let channels = frame.format.channels();
    let rows = frame.data.chunks_exact(frame.width as usize * channels);
    let within = left as usize * channels..right as usize * channels;
    let pixels: Vec<u8> =
        rows.skip(top as usize).take(height as usize).flat_map(|row| &row[within.clone()]).copied().collect();
    let face = Frame::new(width, height, frame.format, pixels, frame.captured, frame.sequence);
    encode::jpeg(&face, QUALITY)
        .inspect_err(|error| log::warn!("unable to encode the face's picture: {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::frame::PixelFormat;

    #[test]
    fn the_picture_is_the_face_with_a_margin_within_the_frame() {
        let frame = Frame::new(40, 30, PixelFormat::Rgb8, vec![200; 40 * 30 * 3], Instant::now(), 0);
        let size = |x, y| {
            let jpeg = cut(&frame, &Rect { x, y, width: 10.0, height: 10.0 })?;
            let picture = image::load_from_memory(&jpeg).expect("JPEG");
            Some((picture.width(), picture.height()))
        };
        assert_eq!(size(10.0, 10.0), Some((16, 16)));
        assert_eq!(size(-5.0, 25.0), Some((8, 8)));
        assert_eq!(size(100.0, 0.0), None);
    }
}
