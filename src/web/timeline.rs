//! The last minutes as the page shows them: which emotion from when to when. Pure; the time is
//! handed in.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock;
use crate::vocabulary::wire;

/// How far back it reaches.
pub const SPAN_S: u64 = 600;

/// A label that lasts less is no entry of its own: about what is still seen on a screen.
const MOST_ENTRIES: usize = 2000;

/// One stretch of time with one label.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Stretch {
    /// When it began and when it was seen last.
    pub from: String,
    pub to: String,
    /// An emotion, `uncertain` or `none`; `off` while no picture came.
    pub emotion: &'static str,
    /// Mean over the stretch.
    pub confidence: f64,
}

#[derive(Clone, Debug)]
struct Entry {
    from: Timestamp,
    to: Timestamp,
    emotion: &'static str,
    sum: f64,
    count: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: VecDeque<Entry>,
}

impl Timeline {
    /// What is seen at `now`.
    pub fn add(&mut self, emotion: &'static str, confidence: f64, now: Timestamp) {
        match self.entries.back_mut() {
            Some(last) if last.emotion == emotion => {
                last.to = now;
                last.sum += confidence;
                last.count += 1;
            }
            last => {
                if let Some(last) = last {
                    last.to = now;
                }
                self.entries.push_back(Entry { from: now, to: now, emotion, sum: confidence, count: 1 });
            }
        }
        let horizon = now.as_second() - SPAN_S as i64;
        while self.entries.len() > MOST_ENTRIES
            || self.entries.front().is_some_and(|first| first.to.as_second() < horizon)
        {
            self.entries.pop_front();
        }
    }

    pub fn stretches(&self) -> Vec<Stretch> {
        let stretch = |entry: &Entry| Stretch {
            from: clock::rfc3339(entry.from),
            to: clock::rfc3339(entry.to),
            emotion: entry.emotion,
            confidence: wire::rounded((entry.sum / f64::from(entry.count.max(1))) as f32, 4),
        };
        self.entries.iter().map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_labels_join_and_old_ones_go() {
        let at = |s: i64| Timestamp::from_second(1_769_860_800 + s).expect("in range");
        let mut timeline = Timeline::default();
        for (emotion, confidence, s) in
            [("happy", 0.5, 0), ("happy", 0.7, 1), ("sad", 0.4, 2), ("sad", 0.4, 601), ("none", 0.0, 602)]
        {
            timeline.add(emotion, confidence, at(s));
        }
        let stretches = timeline.stretches();
        let all: Vec<(&str, &str, f64)> =
            stretches.iter().map(|s| (s.emotion, &s.from[14..19], s.confidence)).collect();
        assert_eq!(all, [("happy", "00:00", 0.6), ("sad", "00:02", 0.4), ("none", "10:02", 0.0)]);
        assert_eq!(stretches[0].to, stretches[1].from);
        timeline.add("none", 0.0, at(603));
        assert_eq!(timeline.stretches()[0].emotion, "sad");
    }
}
