//! Counters and latencies of the running daemon.

use std::time::{Duration, Instant};

use crate::vocabulary::wire::{self, Latency};

/// Latencies that are kept, so that figures that nobody takes need no more memory than this: two minutes at 30
/// frames a second.
const KEPT: usize = 4096;

/// Frames that went through the pipeline since the figures were taken last.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Of the last `KEPT` frames, in no order.
    latencies: Vec<Duration>,
    frames: usize,
    since: Instant,
}

impl Meter {
    /// Measures from `now` on.
    pub fn new(now: Instant) -> Self {
        Self { latencies: Vec::new(), frames: 0, since: now }
    }

    /// Counts a frame that took `latency` from capture to observation.
    pub fn add(&mut self, latency: Duration) {
        match self.latencies.get_mut(self.frames % KEPT) {
            Some(oldest) => *oldest = latency,
            None => self.latencies.push(latency),
        }
        self.frames += 1;
    }

    /// Frames a second, and latency percentiles of the last 4,096 of them, since the last call.
    pub fn take(&mut self, now: Instant) -> (f64, Latency) {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.sort_unstable();
        let frames = std::mem::take(&mut self.frames);
        let percentile = |share: f64| milliseconds(percentile(&latencies, share));
        let latency = Latency {
            p50: percentile(0.5),
            p95: percentile(0.95),
            p99: percentile(0.99),
            max: percentile(1.0),
        };
        let fps = if elapsed > 0.0 { frames as f64 / elapsed } else { 0.0 };
        (wire::rounded(fps as f32, 2), latency)
    }
}

/// The nearest-rank percentile of sorted values: the smallest that a `share` of 0 to 1 does not exceed; zero of none.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    wire::rounded(duration.as_secs_f32() * 1000.0, 2)
}

/// Resident memory of this process in bytes, from `/proc/self/statm` (proc(5): pages); 0 where it
/// cannot be read.
pub fn resident_memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for ms in (1..=100).rev() {
            meter.add(Duration::from_millis(ms));
        }
        let (fps, latency) = meter.take(start + Duration::from_secs(10));
        assert_eq!(fps, 10.0);
        assert_eq!((latency.p50, latency.p95, latency.p99, latency.max), (50.0, 95.0, 99.0, 100.0));
        assert_eq!(meter.take(start + Duration::from_secs(20)), (0.0, Latency::default()));
    }

    #[test]
    fn what_nobody_takes_does_not_pile_up() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        (0..3 * KEPT).for_each(|frame| meter.add(Duration::from_millis(u64::from(frame < 2 * KEPT))));
        assert_eq!(meter.latencies.len(), KEPT);
        let (fps, latency) = meter.take(start + Duration::from_secs(1));
        assert_eq!((fps, latency.max), (3.0 * KEPT as f64, 0.0), "all are counted, the last are kept");
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(resident_memory() > 100_000);
    }
}
