//! The last day in minutes: for how long each emotion was seen. Pure; both clocks are handed in.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::base::clock;
use crate::vocabulary::wire;

/// How many minutes are kept: a day, about a third of a megabyte.
pub const MINUTES: usize = 24 * 60;

/// Between two words on what is seen; a longer silence belongs to nothing.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// What is said while no picture comes.
pub const OFF: &str = "off";

#[derive(Clone, Debug, Default)]
pub struct History {
    minutes: VecDeque<Minute>,
    last: Option<(&'static str, Instant)>,
}

#[derive(Clone, Debug)]
struct Minute {
    /// Minutes since 1970.
    number: i64,
    times: BTreeMap<&'static str, Duration>,
    changes: u32,
    max_faces: usize,
}

impl History {
    /// What is seen at this moment: an emotion, `uncertain`, `none` or [`OFF`], and how many faces. The
    /// time since the last call belongs to what was said then, and to the minute of this one.
    pub fn add(&mut self, seen: &'static str, faces: usize, now: Instant, wall: Timestamp) {
        let before = self.last.replace((seen, now));
        let minute = self.minute(wall.as_second().div_euclid(60));
        minute.max_faces = minute.max_faces.max(faces);
        if let Some((before, at)) = before {
            let step = now.saturating_duration_since(at);
            if step <= LONGEST_STEP {
                *minute.times.entry(before).or_default() += step;
            }
            minute.changes += u32::from(before != seen);
        }
    }

    /// The newest minute; a wall clock that was set back stays in it.
    fn minute(&mut self, number: i64) -> &mut Minute {
        let number = self.minutes.back().map_or(number, |last| last.number.max(number));
        if self.minutes.back().is_none_or(|last| last.number < number) {
            self.minutes.push_back(Minute { number, times: BTreeMap::new(), changes: 0, max_faces: 0 });
        }
        while self.minutes.front().is_some_and(|first| first.number <= number - MINUTES as i64) {
            self.minutes.pop_front();
        }
        self.minutes.back_mut().expect("one was put there")
    }

    /// The last `minutes` up to `wall`, the running one included.
    pub fn summary(&self, minutes: usize, wall: Timestamp) -> wire::History {
        let from = wall.as_second().div_euclid(60) - minutes as i64;
        let mut all = wire::Tally::default();
        let mut listed = Vec::new();
        for minute in self.minutes.iter().filter(|minute| minute.number > from) {
            let mut tally =
                wire::Tally { changes: minute.changes, max_faces: minute.max_faces, ..Default::default() };
            for (&seen, time) in &minute.times {
                let seconds = wire::rounded(time.as_secs_f32(), 1);
                tally.seconds.insert(seen, seconds);
                let sum = all.seconds.entry(seen).or_default();
                *sum = ((*sum + seconds) * 10.0).round() / 10.0;
            }
            all.changes += minute.changes;
            all.max_faces = all.max_faces.max(minute.max_faces);
            let start = Timestamp::from_second(minute.number * 60).unwrap_or(Timestamp::UNIX_EPOCH);
            listed.push(wire::Minute { time: clock::rfc3339(start), tally });
        }
        wire::History { time: clock::rfc3339(wall), span_min: minutes, total: all, minutes: listed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_belongs_to_what_was_seen_and_silence_to_nothing() {
        let start = Instant::now();
        let wall = |ms: u64| Timestamp::from_millisecond(1_769_860_800_000 + ms as i64).expect("in range");
        let mut history = History::default();
        let mut add = |seen, faces, ms| history.add(seen, faces, start + Duration::from_millis(ms), wall(ms));
        for second in 0..50 {
            add("none", 0, 1000 * second);
        }
        for half in 100..140 {
            add("happy", 2, 500 * half);
        }
        // Nothing was said for ten seconds.
        add("sad", 1, 80_000);
        add("sad", 1, 81_500);
        // The wall clock is set back by half a minute.
        history.add("sad", 1, start + Duration::from_millis(82_500), wall(50_000));

        let hour = history.summary(60, wall(82_500));
        let total = BTreeMap::from([("happy", 19.5), ("none", 50.0), ("sad", 2.5)]);
        assert_eq!(hour.total, wire::Tally { seconds: total, changes: 2, max_faces: 2 });
        let minutes: Vec<(&str, f64)> =
            hour.minutes.iter().map(|minute| (&minute.time[11..16], minute.tally.seconds["happy"])).collect();
        assert_eq!(minutes, [("12:00", 9.5), ("12:01", 10.0)]);
        assert_eq!(history.summary(1, wall(82_500)).minutes.len(), 1);
        assert!(history.summary(60, wall(2 * 3_600_000)).minutes.is_empty());
    }

    #[test]
    fn a_day_is_kept() {
        let start = Instant::now();
        let mut history = History::default();
        for minute in 0..2 * MINUTES as u64 {
            let wall = Timestamp::from_second(60 * minute as i64).expect("in range");
            history.add("none", 0, start + Duration::from_secs(60 * minute), wall);
        }
        assert_eq!(history.minutes.len(), MINUTES);
    }
}
