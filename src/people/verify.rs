//! Measuring a descriptor on pairs of photos, as Labeled Faces in the Wild does (Huang et al. 2007,
//! UMass Amherst 07-49): the threshold is chosen on nine tenths and tested on the other one, ten times.
//! Pure.

/// Parts of the pairs.
const FOLDS: usize = 10;

/// Two photos, and whether they show one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub same: bool,
    /// `None` where a photo has no face: such a pair counts as told wrong.
    pub distance: Option<f32>,
}

/// Accuracy over the folds.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    /// Share of pairs told right, mean over the folds.
    pub mean: f64,
    /// Standard error of the mean.
    pub error: f64,
    /// Chosen thresholds, mean over the folds.
    pub threshold: f64,
}

/// A point of the receiver operating characteristic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub threshold: f64,
    /// Share of pairs of two people that are taken for one.
    pub false_accept: f64,
    /// Share of pairs of one person that are taken for one.
    pub true_accept: f64,
}

/// Accuracy by ten-fold cross-validation. The folds are contiguous parts of the pairs of one person and of
/// those of two, in their order, as LFW's own file lists them; so each fold has its share of both.
/// `None` for fewer than ten pairs of either kind.
pub fn accuracy(pairs: &[Pair]) -> Option<Accuracy> {
    let kind = |same: bool| pairs.iter().filter(|pair| pair.same == same).copied().collect::<Vec<_>>();
    let kinds = [kind(true), kind(false)];
    if kinds.iter().any(|pairs| pairs.len() < FOLDS) {
        return None;
    }
    let part = |fold: usize, inside: bool| {
        let mut part = Vec::new();
        for pairs in &kinds {
            let (from, to) = (pairs.len() * fold / FOLDS, pairs.len() * (fold + 1) / FOLDS);
            let chosen = pairs.iter().enumerate().filter(|(index, _)| (from..to).contains(index) == inside);
            part.extend(chosen.map(|(_, pair)| *pair));
        }
        part
    };
    let (mut shares, mut thresholds) = (Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let threshold = best_threshold(&part(fold, false));
        shares.push(right(&part(fold, true), threshold));
        thresholds.push(f64::from(threshold));
    }
    let mean = mean(&shares);
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (FOLDS - 1) as f64;
    Some(Accuracy { mean, error: (variance / FOLDS as f64).sqrt(), threshold: self::mean(&thresholds) })
}

/// Share of pairs that are told right with `threshold`.
pub fn right(pairs: &[Pair], threshold: f32) -> f64 {
    let told = |pair: &&Pair| pair.distance.is_some_and(|distance| (distance <= threshold) == pair.same);
    pairs.iter().filter(told).count() as f64 / pairs.len() as f64
}

/// The threshold that tells most pairs right, in the middle between two distances.
fn best_threshold(pairs: &[Pair]) -> f32 {
    let mut sorted: Vec<(f32, bool)> =
        pairs.iter().filter_map(|pair| Some((pair.distance?, pair.same))).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Right below every distance: all pairs of two people.
    let mut told = sorted.iter().filter(|(_, same)| !same).count();
    let (mut best, mut threshold) = (told, 0.0);
    for (index, (distance, same)) in sorted.iter().enumerate() {
        if *same {
            told += 1;
        } else {
            told -= 1;
        }
        let next = sorted.get(index + 1).map(|(next, _)| *next);
        // A threshold cannot part equal distances.
        if told > best && next != Some(*distance) {
            (best, threshold) = (told, (distance + next.unwrap_or(*distance)) / 2.0);
        }
    }
    threshold
}

/// The receiver operating characteristic, one point for each false accept of a pair with faces, from 0 on;
/// pairs without a face accept nothing.
pub fn roc(pairs: &[Pair]) -> Vec<Point> {
    let count = |same: bool| pairs.iter().filter(|pair| pair.same == same).count().max(1) as f64;
    let (of_same, of_two) = (count(true), count(false));
    let distances = |same: bool| {
        let of_kind = pairs.iter().filter(|pair| pair.same == same);
        let mut distances: Vec<f32> = of_kind.filter_map(|pair| pair.distance).collect();
        distances.sort_by(f32::total_cmp);
        distances
    };
    let (same, two) = (distances(true), distances(false));
    let mut points = Vec::with_capacity(two.len() + 1);
    for accepted in 0..=two.len() {
        // As large as it can be before the next pair of two people is accepted.
        let reach = two.get(accepted).copied();
        let near = |distance: &f32| reach.is_none_or(|reach| *distance < reach);
        let threshold = reach.or_else(|| two.last().copied()).unwrap_or_default();
        points.push(Point {
            threshold: f64::from(threshold),
            false_accept: accepted as f64 / of_two,
            true_accept: same.partition_point(near) as f64 / of_same,
        });
    }
    points
}

/// The part of pairs of one person that is accepted when at most `false_accept` of the pairs of two are.
pub fn true_accept_at(roc: &[Point], false_accept: f64) -> Option<Point> {
    roc.iter().rev().find(|point| point.false_accept <= false_accept).copied()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(same: bool, distance: f32) -> Pair {
        Pair { same, distance: Some(distance) }
    }

    #[test]
    fn the_threshold_lies_between_what_it_parts() {
        let pairs = [pair(true, 0.2), pair(true, 0.4), pair(false, 0.6), pair(false, 0.9)];
        assert!((best_threshold(&pairs) - 0.5).abs() < 1e-6);
        assert_eq!(right(&pairs, 0.5), 1.0);
        assert_eq!(right(&pairs, 0.7), 0.75);
        let equal = [pair(true, 0.5), pair(false, 0.5), pair(true, 0.5)];
        assert_eq!(right(&equal, best_threshold(&equal)), 2.0 / 3.0);
    }

    #[test]
    fn ten_folds_and_pairs_without_a_face() {
        let mut pairs: Vec<Pair> = (0..20).map(|_| pair(true, 0.3)).collect();
        pairs.extend((0..20).map(|_| pair(false, 0.9)));
        let all = accuracy(&pairs).expect("enough");
        assert_eq!((all.mean, all.error), (1.0, 0.0));
        assert!((all.threshold - 0.6).abs() < 1e-6);
        pairs[0].distance = None;
        pairs[39].distance = Some(0.1);
        // One fold of four loses the pair without a face, another the stranger.
        let less = accuracy(&pairs).expect("enough");
        assert!((less.mean - 0.95).abs() < 1e-9, "{less:?}");
        assert_eq!(accuracy(&pairs[..30]).map(|_| ()), Some(()));
        assert_eq!(accuracy(&pairs[..29]), None);
    }

    #[test]
    fn the_roc_counts_what_is_accepted() {
        let mut pairs = vec![pair(true, 0.2), pair(true, 0.5), pair(false, 0.4), pair(false, 0.8)];
        pairs.push(Pair { same: true, distance: None });
        let roc = roc(&pairs);
        let shares: Vec<(f64, f64)> = roc.iter().map(|p| (p.false_accept, p.true_accept)).collect();
        assert_eq!(shares, [(0.0, 1.0 / 3.0), (0.5, 2.0 / 3.0), (1.0, 2.0 / 3.0)]);
        assert_eq!(true_accept_at(&roc, 0.6).expect("a point").true_accept, 2.0 / 3.0);
    }
}
