//! One photo.

use std::time::Instant;

use anyhow::Context;
use image::RgbImage;

use super::choice::Choice;
use super::copies::{self, Job};
use crate::cli::inputs;
use crate::cli::workers::Budget;
use crate::media::photo::{self, Metadata};
use crate::overlay::{self, Mark};
use crate::pipeline::Pipeline;
use crate::vocabulary::emotion::Face;
use crate::vocabulary::wire;

/// What is done with every photo.
pub struct Stills<'a> {
    /// What is decoded at once, in pixels.
    pub budget: Budget,
    pub choice: &'a Choice,
    pub force: bool,
}

impl Stills<'_> {
    /// Reads the photo and writes its marked copy; `None` where none of its faces is wanted.
    pub fn classify(&self, job: &Job, pipeline: &mut Pipeline) -> anyhow::Result<Option<wire::Picture>> {
        let (bytes, name) = inputs::load(&job.input.path, job.input.kind)?;
        self.classify_bytes(job, bytes, &name, pipeline)
    }

    /// The same with the content that was read; `name` is what messages call it.
    pub fn classify_bytes(
        &self,
        job: &Job,
        bytes: Vec<u8>,
        name: &str,
        pipeline: &mut Pipeline,
    ) -> anyhow::Result<Option<wire::Picture>> {
        let _used = self.budget.take(photo::pixels(&bytes));
        let frame = photo::to_frame(photo::decode(&bytes, name)?, Instant::now(), 0);
        let metadata = job.target.as_ref().map(|_| Metadata::of(&bytes)).unwrap_or_default();
        drop(bytes);
        let seen = pipeline.still(&frame)?;
        if seen.left_out > 0 {
            let (told, left_out) = (seen.faces.len(), seen.left_out);
            log::warn!("{name}: only the {told} most certain faces are told, {left_out} are left out");
        }
        let Some(faces) = self.choice.faces(seen.faces.iter()) else { return Ok(None) };
        let picture = wire::Picture {
            source: job.input.source(),
            frame: 0,
            time_s: 0.0,
            width: frame.width,
            height: frame.height,
            faces: faces.iter().copied().map(wire::Face::from).collect(),
            faces_left_out: seen.left_out,
        };
        if let Some(target) = &job.target {
            let pixels =
                RgbImage::from_raw(frame.width, frame.height, frame.data.to_vec()).context("pixels")?;
            drop(frame);
            copies::save(&overlay::annotate(pixels, &marks(&faces)), &metadata, target, self.force)?;
        }
        Ok(Some(picture))
    }
}

/// The only face of a photo needs no number.
fn marks(faces: &[&Face]) -> Vec<Mark> {
    let several = faces.len() > 1;
    faces.iter().map(|face| Mark { id: several.then_some(face.id), ..Mark::from(*face) }).collect()
}
