//! How long a camera that came back must deliver before it counts as back. Pure.

use std::time::{Duration, Instant};

/// The first return counts at once. One that comes and goes, by a loose plug or a weak supply, must last ever longer, so
/// that all who listen are told of a return and a loss once a minute at most.
const STEPS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// A camera that has been back for so long begins anew.
const QUIET: Duration = Duration::from_secs(60);

/// What is remembered of one camera's returns.
#[derive(Debug, Default)]
pub struct Settle {
    step: usize,
    back: Option<Instant>,
    said: bool,
}

impl Settle {
    /// The camera, which was lost, counts as back since `now`.
    pub const fn back(&mut self, now: Instant) {
        self.back = Some(now);
    }

    /// It is lost at `now`; whether it counted as back before makes no difference.
    pub fn lost(&mut self, now: Instant) {
        if let Some(back) = self.back.take() {
            self.said = false;
            let soon = now.saturating_duration_since(back) < QUIET;
            self.step = if soon { (self.step + 1).min(STEPS.len() - 1) } else { 0 };
        }
    }

    /// Whether it is to be said that something is waited for: once after each return.
    pub const fn says(&mut self) -> bool {
        !std::mem::replace(&mut self.said, true)
    }

    /// For how long it must deliver without a gap before it counts as back.
    pub const fn time(&self) -> Duration {
        STEPS[self.step]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settle times of a camera that delivers for `up_s` and is away for a second, `count` times.
    fn times(settle: &mut Settle, start: Instant, up_s: u64, count: u64) -> Vec<u64> {
        let mut now = start;
        let mut times = Vec::new();
        for _ in 0..count {
            settle.lost(now);
            times.push(settle.time().as_secs());
            now += Duration::from_secs(1);
            if Duration::from_secs(up_s) >= settle.time() {
                settle.back(now + settle.time());
            }
            now += Duration::from_secs(up_s);
        }
        settle.lost(now);
        times
    }

    #[test]
    fn one_that_comes_and_goes_must_last_ever_longer() {
        let start = Instant::now();
        assert_eq!(times(&mut Settle::default(), start, 2, 4), [0, 5, 5, 5], "never back again");
        assert_eq!(times(&mut Settle::default(), start, 25, 6), [0, 5, 20, 60, 60, 60]);
        assert_eq!(times(&mut Settle::default(), start, 70, 3), [0, 0, 0], "seldom enough");
    }

    #[test]
    fn a_quiet_minute_begins_anew() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        times(&mut settle, start, 25, 4);
        assert_eq!(settle.time(), STEPS[3]);
        let back = start + Duration::from_secs(1000);
        settle.back(back);
        settle.lost(back + QUIET);
        assert_eq!(settle.time(), Duration::ZERO);
    }
}
