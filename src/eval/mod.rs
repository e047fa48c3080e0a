//! Measuring a model: labelled datasets and what is counted on them.

pub mod fer2013;
pub mod metrics;
