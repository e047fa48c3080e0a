//! `emotiond people compare`: the descriptor model on pairs of photos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::nets;
use crate::cli::status::{Status, one_line};
use crate::config::Config;
use crate::eval::delimiter;
use crate::people::Descriptor;
use crate::people::verify::{self, Pair};
use crate::pipeline::load;
use crate::vocabulary::wire::rounded;

/// Shares of false accepts for which the share of true ones is told.
const FALSE_ACCEPTS: [f64; 3] = [0.001, 0.01, 0.1];

/// Most points of the ROC in the report.
const ROC_POINTS: usize = 200;

#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// CSV with columns a, b (photos below DIR) and same (1 or 0, true or false)
    #[arg(long, value_name = "F.csv")]
    pairs: PathBuf,

    /// Folder of the photos
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Row {
    a: String,
    b: String,
    same: String,
}

/// A pair of photos; `distance` is null where one has no face.
#[derive(Serialize)]
struct Compared {
    a: String,
    b: String,
    same: bool,
    distance: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    samples: usize,
    same: usize,
    /// With the threshold chosen on nine tenths and tested on the tenth, ten times.
    accuracy: f64,
    /// Standard error of `accuracy`.
    standard_error: f64,
    threshold: f64,
    /// At `people.threshold`.
    accuracy_as_configured: f64,
    configured_threshold: f64,
    /// Pairs with a photo in which no face was found: they count as told wrong.
    no_face: usize,
    photos_without_face: Vec<String>,
    /// Photos of which no look was sure: what looks most like a face was taken.
    photos_guessed: Vec<String>,
    true_accept_at: BTreeMap<String, f64>,
    roc: Vec<[f64; 3]>,
    model: String,
    photos: usize,
    elapsed_s: f64,
    pairs: Vec<Compared>,
}

pub fn run(args: &CompareArgs, config: &Config) -> anyhow::Result<Status> {
    let began = Instant::now();
    let rows = read_pairs(&args.pairs)?;
    let model = load::descriptor(&config.people)?.name();
    let mut names: Vec<&str> = rows.iter().flat_map(|(a, b, _)| [a.as_str(), b.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    let paths: Vec<PathBuf> = names.iter().map(|name| args.dir.join(name)).collect();
    let (mut described, mut without): (BTreeMap<&str, Descriptor>, Vec<String>) = Default::default();
    let mut guessed = Vec::new();
    let (mut status, mut done) = (Status::Done, names.iter());
    nets::describe_all(&paths, config, |_, answer| {
        let name = done.next().copied().unwrap_or_default();
        match answer {
            Ok(Some(face)) => {
                if !face.found.sure {
                    guessed.push(name.to_owned());
                }
                described.insert(name, face.descriptor);
            }
            Ok(None) => without.push(name.to_owned()),
            Err(error) => {
                eprintln!("emotiond: {}", one_line(&error));
                without.push(name.to_owned());
                status = Status::Failed;
            }
        }
        Ok(())
    })?;
    let pairs: Vec<Pair> = rows
        .iter()
        .map(|(a, b, same)| {
            let both = described.get(a.as_str()).zip(described.get(b.as_str()));
            Pair { same: *same, distance: both.map(|(a, b)| a.distance(b)) }
        })
        .collect();
    let compared = rows.iter().zip(&pairs).map(|((a, b, same), pair)| Compared {
        a: a.clone(),
        b: b.clone(),
        same: *same,
        distance: pair.distance.map(|distance| rounded(distance, 4)),
    });
    let mut report = report(&pairs, compared.collect(), config.people.threshold)?;
    (report.photos_without_face, report.photos_guessed) = (without, guessed);
    (report.model, report.photos) = (model, names.len());
    report.elapsed_s = rounded(began.elapsed().as_secs_f32(), 2);
    if args.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(status)
}

fn report(pairs: &[Pair], compared: Vec<Compared>, threshold: f32) -> anyhow::Result<Report> {
    let Some(accuracy) = verify::accuracy(pairs) else {
        bail!(
            "too few pairs to choose a threshold on nine tenths of them: ten of one person and ten of two are needed"
        );
    };
    let roc = verify::roc(pairs);
    let share = |value: f64| (value * 1e4).round() / 1e4;
    let accepts = FALSE_ACCEPTS.iter().filter_map(|limit| {
        let point = verify::true_accept_at(&roc, *limit)?;
        Some((format!("{limit}"), share(point.true_accept)))
    });
    let step = roc.len().div_ceil(ROC_POINTS).max(1);
    Ok(Report {
        samples: pairs.len(),
        same: pairs.iter().filter(|pair| pair.same).count(),
        accuracy: share(accuracy.mean),
        standard_error: share(accuracy.error),
        threshold: share(accuracy.threshold),
        accuracy_as_configured: share(verify::right(pairs, threshold)),
        configured_threshold: rounded(threshold, 4),
        no_face: pairs.iter().filter(|pair| pair.distance.is_none()).count(),
        photos_without_face: Vec::new(),
        photos_guessed: Vec::new(),
        true_accept_at: accepts.collect(),
        roc: roc
            .iter()
            .step_by(step)
            .map(|point| [share(point.false_accept), share(point.true_accept), share(point.threshold)])
            .collect(),
        model: String::new(),
        photos: 0,
        elapsed_s: 0.0,
        pairs: compared,
    })
}

fn print(report: &Report) {
    for pair in &report.pairs {
        let distance =
            pair.distance.map_or_else(|| "no face".to_owned(), |distance| format!("{distance:.4}"));
        say!("{}\t{}\t{}\t{distance}", pair.a, pair.b, if pair.same { "same" } else { "different" });
    }
    say!(
        "{}: {} pairs, {} of one person, {} photos",
        report.model,
        report.samples,
        report.same,
        report.photos
    );
    say!(
        "accuracy    {:.2} ± {:.2} %, threshold {:.3} (chosen on nine tenths, tested on the tenth, ten times)",
        100.0 * report.accuracy,
        100.0 * report.standard_error,
        report.threshold
    );
    say!(
        "as shipped  {:.2} % at people.threshold = {}",
        100.0 * report.accuracy_as_configured,
        report.configured_threshold
    );
    for (limit, share) in &report.true_accept_at {
        say!("accepted    {:.2} % of one person's pairs with {limit} of two people's", 100.0 * share);
    }
    say!("no face     {} pairs, counted as wrong", report.no_face);
    for photo in &report.photos_without_face {
        say!("            {photo}");
    }
    say!("guessed     {} photos, of whose face no look was sure", report.photos_guessed.len());
    say!("time        {:.1} s", report.elapsed_s);
}

fn read_pairs(path: &Path) -> anyhow::Result<Vec<(String, String, bool)>> {
    let unreadable = || format!("unable to read {}", path.display());
    let mut builder = delimiter::builder_for(path).with_context(unreadable)?;
    let mut reader = builder.trim(csv::Trim::All).from_path(path).with_context(unreadable)?;
    let mut rows = Vec::new();
    for (index, row) in reader.deserialize::<Row>().enumerate() {
        let place = || format!("{}, row {} (columns a,b,same)", path.display(), index + 1);
        let Row { a, b, same } = row.with_context(place)?;
        let same = match same.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => true,
            "0" | "false" | "no" => false,
            _ => bail!("{}: same is {same:?} instead of 1 or 0", place()),
        };
        rows.push((a, b, same));
    }
    if rows.is_empty() {
        bail!("{} holds no pairs (columns a,b,same)", path.display());
    }
    Ok(rows)
}
