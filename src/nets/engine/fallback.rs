//! An engine that gives way to another when it fails while running, as a delegate does whose accelerator
//! was unplugged.

use super::error::{Cause, EngineError};
use super::{Engine, TensorInfo};

/// Loads what runs instead.
pub type Substitute = Box<dyn FnOnce() -> Result<Box<dyn Engine>, EngineError> + Send>;

/// Runs `engine` until its first error, and from then on, with the same input again, its substitute.
pub struct Fallback {
    engine: Box<dyn Engine>,
    substitute: Option<Substitute>,
}

impl Fallback {
    pub fn new(engine: Box<dyn Engine>, substitute: Substitute) -> Self {
        Self { engine, substitute: Some(substitute) }
    }

    /// The substitute, if it reads and tells the same numbers as the engine.
    fn replacement(&self, substitute: Substitute) -> Result<Box<dyn Engine>, EngineError> {
        let other = substitute()?;
        let numbers = |engine: &dyn Engine| {
            let tensors = engine.inputs().iter().chain(engine.outputs());
            tensors
                .map(|tensor| (tensor.dtype, tensor.shape.clone(), tensor.quantization))
                .collect::<Vec<_>>()
        };
        if numbers(self.engine.as_ref()) != numbers(other.as_ref()) {
            let delegate = "cpu".to_owned();
            return Err(EngineError::Delegate { delegate, source: Cause::OtherTensors });
        }
        Ok(other)
    }
}

impl Engine for Fallback {
    fn inputs(&self) -> &[TensorInfo] {
        self.engine.inputs()
    }

    fn outputs(&self) -> &[TensorInfo] {
        self.engine.outputs()
    }

    fn run(&mut self, input: &[u8]) -> Result<(), EngineError> {
        let Err(error) = self.engine.run(input) else { return Ok(()) };
        let Some(substitute) = self.substitute.take() else { return Err(error) };
        match self.replacement(substitute) {
            Ok(other) => {
                log::warn!("{}: {error}; going on with {}", self.engine.delegate(), other.delegate());
                self.engine = other;
                self.engine.run(input)
            }
            Err(reason) => {
                log::error!("{}: {error}; nothing runs instead: {reason}", self.engine.delegate());
                Err(error)
            }
        }
    }

    fn output(&self, index: usize) -> &[u8] {
        self.engine.output(index)
    }

    fn delegate(&self) -> &str {
        self.engine.delegate()
    }
}
