//! `emotiond classify`: the emotion of the faces in photos.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::{ModelArg, Status, photos};
use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::{models, wire};

#[derive(Debug, clap::Args)]
pub struct ClassifyArgs {
    /// Photos, and folders of photos
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Prints one JSON object a photo
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model: ModelArg,
}

/// Reads every photo; one that cannot be read is named on standard error and skipped.
pub fn run(args: &ClassifyArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    let mut pipeline = models::pipeline(config)?;
    let mut out = std::io::stdout().lock();
    let mut status = Status::Done;
    for path in photos::list(&args.paths)? {
        match classify(&path, &mut pipeline) {
            Ok(picture) if args.json => writeln!(out, "{}", serde_json::to_string(&picture)?)?,
            Ok(picture) => write_lines(&mut out, &picture)?,
            Err(error) => {
                eprintln!("emotiond: {}", super::one_line(&error));
                status = Status::Failed;
            }
        }
    }
    Ok(status)
}

fn classify(path: &Path, pipeline: &mut Pipeline) -> anyhow::Result<wire::Picture> {
    let frame = photos::read(path)?;
    let faces = pipeline.still(&frame)?;
    Ok(wire::Picture {
        source: path.display().to_string(),
        frame: 0,
        time_s: 0.0,
        width: frame.width,
        height: frame.height,
        faces: faces.iter().map(wire::Face::from).collect(),
    })
}

fn write_lines(out: &mut impl Write, picture: &wire::Picture) -> std::io::Result<()> {
    if picture.faces.is_empty() {
        return writeln!(out, "{}: no face", picture.source);
    }
    for face in &picture.faces {
        writeln!(
            out,
            "{}: {} {:.0} % at {:.0},{:.0} {:.0}x{:.0}",
            picture.source,
            face.emotion,
            100.0 * face.confidence,
            face.bounds.x,
            face.bounds.y,
            face.bounds.width,
            face.bounds.height
        )?;
    }
    Ok(())
}
