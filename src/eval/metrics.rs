//! What is counted of a classifier's answers.

use serde::{Serialize, Serializer};

use crate::vocabulary::emotion::{Emotion, Scores};

/// Classes with fewer samples do not count in macro F1: their F1 is noise.
pub const MACRO_MIN_SUPPORT: u64 = 20;

/// Bins of equal width of the expected calibration error (Guo et al. 2017, arXiv:1706.04599).
pub const ECE_BINS: usize = 15;

/// One answer, classes being positions in the list of labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    pub truth: usize,
    /// `None` where no face was found: wrong, and no answer.
    pub answer: Option<usize>,
    pub in_top2: bool,
    /// Probability of the answer among the labels, 0 to 1.
    pub confidence: f64,
}

impl Outcome {
    /// The strongest of `labels`, its probability being its share among them; `None` without a face.
    ///
    /// # Panics
    /// When `truth` is none of the labels: the caller leaves such samples out.
    pub fn of(labels: &[Emotion], truth: Emotion, scores: Option<&Scores>) -> Self {
        let truth = labels.iter().position(|known| *known == truth).expect("a label that is measured");
        let Some(scores) = scores else {
            return Self { truth, answer: None, in_top2: false, confidence: 0.0 };
        };
        let score = |index: usize| f64::from(scores.get(labels[index]).unwrap_or(0.0));
        let mut ranked: Vec<usize> = (0..labels.len()).collect();
        ranked.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
        let total: f64 = ranked.iter().map(|index| score(*index)).sum();
        Self {
            truth,
            answer: Some(ranked[0]),
            in_top2: ranked.iter().take(2).any(|index| *index == truth),
            confidence: if total > 0.0 { score(ranked[0]) / total } else { 0.0 },
        }
    }

    pub fn is_right(&self) -> bool {
        self.answer == Some(self.truth)
    }
}

/// Answers whose confidence lies in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    pub samples: u64,
    pub right: u64,
    /// Sum of their confidences.
    pub confidence: f64,
}

/// Counted answers.
#[derive(Clone, Debug)]
pub struct Tally {
    /// `confusion[truth][answer]`.
    confusion: Vec<Vec<u64>>,
    in_top2: u64,
    /// Samples without a face, by true class.
    no_face: Vec<u64>,
    bins: [Bin; ECE_BINS],
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Self {
        Self {
            confusion: vec![vec![0; classes]; classes],
            in_top2: 0,
            no_face: vec![0; classes],
            bins: [Bin::default(); ECE_BINS],
        }
    }

    /// All of `outcomes`.
    pub fn of<'a>(classes: usize, outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut tally = Self::new(classes);
        outcomes.into_iter().for_each(|outcome| tally.add(outcome));
        tally
    }

    pub fn add(&mut self, outcome: &Outcome) {
        let Some(answer) = outcome.answer else {
            self.no_face[outcome.truth] += 1;
            return;
        };
        self.confusion[outcome.truth][answer] += 1;
        self.in_top2 += u64::from(outcome.in_top2);
        // Bins are open below and closed above, as the paper has them.
        let bin = ((outcome.confidence * ECE_BINS as f64).ceil() as usize).clamp(1, ECE_BINS) - 1;
        self.bins[bin].samples += 1;
        self.bins[bin].right += u64::from(outcome.is_right());
        self.bins[bin].confidence += outcome.confidence;
    }

    pub fn classes(&self) -> usize {
        self.confusion.len()
    }

    pub fn bins(&self) -> &[Bin; ECE_BINS] {
        &self.bins
    }

    /// Samples of a class in which no face was found.
    pub fn no_face_of(&self, class: usize) -> u64 {
        self.no_face[class]
    }

    pub fn no_face(&self) -> u64 {
        self.no_face.iter().sum()
    }

    pub fn samples(&self) -> u64 {
        self.answered() + self.no_face()
    }

    fn answered(&self) -> u64 {
        self.confusion.iter().flatten().sum()
    }

    /// Samples of a class.
    pub fn support(&self, class: usize) -> u64 {
        self.confusion[class].iter().sum::<u64>() + self.no_face[class]
    }

    /// The classes that count in macro F1.
    pub fn macro_classes(&self) -> Vec<usize> {
        (0..self.classes()).filter(|class| self.support(*class) >= MACRO_MIN_SUPPORT).collect()
    }

    pub fn right(&self) -> u64 {
        (0..self.classes()).map(|class| self.confusion[class][class]).sum()
    }

    pub fn accuracy(&self) -> f64 {
        ratio(self.right(), self.samples())
    }

    pub fn top2(&self) -> f64 {
        ratio(self.in_top2, self.samples())
    }

    /// Expected calibration error of the answers; samples without a face have none.
    pub fn ece(&self) -> f64 {
        let gap = |bin: &Bin| (bin.right as f64 - bin.confidence).abs();
        self.bins.iter().map(gap).sum::<f64>() / self.answered().max(1) as f64
    }

    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.confusion[class][class], self.answers(class))
    }

    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.confusion[class][class], self.support(class))
    }

    pub fn f1(&self, class: usize) -> f64 {
        ratio(2 * self.confusion[class][class], self.support(class) + self.answers(class))
    }

    fn answers(&self, class: usize) -> u64 {
        self.confusion.iter().map(|row| row[class]).sum()
    }

    /// Mean F1 of `classes`, NaN where there is none; for instance of [`Self::macro_classes`].
    pub fn macro_f1(&self, classes: &[usize]) -> f64 {
        mean(classes, |class| self.f1(class))
    }

    pub fn macro_precision(&self, classes: &[usize]) -> f64 {
        mean(classes, |class| self.precision(class))
    }

    pub fn macro_recall(&self, classes: &[usize]) -> f64 {
        mean(classes, |class| self.recall(class))
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(classes: &[usize], value: impl Fn(usize) -> f64) -> f64 {
    // Of no class it is not a number.
    classes.iter().map(|class| value(*class)).sum::<f64>() / classes.len() as f64
}

/// Precision, recall and F1 of one class, 0 to 1; 0 where they are not defined.
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

/// The figures as they leave the program, four decimals; all shares are 0 to 1.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    pub samples: u64,
    pub accuracy: f64,
    /// NaN, `null` in JSON, where no class has samples enough.
    pub macro_f1: f64,
    pub top2: f64,
    #[serde(serialize_with = "in_order")]
    pub per_class: Vec<(&'static str, PerClass)>,
    pub confusion: Confusion,
    pub ece: f64,
    pub no_face: u64,
}

impl Metrics {
    /// The figures of what was counted of `labels`.
    pub fn of(labels: &[Emotion], tally: &Tally) -> Self {
        let class = |class: usize| PerClass {
            precision: decimals(tally.precision(class)),
            recall: decimals(tally.recall(class)),
            f1: decimals(tally.f1(class)),
            support: tally.support(class),
        };
        let names = || labels.iter().map(|label| label.name());
        Self {
            samples: tally.samples(),
            accuracy: decimals(tally.accuracy()),
            macro_f1: decimals(tally.macro_f1(&tally.macro_classes())),
            top2: decimals(tally.top2()),
            per_class: names().zip((0..labels.len()).map(class)).collect(),
            confusion: Confusion { labels: names().collect(), rows: tally.confusion.clone() },
            ece: decimals(tally.ece()),
            no_face: tally.no_face(),
        }
    }
}

/// A JSON object with its keys in the order of the list.
pub fn in_order<S: Serializer, V: Serialize>(
    entries: &[(&'static str, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
}

/// `value` to four decimals.
pub fn decimals(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use Emotion::{Happy, Neutral, Sad};

    #[test]
    fn figures_worked_by_hand() {
        let labels = [Happy, Sad];
        let answer = |truth, happy, sad| {
            let scores = Scores::from_pairs([(Happy, happy), (Sad, sad), (Neutral, 0.0)]);
            Outcome::of(&labels, truth, Some(&scores))
        };
        let mut outcomes = vec![answer(Happy, 0.9, 0.1); 20];
        outcomes.extend(vec![answer(Sad, 0.6, 0.4); 10]);
        outcomes.extend(vec![answer(Sad, 0.2, 0.8); 10]);
        let mut tally = Tally::of(2, &outcomes);
        let metrics = Metrics::of(&labels, &tally);
        assert_eq!((metrics.samples, metrics.accuracy, metrics.top2), (40, 0.75, 1.0));
        let (name, sad) = metrics.per_class[1];
        assert_eq!((name, sad.precision, sad.recall, sad.f1, sad.support), ("sad", 1.0, 0.5, 0.6667, 20));
        // Happy: precision 20/30, recall 1, F1 0.8; macro (0.8 + 2/3) / 2.
        assert_eq!(metrics.macro_f1, 0.7333);
        assert_eq!(metrics.confusion.rows, [[20, 0], [10, 10]]);
        // (20 * |1 - 0.9| + 10 * |0 - 0.6| + 10 * |1 - 0.8|) / 40
        assert_eq!(metrics.ece, 0.25);

        tally.add(&Outcome::of(&labels, Sad, None));
        let metrics = Metrics::of(&labels, &tally);
        assert_eq!(metrics.accuracy, 0.7317, "30 of 41");
        assert_eq!(metrics.top2, 0.9756, "40 of 41");
        assert_eq!(metrics.per_class[1].1.recall, 0.4762, "10 of 21");
        assert_eq!(metrics.ece, 0.25, "no answer, no confidence");
    }
    /// 84 outcomes of three classes, from a linear congruential generator (ISO C's example). The
    /// figures in the tests that use them are scikit-learn 1.9's and SciPy 1.17's for the same
    /// samples; the class of 17 is too small for macro F1.
    pub fn generated() -> Vec<Outcome> {
        let mut state = 1u32;
        let mut random = move |below: u32| {
            state = (1_103_515_245u32.wrapping_mul(state).wrapping_add(12_345)) % (1 << 31);
            (state >> 16) % below
        };
        let mut outcome = || {
            let truth = [0, 0, 0, 1, 1, 2][random(6) as usize];
            let mut scores = [0; 3].map(|_| 1 + random(1000));
            scores[truth] += random(1000);
            let scores = Scores::from_pairs(Emotion::ALL.into_iter().zip(scores.map(|score| score as f32)));
            Outcome::of(&Emotion::ALL[..3], Emotion::ALL[truth], Some(&scores))
        };
        (0..84).map(|_| outcome()).collect()
    }

    #[test]
    fn figures_of_scikit_learn() {
        let tally = Tally::of(3, &generated());
        assert_eq!(tally.confusion, [[33, 6, 7], [4, 13, 4], [1, 3, 13]]);
        let each = |figure: fn(&Tally, usize) -> f64| [0, 1, 2].map(|class| figure(&tally, class));
        let close = |own: f64, theirs: f64| assert!((own - theirs).abs() < 1e-9, "{own} {theirs}");
        let pairs = [
            (each(Tally::precision), [0.868_421_052_6, 0.590_909_090_9, 0.541_666_666_7]),
            (each(Tally::recall), [0.717_391_304_3, 0.619_047_619_0, 0.764_705_882_4]),
            (each(Tally::f1), [0.785_714_285_7, 0.604_651_162_8, 0.634_146_341_5]),
        ];
        for (own, theirs) in pairs {
            own.into_iter().zip(theirs).for_each(|(own, theirs)| close(own, theirs));
        }
        close(tally.accuracy(), 0.702_380_952_4);
        close(tally.top2(), 0.857_142_857_1);
        close(tally.macro_f1(&tally.macro_classes()), 0.695_182_724_3);
        close(tally.ece(), 0.203_550_409_0);
    }
}
