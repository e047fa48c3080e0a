//! Why a model cannot be had or run.

use std::error::Error;
use std::path::PathBuf;

/// What failed; the cause says why.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum EngineError {
    /// The model's file cannot be read.
    #[error("unable to read model {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is no model, or none that this program can use.
    #[error("unable to use model {}: {source}", path.display())]
    Model { path: PathBuf, source: Cause },
    /// The runtime library cannot be loaded.
    #[error("unable to load the TFLite runtime {}: {source}", path.display())]
    Runtime { path: PathBuf, source: Cause },
    /// What shall run the model in place of the CPU cannot be had or does not take it.
    #[error("unable to use delegate {delegate}: {source}")]
    Delegate { delegate: String, source: Cause },
    /// The model failed on an input.
    #[error("unable to run model {model}: {source}")]
    Run { model: String, source: Cause },
}

/// The cause of an [`EngineError`].
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Cause {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("it has {inputs} inputs and {outputs} outputs")]
    Arity { inputs: usize, outputs: usize },
    #[error("tensor {tensor:?} has the open shape {shape:?}; export the model with a fixed batch of 1")]
    OpenShape { tensor: String, shape: Vec<i32> },
    #[error("tensor {tensor:?} is of {dtype} instead of float32, int8 or uint8")]
    Type { tensor: String, dtype: String },
    #[error(
        "it was compiled for an Edge TPU and runs nowhere else (set classifier.delegate = \"edgetpu\", or use the model that it was made from)"
    )]
    ForEdgeTpu,
    #[error("tensor {tensor:?} has shape {file:?} in the file and {signature:?} in its signature")]
    OtherShape { tensor: String, file: Vec<i32>, signature: Vec<i32> },
    #[error("tensor {tensor:?} has {file} bytes in the file and {library} in the library")]
    OtherSize { tensor: String, file: usize, library: usize },
    #[error("the model for the CPU has other inputs or outputs")]
    OtherTensors,
    #[error("the input has {found} bytes instead of {expected}")]
    Length { found: usize, expected: usize },
    #[error("its answer holds values that are no numbers")]
    NotFinite,
    /// What the runtime says, and what helps: ` (remedy)` or nothing.
    #[error("{}{remedy}", one_line(source))]
    Runtime { source: edgefirst_tflite::Error, remedy: &'static str },
    #[error("{}", one_line(.0))]
    Accelerator(#[source] libloading::Error),
    #[error("the runtime did not take the accelerator (are both of one version?)")]
    NotTaken,
    #[error("{} was not compiled for it (run edgetpu_compiler on the model)", .0.display())]
    NotCompiled(PathBuf),
    #[error("unable to load {}: {}", path.display(), one_line(source))]
    Library { path: PathBuf, source: edgefirst_tflite::Error },
    #[error(
        "no classic TFLite library was found (apt install libtensorflow-lite2.14.1, or set classifier.classic_library)"
    )]
    NoLibrary(#[source] edgefirst_tflite::Error),
    #[error("it refused the model with status {0} (its reason is on standard error)")]
    Refused(u32),
    #[error("it took none of the model's {0} nodes")]
    TookNothing(usize),
}

impl From<edgefirst_tflite::Error> for Cause {
    fn from(source: edgefirst_tflite::Error) -> Self {
        Self::Runtime { source, remedy: "" }
    }
}

/// The error and what is behind it, as far as that says more.
fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text.replace('\n', " ")
}

/// Why bytes are no TFLite model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("not a TFLite model (the file identifier TFL3 is missing)")]
    NotTflite,
    #[error("the file is damaged or cut short")]
    Damaged,
}
