//! `emotiond generate`: what packages need beside the program, made from the command line's and the configuration's own
//! definition.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::status::Status;
use crate::config::describe;

#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    /// Folder for man/*.1, man/*.5 and completions/*; made where it is missing
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
    let page = man.join("emotiond.toml.5");
    fs::write(&page, configuration_page()).with_context(|| format!("unable to write {}", page.display()))?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "emotiond", &completions).with_context(|| {
            format!("unable to write completions for {shell} to {}", completions.display())
        })?;
    }
    Ok(Status::Done)
}

/// emotiond.toml(5): every key.
fn configuration_page() -> String {
    let mut page = Roff::new();
    page.control("TH", ["EMOTIOND.TOML", "5"]);
    page.control("SH", ["NAME"]);
    page.text([roman("emotiond.toml - configuration of emotiond(1)")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("TOML at /etc/emotiond/emotiond.toml, or where --config says; every key is optional. "),
        bold("emotiond check"),
        roman(" tells all mistakes with file, line and key."),
    ]);
    for section in describe::sections() {
        page.control("SH", [section.header().as_str()]);
        page.text([roman(section.help)]);
        for key in section.keys {
            page.control("TP", []);
            page.text([bold(key.key), roman(" = "), roman(key.shown())]);
            page.text([roman(key.said())]);
        }
    }
    page.render()
}
