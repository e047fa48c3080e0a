//! From names in the configuration to loaded nets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::config::{self, Delegate};
use crate::nets::assets::{self, NotFound};
use crate::nets::engine::classic::{Classic, External};
use crate::nets::engine::fallback::Fallback;
use crate::nets::engine::litert::{LiteRt, Runtime};
use crate::nets::engine::{Engine, EngineError};
use crate::nets::sidecar::{self, DescriptorModel, DetectorModel, EmotionModel, Kind, SidecarError};
use crate::people::gallery::Gallery;
use crate::people::net::DescriptorNet;
use crate::people::recogniser::Recogniser;
use crate::people::store::{self, People};
use crate::pipeline::Pipeline;
use crate::see::classify::Classifier;
use crate::see::search::FaceDetector;

/// Why a net cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ModelError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error("{0}; the face descriptor is built by `make people-model`")]
    NoDescriptor(NotFound),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    #[error("{refusal}; nor does the CPU do: {error}")]
    NeitherNor { refusal: Box<ModelError>, error: Box<EngineError> },
}

/// The configured face detector.
///
/// # Errors
/// When a file is missing, or is none that can be used.
pub fn detector(config: &config::Detector) -> Result<FaceDetector, ModelError> {
    let path = assets::model(&config.model)?;
    let engine = engine(&path)?;
    let model: DetectorModel = sidecar::read(&path, Kind::FaceDetector)?;
    FaceDetector::new(engine, model, config).map_err(|unfit| sidecar::mismatch(&path, unfit).into())
}

/// The detector that places the key points of a known face best, and finds faces that fill a photo.
///
/// # Errors
/// When a file is missing, or is none that can be used.
pub fn close_detector(config: &config::Detector) -> Result<FaceDetector, ModelError> {
    detector(&config::Detector { model: config::CLOSE_DETECTOR.into(), ..config.clone() })
}

/// The configured emotion net, on what it can be had on. That is told in the log, once.
///
/// # Errors
/// When a file is missing, or is none that can be used; also the delegate's, unless the CPU may do instead.
pub fn classifier(config: &config::Classifier) -> Result<Classifier, ModelError> {
    static TOLD: Once = Once::new();
    let (classifier, refusal) = classifier_and_refusal(config)?;
    TOLD.call_once(|| match refusal {
        Some(refusal) => log::warn!("classifier: {refusal}; running on the CPU (classifier.fallback)"),
        None if config.delegate == Delegate::Cpu && config.threads != 0 => {
            log::warn!("classifier.threads: the CPU's runtime takes no number of threads, only delegates do");
        }
        None => log::info!("classifier: {} on {}", classifier.name(), classifier.delegate()),
    });
    Ok(classifier)
}

/// The configured emotion net, and why it runs on the CPU when another delegate is configured.
///
/// # Errors
/// Also the delegate's, unless the CPU may do instead.
pub fn classifier_and_refusal(
    config: &config::Classifier,
) -> Result<(Classifier, Option<ModelError>), ModelError> {
    let path = assets::model(&config.model)?;
    let (engine, refusal) = delegated_or_not(&path, config)?;
    let model: EmotionModel = sidecar::read(&path, Kind::Emotion)?;
    let classifier = Classifier::new(engine, model).map_err(|unfit| sidecar::mismatch(&path, unfit))?;
    Ok((classifier, refusal))
}

/// The model on the configured delegate, or on the CPU and why. Where the CPU may do instead, it does so, too,
/// when the delegate fails later.
fn delegated_or_not(
    path: &Path,
    config: &config::Classifier,
) -> Result<(Box<dyn Engine>, Option<ModelError>), ModelError> {
    let may_fall_back = config.fallback && config.delegate != Delegate::Cpu;
    let (instead_of, path_for_cpu) = (config.delegate.to_string(), path_for_cpu(path));
    let on_cpu = move |runtime: Runtime| -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(LiteRt::load(runtime, &path_for_cpu)?.instead_of(&instead_of)))
    };
    match delegated(path, config) {
        Ok(engine) if may_fall_back => {
            let runtime = Runtime::open(&assets::runtime()?)?;
            let engine = Fallback::new(engine, Box::new(move || on_cpu(runtime)));
            Ok((Box::new(engine), None))
        }
        Err(refusal @ (ModelError::NotFound(_) | ModelError::Engine(EngineError::Delegate { .. })))
            if may_fall_back =>
        {
            // A model that was compiled for the delegate cannot run on the CPU: then both are said.
            match on_cpu(Runtime::open(&assets::runtime()?)?) {
                Ok(engine) => Ok((engine, Some(refusal))),
                Err(error) => {
                    Err(ModelError::NeitherNor { refusal: Box::new(refusal), error: Box::new(error) })
                }
            }
        }
        found => found.map(|engine| (engine, None)),
    }
}

/// The model that `edgetpu_compiler` made `path` from, which lies beside it where both were kept; else `path`.
fn path_for_cpu(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_suffix("_edgetpu.tflite"));
    let source = name.map(|stem| path.with_file_name(format!("{stem}.tflite")));
    source.filter(|source| source.is_file()).unwrap_or_else(|| path.to_owned())
}

/// The model on the configured delegate.
fn delegated(path: &Path, config: &config::Classifier) -> Result<Box<dyn Engine>, ModelError> {
    let library = match &config.delegate {
        Delegate::Cpu => return engine(path),
        Delegate::Gpu => {
            let runtime = Runtime::open(&assets::runtime()?)?;
            let runtime = runtime.with_gpu(&assets::gpu_accelerator()?)?;
            return Ok(Box::new(LiteRt::load(runtime, path)?));
        }
        Delegate::EdgeTpu => None,
        Delegate::Library(path) => Some(path.clone()),
    };
    let options = config.delegate_options.clone().into_iter().collect();
    let external = External { library, options, threads: config.threads };
    let classic = config.classic_library.clone().or_else(assets::classic_library);
    Ok(Box::new(Classic::load(classic.as_deref(), &external, path)?))
}

/// The configured detector and net, ready for frames.
///
/// # Errors
/// When a file is missing, or is none that can be used.
pub fn pipeline(config: &config::Config) -> Result<Pipeline, ModelError> {
    let detector = detector(&config.detector)?;
    let classifier = classifier(&config.classifier)?;
    let mut pipeline =
        Pipeline::new(detector, classifier, &config.smoothing, config.classifier.min_confidence);
    if config.people.enabled {
        let net = descriptor(&config.people)?;
        let gallery = gallery(&config.device.state_dir, net.space(), net.length());
        let close = close_detector(&config.detector)?;
        pipeline.recognise(Recogniser::new(net, close, gallery, &config.people));
    }
    Ok(pipeline)
}

/// The configured descriptor net.
///
/// # Errors
/// When a file is missing, or is none that can be used.
pub fn descriptor(config: &config::People) -> Result<DescriptorNet, ModelError> {
    let path = assets::model(&config.model).map_err(ModelError::NoDescriptor)?;
    let engine = engine(&path)?;
    let model: DescriptorModel = sidecar::read(&path, Kind::Descriptor)?;
    DescriptorNet::new(engine, model).map_err(|unfit| sidecar::mismatch(&path, unfit).into())
}

/// Who is enrolled in the state folder, for a net of this space and length; what cannot be used is said.
pub fn gallery(folder: &Path, space: &str, length: usize) -> Gallery {
    let people = store::load(folder).unwrap_or_else(|error| {
        log::warn!("nobody is recognised: {error}");
        People::default()
    });
    let (unused, spaces) = people.of_other_models(space);
    if unused > 0 {
        let spaces = spaces.join(", ");
        log::warn!("{unused} descriptors of people are of another model ({spaces}): add photos again");
    }
    people.gallery(space, length)
}

/// The detector's model alone, to time it.
///
/// # Errors
/// When the file is missing, or is none that can be used.
pub fn bare_detector(config: &config::Detector) -> Result<Box<dyn Engine>, ModelError> {
    engine(&assets::model(&config.model)?)
}

/// The emotion net's model alone, to time it, on what the whole one runs on.
///
/// # Errors
/// When the file is missing, or is none that can be used.
pub fn bare_classifier(config: &config::Classifier) -> Result<Box<dyn Engine>, ModelError> {
    delegated_or_not(&assets::model(&config.model)?, config).map(|(engine, _)| engine)
}

fn engine(path: &Path) -> Result<Box<dyn Engine>, ModelError> {
    let runtime = Runtime::open(&assets::runtime()?)?;
    Ok(Box::new(LiteRt::load(runtime, path)?))
}
