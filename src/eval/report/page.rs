//! The report's page: one file without references to others.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::plots::{self, DARK, DrawError, LIGHT, Theme};
use crate::eval::bootstrap::Interval;
use crate::eval::groups::By;
use crate::eval::metrics::{ECE_BINS, MACRO_MIN_SUPPORT};
use crate::eval::summary::{Against, Corrupted, Details};

const STYLE: &str = include_str!("page.css");

/// The page of `details`.
pub fn html(details: &Details) -> Result<String, DrawError> {
    let metrics = &details.summary.metrics;
    let title = format!("{} on {}", details.summary.model, name_of(&details.source.data));
    let confusion = both(|theme| {
        plots::confusion(theme, &metrics.confusion.labels, &metrics.confusion.rows, &details.no_face_by_class)
    })?;
    let bars = both(|theme| plots::per_class(theme, &metrics.per_class, &details.intervals_95.per_class))?;
    let reliability = both(|theme| plots::reliability(theme, &details.reliability))?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (about(details))
                    (figures(details))
                    @if let Some(against) = &details.summary.against { (comparison(details, against)) }
                    h2 { "Confusion matrix" }
                    p { "Count, and share of the true class." }
                    (confusion)
                    h2 { "Classes" }
                    p { "Whiskers are 95 % intervals." }
                    (bars)
                    (table(details))
                    h2 { "Calibration" }
                    p {
                        "How often answers of a confidence are right. On the line they would be as often right "
                        "as the model says; red is the difference."
                    }
                    (reliability)
                    (coverage(details))
                    @if let Some(corrupted) = &details.summary.corrupted { (spoilt(details, corrupted)) }
                    @for by in &details.summary.by { (groups(by)) }
                    (method(details))
                }
            }
        }
    };
    Ok(page.into_string())
}

/// A plot in both themes, of which the page shows one.
fn both(plot: impl Fn(&Theme) -> Result<String, DrawError>) -> Result<Markup, DrawError> {
    let (light, dark) = (plot(&LIGHT)?, plot(&DARK)?);
    Ok(html! {
        figure {
            div .light { (PreEscaped(light)) }
            div .dark { (PreEscaped(dark)) }
        }
    })
}

fn name_of(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

fn about(details: &Details) -> Markup {
    let source = &details.source;
    let faces = match source.faces {
        "detect" => "the largest face of each picture, found by the daemon's detector",
        _ => "the pictures are faces already",
    };
    let left_out = [&details.left_out[..], &details.unreadable[..]].concat();
    html! {
        p {
            (details.summary.metrics.samples) " samples of " (source.format)
            @if let Some(split) = &source.split { ", split " (split) }
            @if let Some(votes) = &source.votes { ", labels by majority of " (name_of(votes)) }
            "; " (faces) "."
        }
        @if details.summary.metrics.no_face > 0 {
            p { "No face was found in " (details.summary.metrics.no_face) " pictures, which counts as wrong." }
        }
        @if details.several_faces > 0 {
            p { (details.several_faces) " pictures hold several faces." }
        }
        @if !left_out.is_empty() {
            details {
                summary { "What was left out (" (details.summary.skipped) " samples skipped)" }
                ul { @for note in &left_out { li { (note) } } }
            }
        }
    }
}

fn figures(details: &Details) -> Markup {
    let (metrics, intervals) = (&details.summary.metrics, &details.intervals_95);
    let time = details.detect_ms + details.classify_ms;
    let shares = [
        ("accuracy", metrics.accuracy, intervals.accuracy),
        ("macro F1", metrics.macro_f1, intervals.macro_f1),
        ("top-2", metrics.top2, intervals.top2),
        ("calibration error", metrics.ece, intervals.ece),
    ];
    html! {
        div .figures {
            @for (name, value, interval) in shares {
                div { span { (name) } strong { (percent(value)) } small { (interval.percent()) } }
            }
            div {
                span { "time per face" }
                strong { (format!("{time:.2} ms")) }
                @if details.source.faces == "detect" {
                    small { (format!("{:.2} of them to find it", details.detect_ms)) }
                }
            }
        }
    }
}

fn comparison(details: &Details, against: &Against) -> Markup {
    let (first, second, test) = (&details.summary.metrics, &against.metrics, &against.mcnemar);
    let rows = [
        ("accuracy", first.accuracy, second.accuracy),
        ("macro F1", first.macro_f1, second.macro_f1),
        ("top-2", first.top2, second.top2),
        ("calibration error", first.ece, second.ece),
    ];
    let verdict = if test.p < 0.05 { "differ" } else { "cannot be told apart" };
    html! {
        h2 { "Compared with " (against.model) }
        table {
            thead { tr { th {} th { (details.summary.model) } th { (against.model) } } }
            tbody {
                @for (name, first, second) in rows {
                    tr { th { (name) } td { (percent(first)) } td { (percent(second)) } }
                }
                tr { th { "only this one right" } td { (test.only_first_right) } td { (test.only_second_right) } }
            }
        }
        p {
            "At the 5 % level the two " (verdict) ": McNemar's test, " (test.method) ", p = "
            (probability(test.p)) "."
        }
    }
}

fn probability(p: f64) -> String {
    if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") }
}

fn table(details: &Details) -> Markup {
    let metrics = &details.summary.metrics;
    let cell = |value: f64, interval: Interval| {
        html! { td { (percent(value)) " " small { (interval.percent()) } } }
    };
    html! {
        div .wide {
            table {
                thead { tr { th {} th { "precision" } th { "recall" } th { "F1" } th { "samples" } } }
                tbody {
                    @for ((label, class), (_, ends)) in
                        metrics.per_class.iter().zip(&details.intervals_95.per_class)
                    {
                        tr {
                            th { (label) }
                            (cell(class.precision, ends.precision))
                            (cell(class.recall, ends.recall))
                            (cell(class.f1, ends.f1))
                            td {
                                (class.support)
                                @if class.support < MACRO_MIN_SUPPORT { small { " not in macro" } }
                            }
                        }
                    }
                    tr .total {
                        th { "macro" }
                        td { (percent(details.macro_precision)) }
                        td { (percent(details.macro_recall)) }
                        (cell(metrics.macro_f1, details.intervals_95.macro_f1))
                        td { (metrics.samples) }
                    }
                }
            }
        }
    }
}

fn coverage(details: &Details) -> Markup {
    html! {
        p { "What a minimal confidence lets through, the rest being uncertain:" }
        table {
            thead { tr { th { "min_confidence" } th { "answers" } th { "of these right" } } }
            tbody {
                @for one in &details.summary.coverage {
                    tr {
                        th { (format!("{:.1}", one.min_confidence)) }
                        td { (percent(one.covered)) }
                        td { (percent(one.accuracy)) }
                    }
                }
            }
        }
    }
}

fn spoilt(details: &Details, corrupted: &Corrupted) -> Markup {
    html! {
        h2 { "Spoilt pictures" }
        p { "Accuracy on the same faces; " (percent(details.summary.metrics.accuracy)) " of them as they are." }
        table {
            tbody {
                @for (name, accuracy) in &corrupted.accuracy {
                    tr { th { (name) } td { (percent(*accuracy)) } }
                }
                tr .total { th { "mean" } td { (percent(corrupted.mean_accuracy)) } }
            }
        }
    }
}

fn groups(by: &By) -> Markup {
    html! {
        h2 { "By " (by.column) }
        table {
            thead { tr { th {} th { "samples" } th { "accuracy" } th { "ECE" } th { "no face" } th { "recall" } } }
            tbody {
                @for group in &by.groups {
                    tr {
                        th { @if group.value.is_empty() { "(none)" } @else { (group.value) } }
                        td { (group.samples) }
                        td { (percent(group.accuracy)) }
                        td { (percent(group.ece)) }
                        td { (group.no_face) }
                        td { @for (label, recall) in &group.recall { (label) " " (percent(*recall)) " " } }
                    }
                }
            }
        }
        @if let Some(gap) = &by.gap {
            p {
                (gap.best) " is " (format!("{:.1}", 100.0 * gap.accuracy)) " points above " (gap.worst)
                " (95 % interval " (gap.interval_95.percent()) ", by " (if gap.people { "people" } else { "pictures" }) ")."
            }
        }
    }
}

fn method(details: &Details) -> Markup {
    html! {
        h2 { "How it was measured" }
        p {
            "By emotiond " (details.version) " with the model file and the code path that the daemon uses, one look "
            "at each face. The answer is the strongest of the labels above. Macro figures are over classes with at "
            "least " (MACRO_MIN_SUPPORT) " samples. Calibration error: expected, " (ECE_BINS) " bins. Intervals: 95 %, "
            "percentiles of " (details.resamples) " bootstrap resamples; pictures of the same person or sequence "
            "are not independent, which makes the true intervals wider."
        }
        dl {
            dt { "data" } dd { (details.source.data) }
            dt { "model" } dd { (details.source.model) }
            @if let Some(against) = &details.source.against { dt { "compared with" } dd { (against) } }
            @if let Some(votes) = &details.source.votes { dt { "votes" } dd { (votes) } }
            dt { "time" } dd { (format!("{:.1} s", details.summary.elapsed_s)) }
        }
    }
}

fn percent(share: f64) -> String {
    if share.is_nan() { "n/a".to_owned() } else { format!("{:.1} %", 100.0 * share) }
}
