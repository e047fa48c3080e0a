//! Intervals of the figures, by the percentile bootstrap (Efron & Tibshirani 1993, chapter 13).

use serde::Serialize;

use super::metrics::{Outcome, Tally, decimals, in_order};
use crate::vocabulary::emotion::Emotion;

/// Samples are drawn anew, with replacement, this many times.
pub const RESAMPLES: usize = 1000;

/// Any number would do; a fixed one makes the intervals the same every time.
const SEED: u64 = 2013;

/// Share of the resamples within the interval.
const LEVEL: f64 = 0.95;

/// Lower and upper end of a 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval(pub f64, pub f64);

/// 95 % intervals of the figures of the same name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intervals {
    pub accuracy: Interval,
    pub macro_f1: Interval,
    pub top2: Interval,
    pub ece: Interval,
    #[serde(serialize_with = "in_order")]
    pub per_class: Vec<(&'static str, ClassIntervals)>,
}

/// 95 % intervals of one class's figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassIntervals {
    pub precision: Interval,
    pub recall: Interval,
    pub f1: Interval,
}

/// Resamples `outcomes`. Each outcome counts as independent: several pictures of
/// one person or sequence make the true intervals wider.
pub fn intervals(labels: &[Emotion], outcomes: &[Outcome]) -> Intervals {
    let classes = labels.len();
    // The same classes in every resample, or the figure would mean another thing.
    let counted = Tally::of(classes, outcomes).macro_classes();
    let mut random = fastrand::Rng::with_seed(SEED);
    let tallies: Vec<Tally> = (0..RESAMPLES)
        .map(|_| {
            let mut tally = Tally::new(classes);
            for _ in outcomes {
                tally.add(&outcomes[random.usize(..outcomes.len())]);
            }
            tally
        })
        .collect();
    let interval = |figure: &dyn Fn(&Tally) -> f64| interval(tallies.iter().map(figure).collect());
    let class = |class: usize| ClassIntervals {
        precision: interval(&|tally: &Tally| tally.precision(class)),
        recall: interval(&|tally: &Tally| tally.recall(class)),
        f1: interval(&|tally: &Tally| tally.f1(class)),
    };
    Intervals {
        accuracy: interval(&Tally::accuracy),
        macro_f1: interval(&|tally: &Tally| tally.macro_f1(&counted)),
        top2: interval(&Tally::top2),
        ece: interval(&Tally::ece),
        per_class: labels.iter().map(|label| label.name()).zip((0..classes).map(class)).collect(),
    }
}

/// 95 % interval of a figure of `units`, which are drawn anew as whole.
pub fn interval_of<T: Copy>(units: &[T], figure: impl Fn(&[T]) -> f64) -> Interval {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut drawn = units.to_vec();
    let values = (0..RESAMPLES).map(|_| {
        drawn.iter_mut().for_each(|unit| *unit = units[random.usize(..units.len())]);
        figure(&drawn)
    });
    interval(values.collect())
}

fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Interval(decimals(quantile(&values, tail)), decimals(quantile(&values, 1.0 - tail)))
}

/// Between the two nearest of sorted `values`, linearly (type 7 of Hyndman & Fan 1996); 0 of none.
fn quantile(values: &[f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let at = share * last as f64;
    let (low, high) = (values[at as usize], values[(at as usize + 1).min(last)]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::metrics::tests::generated;

    /// With another generator and 20,000 (3,000 for F1) resamples SciPy has accuracy 0.607 to 0.798
    /// and macro F1 0.581 to 0.801; a face in 84 is 0.012.
    #[test]
    fn intervals_of_scipy() {
        let own = intervals(&Emotion::ALL[..3], &generated());
        let close = |Interval(low, high): Interval, theirs: [f64; 2]| {
            let ok = (low - theirs[0]).abs() < 0.013 && (high - theirs[1]).abs() < 0.013;
            assert!(ok, "{low} to {high} instead of {theirs:?}");
        };
        close(own.accuracy, [0.607, 0.798]);
        close(own.macro_f1, [0.581, 0.801]);
        assert_eq!(own, intervals(&Emotion::ALL[..3], &generated()), "the same every time");
    }

    #[test]
    fn quantiles_lie_between_values() {
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 4.0], 0.5), 1.5);
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 4.0], 1.0), 4.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
