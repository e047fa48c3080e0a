//! An argument that several subcommands have.

use std::path::PathBuf;

use crate::config::Config;

/// `--model`, for the subcommands that take another emotion model.
#[derive(Debug, clap::Args)]
pub struct ModelArg {
    /// Emotion model, with its sidecar beside it [default: as configured]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl ModelArg {
    pub fn apply(&self, config: &mut Config) {
        if let Some(model) = &self.model {
            config.classifier.model.clone_from(model);
        }
    }
}
