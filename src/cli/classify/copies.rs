//! Marked copies: where they go, and writing photos.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

use crate::base::atomic_file::Part;
use crate::cli::inputs::{Claims, Found, Input, Kind, identity};

/// Little enough loss that text stays sharp, 1 to 100.
const JPEG_QUALITY: u8 = 92;

/// An input, and where its copy goes.
#[derive(Debug)]
pub struct Job {
    pub input: Input,
    pub target: Option<PathBuf>,
}

/// Where copies go.
pub struct Copies<'a> {
    pub folder: Option<&'a Path>,
    pub force: bool,
}

impl Copies<'_> {
    /// A place for each input's copy; an error where there is none, before any work is done on it.
    pub fn plan(&self, found: Vec<Found>) -> Vec<anyhow::Result<Job>> {
        let Some(folder) = self.folder else {
            return found.into_iter().map(|found| Ok(Job { input: found?, target: None })).collect();
        };
        let inputs = found.iter().flatten().filter_map(|input| input.path.metadata().ok());
        let originals: HashSet<(u64, u64)> = inputs.map(|metadata| identity(&metadata)).collect();
        let mut claims = Claims::default();
        let mut plan = |input: Input| {
            let target = claims.claim(folder.join(name(&input)), &input.path)?;
            self.check(&target, &originals)?;
            Ok(Job { input, target: Some(target) })
        };
        found.into_iter().map(|found| found.and_then(&mut plan)).collect()
    }

    fn check(&self, target: &Path, originals: &HashSet<(u64, u64)>) -> anyhow::Result<()> {
        let Ok(there) = target.metadata() else { return Ok(()) };
        if originals.contains(&identity(&there)) {
            bail!("unable to write {}: it is an original (name another folder with --out)", target.display());
        }
        if !self.force {
            bail!("unable to write {}: it exists (replace it with --force)", target.display());
        }
        Ok(())
    }
}

/// The copy's path below the folder: as the input's where its format can be written.
fn name(input: &Input) -> PathBuf {
    let extension = input.below.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let (kept, added) = match input.kind {
        Kind::Film => (matches!(extension.as_str(), "mp4" | "m4v" | "mov" | "mkv"), ".mkv"),
        Kind::Photo | Kind::Stdin => (photo_format(&input.below).is_some(), ".png"),
    };
    if kept {
        return input.below.clone();
    }
    let mut name = OsString::from(&input.below);
    name.push(added);
    name.into()
}

/// The format that a photo's name stands for, if it is written.
fn photo_format(path: &Path) -> Option<ImageFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jpe" => Some(ImageFormat::Jpeg),
        "png" => Some(ImageFormat::Png),
        "webp" => Some(ImageFormat::WebP),
        "bmp" => Some(ImageFormat::Bmp),
        "tif" | "tiff" => Some(ImageFormat::Tiff),
        _ => None,
    }
}

/// Begins the file at `target`, with the folders above it.
pub fn begin(target: &Path, force: bool) -> anyhow::Result<Part> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("unable to make the folder {}", folder.display()))?;
    }
    Part::create(target, force).map_err(|error| unwritable(target, &error))
}

/// What is wrong with writing `target`.
pub fn unwritable(target: &Path, error: &std::io::Error) -> anyhow::Error {
    let place = target.display();
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            anyhow!("unable to write {place}: it exists (replace it with --force)")
        }
        _ => anyhow!("unable to write {place}: {error}"),
    }
}

/// Writes the photo in the format of its name.
pub fn save(picture: &RgbImage, target: &Path, force: bool) -> anyhow::Result<()> {
    let mut writer = BufWriter::new(begin(target, force)?);
    let written = match photo_format(target) {
        Some(ImageFormat::Jpeg) => {
            JpegEncoder::new_with_quality(&mut writer, JPEG_QUALITY).encode_image(picture)
        }
        format => picture.write_to(&mut writer, format.unwrap_or(ImageFormat::Png)),
    };
    written.with_context(|| format!("unable to write {}", target.display()))?;
    let part = writer.into_inner().map_err(|error| unwritable(target, error.error()))?;
    part.commit().map_err(|error| unwritable(target, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_keep_what_can_be_written() {
        let input = |below: &str, kind| Input { path: below.into(), kind, below: below.into() };
        let cases = [
            ("a/b.JPG", Kind::Photo, "a/b.JPG"),
            ("a.gif", Kind::Photo, "a.gif.png"),
            ("unnamed", Kind::Photo, "unnamed.png"),
            ("stdin", Kind::Stdin, "stdin.png"),
            ("a.mp4", Kind::Film, "a.mp4"),
            ("a.webm", Kind::Film, "a.webm.mkv"),
        ];
        for (below, kind, expected) in cases {
            assert_eq!(name(&input(below, kind)), Path::new(expected));
        }
    }
}
