//! `emotiond people who`: who is in photos.

use std::path::PathBuf;

use serde::Serialize;

use super::nets;
use crate::cli::photos;
use crate::cli::status::{Status, one_line};
use crate::config::Config;
use crate::people::gallery::{Limits, Nearest};
use crate::people::store;
use crate::pipeline::load;
use crate::vocabulary::wire::rounded;

#[derive(Debug, clap::Args)]
pub struct WhoArgs {
    /// Photos and folders of them; the main face of each counts
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,

    /// Prints one JSON object a photo
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    source: String,
    /// Whether a face was found.
    face: bool,
    person: Option<String>,
    nearest: Option<String>,
    distance: Option<f64>,
    /// To the next person.
    next: Option<f64>,
}

pub fn run(args: &WhoArgs, config: &Config) -> anyhow::Result<Status> {
    let people = store::load(&config.device.state_dir)?;
    let net = load::descriptor(&config.people)?;
    let gallery = people.gallery(net.space(), net.length());
    let (unused, spaces) = people.of_other_models(net.space());
    if unused > 0 {
        eprintln!(
            "emotiond: {unused} descriptors are of another model ({}) and are not compared: add photos again",
            spaces.join(", ")
        );
    }
    drop(net);
    let limits = Limits { threshold: config.people.threshold, margin: config.people.margin };
    let mut status = Status::Done;
    let list = photos::list(&args.photos)?;
    nets::describe_all(&list, config, |path, answer| {
        let described = match answer {
            Ok(described) => described.filter(|described| described.found.sure),
            Err(error) => {
                eprintln!("emotiond: {}", one_line(&error));
                status = Status::Failed;
                return Ok(());
            }
        };
        let nearest = described.as_ref().and_then(|described| gallery.nearest(&described.descriptor));
        let line = line(path.display().to_string(), described.is_some(), nearest, &limits);
        if args.json {
            say!("{}", serde_json::to_string(&line)?);
        } else {
            say!("{}", text(&line));
        }
        Ok(())
    })?;
    Ok(status)
}

fn line(source: String, face: bool, nearest: Option<Nearest>, limits: &Limits) -> Line {
    let known = nearest.as_ref().filter(|nearest| nearest.within(limits));
    Line {
        source,
        face,
        person: known.map(|nearest| nearest.name.to_string()),
        distance: nearest.as_ref().map(|nearest| rounded(nearest.distance, 4)),
        next: nearest
            .as_ref()
            .filter(|nearest| nearest.next.is_finite())
            .map(|nearest| rounded(nearest.next, 4)),
        nearest: nearest.map(|nearest| nearest.name.to_string()),
    }
}

fn text(line: &Line) -> String {
    let Line { source, face, person, nearest, distance, next } = line;
    match (face, person, nearest.as_deref().zip(*distance)) {
        (false, ..) => format!("{source}: no face"),
        (true, Some(person), Some((_, distance))) => format!("{source}: {person} ({distance:.2})"),
        (true, None, Some((nearest, distance))) => {
            let next = next.map(|next| format!(", next {next:.2}")).unwrap_or_default();
            format!("{source}: unknown (nearest {nearest} {distance:.2}{next})")
        }
        _ => format!("{source}: unknown (nobody is enrolled)"),
    }
}
