//! `/metrics` in Prometheus' text format 0.0.4. The values are counted elsewhere, so that writing
//! them down is all there is to do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use crate::base::mutex::lock;
use crate::vocabulary::emotion::Emotion;
use crate::vocabulary::wire;

pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the latency's buckets in seconds: from what a fast PC to what a slow board takes.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0];

/// Latencies since start.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// One a bound, and one for what is beyond the last.
    counts: [u64; BOUNDS.len() + 1],
    sum_s: f64,
}

impl Histogram {
    pub fn add(&mut self, latency: Duration) {
        let seconds = latency.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum_s += seconds;
    }
}

/// Requests by path and status.
#[derive(Debug, Default)]
pub struct Requests(Mutex<BTreeMap<(String, u16), u64>>);

impl Requests {
    /// `path` is a route, of which there are few, and not what a client wrote.
    pub fn count(&self, path: &str, status: u16) {
        let mut counts = lock(&self.0);
        *counts.entry((path.to_owned(), status)).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<(String, u16), u64> {
        lock(&self.0).clone()
    }
}

/// What is written down.
pub struct Figures<'a> {
    pub status: &'a wire::Status,
    pub stats: &'a wire::Stats,
    pub latencies: &'a Histogram,
    pub requests: &'a Requests,
    pub live_viewers: usize,
    pub live_pictures: u64,
}

/// The whole answer.
pub fn text(figures: &Figures<'_>) -> String {
    let mut out = Text::default();
    out.frames(figures);
    out.seen(figures.status);
    out.parts(figures.status, figures.stats);
    out.rules(&figures.stats.rules);
    out.requests(figures);
    out.gauge("process_resident_memory_bytes", "Resident memory.", figures.stats.memory_bytes as f64);
    out.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn frames(&mut self, figures: &Figures<'_>) {
        let Figures { status, stats, .. } = figures;
        self.family("emotiond_build_info", "gauge", "Version and device; always 1.");
        self.labelled("emotiond_build_info", &[("device", &status.device), ("version", status.version)], 1.0);
        self.gauge("emotiond_uptime_seconds", "Time since start.", stats.uptime_s);

        self.counter("emotiond_frames_total", "Frames that the camera delivered.", stats.frames);
        self.counter(
            "emotiond_frames_dropped_total",
            "Frames replaced by a newer one before the pipeline took them.",
            stats.frames_dropped,
        );
        self.counter(
            "emotiond_frames_damaged_total",
            "Frames that were cut short or could not be decoded.",
            stats.frames_damaged,
        );
        self.counter(
            "emotiond_camera_reopened_total",
            "Times the camera was opened again.",
            stats.camera_reopened,
        );
        self.histogram(
            "emotiond_frame_latency_seconds",
            "From capture to observation; the count is that of frames analysed.",
            figures.latencies,
        );
    }

    fn seen(&mut self, status: &wire::Status) {
        self.gauge("emotiond_faces", "Faces followed now.", status.state.faces as f64);
        self.family("emotiond_emotion", "gauge", "1 for what the primary face shows now, else 0.");
        for name in Emotion::ALL.iter().map(|emotion| emotion.name()).chain(["uncertain", "none"]) {
            let shown = f64::from(u8::from(status.state.emotion == name));
            self.labelled("emotiond_emotion", &[("emotion", name)], shown);
        }
        self.gauge("emotiond_emotion_confidence", "Smoothed probability, 0 to 1.", status.state.confidence);
    }

    fn parts(&mut self, status: &wire::Status, stats: &wire::Stats) {
        self.gauge(
            "emotiond_enabled",
            "Whether the camera may be read.",
            f64::from(u8::from(status.enabled)),
        );
        self.family("emotiond_part_up", "gauge", "Whether a part is well.");
        let parts = &status.parts;
        let parts = [
            ("broker", &parts.broker),
            ("camera", &parts.camera),
            ("display", &parts.display),
            ("pipeline", &parts.pipeline),
        ];
        for (name, part) in parts {
            self.labelled("emotiond_part_up", &[("part", name)], f64::from(u8::from(part.well)));
        }
        self.family("emotiond_errors_total", "counter", "Errors by part.");
        for (part, errors) in &stats.errors {
            self.labelled("emotiond_errors_total", &[("part", part)], *errors as f64);
        }
        self.counter(
            "emotiond_events_dropped_total",
            "Events lost because the broker was away for too long.",
            stats.events_dropped,
        );
    }

    fn requests(&mut self, figures: &Figures<'_>) {
        self.gauge("emotiond_live_viewers", "Live views open now.", figures.live_viewers as f64);
        self.counter(
            "emotiond_live_pictures_total",
            "Pictures encoded for live views.",
            figures.live_pictures,
        );
        self.family("emotiond_http_requests_total", "counter", "Requests answered, by route and status.");
        for ((path, code), count) in figures.requests.all() {
            let labels = [("path", path.as_str()), ("status", &code.to_string())];
            self.labelled("emotiond_http_requests_total", &labels, count as f64);
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escape(text))).collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn rules(&mut self, rules: &BTreeMap<String, wire::RuleCounts>) {
        let name = "emotiond_rule_fired_total";
        self.family(name, "counter", "Times that a rule fired, its ends included where they are told.");
        for (rule, counts) in rules {
            self.labelled(name, &[("rule", rule)], counts.fired as f64);
        }
        let name = "emotiond_rule_actions_total";
        self.family(name, "counter", "What became of the actions of rules.");
        for (rule, counts) in rules {
            let results = [("done", counts.done), ("failed", counts.failed), ("dropped", counts.dropped)];
            for (result, count) in results {
                self.labelled(name, &[("rule", rule), ("result", result)], count as f64);
            }
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut below = 0;
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(histogram.counts) {
            below += count;
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(self.0, "{name}_sum {}\n{name}_count {below}", histogram.sum_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_all_below_their_bound() {
        let mut histogram = Histogram::default();
        for ms in [5, 6, 2000] {
            histogram.add(Duration::from_millis(ms));
        }
        let mut text = Text::default();
        text.histogram("x", "h", &histogram);
        assert!(text.0.contains("x_bucket{le=\"0.005\"} 1\n"), "{}", text.0);
        assert!(text.0.contains("x_bucket{le=\"1\"} 2\n"), "{}", text.0);
        assert!(text.0.contains("x_bucket{le=\"+Inf\"} 3\nx_sum 2.011\nx_count 3\n"), "{}", text.0);
    }
}
