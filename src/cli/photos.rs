//! What the subcommands that read photos share.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cli::inputs::{self, Media};
use crate::media::photo::{self, PhotoError};
use crate::vocabulary::frame::Frame;

/// Reads a photo as a frame.
pub fn read(path: &Path) -> Result<Frame, PhotoError> {
    Ok(photo::to_frame(photo::read(path)?, Instant::now(), 0))
}

/// The photos that `paths` name, folders replaced by the photos below them, sorted.
///
/// # Errors
/// The first place that cannot be read.
pub fn list(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let (found, left_out) = inputs::find(paths, Media::Photos, None);
    left_out.tell();
    found.into_iter().map(|found| Ok(found?.path)).collect()
}
