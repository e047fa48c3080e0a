//! Why a film cannot be read.

use std::time::Duration;

use crate::media::photo::MAX_PIXELS;

#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FilmError {
    #[error("{program} is not installed (apt install ffmpeg)")]
    NoFfmpeg { program: &'static str },
    #[error("unable to run {program}: {source}")]
    Run { program: &'static str, source: std::io::Error },
    /// It is no film, or one that cannot be decoded at all.
    #[error("it is neither a photo nor a film: {reason}")]
    NotAFilm { reason: String },
    #[error("it has no video track {track} but {tracks} (--track)")]
    NoTrack { track: usize, tracks: usize },
    /// Nothing is left of it.
    #[error("it has no frame between --from and --to")]
    OutOfRange,
    #[error("{width}x{height} pixels are beyond the limit of {} megapixels", MAX_PIXELS / 1_000_000)]
    TooLarge { width: u32, height: u32 },
    /// What can be decoded was.
    #[error("the film is damaged near {:.1} s, the rest was read: {reason}", near.as_secs_f64())]
    Damaged { near: Duration, reason: String },
}
