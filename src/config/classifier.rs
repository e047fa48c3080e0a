//! The section `[classifier]`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use super::keys::{Keys, Unfit};

/// Name of the emotion model that is used when none is configured.
pub const DEFAULT_CLASSIFIER: &str = "emotion";

/// Bounds of `classifier.min_confidence`, also when it is changed while running.
pub const MIN_CONFIDENCE: RangeInclusive<f64> = 0.0..=1.0;

/// The emotion net, and on what it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// File, or name of a shipped model.
    pub model: PathBuf,
    /// What runs the net.
    pub delegate: Delegate,
    /// Keys and values that an external delegate knows.
    pub delegate_options: BTreeMap<String, String>,
    /// The classic TFLite library; `None`: one beside the runtime, or the system's.
    pub classic_library: Option<PathBuf>,
    /// Run on the CPU when the delegate is not to be had.
    pub fallback: bool,
    /// Of what an external delegate leaves to the CPU; 0: the library's default.
    pub threads: u32,
    /// Below this probability, 0 to 1, a face is `uncertain`.
    pub min_confidence: f32,
}

/// What runs a net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegate {
    /// The processor, by LiteRT's XNNPACK.
    Cpu,
    /// A GPU, by LiteRT's accelerator.
    Gpu,
    /// Coral's Edge TPU, by its external delegate.
    EdgeTpu,
    /// The external delegate in this library.
    Library(PathBuf),
}

impl fmt::Display for Delegate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::EdgeTpu => f.write_str("edgetpu"),
            Self::Library(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Delegate {
    type Err = Unfit;

    fn from_str(name: &str) -> Result<Self, Unfit> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "edgetpu" => Ok(Self::EdgeTpu),
            path if path.starts_with('/') => Ok(Self::Library(path.into())),
            _ => Err(Unfit::new(format_args!(
                "{name:?} is none of cpu, gpu, edgetpu or the path of a library"
            ))),
        }
    }
}

impl Classifier {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        let model = keys
            .path("model", DEFAULT_CLASSIFIER)
            .help("\"emotion\", or a .tflite file with its sidecar .json beside it.")
            .get();
        let delegate = keys
            .text("delegate", Delegate::Cpu, str::parse)
            .help(
                "What runs the net: \"cpu\", \"gpu\", \"edgetpu\" (Coral), or the file of an external TFLite delegate, \
                 \"/path/lib.so\".",
            )
            .read();
        let delegate_options = keys
            .list("delegate_options", "{}", Ok::<BTreeMap<String, String>, Unfit>)
            .help("What an external delegate is told, for Coral { device = \"usb\" }, \"pci\" or \"usb:0\".")
            .read();
        let external = matches!(delegate.value, Delegate::EdgeTpu | Delegate::Library(_));
        if !delegate_options.value.is_empty() && !external && delegate.sound {
            let delegate = &delegate.value;
            let message = format!("delegate {delegate} takes none (edgetpu and libraries do)");
            keys.mistake(&delegate_options, message);
        }
        Self {
            model,
            delegate: delegate.value,
            delegate_options: delegate_options.value,
            classic_library: keys
                .file("classic_library")
                .help("The classic TFLite library, which edgetpu and external delegates need; empty: the system's.")
                .get(),
            fallback: keys
                .flag("fallback", true)
                .help(
                    "Runs on the CPU, and says so, when the delegate is absent or refuses the model; false: that is an \
                     error.",
                )
                .get(),
            threads: keys
                .integer("threads", 0, 0..=64)
                .help("For what an external delegate leaves to the CPU; 0: as many as the library likes.")
                .get(),
            min_confidence: keys
                .number("min_confidence", 0.4, MIN_CONFIDENCE)
                .help("Below this probability a face is \"uncertain\".")
                .get() as f32,
        }
    }
}
