//! `emotiond mcp`: tools for AI assistants.

use crate::cli::status::Status;
use crate::config::Config;
use crate::mcp;

#[derive(Debug, clap::Args)]
pub struct McpArgs {
    /// Where the daemon answers: http://HOST:PORT [default: web.listen on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Runs until standard input ends.
pub fn run(args: &McpArgs, config: &Config) -> anyhow::Result<Status> {
    mcp::serve(config, args.url.as_deref())?;
    Ok(Status::Done)
}
