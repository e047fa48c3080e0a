//! What leaves the program of an evaluation: the line of `--json`, and all of it in `metrics.json`.

use serde::Serialize;

use super::bootstrap::{Interval, Intervals, RESAMPLES};
use super::compare::McNemar;
use super::evaluation::{Evaluation, Task};
use super::groups::{self, By};
use super::metrics::{Bin, ECE_BINS, Metrics, Outcome, Tally, decimals, in_order};

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Samples that were left out because of their label, or could not be read.
    pub skipped: usize,
    pub model: String,
    pub elapsed_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// How many answers are sure enough, and how right these are.
    pub coverage: Vec<Coverage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrupted: Option<Corrupted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<By>,
}

/// What a `classifier.min_confidence` would let through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    pub min_confidence: f64,
    /// Share of the samples whose answer is at least so confident.
    pub covered: f64,
    /// Of these; NaN, `null` in JSON, where there is none.
    pub accuracy: f64,
}

/// The minimal confidences that coverage is told for.
const MIN_CONFIDENCES: [f64; 2] = [0.5, 0.7];

/// Accuracy on the same pictures, spoilt in each way of [`super::corrupt::ALL`].
#[derive(Clone, Debug, Serialize)]
pub struct Corrupted {
    pub mean_accuracy: f64,
    #[serde(serialize_with = "in_order")]
    pub accuracy: Vec<(&'static str, f64)>,
}

impl Corrupted {
    /// `accuracy` of each way by its name.
    pub fn new(accuracy: Vec<(&'static str, f64)>) -> Self {
        let mean = accuracy.iter().map(|(_, share)| share).sum::<f64>() / accuracy.len() as f64;
        let accuracy = accuracy.into_iter().map(|(name, share)| (name, decimals(share))).collect();
        Self { mean_accuracy: decimals(mean), accuracy }
    }
}

fn coverage(outcomes: &[Outcome]) -> Vec<Coverage> {
    let of = |min_confidence: f64| {
        let sure = outcomes.iter().filter(|one| one.answer.is_some() && one.confidence >= min_confidence);
        let (count, right) = sure.fold((0.0, 0.0), |(count, right), one| {
            (count + 1.0, right + f64::from(u8::from(one.is_right())))
        });
        let covered = decimals(count / outcomes.len() as f64);
        Coverage { min_confidence, covered, accuracy: decimals(right / count) }
    };
    MIN_CONFIDENCES.into_iter().map(of).collect()
}

/// The model that was compared with, on the same samples and labels.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    #[serde(flatten)]
    pub metrics: Metrics,
    pub model: String,
    pub mcnemar: McNemar,
}

/// Where the samples came from and what was done with them.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    pub data: String,
    pub format: &'static str,
    pub split: Option<String>,
    pub votes: Option<String>,
    /// `crops` or `detect`.
    pub faces: &'static str,
    /// The emotion model's file or configured name, and the other's.
    pub model: String,
    pub against: Option<String>,
}

/// What `metrics.json` holds.
#[derive(Clone, Debug, Serialize)]
pub struct Details {
    #[serde(flatten)]
    pub summary: Summary,
    /// emotiond's.
    pub version: &'static str,
    pub source: Source,
    pub macro_precision: f64,
    pub macro_recall: f64,
    /// Of the first model's figures.
    pub intervals_95: Intervals,
    pub resamples: usize,
    /// Bins of confidence that hold a sample.
    pub reliability: Vec<Reliability>,
    /// Without a face, by true class in the order of the confusion matrix.
    pub no_face_by_class: Vec<u64>,
    /// Mean milliseconds: finding the face, and cutting out and classifying it.
    pub detect_ms: f64,
    pub classify_ms: f64,
    /// What was left out and why.
    pub left_out: Vec<String>,
    pub unreadable: Vec<String>,
    /// Pictures in which no face was found.
    pub without_face: Vec<String>,
    pub several_faces: usize,
}

/// Answers of similar confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reliability {
    pub from: f64,
    pub to: f64,
    pub samples: u64,
    pub mean_confidence: f64,
    pub accuracy: f64,
}

impl Details {
    /// `models`: the name of each; `by`: the columns that group the samples; `elapsed_s`: how long it took.
    pub fn new(
        task: &Task,
        evaluation: &Evaluation,
        source: Source,
        models: &[String],
        corrupted: Option<Corrupted>,
        by: &[String],
        elapsed_s: f64,
    ) -> Self {
        let classes = task.labels.len();
        let tally = evaluation.tally(classes, 0);
        let against = evaluation.mcnemar().map(|mcnemar| Against {
            metrics: Metrics::of(&task.labels, &evaluation.tally(classes, 1)),
            model: models[1].clone(),
            mcnemar,
        });
        let (detect_ms, classify_ms) = evaluation.ms_per_face();
        let counted = tally.macro_classes();
        Self {
            summary: Summary {
                metrics: Metrics::of(&task.labels, &tally),
                skipped: task.left_out + evaluation.unreadable.len(),
                model: models[0].clone(),
                elapsed_s: (elapsed_s * 1e3).round() / 1e3,
                against,
                coverage: coverage(&evaluation.outcomes[0]),
                corrupted,
                by: groups::by(by, task, evaluation),
            },
            version: env!("CARGO_PKG_VERSION"),
            source,
            macro_precision: decimals(tally.macro_precision(&counted)),
            macro_recall: decimals(tally.macro_recall(&counted)),
            intervals_95: evaluation.intervals(&task.labels),
            resamples: RESAMPLES,
            reliability: reliability(&tally),
            no_face_by_class: (0..classes).map(|class| tally.no_face_of(class)).collect(),
            detect_ms: decimals(detect_ms),
            classify_ms: decimals(classify_ms),
            left_out: task.notes.clone(),
            unreadable: evaluation.unreadable.clone(),
            without_face: evaluation.without_face.clone(),
            several_faces: evaluation.several_faces,
        }
    }
}

fn reliability(tally: &Tally) -> Vec<Reliability> {
    let edge = |bin: usize| decimals(bin as f64 / ECE_BINS as f64);
    let describe = |(index, bin): (usize, &Bin)| Reliability {
        from: edge(index),
        to: edge(index + 1),
        samples: bin.samples,
        mean_confidence: decimals(bin.confidence / bin.samples as f64),
        accuracy: decimals(bin.right as f64 / bin.samples as f64),
    };
    tally.bins().iter().enumerate().filter(|(_, bin)| bin.samples > 0).map(describe).collect()
}

impl Interval {
    /// In percent, for people.
    pub fn percent(self) -> String {
        if self.0.is_nan() {
            return String::new();
        }
        format!("{:.1} to {:.1}", 100.0 * self.0, 100.0 * self.1)
    }
}
