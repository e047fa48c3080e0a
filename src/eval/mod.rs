//! Measuring a model: labelled datasets, the model's answers and what is counted on them.

mod archive;
pub mod bootstrap;
pub mod compare;
pub mod corrupt;
pub mod dataset;
pub mod delimiter;
pub mod evaluation;
pub mod fer2013;
pub mod folders;
pub mod formats;
pub mod groups;
pub mod image_list;
pub mod measure;
pub mod metrics;
pub mod report;
pub mod summary;
