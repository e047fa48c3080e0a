//! Naming live faces: when a followed face is looked at, and what comes of it.

use std::time::Instant;

use super::finder;
use super::gallery::{Gallery, Limits};
use super::net::DescriptorNet;
use super::quality::Gate;
use super::watch::Watch;
use crate::config::{self, LiveCheck};
use crate::nets::engine::EngineError;
use crate::see::search::FaceDetector;
use crate::vocabulary::emotion::{Detection, Person};
use crate::vocabulary::frame::Frame;

/// The net, who is enrolled, and what is asked of a face.
pub struct Recogniser {
    net: DescriptorNet,
    /// Places the key points.
    close: FaceDetector,
    gallery: Gallery,
    limits: Limits,
    check: LiveCheck,
}

impl Recogniser {
    pub fn new(net: DescriptorNet, close: FaceDetector, gallery: Gallery, config: &config::People) -> Self {
        let limits = Limits { threshold: config.threshold, margin: config.margin };
        Self { net, close, gallery, limits, check: config.check }
    }

    /// Which descriptors the net can be compared with, and their length.
    pub fn space(&self) -> (&str, usize) {
        (self.net.space(), self.net.length())
    }

    /// Other people are enrolled from now on.
    pub fn enrol(&mut self, gallery: Gallery) {
        self.gallery = gallery;
    }

    /// Looks at a face that was found in `frame` if it is time to. Answers whether the net has run, which is enough for one frame.
    pub fn look(
        &mut self,
        frame: &Frame,
        face: &Detection,
        watch: &mut Watch,
        now: Instant,
    ) -> Result<bool, EngineError> {
        watch.see(&face.landmarks, now);
        if self.gallery.is_empty() || !watch.due(now) {
            return Ok(false);
        }
        if Gate::LIVE.check_pose(face).is_err() {
            watch.missed(now);
            return Ok(false);
        }
        let face = finder::look_closer(&mut self.close, frame, face)?;
        match self.net.chip(frame, &face.landmarks) {
            Some(chip) if Gate::LIVE.check_sharpness(&chip).is_ok() => {
                let descriptor = self.net.describe(&chip)?;
                watch.vote(self.gallery.nearest(&descriptor), &self.limits, now);
            }
            _ => watch.missed(now),
        }
        Ok(true)
    }

    /// Who a photo's face is, in one look.
    pub fn still(&mut self, photo: &Frame, face: &Detection) -> Result<Option<Person>, EngineError> {
        if self.gallery.is_empty() {
            return Ok(None);
        }
        let face = finder::look_closer(&mut self.close, photo, face)?;
        let Some(chip) = self.net.chip(photo, &face.landmarks) else { return Ok(None) };
        let nearest = self.gallery.nearest(&self.net.describe(&chip)?);
        let known = nearest.filter(|nearest| nearest.within(&self.limits));
        Ok(known.map(|nearest| Person { name: nearest.name, checked: false }))
    }

    /// Who the followed face is.
    pub fn person(&self, watch: &Watch) -> Option<Person> {
        let checked = self.check == LiveCheck::None || watch.turned();
        watch.name().map(|name| Person { name: name.clone(), checked })
    }
}
