//! Counters and latencies of the running daemon.

use std::time::{Duration, Instant};

use crate::wire::{self, Latency};

/// Frames that went through the pipeline since the figures were taken last.
#[derive(Clone, Debug)]
pub struct Meter {
    latencies: Vec<Duration>,
    since: Instant,
}

impl Meter {
    pub fn new(now: Instant) -> Self {
        Self { latencies: Vec::new(), since: now }
    }

    /// Counts a frame that took `latency` from capture to observation.
    pub fn add(&mut self, latency: Duration) {
        self.latencies.push(latency);
    }

    /// Frames a second and latency percentiles since the last call.
    pub fn take(&mut self, now: Instant) -> (f64, Latency) {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.sort_unstable();
        // The nearest-rank percentile: the smallest value that so many do not exceed.
        let percentile = |share: f64| {
            let rank = (share * latencies.len() as f64).ceil().max(1.0) as usize;
            latencies.get(rank - 1).map_or(0.0, |latency| milliseconds(*latency))
        };
        let latency = Latency {
            p50: percentile(0.5),
            p95: percentile(0.95),
            p99: percentile(0.99),
            max: percentile(1.0),
        };
        let fps = if elapsed > 0.0 { latencies.len() as f64 / elapsed } else { 0.0 };
        (wire::rounded(fps as f32, 2), latency)
    }
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
    fn this_process_uses_memory() {
        assert!(resident_memory() > 100_000);
    }
}
