//! What the engines of all runtimes have in common.

use std::path::Path;

use super::error::{Cause, EngineError};
use super::flatbuffer::{ModelInfo, check_length};
use super::{Engine, TensorInfo};

/// A loaded model beside the runtime's own handles to it.
pub struct Loaded {
    name: String,
    /// See [`Engine::delegate`].
    pub delegate: String,
    pub info: ModelInfo,
    /// The bytes of each output after the last run.
    pub results: Vec<Vec<u8>>,
}

impl Loaded {
    pub fn new(path: &Path, delegate: String, info: ModelInfo) -> Self {
        let results = info.outputs.iter().map(|tensor| vec![0; tensor.bytes()]).collect();
        Self { name: path.display().to_string(), delegate, info, results }
    }
}

/// A runtime with one model loaded: an [`Engine`] by that alone.
pub trait Run: Send {
    fn loaded(&self) -> &Loaded;

    /// Runs the model once and leaves its outputs in [`Loaded::results`]; `input` has the tensor's size.
    ///
    /// # Errors
    /// When the runtime fails.
    fn run_once(&mut self, input: &[u8]) -> Result<(), edgefirst_tflite::Error>;
}

impl<R: Run> Engine for R {
    fn inputs(&self) -> &[TensorInfo] {
        &self.loaded().info.inputs
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.loaded().info.outputs
    }

    fn run(&mut self, input: &[u8]) -> Result<(), EngineError> {
        check_length(&self.loaded().info, input)
            .and_then(|()| self.run_once(input).map_err(Cause::from))
            .map_err(|source| EngineError::Run { model: self.loaded().name.clone(), source })
    }

    fn output(&self, index: usize) -> &[u8] {
        &self.loaded().results[index]
    }

    fn delegate(&self) -> &str {
        &self.loaded().delegate
    }
}
