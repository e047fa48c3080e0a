//! The last day in minutes: for how long each emotion was seen. Pure; both clocks are handed in. Minutes are
//! counted on the clock that never jumps; the wall clock only says, when asked, which times those were.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::tell::report::Moment;
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
    /// Start of minute 0: where a minute began by the wall clock of the first call.
    origin: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Minute {
    /// Minutes since the origin.
    number: u64,
    times: BTreeMap<&'static str, Duration>,
    changes: u32,
    max_faces: usize,
}

impl History {
    /// What is seen at this moment: an emotion, `uncertain`, `none` or [`OFF`], and how many faces. The
    /// time since the last call belongs to what was said then, and to the minute of this one.
    pub fn add(&mut self, seen: &'static str, faces: usize, moment: Moment) {
        let now = moment.instant;
        let before = self.last.replace((seen, now));
        let into_minute = Duration::from_secs(moment.wall.as_second().rem_euclid(60).unsigned_abs());
        let origin = *self.origin.get_or_insert_with(|| now.checked_sub(into_minute).unwrap_or(now));
        let minute = self.minute(now.saturating_duration_since(origin).as_secs() / 60);
        minute.max_faces = minute.max_faces.max(faces);
        if let Some((before, at)) = before {
            let step = now.saturating_duration_since(at);
            if step <= LONGEST_STEP {
                *minute.times.entry(before).or_default() += step;
            }
            minute.changes += u32::from(before != seen);
        }
    }

    /// The newest minute.
    fn minute(&mut self, number: u64) -> &mut Minute {
        let number = self.minutes.back().map_or(number, |last| last.number.max(number));
        if self.minutes.back().is_none_or(|last| last.number < number) {
            self.minutes.push_back(Minute { number, times: BTreeMap::new(), changes: 0, max_faces: 0 });
        }
        while self.minutes.front().is_some_and(|first| first.number + MINUTES as u64 <= number) {
            self.minutes.pop_front();
        }
        self.minutes.back_mut().expect("one was put there")
    }

    /// The last `minutes` up to `now`, the running one included.
    pub fn summary(&self, minutes: usize, now: Moment) -> wire::History {
        let origin = self.origin.unwrap_or(now.instant);
        let running = now.instant.saturating_duration_since(origin).as_secs() / 60;
        let mut all = wire::Tally::default();
        let mut listed = Vec::new();
        for minute in self.minutes.iter().filter(|minute| minute.number + minutes as u64 > running) {
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
            let start = now.wall_of(origin + Duration::from_secs(60 * minute.number));
            listed.push(wire::Minute { time: clock::rfc3339(start), tally });
        }
        wire::History { time: clock::rfc3339(now.wall), span_min: minutes, total: all, minutes: listed }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// So long after noon, by both clocks; the wall clock is wrong by `wrong` seconds.
    fn moment(start: Instant, ms: u64, wrong: i64) -> Moment {
        let wall = Timestamp::from_millisecond(1_769_860_800_000 + ms as i64 + 1000 * wrong);
        Moment { instant: start + Duration::from_millis(ms), wall: wall.expect("in range") }
    }

    #[test]
    fn time_belongs_to_what_was_seen_and_silence_to_nothing() {
        let start = Instant::now();
        let mut history = History::default();
        let mut add = |seen, faces, ms| history.add(seen, faces, moment(start, ms, 0));
        for second in 0..50 {
            add("none", 0, 1000 * second);
        }
        for half in 100..140 {
            add("happy", 2, 500 * half);
        }
        // Nothing was said for ten seconds.
        add("sad", 1, 80_000);
        add("sad", 1, 81_500);

        let hour = history.summary(60, moment(start, 82_500, 0));
        let total = BTreeMap::from([("happy", 19.5), ("none", 50.0), ("sad", 1.5)]);
        assert_eq!(hour.total, wire::Tally { seconds: total, changes: 2, max_faces: 2 });
        let minutes: Vec<(&str, f64)> =
            hour.minutes.iter().map(|minute| (&minute.time[11..16], minute.tally.seconds["happy"])).collect();
        assert_eq!(minutes, [("12:00", 9.5), ("12:01", 10.0)]);
        assert_eq!(history.summary(1, moment(start, 82_500, 0)).minutes.len(), 1);
        assert!(history.summary(60, moment(start, 2 * 3_600_000, 0)).minutes.is_empty());
    }

    #[test]
    fn a_clock_that_jumps_loses_and_invents_nothing() {
        const DAY: i64 = 86_400;
        let start = Instant::now();
        let mut history = History::default();
        for second in 0..300_u64 {
            let wrong = match second {
                100..110 => 14 * DAY,
                200.. => -DAY,
                _ => 0,
            };
            history.add("none", 0, moment(start, 1000 * second, wrong));
        }
        let hour = history.summary(60, moment(start, 300_000, -DAY));
        assert_eq!(hour.total.seconds["none"], 299.0);
        // All by the clock that was right last.
        let times: Vec<&str> = hour.minutes.iter().map(|minute| &minute.time[..16]).collect();
        let expected: Vec<String> = (0..5).map(|minute| format!("2026-01-30T12:0{minute}")).collect();
        assert_eq!(times, expected);
    }

    #[test]
    fn a_day_is_kept() {
        let start = Instant::now();
        let mut history = History::default();
        for minute in 0..2 * MINUTES as u64 {
            history.add("none", 0, moment(start, 60_000 * minute, 0));
        }
        assert_eq!(history.minutes.len(), MINUTES);
    }
}
