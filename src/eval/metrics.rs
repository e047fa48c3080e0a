//! What is counted of a classifier's answers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::emotion::{Emotion, Scores};
use crate::wire::rounded;

/// Classes with fewer samples do not count in macro F1: their F1 is noise.
pub const MACRO_MIN_SUPPORT: u64 = 20;

/// Bins of equal width of the expected calibration error (Guo et al. 2017, arXiv:1706.04599).
const ECE_BINS: usize = 15;

/// Counts answers as they come.
#[derive(Clone, Debug)]
pub struct Counter {
    labels: Vec<Emotion>,
    /// `confusion[truth][answer]`, in the order of `labels`.
    confusion: Vec<Vec<u64>>,
    in_top2: u64,
    /// Samples without a face, by true class.
    no_face: Vec<u64>,
    bins: [Bin; ECE_BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    samples: u64,
    right: u64,
    confidence: f64,
}

/// Precision, recall and F1 of one class; 0 where they are not defined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PerClass {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub support: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Confusion {
    pub labels: Vec<&'static str>,
    /// A row a true class, a column an answer.
    pub rows: Vec<Vec<u64>>,
}

/// The figures; all shares are 0 to 1.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    pub samples: u64,
    pub accuracy: f64,
    pub macro_f1: f64,
    pub top2: f64,
    pub per_class: BTreeMap<&'static str, PerClass>,
    pub confusion: Confusion,
    pub ece: f64,
    pub no_face: u64,
}

impl Counter {
    /// For samples and answers among `labels`.
    pub fn new(labels: &[Emotion]) -> Self {
        Self {
            labels: labels.to_vec(),
            confusion: vec![vec![0; labels.len()]; labels.len()],
            in_top2: 0,
            no_face: vec![0; labels.len()],
            bins: [Bin::default(); ECE_BINS],
        }
    }

    /// Counts one answer: the strongest of the labels, its probability being its share among them.
    ///
    /// # Panics
    /// When `truth` is none of the labels: the caller leaves such samples out.
    pub fn add(&mut self, truth: Emotion, scores: &Scores) {
        let truth = self.index(truth);
        let mut ranked: Vec<(usize, f64)> = self
            .labels
            .iter()
            .enumerate()
            .map(|(index, label)| (index, f64::from(scores.get(*label).unwrap_or(0.0))))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total: f64 = ranked.iter().map(|(_, score)| score).sum();
        let (answer, score) = ranked[0];
        self.confusion[truth][answer] += 1;
        self.in_top2 += u64::from(ranked.iter().take(2).any(|(index, _)| *index == truth));
        let confidence = if total > 0.0 { score / total } else { 0.0 };
        let bin = ((confidence * ECE_BINS as f64).ceil() as usize).clamp(1, ECE_BINS) - 1;
        self.bins[bin].samples += 1;
        self.bins[bin].right += u64::from(answer == truth);
        self.bins[bin].confidence += confidence;
    }

    /// Counts a sample in which no face was found: wrong, and no answer.
    ///
    /// # Panics
    /// As [`Self::add`].
    pub fn add_no_face(&mut self, truth: Emotion) {
        let truth = self.index(truth);
        self.no_face[truth] += 1;
    }

    fn index(&self, label: Emotion) -> usize {
        self.labels.iter().position(|known| *known == label).expect("a label of the counter")
    }

    /// The figures of all that was counted.
    pub fn metrics(&self) -> Metrics {
        let answered: u64 = self.confusion.iter().flatten().sum();
        let no_face = self.no_face.iter().sum();
        let samples = answered + no_face;
        let share = |count: u64| if samples == 0 { 0.0 } else { count as f64 / samples as f64 };
        let right = (0..self.labels.len()).map(|i| self.confusion[i][i]).sum();
        let classes: Vec<PerClass> = (0..self.labels.len()).map(|i| self.class(i)).collect();
        let counted: Vec<f64> =
            classes.iter().filter(|class| class.support >= MACRO_MIN_SUPPORT).map(|class| class.f1).collect();
        let gap = |bin: &Bin| (bin.right as f64 - bin.confidence).abs();
        let ece = self.bins.iter().map(gap).sum::<f64>() / (answered.max(1)) as f64;
        Metrics {
            samples,
            accuracy: decimals(share(right)),
            macro_f1: decimals(counted.iter().sum::<f64>() / (counted.len().max(1)) as f64),
            top2: decimals(share(self.in_top2)),
            per_class: self.labels.iter().map(|label| label.name()).zip(classes).collect(),
            confusion: Confusion {
                labels: self.labels.iter().map(|label| label.name()).collect(),
                rows: self.confusion.clone(),
            },
            ece: decimals(ece),
            no_face,
        }
    }

    fn class(&self, index: usize) -> PerClass {
        let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let hits = self.confusion[index][index];
        let support = self.confusion[index].iter().sum::<u64>() + self.no_face[index];
        let answers: u64 = self.confusion.iter().map(|row| row[index]).sum();
        PerClass {
            precision: decimals(ratio(hits, answers)),
            recall: decimals(ratio(hits, support)),
            f1: decimals(ratio(2 * hits, support + answers)),
            support,
        }
    }
}

fn decimals(value: f64) -> f64 {
    rounded(value as f32, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Emotion::{Happy, Neutral, Sad};

    #[test]
    fn figures_worked_by_hand() {
        let mut counter = Counter::new(&[Happy, Sad]);
        let answer = |happy, sad| Scores::from_pairs([(Happy, happy), (Sad, sad), (Neutral, 0.0)]);
        for _ in 0..20 {
            counter.add(Happy, &answer(0.9, 0.1));
        }
        for _ in 0..10 {
            counter.add(Sad, &answer(0.6, 0.4));
        }
        for _ in 0..10 {
            counter.add(Sad, &answer(0.2, 0.8));
        }
        let metrics = counter.metrics();
        assert_eq!((metrics.samples, metrics.accuracy, metrics.top2), (40, 0.75, 1.0));
        let sad = metrics.per_class["sad"];
        assert_eq!((sad.precision, sad.recall, sad.f1, sad.support), (1.0, 0.5, 0.6667, 20));
        // Happy: precision 20/30, recall 1, F1 0.8; macro (0.8 + 2/3) / 2.
        assert_eq!(metrics.macro_f1, 0.7333);
        assert_eq!(metrics.confusion.rows, [[20, 0], [10, 10]]);
        // (20 * |1 - 0.9| + 10 * |0 - 0.6| + 10 * |1 - 0.8|) / 40
        assert_eq!(metrics.ece, 0.25);

        counter.add_no_face(Sad);
        assert_eq!(counter.metrics().accuracy, 0.7317, "30 of 41");
        assert_eq!(counter.metrics().per_class["sad"].recall, 0.4762, "10 of 21");
    }
}
