//! `emotiond crop`: faces cut as the emotion model sees them, for training.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use image::{GrayImage, RgbImage};

use crate::cli::{ModelArg, Status, photos};
use crate::config::Config;
use crate::models;
use crate::pipeline::Pipeline;

#[derive(Debug, clap::Args)]
pub struct CropArgs {
    /// Photos, and folders of photos
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Folder for the faces: NAME.png, or NAME-1.png, NAME-2.png … where there are several;
    /// folders below PATH are kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    model: ModelArg,
}

/// Cuts every face of every photo; prints a line a photo, so that one without a face is seen.
pub fn run(args: &CropArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    let mut pipeline = models::pipeline(config)?;
    let mut status = Status::Done;
    for root in &args.paths {
        for path in photos::list(std::slice::from_ref(root))? {
            let target = target(root, &path, &args.out)?;
            match crop(&path, &target, &mut pipeline) {
                Ok(1) => println!("{}: 1 face", path.display()),
                Ok(count) => println!("{}: {count} faces", path.display()),
                Err(error) => {
                    eprintln!("emotiond: {}", super::one_line(&error));
                    status = Status::Failed;
                }
            }
        }
    }
    Ok(status)
}

/// Where the faces of `path`, found below `root`, go, without extension.
fn target(root: &Path, path: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let below = path.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    let name = below.or_else(|| path.file_name().map(Path::new));
    let Some(name) = name else { bail!("{} names no photo", path.display()) };
    Ok(out.join(name).with_extension(""))
}

fn crop(path: &Path, target: &Path, pipeline: &mut Pipeline) -> anyhow::Result<usize> {
    let frame = photos::read(path)?;
    let crops = pipeline.crops(&frame)?;
    if let Some(folder) = target.parent().filter(|_| !crops.is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("unable to make {}", folder.display()))?;
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    for (index, crop) in crops.iter().enumerate() {
        let file = match crops.len() {
            1 => format!("{name}.png"),
            _ => format!("{name}-{}.png", index + 1),
        };
        let file = target.with_file_name(file);
        let pixels = crop.pixels.clone();
        let saved = match crop.channels {
            1 => GrayImage::from_raw(crop.width, crop.height, pixels).context("pixels")?.save(&file),
            _ => RgbImage::from_raw(crop.width, crop.height, pixels).context("pixels")?.save(&file),
        };
        saved.with_context(|| format!("unable to write {}", file.display()))?;
    }
    Ok(crops.len())
}
