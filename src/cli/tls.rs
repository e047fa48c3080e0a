//! `emotiond tls`: a self-signed certificate for the page.

use std::path::PathBuf;

use anyhow::Context;

use crate::cli::status::Status;
use crate::config::Config;
use crate::web::tls;

#[derive(Debug, clap::Args)]
pub struct TlsArgs {
    /// Folder for the two files [default: tls in the state folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Another name or address that browsers use; may be repeated
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// Days for which it is valid; Apple's devices take no more than 825
    #[arg(long, value_name = "N", default_value_t = tls::LONGEST_DAYS, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,

    /// Replaces what is there
    #[arg(long)]
    force: bool,
}

/// Writes the pair and says how to use it.
pub fn run(args: &TlsArgs, config: &Config) -> anyhow::Result<Status> {
    let folder = args.out.clone().unwrap_or_else(|| config.device.state_dir.join("tls"));
    let folder = std::path::absolute(&folder).context("unable to name the folder in full")?;
    let pair = tls::make_pair(&folder, &args.name, args.days, args.force)?;
    say!("certificate for {}, valid for {} days", pair.names.join(", "), args.days);
    say!("SHA-256     {}", pair.fingerprint);
    say!();
    say!("[web]");
    say!("tls_cert = {:?}", pair.cert);
    say!("tls_key = {:?}", pair.key);
    say!();
    say!("A browser warns once, because nobody but this machine vouches for it: compare the SHA-256.");
    Ok(Status::Done)
}
