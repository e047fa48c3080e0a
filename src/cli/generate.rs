//! `emotiond generate`: what packages need beside the program, made from the command line's own definition.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap_complete::Shell;

use crate::cli::status::Status;

#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    /// Folder for man/*.1 and completions/*; made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes all of them.
pub fn run(args: &GenerateArgs, mut command: clap::Command) -> anyhow::Result<Status> {
    let folder = |name: &str| {
        let path = args.out.join(name);
        fs::create_dir_all(&path).with_context(|| format!("unable to make folder {}", path.display()))?;
        anyhow::Ok(path)
    };
    let (man, completions) = (folder("man")?, folder("completions")?);
    clap_mangen::generate_to(command.clone(), &man)
        .with_context(|| format!("unable to write manual pages to {}", man.display()))?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "emotiond", &completions).with_context(|| {
            format!("unable to write completions for {shell} to {}", completions.display())
        })?;
    }
    Ok(Status::Done)
}
