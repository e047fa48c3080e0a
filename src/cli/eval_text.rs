//! What `emotiond eval` prints for people.

use std::fmt::Write as _;

use crate::eval::bootstrap::Interval;
use crate::eval::groups::By;
use crate::eval::metrics::{MACRO_MIN_SUPPORT, Metrics};
use crate::eval::summary::{Against, Corrupted, Details};

/// The figures with their 95 % intervals, the classes and the confusion matrix.
pub fn text(details: &Details) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, details);
    out
}

fn write(out: &mut String, details: &Details) -> std::fmt::Result {
    let (metrics, intervals) = (&details.summary.metrics, &details.intervals_95);
    let elapsed = details.summary.elapsed_s;
    writeln!(out, "{}: {} samples, {elapsed:.1} s", details.summary.model, metrics.samples)?;
    for (name, value, interval) in [
        ("accuracy", metrics.accuracy, intervals.accuracy),
        ("macro F1", metrics.macro_f1, intervals.macro_f1),
        ("top-2", metrics.top2, intervals.top2),
        ("calibration error", metrics.ece, intervals.ece),
    ] {
        figure(out, name, value, interval)?;
    }
    for one in &details.summary.coverage {
        let name = format!("sure of {:.1}", one.min_confidence);
        let (covered, right) = (100.0 * one.covered, 100.0 * one.accuracy);
        writeln!(out, "{name:<18}{covered:>6.2} %   of these right {right:.2} %")?;
    }
    writeln!(out, "{:<18}{:>6.2} ms", "time to classify", details.classify_ms)?;
    if details.source.faces == "detect" {
        writeln!(out, "{:<18}{:>6.2} ms", "time to find", details.detect_ms)?;
    }
    classes(out, details)?;
    confusion(out, metrics, &details.no_face_by_class)?;
    if let Some(corrupted) = &details.summary.corrupted {
        spoilt(out, metrics, corrupted)?;
    }
    for by in &details.summary.by {
        groups(out, by)?;
    }
    match &details.summary.against {
        Some(against) => comparison(out, metrics, against),
        None => Ok(()),
    }
}

fn figure(out: &mut String, name: &str, value: f64, interval: Interval) -> std::fmt::Result {
    if value.is_nan() {
        return writeln!(out, "{name:<18}{:>6}     no class has {MACRO_MIN_SUPPORT} samples", "n/a");
    }
    writeln!(out, "{name:<18}{:>6.2} %   95 % interval {}", 100.0 * value, interval.percent())
}

fn classes(out: &mut String, details: &Details) -> std::fmt::Result {
    let metrics = &details.summary.metrics;
    writeln!(out, "\n{:<10}{:>10}{:>8}{:>8}{:>9}", "", "precision", "recall", "F1", "support")?;
    for (label, class) in &metrics.per_class {
        let (precision, recall, f1) = (class.precision, class.recall, class.f1);
        writeln!(out, "{label:<10}{precision:>10.3}{recall:>8.3}{f1:>8.3}{:>9}", class.support)?;
    }
    let (precision, recall) = (details.macro_precision, details.macro_recall);
    if precision.is_nan() {
        return writeln!(out, "{:<10}{:>10}{:>8}{:>8}", "macro", "n/a", "n/a", "n/a");
    }
    writeln!(out, "{:<10}{precision:>10.3}{recall:>8.3}{:>8.3}", "macro", metrics.macro_f1)
}

fn confusion(out: &mut String, metrics: &Metrics, no_face: &[u64]) -> std::fmt::Result {
    write!(out, "\n{:<10}", "truth")?;
    for label in &metrics.confusion.labels {
        write!(out, "{label:>9}")?;
    }
    let with_no_face = metrics.no_face > 0;
    writeln!(out, "{}   answers", if with_no_face { "  no face" } else { "" })?;
    let rows = metrics.confusion.labels.iter().zip(&metrics.confusion.rows);
    for ((label, row), no_face) in rows.zip(no_face) {
        write!(out, "{label:<10}")?;
        for count in row {
            write!(out, "{count:>9}")?;
        }
        if with_no_face {
            write!(out, "{no_face:>9}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn spoilt(out: &mut String, clean: &Metrics, corrupted: &Corrupted) -> std::fmt::Result {
    writeln!(out, "\naccuracy on the same faces spoilt")?;
    for (name, accuracy) in &corrupted.accuracy {
        writeln!(out, "{name:<18}{:>6.2} %", 100.0 * accuracy)?;
    }
    let (mean, loss) = (100.0 * corrupted.mean_accuracy, 100.0 * (clean.accuracy - corrupted.mean_accuracy));
    writeln!(out, "{:<18}{mean:>6.2} %   {loss:.2} points below clean", "mean")
}

fn groups(out: &mut String, by: &By) -> std::fmt::Result {
    let column = &by.column;
    writeln!(out, "\n{column:<18}{:>8}{:>10}{:>8}{:>9}   recall", "samples", "accuracy", "ECE", "no face")?;
    for group in &by.groups {
        let value = if group.value.is_empty() { "(none)" } else { &group.value };
        let (samples, no_face) = (group.samples, group.no_face);
        write!(out, "{value:<18}{samples:>8}{:>10.3}{:>8.3}{no_face:>9}  ", group.accuracy, group.ece)?;
        for (label, recall) in &group.recall {
            write!(out, " {label} {recall:.3}")?;
        }
        writeln!(out)?;
    }
    let Some(gap) = &by.gap else {
        return writeln!(out, "no gap: fewer than two groups have {MACRO_MIN_SUPPORT} samples");
    };
    writeln!(
        out,
        "gap {} to {}: {:.2} points, 95 % interval {} (by {})",
        gap.best,
        gap.worst,
        100.0 * gap.accuracy,
        gap.interval_95.percent(),
        if gap.people { "people" } else { "pictures" }
    )
}

fn comparison(out: &mut String, first: &Metrics, against: &Against) -> std::fmt::Result {
    writeln!(out, "\ncompared with {}, on the same samples and labels", against.model)?;
    let second = &against.metrics;
    for (name, own, other) in [
        ("accuracy", first.accuracy, second.accuracy),
        ("macro F1", first.macro_f1, second.macro_f1),
        ("top-2", first.top2, second.top2),
        ("calibration error", first.ece, second.ece),
    ] {
        writeln!(out, "{name:<18}{:>6.2} %  against {:>6.2} %", 100.0 * own, 100.0 * other)?;
    }
    let test = &against.mcnemar;
    writeln!(
        out,
        "right alone: {} against {}; McNemar's test ({}): p = {:.4}",
        test.only_first_right, test.only_second_right, test.method, test.p
    )
}
