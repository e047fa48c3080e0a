//! `emotiond crop`: faces cut as the emotion model sees them, for training.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use crate::base::atomic_file::Part;
use crate::base::caught::caught;
use crate::base::printable::printable;
use crate::cli::inputs::{self, Claims, Kind, Media};
use crate::cli::model_arg::ModelArg;
use crate::cli::names;
use crate::cli::progress::{Progress, Stop};
use crate::cli::status::{Status, one_line};
use crate::cli::workers::{self, Budget};
use crate::config::Config;
use crate::media::photo;
use crate::pipeline::{Pipeline, load};
use crate::see::classify::FaceCrop;

#[derive(Debug, clap::Args)]
pub struct CropArgs {
    /// Photos, folders of photos, and - for a photo on standard input
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
    let stop = Stop::on_signals()?;
    let jobs = plan(args);
    let mut pipelines: Vec<Pipeline> =
        (0..workers::count(jobs.len())).map(|_| load::pipeline(config)).collect::<Result<_, _>>()?;
    let budget = Budget::new(photo::MAX_PIXELS);
    let work = |pipeline: &mut Pipeline, index: usize| match &jobs[index] {
        Ok(job) => caught(|| crop(job, pipeline, &budget))
            .unwrap_or_else(|panic| {
                Err(panic).with_context(|| format!("unable to read {}", job.path.display()))
            })
            .map(|count| (job, count)),
        Err(problem) => Err(anyhow!("{problem:#}")),
    };
    let progress = Progress::new(Some(jobs.len() as u64), "photos", "");
    let mut status = Status::Done;
    workers::in_order(&mut pipelines, jobs.len(), work, |_, result| {
        stop.check()?;
        progress.aside(|| match result {
            Ok((job, 1)) => say!("{}: 1 face", shown(&job.path)),
            Ok((job, count)) => say!("{}: {count} faces", shown(&job.path)),
            Err(error) => {
                eprintln!("emotiond: {}", one_line(&error));
                status = Status::Failed;
            }
        });
        progress.step();
        Ok(())
    })?;
    Ok(status)
}

fn shown(path: &Path) -> String {
    printable(&names::source(path))
}

struct Job {
    path: PathBuf,
    kind: Kind,
    /// Where its faces go, without extension.
    target: PathBuf,
}

fn plan(args: &CropArgs) -> Vec<anyhow::Result<Job>> {
    let mut claims = Claims::default();
    let (found, left_out) = inputs::find(&args.paths, Media::Photos, Some(&args.out));
    left_out.tell();
    found
        .into_iter()
        .map(|found| {
            let input = found?;
            let target = args.out.join(&input.below).with_extension("");
            let target = claims.claim(target, &input.path)?;
            Ok(Job { path: input.path, kind: input.kind, target })
        })
        .collect()
}

fn crop(job: &Job, pipeline: &mut Pipeline, budget: &Budget) -> anyhow::Result<usize> {
    let (bytes, name) = inputs::load(&job.path, job.kind)?;
    let _used = budget.take(photo::pixels(&bytes));
    let frame = photo::to_frame(photo::decode(&bytes, &name)?, Instant::now(), 0);
    let crops = pipeline.crops(&frame)?;
    if let Some(folder) = job.target.parent().filter(|_| !crops.is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("unable to make {}", folder.display()))?;
    }
    let name = job.target.file_name().unwrap_or_default().to_string_lossy();
    for (index, crop) in crops.iter().enumerate() {
        let file = match crops.len() {
            1 => format!("{name}.png"),
            _ => format!("{name}-{}.png", index + 1),
        };
        let file = job.target.with_file_name(file);
        save(crop, &file).with_context(|| format!("unable to write {}", file.display()))?;
    }
    Ok(crops.len())
}

fn save(crop: &FaceCrop, file: &Path) -> anyhow::Result<()> {
    let pixels = crop.pixels.clone();
    let picture: Option<DynamicImage> = match crop.channels {
        1 => GrayImage::from_raw(crop.width, crop.height, pixels).map(Into::into),
        _ => RgbImage::from_raw(crop.width, crop.height, pixels).map(Into::into),
    };
    let mut part = Part::create(file, true)?;
    picture.context("pixels")?.write_to(&mut part, ImageFormat::Png)?;
    Ok(part.commit()?)
}
