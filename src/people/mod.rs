//! Recognising people who were enrolled: descriptors, their store, and decisions over time.
//!
//! `net`, `finder` and `recogniser` run nets, `store` keeps the file; `align`, `quality`, `gallery`, `watch` and `verify`
//! are pure.

pub mod align;
mod descriptor;
pub mod finder;
pub mod gallery;
pub mod net;
pub mod quality;
pub mod recogniser;
pub mod store;
pub mod verify;
pub mod watch;
pub use descriptor::Descriptor;
