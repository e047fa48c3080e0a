//! The nets that turn a photo into a descriptor.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cli::progress::{Progress, Stop};
use crate::cli::workers::{self, Budget};
use crate::config::{self, Config};
use crate::media::photo;
use crate::nets::engine::EngineError;
use crate::people::Descriptor;
use crate::people::finder::{self, Found};
use crate::people::net::{Chip, DescriptorNet};
use crate::pipeline::load::{self, ModelError};
use crate::see::search::FaceDetector;
use crate::vocabulary::frame::Frame;

pub struct Nets {
    detectors: Vec<FaceDetector>,
    pub net: DescriptorNet,
}

/// The main face of a photo.
pub struct Described {
    pub found: Found,
    pub chip: Chip,
    pub descriptor: Descriptor,
}

impl Nets {
    pub fn load(config: &Config) -> Result<Self, ModelError> {
        let mut detectors = vec![load::detector(&config.detector)?];
        if config.detector.model != Path::new(config::CLOSE_DETECTOR) {
            detectors.push(load::close_detector(&config.detector)?);
        }
        Ok(Self { detectors, net: load::descriptor(&config.people)? })
    }

    /// `None` where no look is sure of a face.
    pub fn describe(&mut self, photo: &Frame) -> Result<Option<Described>, EngineError> {
        Ok(self.guess(photo)?.filter(|described| described.found.sure))
    }

    /// Like [`Self::describe`], but takes what looks most like a face where none is sure.
    pub fn guess(&mut self, photo: &Frame) -> Result<Option<Described>, EngineError> {
        let Some(found) = finder::find(&mut self.detectors, photo)? else { return Ok(None) };
        let Some(chip) = self.net.chip(photo, &found.face.landmarks) else { return Ok(None) };
        let descriptor = self.net.describe(&chip)?;
        Ok(Some(Described { found, chip, descriptor }))
    }
}

/// Describes the main face of each photo, also where no look is sure of it, on all cores; `take` gets the answers in the photos' order.
pub fn describe_all(
    photos: &[PathBuf],
    config: &Config,
    mut take: impl FnMut(&Path, anyhow::Result<Option<Described>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    let mut nets: Vec<Nets> =
        (0..workers::count(photos.len())).map(|_| Nets::load(config)).collect::<Result<_, _>>()?;
    let budget = Budget::new(photo::MAX_PIXELS);
    let work = |nets: &mut Nets, index: usize| {
        let bytes = photo::load(&photos[index])?;
        let _used = budget.take(photo::pixels(&bytes));
        let photo = photo::decode(&bytes, &photos[index].display().to_string())?;
        Ok(nets.guess(&photo::to_frame(photo, Instant::now(), 0))?)
    };
    let progress = Progress::new(Some(photos.len() as u64), "photos", "");
    workers::in_order(&mut nets, photos.len(), work, |index, answer| {
        stop.check()?;
        progress.aside(|| take(&photos[index], answer))?;
        progress.step();
        Ok(())
    })
}

/// A face to enrol and where it is from.
pub struct Candidate {
    pub source: String,
    pub descriptor: Descriptor,
}
