//! `emotiond run`: the daemon in the foreground.

use crate::cli::status::Status;
use crate::config::Config;
use crate::daemon::{self, Options};

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Shows the display's picture in the terminal
    #[arg(long)]
    show: bool,

    /// Ends with the replay (with camera.loop=false) instead of waiting for a signal
    #[arg(long)]
    exit_at_end: bool,
}

/// Runs until a signal.
pub fn run(
    args: &RunArgs,
    config: Config,
    reload: &dyn Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<Status> {
    daemon::run(config, Options { show: args.show, exit_at_end: args.exit_at_end }, reload)?;
    Ok(Status::Done)
}
