//! `emotiond eval`: figures of the emotion model, or of the face detector, on labelled data.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::classify::Classifier;
use crate::cli::{ModelArg, Status, eval_boxes};
use crate::config::Config;
use crate::emotion::Emotion;
use crate::eval::fer2013::{self, Sample};
use crate::eval::metrics::{Counter, Metrics};
use crate::frame::{Frame, PixelFormat};
use crate::models;

#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// FER2013 CSV (plain, .gz or .xz); with --boxes a folder of photos
    #[arg(value_name = "DATA")]
    data: PathBuf,

    /// Only rows of this split: Training, PublicTest, PrivateTest
    #[arg(long, value_name = "SPLIT")]
    split: Option<String>,

    /// FER+ votes for the same rows; labels become FERPlus's majority
    #[arg(long, value_name = "CSV")]
    votes: Option<PathBuf>,

    /// Only samples of these labels, and the strongest answer among them
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    labels: Option<Vec<Emotion>>,

    /// Measures the face detector on these boxes (image,x,y,width,height in pixels)
    #[arg(long, value_name = "CSV", conflicts_with_all = ["split", "votes", "labels"])]
    boxes: Option<PathBuf>,

    /// With --boxes: photos without any face, to count false ones
    #[arg(long, value_name = "DIR", requires = "boxes")]
    negatives: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model: ModelArg,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    metrics: Metrics,
    /// Samples that were left out because the model or --labels does not know their label.
    skipped: usize,
    model: String,
    elapsed_s: f64,
}

/// Measures and prints.
pub fn run(args: &EvalArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    if let Some(boxes) = &args.boxes {
        let mut detector = models::detector(&config.detector)?;
        eval_boxes::run(&mut detector, &args.data, boxes, args.negatives.as_deref(), args.json)?;
        return Ok(Status::Done);
    }
    let mut classifier = models::classifier(&config.classifier)?;
    if args.data.is_dir() {
        bail!(
            "{} is a folder: give FER2013's CSV, or --boxes to measure the face detector",
            args.data.display()
        );
    }
    let started = Instant::now();
    let samples = fer2013::read(&args.data, args.split.as_deref(), args.votes.as_deref())?;
    let labels = common_labels(args, &classifier)?;
    let mut counter = Counter::new(&labels);
    let mut skipped = 0;
    for sample in &samples {
        if labels.contains(&sample.label) {
            counter.add(sample.label, &classify(&mut classifier, sample)?);
        } else {
            skipped += 1;
        }
    }
    let report = Report {
        metrics: counter.metrics(),
        skipped,
        model: classifier.name(),
        elapsed_s: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(Status::Done)
}

/// The labels that dataset, model and --labels all know; what is left out is said.
fn common_labels(args: &EvalArgs, classifier: &Classifier) -> anyhow::Result<Vec<Emotion>> {
    let data: BTreeSet<Emotion> = match args.votes {
        Some(_) => fer2013::VOTE_LABELS.into_iter().collect(),
        None => fer2013::LABELS.into_iter().collect(),
    };
    let model: BTreeSet<Emotion> = classifier.labels().iter().copied().collect();
    let asked: BTreeSet<Emotion> = match &args.labels {
        Some(labels) => labels.iter().copied().collect(),
        None => &data | &model,
    };
    for (side, known) in [("the data", &data), ("the model", &model)] {
        let unknown: Vec<&str> = asked.difference(known).map(|label| label.name()).collect();
        if !unknown.is_empty() {
            eprintln!("left out, because {side} does not know it: {}", unknown.join(", "));
        }
    }
    let common: Vec<Emotion> =
        asked.into_iter().filter(|label| data.contains(label) && model.contains(label)).collect();
    if common.len() < 2 {
        bail!("unable to measure {}: it and the model share fewer than two labels", args.data.display());
    }
    Ok(common)
}

fn classify(classifier: &mut Classifier, sample: &Sample) -> anyhow::Result<crate::emotion::Scores> {
    let side = fer2013::SIDE;
    let frame = Frame::new(side, side, PixelFormat::Gray8, sample.pixels.as_slice(), Instant::now(), 0);
    classifier.classify_crop(&frame).context("a face of the dataset")
}

fn print(report: &Report) {
    let metrics = &report.metrics;
    println!("{}: {} samples, {:.1} s", report.model, metrics.samples, report.elapsed_s);
    println!(
        "accuracy {:.2} %  macro F1 {:.3}  top-2 {:.2} %  calibration error {:.3}",
        100.0 * metrics.accuracy,
        metrics.macro_f1,
        100.0 * metrics.top2,
        metrics.ece
    );
    println!("\n{:<10}{:>10}{:>8}{:>8}{:>9}   answers", "", "precision", "recall", "F1", "support");
    for (label, row) in metrics.confusion.labels.iter().zip(&metrics.confusion.rows) {
        let class = &metrics.per_class[label];
        let answers: Vec<String> = row.iter().map(|count| format!("{count:>5}")).collect();
        println!(
            "{label:<10}{:>10.3}{:>8.3}{:>8.3}{:>9}   {}",
            class.precision,
            class.recall,
            class.f1,
            class.support,
            answers.concat()
        );
    }
}
