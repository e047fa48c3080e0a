//! The frames of a film: each once, at its own time, in the shape in which players show it.

mod animation;
pub(crate) mod child;
mod decoder;
mod error;
mod filters;
mod frame;
mod log;
mod options;
mod probe;
mod source;
pub(crate) mod timed;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use animation::Animation;
pub use animation::is_animation;
use decoder::Decoder;
pub use error::FilmError;
pub use frame::FilmFrame;
pub use options::{FilmOptions, Range};
pub use source::HEAD;
use source::Source;

/// A film that is being decoded; dropping it ends what decodes it.
#[derive(Debug)]
pub struct Film(Reel);

#[derive(Debug)]
enum Reel {
    Decoder(Box<Decoder>),
    Animation(Animation),
}

impl Film {
    /// Begins to decode the film at `path`. Frames that are damaged are left out.
    ///
    /// # Errors
    /// `ffmpeg` is missing, or no frame can be decoded.
    pub fn open(path: &Path, options: FilmOptions) -> Result<Self, FilmError> {
        if is_animation(path).unwrap_or(false) {
            return Ok(Self(Reel::Animation(Animation::open(path, options.range)?)));
        }
        Ok(Self(Reel::Decoder(Box::new(Decoder::start(Source::File(path.to_owned()), options)?))))
    }

    /// Like [`Self::open`], from a pipe of which `head`, at most [`HEAD`] bytes, was read already.
    ///
    /// # Errors
    /// When nothing in it can be decoded.
    pub fn open_pipe(
        head: Vec<u8>,
        rest: Box<dyn Read + Send>,
        options: FilmOptions,
    ) -> Result<Self, FilmError> {
        Ok(Self(Reel::Decoder(Box::new(Decoder::start(Source::Pipe { head, rest }, options)?))))
    }

    /// Width in pixels, as shown: upright, with square pixels.
    pub fn width(&self) -> u32 {
        match &self.0 {
            Reel::Decoder(decoder) => decoder.width(),
            Reel::Animation(animation) => animation.size().0,
        }
    }

    /// Height in pixels, as shown.
    pub fn height(&self) -> u32 {
        match &self.0 {
            Reel::Decoder(decoder) => decoder.height(),
            Reel::Animation(animation) => animation.size().1,
        }
    }

    /// Frames a second on the average, as far as the film says so.
    pub fn fps(&self) -> f64 {
        match &self.0 {
            Reel::Decoder(decoder) => decoder.probe().fps,
            Reel::Animation(animation) => animation.fps(),
        }
    }

    /// How many frames there are, about, where the film says so or how long it is.
    pub fn expected_frames(&self) -> Option<u64> {
        match &self.0 {
            Reel::Decoder(decoder) => decoder.probe().frames,
            Reel::Animation(_) => None,
        }
    }

    /// When its first frame is shown, since the film's start: sound may come before.
    pub fn start_time(&self) -> Duration {
        match &self.0 {
            Reel::Decoder(decoder) => decoder.start_time(),
            Reel::Animation(_) => Duration::ZERO,
        }
    }

    /// Codecs of its sound, track by track.
    pub fn sound(&self) -> &[String] {
        match &self.0 {
            Reel::Decoder(decoder) => &decoder.probe().sound,
            Reel::Animation(_) => &[],
        }
    }

    /// Waits until the next frame, or the end, begins to come; `false` when it did not in `wait`.
    pub fn ready(&self, wait: Duration) -> bool {
        match &self.0 {
            Reel::Decoder(decoder) => decoder.ready(wait),
            Reel::Animation(_) => true,
        }
    }

    /// The next frame; `None` at the film's end.
    ///
    /// # Errors
    /// At the end, [`FilmError::Damaged`] when something could not be decoded.
    pub fn next_frame(&mut self) -> Result<Option<FilmFrame>, FilmError> {
        match &mut self.0 {
            Reel::Decoder(decoder) => decoder.next_frame(),
            Reel::Animation(animation) => animation.next_frame(),
        }
    }
}
