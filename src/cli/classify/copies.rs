//! Marked copies: where they go, and writing photos.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use image::codecs::bmp::BmpEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ImageEncoder, ImageFormat, ImageResult, RgbImage};

use crate::base::atomic_file::Part;
use crate::cli::inputs::{Claims, Found, Input, Kind, identity};
use crate::media::photo::Metadata;

/// Little enough loss that text stays sharp, 1 to 100.
const JPEG_QUALITY: u8 = 92;

/// An input, and where its copy goes.
#[derive(Debug)]
pub struct Job {
    pub input: Input,
    pub target: Option<PathBuf>,
    /// Its copy was there before.
    pub copied: bool,
}

/// Files and folders by what makes them one.
pub type Originals = HashSet<(u64, u64)>;

/// What is read, and must not be written to.
pub fn originals(found: &[Found]) -> Originals {
    let inputs = found.iter().flatten().filter_map(|input| input.path.metadata().ok());
    inputs.filter(fs::Metadata::is_file).map(|metadata| identity(&metadata)).collect()
}

/// # Errors
/// When `target` is one of them.
pub fn spare(target: &Path, originals: &Originals) -> anyhow::Result<()> {
    match target.metadata() {
        Ok(there) if originals.contains(&identity(&there)) => {
            bail!("unable to write {}: it is an original (name another place)", target.display())
        }
        _ => Ok(()),
    }
}

/// Where copies go.
pub struct Copies<'a> {
    pub folder: Option<&'a Path>,
    pub force: bool,
    /// A copy that is there already is none that is written again.
    pub resume: bool,
}

impl Copies<'_> {
    /// A place for each input's copy; an error where there is none, before any work is done on it.
    pub fn plan(&self, found: Vec<Found>, originals: &Originals) -> Vec<anyhow::Result<Job>> {
        let mut claims = Claims::default();
        let mut plan = |input: Input| {
            let Some(folder) = self.folder else { return Ok(Job { input, target: None, copied: false }) };
            let target = claims.claim(folder.join(name(&input)), &input.path)?;
            spare(&target, originals)?;
            if !target.exists() || self.force {
                return Ok(Job { input, target: Some(target), copied: false });
            }
            if self.resume {
                return Ok(Job { input, target: None, copied: true });
            }
            bail!("unable to write {}: it exists (replace it with --force)", target.display())
        };
        found.into_iter().map(|found| found.and_then(&mut plan)).collect()
    }
}

/// The copy's path below the folder: as the input's where its format can be written.
fn name(input: &Input) -> PathBuf {
    let extension = input.below.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let (kept, added) = match input.kind {
        Kind::Film => (matches!(extension.as_str(), "mp4" | "m4v" | "mov" | "mkv"), ".mkv"),
        Kind::Photo | Kind::Pipe => (photo_format(&input.below).is_some(), ".png"),
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
        fs::create_dir_all(folder)
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

/// Writes the photo in the format of its name, with what the original says beside its pixels as far as that
/// format takes it.
pub fn save(picture: &RgbImage, metadata: &Metadata, target: &Path, force: bool) -> anyhow::Result<()> {
    let mut writer = BufWriter::new(begin(target, force)?);
    let written = match photo_format(target) {
        Some(ImageFormat::Jpeg) => {
            encode(JpegEncoder::new_with_quality(&mut writer, JPEG_QUALITY), picture, metadata)
        }
        Some(ImageFormat::WebP) => encode(WebPEncoder::new_lossless(&mut writer), picture, metadata),
        Some(ImageFormat::Tiff) => encode(TiffEncoder::new(&mut writer), picture, metadata),
        Some(ImageFormat::Bmp) => encode(BmpEncoder::new(&mut writer), picture, metadata),
        _ => encode(PngEncoder::new(&mut writer), picture, metadata),
    };
    written.with_context(|| format!("unable to write {}", target.display()))?;
    let part = writer.into_inner().map_err(|error| unwritable(target, error.error()))?;
    part.commit().map_err(|error| unwritable(target, &error))
}

fn encode(mut encoder: impl ImageEncoder, picture: &RgbImage, metadata: &Metadata) -> ImageResult<()> {
    // What a format has no place for is left out.
    if let Some(exif) = &metadata.exif {
        let _ = encoder.set_exif_metadata(exif.clone());
    }
    if let Some(icc) = &metadata.icc {
        let _ = encoder.set_icc_profile(icc.clone());
    }
    picture.write_with_encoder(encoder)
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
            ("stdin", Kind::Pipe, "stdin.png"),
            ("a.mp4", Kind::Film, "a.mp4"),
            ("a.webm", Kind::Film, "a.webm.mkv"),
        ];
        for (below, kind, expected) in cases {
            assert_eq!(name(&input(below, kind)), Path::new(expected));
        }
    }
}
