//! Moving pictures in photos' formats: GIF, WebP and PNG, of which `ffmpeg` does not decode all.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{
    AnimationDecoder, DynamicImage, Frame, Frames, ImageDecoder, ImageError, ImageFormat, ImageResult,
    Limits, RgbImage,
};

use super::error::FilmError;
use super::frame::FilmFrame;
use super::options::Range;
use crate::base::caught::{Panicked, caught};
use crate::media::photo::{self, PhotoError};

/// A frame that says it is shown for less is shown for [`USUAL_DELAY`], as browsers do it.
const LEAST_DELAY: Duration = Duration::from_millis(11);

const USUAL_DELAY: Duration = Duration::from_millis(100);

/// Whether the file at `path` is one of several pictures after each other.
///
/// # Errors
/// When it cannot be read.
pub fn is_animation(path: &Path) -> std::io::Result<bool> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut file = BufReader::new(std::fs::File::open(path)?);
    let mut start = Vec::new();
    (&mut file).take(32).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(match image::guess_format(&start) {
        // The flag of the extended header (RFC 9649, 2.7).
        Ok(ImageFormat::WebP) => {
            start.get(12..16) == Some(b"VP8X") && start.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        Ok(ImageFormat::Png) => has_animation_chunk(&mut file)?,
        Ok(ImageFormat::Gif) => photo::has_several_pictures(&mut file)?,
        _ => false,
    })
}

/// Whether there is an `acTL` chunk before the pixels (PNG 1.3, 11.3.6.1).
fn has_animation_chunk(file: &mut (impl Read + Seek)) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(8))?;
    let mut head = [0; 8];
    while file.read_exact(&mut head).is_ok() {
        match &head[4..] {
            b"acTL" => return Ok(true),
            b"IDAT" | b"IEND" => return Ok(false),
            _ => {
                let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
                file.seek(SeekFrom::Current(i64::from(length) + 4))?;
            }
        }
    }
    Ok(false)
}

/// Why there is no next picture.
#[derive(Debug, thiserror::Error)]
enum Unplayable {
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Decode(#[from] ImageError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Decoded on a thread of its own, a frame ahead.
#[derive(Debug)]
pub struct Animation {
    frames: Receiver<Result<Picture, Unplayable>>,
    width: u32,
    height: u32,
    next: Option<FilmFrame>,
    /// When the last frame was due.
    time: Duration,
    /// How long the first frame is shown.
    delay: Duration,
}

#[derive(Debug)]
struct Picture {
    index: u64,
    time: Duration,
    delay: Duration,
    rgb: RgbImage,
}

impl Animation {
    pub fn open(path: &Path, range: Range) -> Result<Self, FilmError> {
        let unreadable = |error: Unplayable| FilmError::NotAFilm { reason: error.to_string() };
        let bytes = photo::load(path).map_err(|error| unreadable(error.into()))?;
        let (sender, frames) = mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("animation".to_owned())
            .spawn(move || {
                let failed = match caught(|| decode(bytes, range, &sender)) {
                    Ok(result) => result.err().map(Unplayable::from),
                    Err(panic) => Some(panic.into()),
                };
                // Nobody listens to a film that was let go.
                let _ = failed.map(|error| sender.send(Err(error)));
            })
            .map_err(|source| FilmError::Run { program: "a thread", source })?;
        let first = frames.recv().map_err(|_| FilmError::OutOfRange)?.map_err(unreadable)?;
        let (width, height) = first.rgb.dimensions();
        let mut animation = Self { frames, width, height, next: None, time: first.time, delay: first.delay };
        animation.next = Some(animation.frame(first));
        Ok(animation)
    }

    pub const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub fn fps(&self) -> f64 {
        1.0 / self.delay.as_secs_f64()
    }

    pub fn next_frame(&mut self) -> Result<Option<FilmFrame>, FilmError> {
        if let Some(frame) = self.next.take() {
            return Ok(Some(frame));
        }
        match self.frames.recv() {
            Ok(Ok(picture)) => Ok(Some(self.frame(picture))),
            Ok(Err(error)) => Err(FilmError::Damaged { near: self.time, reason: error.to_string() }),
            Err(_) => Ok(None),
        }
    }

    fn frame(&mut self, picture: Picture) -> FilmFrame {
        self.time = picture.time;
        FilmFrame { index: picture.index, time: picture.time, rgb: picture.rgb.into_raw() }
    }
}

/// Hands on the frames of the range; each has the size of the whole.
fn decode(bytes: Vec<u8>, range: Range, sender: &SyncSender<Result<Picture, Unplayable>>) -> ImageResult<()> {
    let mut time = Duration::ZERO;
    for (index, frame) in (0..).zip(frames(bytes)?) {
        let frame = frame?;
        let delay = delay(&frame);
        if range.holds(Some(time.as_secs_f64())) {
            let rgb = DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8();
            if sender.send(Ok(Picture { index, time, delay, rgb })).is_err() {
                break;
            }
        }
        time += delay;
    }
    Ok(())
}

fn delay(frame: &Frame) -> Duration {
    let delay = Duration::from(frame.delay());
    if delay < LEAST_DELAY { USUAL_DELAY } else { delay }
}

fn frames(bytes: Vec<u8>) -> ImageResult<Frames<'static>> {
    let bytes = Cursor::new(bytes);
    Ok(match image::guess_format(bytes.get_ref())? {
        ImageFormat::Gif => limited(GifDecoder::new(bytes)?)?.into_frames(),
        ImageFormat::WebP => limited(WebPDecoder::new(bytes)?)?.into_frames(),
        _ => limited(PngDecoder::new(bytes)?)?.apng()?.into_frames(),
    })
}

/// Within a photo's limits.
fn limited<D: ImageDecoder>(mut decoder: D) -> ImageResult<D> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > photo::MAX_PIXELS {
        return Err(photo::impossible_size(width, height));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(8 * photo::MAX_PIXELS);
    decoder.set_limits(limits)?;
    Ok(decoder)
}
