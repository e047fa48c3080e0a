//! Photos one by one, with nets of their own.

use super::Pipeline;
use super::load::{self, ModelError};
use crate::config::Config;
use crate::nets::engine::EngineError;
use crate::vocabulary::emotion::Still;
use crate::vocabulary::frame::Frame;

/// Why a photo has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StillError {
    #[error(transparent)]
    Nets(#[from] ModelError),
    #[error(transparent)]
    Run(#[from] EngineError),
}

/// Nets for photos, loaded with the first one: who asks for nothing needs no memory for them.
pub struct Stills {
    config: Config,
    nets: Option<Pipeline>,
}

impl Stills {
    /// Nets as configured.
    pub fn new(config: Config) -> Self {
        Self { config, nets: None }
    }

    /// The faces of a photo, at most [`MAX_STILL_FACES`](super::MAX_STILL_FACES). `min_confidence`, 0 to 1, is the probability below
    /// which a face is `uncertain`; the configured one without it.
    ///
    /// # Errors
    /// When a net cannot be loaded or fails.
    pub fn faces(&mut self, frame: &Frame, min_confidence: Option<f32>) -> Result<Still, StillError> {
        // Taken out, so that nets which panicked are not used again.
        let mut nets = match self.nets.take() {
            Some(nets) => nets,
            None => load::pipeline(&self.config)?,
        };
        let min_confidence = min_confidence.unwrap_or(self.config.classifier.min_confidence);
        nets.configure(&self.config.smoothing, min_confidence);
        let seen = nets.still(frame);
        self.nets = Some(nets);
        Ok(seen?)
    }
}
