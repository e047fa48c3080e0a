//! From names in the configuration to loaded nets.

use std::path::Path;

use crate::assets::{self, NotFound};
use crate::classify::Classifier;
use crate::config;
use crate::detect::FaceDetector;
use crate::engine::litert::{LiteRt, Runtime};
use crate::engine::{Engine, EngineError};
use crate::pipeline::Pipeline;
use crate::sidecar::{self, DetectorModel, EmotionModel, Kind, SidecarError};

/// Why a net cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
}

/// The configured face detector.
pub fn detector(config: &config::Detector) -> Result<FaceDetector, ModelError> {
    let path = assets::model(&config.model)?;
    let engine = engine(&path)?;
    let model: DetectorModel = sidecar::read(&path, Kind::FaceDetector)?;
    FaceDetector::new(engine, model, config).map_err(|unfit| sidecar::mismatch(&path, unfit).into())
}

/// The configured emotion net.
pub fn classifier(config: &config::Classifier) -> Result<Classifier, ModelError> {
    let path = assets::model(&config.model)?;
    let engine = engine(&path)?;
    let model: EmotionModel = sidecar::read(&path, Kind::Emotion)?;
    Classifier::new(engine, model).map_err(|unfit| sidecar::mismatch(&path, unfit).into())
}

/// The configured detector and net, ready for frames.
pub fn pipeline(config: &config::Config) -> Result<Pipeline, ModelError> {
    let detector = detector(&config.detector)?;
    let classifier = classifier(&config.classifier)?;
    Ok(Pipeline::new(detector, classifier, &config.smoothing, config.classifier.min_confidence))
}

/// A model alone, to time it.
pub fn bare(name: &Path) -> Result<Box<dyn Engine>, ModelError> {
    engine(&assets::model(name)?)
}

fn engine(path: &Path) -> Result<Box<dyn Engine>, ModelError> {
    let runtime = Runtime::open(&assets::runtime()?)?;
    Ok(Box::new(LiteRt::load(runtime, path)?))
}
