//! `emotiond eval`: figures of the emotion model, or of the face detector, on labelled data.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::cli::model_arg::ModelArg;
use crate::cli::progress::Progress;
use crate::cli::status::Status;
use crate::cli::{eval_boxes, eval_text, workers};
use crate::config::Config;
use crate::eval::corrupt;
use crate::eval::dataset::{Dataset, Selection};
use crate::eval::evaluation::{Evaluation, Task};
use crate::eval::formats;
use crate::eval::measure::Nets;
use crate::eval::report;
use crate::eval::summary::{Corrupted, Details, Source};
use crate::pipeline::load;
use crate::see::classify::Classifier;
use crate::vocabulary::emotion::Emotion;

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

    /// Also measures on the same faces blurred, noisy, dim, as bad JPEGs, smaller, larger and turned
    #[arg(long, conflicts_with = "detect")]
    corrupt: bool,

    /// Also gives the figures by groups: columns of a CSV of pictures, as age,sex
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    by: Vec<String>,

    /// Measures the face detector on these boxes (image,x,y,width,height in pixels)
    #[arg(
        long,
        value_name = "CSV",
        conflicts_with_all = ["split", "votes", "labels", "crops", "detect", "against", "corrupt", "by"]
    )]
    boxes: Option<PathBuf>,

    /// With --boxes: photos without any face, to count false ones
    #[arg(long, value_name = "DIR", requires = "boxes")]
    negatives: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,

    /// Writes report.html with plots, and metrics.json, into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "boxes")]
    report: Option<PathBuf>,

    /// Replaces a report that is there already
    #[arg(long, requires = "report")]
    force: bool,

    #[command(flatten)]
    model: ModelArg,
}

/// Measures and prints.
pub fn run(args: &EvalArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    if let Some(boxes) = &args.boxes {
        let mut detector = load::detector(&config.detector)?;
        eval_boxes::run(&mut detector, &args.data, boxes, args.negatives.as_deref(), args.json)?;
        return Ok(Status::Done);
    }
    let started = Instant::now();
    let target = args.report.as_deref().map(|folder| report::Target::new(folder, args.force)).transpose()?;
    let selection = Selection { split: args.split.as_deref(), votes: args.votes.as_deref(), by: &args.by };
    let data = formats::open(&args.data, selection)?;
    let detect = if args.crops || args.detect { args.detect } else { !data.format.holds_crops };
    if args.corrupt && detect {
        bail!(
            "unable to corrupt {}: that is for pictures that are faces already (--crops)",
            args.data.display()
        );
    }
    say_what(&args.data, &data, args, detect);
    let mut engines = vec![nets(args, config, detect)?];
    let task = task(data, args, &engines[0].classifiers)?;
    let samples = task.samples().len();
    for _ in 1..workers::count(samples) {
        engines.push(nets(args, config, detect)?);
    }
    let progress = Progress::new(Some(samples as u64), "pictures", "");
    let evaluation = task.run(&mut engines, None, &|| progress.step())?;
    drop(progress);
    let status = say_skipped(&task, &evaluation);
    if evaluation.samples() == 0 {
        bail!("unable to measure {}: no picture could be read", args.data.display());
    }
    let corrupted = if args.corrupt { Some(corrupted(&task, &mut engines)?) } else { None };
    let source = source(args, config, &task.data, detect);
    let names: Vec<String> = engines[0].classifiers.iter().map(Classifier::name).collect();
    let elapsed = started.elapsed().as_secs_f64();
    let details = Details::new(&task, &evaluation, source, &names, corrupted, &args.by, elapsed);
    if let Some(target) = target {
        target.write(&details)?;
    }
    if args.json {
        say!("{}", serde_json::to_string(&details.summary)?);
    } else {
        say!("{}", eval_text::text(&details).trim_end());
    }
    Ok(status)
}

/// The first model's accuracy on the pictures spoilt in each way.
fn corrupted(task: &Task, engines: &mut [Nets]) -> anyhow::Result<Corrupted> {
    let progress =
        Progress::new(Some((task.samples().len() * corrupt::ALL.len()) as u64), "spoilt pictures", "");
    let accuracy = corrupt::ALL.into_iter().map(|(name, corruption)| {
        let evaluation = task.run(engines, Some(corruption), &|| progress.step())?;
        Ok((name, evaluation.tally(task.labels.len(), 0).accuracy()))
    });
    Ok(Corrupted::new(accuracy.collect::<anyhow::Result<_>>()?))
}

fn source(args: &EvalArgs, config: &Config, data: &Dataset, detect: bool) -> Source {
    let text = |path: &PathBuf| path.display().to_string();
    Source {
        data: text(&args.data),
        format: data.format.name,
        split: args.split.clone(),
        votes: args.votes.as_ref().map(text),
        faces: if detect { "detect" } else { "crops" },
        model: text(&config.classifier.model),
        against: args.against.as_ref().map(text),
    }
}

fn nets(args: &EvalArgs, config: &Config, detect: bool) -> anyhow::Result<Nets> {
    let mut classifiers = vec![load::classifier(&config.classifier)?];
    if let Some(other) = &args.against {
        let mut other_config = config.classifier.clone();
        other_config.model.clone_from(other);
        classifiers.push(load::classifier(&other_config)?);
    }
    let detector = if detect { Some(load::detector(&config.detector)?) } else { None };
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
    eprintln!("{}: {}, {} samples; {how}{chosen})", path.display(), data.format.name, data.samples.len());
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
