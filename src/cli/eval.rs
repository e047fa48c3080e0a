//! `emotiond eval`: figures of the emotion model, or of the face detector, on labelled data.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::classify::Classifier;
use crate::cli::{ModelArg, Status, eval_boxes};
use crate::config::Config;
use crate::emotion::Emotion;
use crate::eval::bootstrap::Interval;
use crate::eval::compare::McNemar;
use crate::eval::dataset::{self, Dataset, Selection};
use crate::eval::evaluation::{Evaluation, Task};
use crate::eval::measure::Nets;
use crate::eval::metrics::Metrics;
use crate::models;

#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// FER2013 CSV (plain, gzip, xz, zip), a folder of class folders, or a CSV of pictures
    /// (image,emotion) or its folder; with --boxes a folder of photos
    #[arg(value_name = "DATA")]
    data: PathBuf,

    /// Only this split: Training, PublicTest, PrivateTest; of class folders the folder above them
    #[arg(long, value_name = "SPLIT")]
    split: Option<String>,

    /// FER+ votes for FER2013's rows; labels become FERPlus's majority
    #[arg(long, value_name = "CSV")]
    votes: Option<PathBuf>,

    /// Only samples of these labels, and the strongest answer among them
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    labels: Option<Vec<Emotion>>,

    /// The pictures are faces already [default for FER2013 and class folders]
    #[arg(long, conflicts_with = "detect")]
    crops: bool,

    /// Finds the largest face of each picture first; one without counts as wrong [default for a
    /// CSV of pictures]
    #[arg(long)]
    detect: bool,

    /// Compares with another emotion model, its sidecar beside it (McNemar's test)
    #[arg(long, value_name = "MODEL")]
    against: Option<PathBuf>,

    /// Measures the face detector on these boxes (image,x,y,width,height in pixels)
    #[arg(
        long,
        value_name = "CSV",
        conflicts_with_all = ["split", "votes", "labels", "crops", "detect", "against"]
    )]
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

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    metrics: Metrics,
    /// Samples that were left out because of their label, or could not be read.
    skipped: usize,
    model: String,
    elapsed_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

/// The model that was compared with, on the same samples and labels.
#[derive(Serialize)]
struct Against {
    #[serde(flatten)]
    metrics: Metrics,
    model: String,
    mcnemar: McNemar,
}

/// Measures and prints.
pub fn run(args: &EvalArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    if let Some(boxes) = &args.boxes {
        let mut detector = models::detector(&config.detector)?;
        eval_boxes::run(&mut detector, &args.data, boxes, args.negatives.as_deref(), args.json)?;
        return Ok(Status::Done);
    }
    let started = Instant::now();
    let selection = Selection { split: args.split.as_deref(), votes: args.votes.as_deref() };
    let data = dataset::open(&args.data, selection)?;
    let detect = if args.crops || args.detect { args.detect } else { !data.format.holds_crops() };
    say_what(&args.data, &data, args, detect);
    let mut workers = vec![nets(args, config, detect)?];
    let task = task(data, args, &workers[0].classifiers)?;
    let samples = task.samples().len();
    for _ in 1..std::thread::available_parallelism().map_or(1, usize::from).min(samples) {
        workers.push(nets(args, config, detect)?);
    }
    let progress = progress(samples);
    let evaluation = task.run(&mut workers, &|| progress.inc(1))?;
    progress.finish_and_clear();
    let status = say_skipped(&task, &evaluation);
    if evaluation.samples() == 0 {
        bail!("unable to measure {}: no picture could be read", args.data.display());
    }
    let report = report(&task, &evaluation, &workers[0].classifiers, started);
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report, &task, &evaluation);
    }
    Ok(status)
}

fn nets(args: &EvalArgs, config: &Config, detect: bool) -> anyhow::Result<Nets> {
    let mut classifiers = vec![models::classifier(&config.classifier)?];
    if let Some(other) = &args.against {
        let mut other_config = config.classifier.clone();
        other_config.model.clone_from(other);
        classifiers.push(models::classifier(&other_config)?);
    }
    let detector = if detect { Some(models::detector(&config.detector)?) } else { None };
    Ok(Nets { detector, classifiers })
}

fn task(data: Dataset, args: &EvalArgs, classifiers: &[Classifier]) -> anyhow::Result<Task> {
    let names = ["the model", "the model compared with"];
    let known: Vec<(&str, &[Emotion])> =
        names.into_iter().zip(classifiers.iter().map(Classifier::labels)).collect();
    let task = Task::new(data, args.labels.as_deref(), &known)
        .with_context(|| format!("unable to measure {}", args.data.display()))?;
    if task.samples().is_empty() {
        let labels: Vec<&str> = task.labels.iter().map(|label| label.name()).collect();
        bail!("unable to measure {}: it holds no picture of {}", args.data.display(), labels.join(", "));
    }
    Ok(task)
}

/// Says on standard error what is about to be measured, and how.
fn say_what(path: &Path, data: &Dataset, args: &EvalArgs, detect: bool) {
    let chosen = if args.crops || args.detect { "" } else { ", the default for this format" };
    let how = if detect {
        "the largest face of each picture (--detect"
    } else {
        "pictures are faces already (--crops"
    };
    eprintln!("{}: {}, {} samples; {how}{chosen})", path.display(), data.format.name(), data.samples.len());
}

/// Says on standard error what does not count; a file that could not be read fails the run.
fn say_skipped(task: &Task, evaluation: &Evaluation) -> Status {
    for note in &task.notes {
        eprintln!("{note}");
    }
    for message in &evaluation.unreadable {
        eprintln!("emotiond: {message}");
    }
    let without = &evaluation.without_face;
    if !without.is_empty() {
        let more = if without.len() > 5 { ", …" } else { "" };
        let names = without.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
        eprintln!("no face found, which counts as wrong, in {}: {names}{more}", without.len());
    }
    if evaluation.several_faces > 0 {
        eprintln!("several faces, of which the largest was taken, in {}", evaluation.several_faces);
    }
    if evaluation.unreadable.is_empty() { Status::Done } else { Status::Failed }
}

/// Drawn on a terminal only.
fn progress(samples: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{bar:30} {pos} of {len}, {per_sec:.0}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(samples as u64).with_style(style)
}

fn report(task: &Task, evaluation: &Evaluation, classifiers: &[Classifier], started: Instant) -> Report {
    let metrics = |model| Metrics::of(&task.labels, &evaluation.tally(task.labels.len(), model));
    let against = evaluation.mcnemar().map(|mcnemar| Against {
        metrics: metrics(1),
        model: classifiers[1].name(),
        mcnemar,
    });
    Report {
        metrics: metrics(0),
        skipped: task.left_out + evaluation.unreadable.len(),
        model: classifiers[0].name(),
        elapsed_s: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        against,
    }
}

fn print(report: &Report, task: &Task, evaluation: &Evaluation) {
    let metrics = &report.metrics;
    let intervals = evaluation.intervals(task.labels.len());
    let (detecting, classifying) = evaluation.ms_per_face();
    println!("{}: {} samples, {:.1} s", report.model, metrics.samples, report.elapsed_s);
    println!("time per face: {detecting:.2} ms to find it, {classifying:.2} ms to classify it");
    let share = |Interval(low, high)| format!("({:.2} to {:.2})", 100.0 * low, 100.0 * high);
    println!("accuracy {:.2} % {}", 100.0 * metrics.accuracy, share(intervals.accuracy));
    println!("macro F1 {:.2} % {}", 100.0 * metrics.macro_f1, share(intervals.macro_f1));
    println!("top-2 {:.2} % {}", 100.0 * metrics.top2, share(intervals.top2));
    println!("calibration error {:.2} % {}", 100.0 * metrics.ece, share(intervals.ece));
    println!("\n{:<10}{:>10}{:>8}{:>8}{:>9}   answers", "", "precision", "recall", "F1", "support");
    for ((label, class), row) in metrics.per_class.iter().zip(&metrics.confusion.rows) {
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
    if let Some(against) = &report.against {
        let McNemar { only_first_right, only_second_right, method, p, .. } = against.mcnemar;
        println!(
            "\n{}: accuracy {:.2} %  macro F1 {:.3}",
            against.model,
            100.0 * against.metrics.accuracy,
            against.metrics.macro_f1
        );
        println!(
            "only the first right {only_first_right}, only the second {only_second_right}: p = {p:.4} ({method})"
        );
    }
}
