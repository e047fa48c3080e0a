//! One photo.

use std::time::Instant;

use anyhow::Context;
use image::RgbImage;

use super::copies::{self, Job};
use crate::cli::inputs;
use crate::cli::workers::Budget;
use crate::media::photo;
use crate::overlay::{self, Mark};
use crate::pipeline::Pipeline;
use crate::vocabulary::emotion::Face;
use crate::vocabulary::wire;

/// Reads the photo and writes its marked copy. `budget` is what is decoded at once, in pixels.
pub fn classify(
    job: &Job,
    pipeline: &mut Pipeline,
    budget: &Budget,
    force: bool,
) -> anyhow::Result<wire::Picture> {
    let (bytes, name) = inputs::load(&job.input.path, job.input.kind)?;
    let _used = budget.take(photo::pixels(&bytes));
    let frame = photo::to_frame(photo::decode(&bytes, &name)?, Instant::now(), 0);
    drop(bytes);
    let faces = pipeline.still(&frame)?;
    let picture = wire::Picture {
        source: job.input.path.display().to_string(),
        frame: 0,
        time_s: 0.0,
        width: frame.width,
        height: frame.height,
        faces: faces.iter().map(wire::Face::from).collect(),
    };
    if let Some(target) = &job.target {
        let pixels = RgbImage::from_raw(frame.width, frame.height, frame.data.to_vec()).context("pixels")?;
        drop(frame);
        copies::save(&overlay::annotate(pixels, &marks(&faces)), target, force)?;
    }
    Ok(picture)
}

/// The only face of a photo needs no number.
fn marks(faces: &[Face]) -> Vec<Mark> {
    let several = faces.len() > 1;
    faces.iter().map(|face| Mark { id: several.then_some(face.id), ..Mark::from(face) }).collect()
}
