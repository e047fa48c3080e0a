//! Whether two models differ on the same faces: McNemar's test (1947, doi:10.1007/BF02295996).

use serde::Serialize;

use super::metrics::Outcome;

/// With fewer faces on which just one model is right, the exact binomial test is used.
const EXACT_BELOW: u64 = 25;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Faces that only the first or only the second model tells right.
    pub only_first_right: u64,
    pub only_second_right: u64,
    /// How `p` was computed.
    pub method: &'static str,
    /// Chi-squared with one degree of freedom; not for the exact test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<f64>,
    /// Two-sided: how likely at least such a difference is between models that are equally good.
    pub p: f64,
}

/// Compares the answers of two models to the same faces.
pub fn mcnemar(first: &[Outcome], second: &[Outcome]) -> McNemar {
    let count = |only: fn(bool, bool) -> bool| {
        first.iter().zip(second).filter(|(a, b)| only(a.is_right(), b.is_right())).count() as u64
    };
    test(count(|a, b| a && !b), count(|a, b| b && !a))
}

fn test(only_first_right: u64, only_second_right: u64) -> McNemar {
    let discordant = only_first_right + only_second_right;
    let (method, statistic, p) = if discordant < EXACT_BELOW {
        ("exact binomial", None, exact(only_first_right.min(only_second_right), discordant))
    } else {
        // Edwards's correction for continuity (1948, doi:10.1007/BF02289261).
        let difference = (only_first_right.abs_diff(only_second_right) as f64 - 1.0).max(0.0);
        let statistic = difference * difference / discordant as f64;
        // The survival function of chi-squared with one degree of freedom.
        ("chi-squared, continuity-corrected", Some(statistic), libm::erfc((statistic / 2.0).sqrt()))
    };
    McNemar { only_first_right, only_second_right, method, statistic, p }
}

/// Twice the probability of at most `fewer` heads in `tosses` of a fair coin, at most 1.
fn exact(fewer: u64, tosses: u64) -> f64 {
    let mut ways = 1.0;
    let mut sum = 0.0;
    for heads in 0..=fewer {
        sum += ways;
        ways *= (tosses - heads) as f64 / (heads + 1) as f64;
    }
    (2.0 * sum * 0.5f64.powi(tosses as i32)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `p` is that of SciPy 1.17: `binomtest(b, b + c).pvalue` and `chi2.sf((|b - c| - 1)² / (b + c), 1)`.
    #[test]
    fn p_of_scipy() {
        for (b, c, statistic, p) in [
            (3, 12, None, 0.035_156_25),
            (12, 3, None, 0.035_156_25),
            (5, 5, None, 1.0),
            (0, 0, None, 1.0),
            (0, 24, None, 1.192_092_895_507_812_5e-7),
            (10, 15, Some(0.64), 0.423_710_797_166_793_6),
            (13, 12, Some(0.0), 1.0),
            (40, 60, Some(3.61), 0.057_433_119_632_003_35),
        ] {
            let own = test(b, c);
            assert_eq!(own.statistic, statistic, "{b} {c}");
            assert!((own.p - p).abs() < 1e-12, "{b} {c}: {} instead of {p}", own.p);
        }
    }

    #[test]
    fn only_faces_on_which_one_is_right_count() {
        let outcome = |right: bool| Outcome {
            truth: 0,
            answer: Some(usize::from(!right)),
            in_top2: true,
            confidence: 0.9,
        };
        let answers = |right: [bool; 5]| right.map(outcome);
        let found =
            mcnemar(&answers([true, true, true, false, false]), &answers([true, false, false, true, false]));
        assert_eq!((found.only_first_right, found.only_second_right), (2, 1));
    }
}
