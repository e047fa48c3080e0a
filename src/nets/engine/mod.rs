//! Running a TFLite model. The only users of the runtime library are below this module.

pub mod classic;
pub(crate) mod error;
pub(crate) mod fallback;
pub(crate) mod flatbuffer;
pub mod litert;
mod loaded;
mod quiet;
mod tensor;

pub use error::{Cause, EngineError};
pub use tensor::{DType, Quantization, TensorInfo, dequantize};

/// A loaded model with fixed shapes. An engine belongs to one thread.
pub trait Engine: Send {
    /// In the file's order.
    fn inputs(&self) -> &[TensorInfo];
    /// In the file's order.
    fn outputs(&self) -> &[TensorInfo];

    /// Runs the model once: `input` are the bytes of its only input, row by row, native endian;
    /// the result is read with [`Self::output`].
    ///
    /// # Errors
    /// When `input` has another size than the tensor, or the runtime fails.
    fn run(&mut self, input: &[u8]) -> Result<(), EngineError>;

    /// The bytes of an output after the last [`Self::run`]; zeros before the first.
    ///
    /// # Panics
    /// When there is no such output.
    fn output(&self, index: usize) -> &[u8];

    /// What runs the model, for people: `cpu`, `gpu (12 of 14 nodes)`.
    fn delegate(&self) -> &str;
}
