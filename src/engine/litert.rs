//! The TFLite runtime.
