//! The last minutes as the page shows them: which emotion from when to when. Pure; the time is
//! handed in. It runs on the clock that never jumps; the wall clock is asked when it is shown.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock;
use crate::tell::report::Moment;
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
    from: Instant,
    to: Instant,
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
    pub fn add(&mut self, emotion: &'static str, confidence: f64, now: Instant) {
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
        let too_old = |entry: &Entry| now.saturating_duration_since(entry.to) > Duration::from_secs(SPAN_S);
        while self.entries.len() > MOST_ENTRIES || self.entries.front().is_some_and(too_old) {
            self.entries.pop_front();
        }
    }

    /// The oldest first, with times by the wall clock of `now`.
    pub fn stretches(&self, now: Moment) -> Vec<Stretch> {
        let stretch = |entry: &Entry| Stretch {
            from: clock::rfc3339(now.wall_of(entry.from)),
            to: clock::rfc3339(now.wall_of(entry.to)),
            emotion: entry.emotion,
            confidence: wire::rounded((entry.sum / f64::from(entry.count.max(1))) as f32, 4),
        };
        self.entries.iter().map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn equal_labels_join_and_old_ones_go() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let wall = |s: u64| Timestamp::from_second(1_769_860_800 + s as i64).expect("in range");
        let mut timeline = Timeline::default();
        for (emotion, confidence, s) in
            [("happy", 0.5, 0), ("happy", 0.7, 1), ("sad", 0.4, 2), ("sad", 0.4, 601), ("none", 0.0, 602)]
        {
            timeline.add(emotion, confidence, at(s));
        }
        let stretches = timeline.stretches(Moment { instant: at(602), wall: wall(602) });
        let all: Vec<(&str, &str, f64)> =
            stretches.iter().map(|s| (s.emotion, &s.from[14..19], s.confidence)).collect();
        assert_eq!(all, [("happy", "00:00", 0.6), ("sad", "00:02", 0.4), ("none", "10:02", 0.0)]);
        assert_eq!(stretches[0].to, stretches[1].from);
        timeline.add("none", 0.0, at(603));
        // The wall clock was set back meanwhile: order and lengths stay.
        let stretches = timeline.stretches(Moment { instant: at(603), wall: wall(3) });
        let first = &stretches[0];
        assert_eq!((first.emotion, &first.from[11..19], &first.to[11..19]), ("sad", "11:50:02", "12:00:02"));
    }
}
