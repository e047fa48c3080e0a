//! What the subcommands that read photos share.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use crate::frame::Frame;
use crate::photo::{self, PhotoError};

/// Names of the files that are read as photos.
const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif"];

/// Reads a photo as a frame.
pub fn read(path: &Path) -> Result<Frame, PhotoError> {
    Ok(photo::to_frame(photo::read(path)?, Instant::now(), 0))
}

/// The photos that `paths` name, folders replaced by the photos below them, sorted.
pub fn list(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut photos = Vec::new();
    for path in paths {
        if path.is_dir() {
            list_folder(path, &mut photos)?;
        } else {
            photos.push(path.clone());
        }
    }
    Ok(photos)
}

/// Folders that are links are left out, so that a loop of links ends.
fn list_folder(folder: &Path, photos: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let failed = || format!("unable to read folder {}", folder.display());
    let mut entries =
        std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().with_context(failed)?.is_dir() {
            list_folder(&path, photos)?;
        } else if is_photo(&path) {
            photos.push(path);
        }
    }
    Ok(())
}

fn is_photo(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}
