//! What of a film is wanted.

use std::time::Duration;

/// What of a film is wanted; by default all of its default video track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilmOptions {
    /// Video track, counted from 1; else the one that the film calls its default, else the first.
    pub track: Option<usize>,
    /// Which part of it is read.
    pub range: Range,
}

/// A stretch of the film's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Frames at this time and later.
    pub from: Duration,
    /// Frames before this time.
    pub to: Option<Duration>,
}

impl Range {
    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a frame of this time is wanted. It is decided with the same numbers as by `ffmpeg` in
    /// [`Self::filter`], so that both agree on every frame.
    pub fn holds(&self, seconds: Option<f64>) -> bool {
        self.is_all()
            || seconds.is_some_and(|seconds| {
                seconds >= self.from.as_secs_f64() && self.to.is_none_or(|to| seconds < to.as_secs_f64())
            })
    }

    /// The `ffmpeg` filter that lets only these frames through.
    pub fn filter(&self) -> Option<String> {
        let from = format!("gte(t,{})", self.from.as_secs_f64());
        let to = self.to.map(|to| format!("*lt(t,{})", to.as_secs_f64()));
        (!self.is_all()).then(|| format!("select='{from}{}'", to.unwrap_or_default()))
    }
}
