//! What is kept: `list`, `show`, `remove`, `export`, `import`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::cli::status::Status;
use crate::config::Config;
use crate::people::store::{self, People, Sample};
use crate::vocabulary::name::Name;

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Prints one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    name: Name,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<Name>,
}

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Where to; readable by its owner only
    file: PathBuf,

    /// Whom; everybody where nobody is named
    #[arg(value_name = "NAME")]
    names: Vec<Name>,

    /// Replaces what is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// What `export` wrote
    file: PathBuf,
}

/// What is said of a person.
#[derive(Serialize)]
struct Person<'a> {
    name: &'a str,
    photos: usize,
    added: &'a str,
    models: Vec<&'a str>,
}

impl<'a> Person<'a> {
    fn new(name: &'a Name, samples: &'a [Sample]) -> Self {
        let mut models: Vec<&str> = samples.iter().map(|sample| sample.space.as_str()).collect();
        models.sort_unstable();
        models.dedup();
        let added = samples.iter().map(|sample| sample.added.as_str()).max().unwrap_or_default();
        Self { name: name.as_str(), photos: samples.len(), added, models }
    }
}

pub fn list(args: &ListArgs, config: &Config) -> anyhow::Result<Status> {
    let people = store::load(&config.device.state_dir)?;
    for name in people.names() {
        let person = Person::new(name, people.samples(name).unwrap_or_default());
        if args.json {
            say!("{}", serde_json::to_string(&person)?);
        } else {
            say!(
                "{:<32} {:>3} photos, the last on {}, by {}",
                person.name,
                person.photos,
                person.added,
                person.models.join(", ")
            );
        }
    }
    if people.is_empty() && !args.json {
        say!("nobody is enrolled (`emotiond people add NAME PHOTO…`)");
    }
    Ok(Status::Done)
}

pub fn show(args: &ShowArgs, config: &Config) -> anyhow::Result<Status> {
    let people = store::load(&config.device.state_dir)?;
    let Some(samples) = people.samples(&args.name) else { bail!("{}", nobody(&people, &args.name)) };
    if args.json {
        say!("{}", serde_json::to_string(&Person::new(&args.name, samples))?);
        return Ok(Status::Done);
    }
    say!("{}: {} photos", args.name, samples.len());
    for sample in samples {
        say!("  {} {} numbers by {}", sample.added, sample.values.len(), sample.space);
    }
    Ok(Status::Done)
}

pub fn remove(args: &RemoveArgs, config: &Config) -> anyhow::Result<Status> {
    let folder = &config.device.state_dir;
    let removed = store::update(folder, false, |people| {
        // All or none, so that a mistyped name is seen.
        if let Some(name) = args.names.iter().find(|name| people.samples(name).is_none()) {
            bail!("{}", nobody(people, name));
        }
        args.names.iter().for_each(|name| {
            people.remove(name);
        });
        Ok(())
    });
    // Also when the store is damaged or does not know the name: the ones kept aside may.
    let deleted = if folder.exists() { store::delete_kept_aside(folder)? } else { 0 };
    if deleted > 0 {
        eprintln!("emotiond: {deleted} damaged files of people that were kept aside are deleted, too");
    }
    removed?;
    args.names.iter().for_each(|name| say!("{name} is removed"));
    Ok(Status::Done)
}

pub fn export(args: &ExportArgs, config: &Config) -> anyhow::Result<Status> {
    let all = store::load(&config.device.state_dir)?;
    let mut people = all.clone();
    if !args.names.is_empty() {
        if let Some(name) = args.names.iter().find(|name| all.samples(name).is_none()) {
            bail!("{}", nobody(&all, name));
        }
        for name in all.names().filter(|name| !args.names.contains(name)) {
            people.remove(name);
        }
    }
    if people.is_empty() {
        bail!("unable to export: nobody is enrolled");
    }
    store::write(&args.file, &people, args.force).with_context(|| {
        let hint = if args.file.exists() && !args.force { " (--force replaces it)" } else { "" };
        format!("unable to write {}{hint}", args.file.display())
    })?;
    say!("{} people written to {}", people.len(), args.file.display());
    Ok(Status::Done)
}

pub fn import(args: &ImportArgs, config: &Config) -> anyhow::Result<Status> {
    let Some(others) = store::read_export(&args.file)? else {
        bail!("unable to read {}: there is no such file", args.file.display());
    };
    let (counts, aside) = store::update(&config.device.state_dir, true, |people| {
        let mut counts = Vec::new();
        for name in others.names() {
            let samples = others.samples(name).unwrap_or_default();
            let mut taken = 0;
            for sample in samples {
                let added = people.add(name, sample.clone())?;
                taken += usize::from(added);
            }
            counts.push((name, taken, samples.len()));
        }
        anyhow::Ok(counts)
    })?;
    say_aside(aside.as_deref());
    for (name, taken, of) in counts {
        say!(
            "{name}: {taken} of {of} descriptors taken over{}",
            if taken < of { ", the others were there" } else { "" }
        );
    }
    std::io::stdout().flush()?;
    Ok(Status::Done)
}

/// A damaged store was kept aside.
pub fn say_aside(aside: Option<&std::path::Path>) {
    if let Some(aside) = aside {
        eprintln!("emotiond: the file of people could not be understood; it is kept as {}", aside.display());
    }
}

fn nobody(people: &People, name: &Name) -> String {
    let known: Vec<&str> = people.names().map(Name::as_str).take(20).collect();
    let known = if known.is_empty() { "nobody".to_owned() } else { known.join(", ") };
    format!("{name} is not enrolled (enrolled: {known})")
}
