//! Whether every part makes progress, and the figures that say how well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::shared::Shared;
use crate::base::clock;
use crate::tell::stats;
use crate::vocabulary::wire;
use crate::{camera, display, mqtt, rules};

/// A part that has not moved for this long hangs. An I2C transfer may wait for the kernel's second,
/// a broker's name for the resolver's five.
const STUCK: Duration = Duration::from_secs(15);

/// Remembers when each part moved last.
pub struct Health {
    started: Instant,
    moved: BTreeMap<&'static str, (u64, Instant)>,
    said: bool,
}

impl Health {
    pub fn new(now: Instant) -> Self {
        Self { started: now, moved: BTreeMap::new(), said: false }
    }

    /// Whether all parts, given with counters that grow while they work, have moved lately.
    pub fn all_progress(&mut self, beats: &[(&'static str, u64)], now: Instant) -> bool {
        let mut stuck = None;
        for (name, beat) in beats {
            let last = self.moved.entry(name).or_insert((*beat, self.started));
            if last.0 != *beat {
                *last = (*beat, now);
            }
            if now.saturating_duration_since(last.1) > STUCK {
                stuck = Some(*name);
            }
        }
        if let Some(name) = stuck.filter(|_| !self.said) {
            log::error!("thread {name} hangs: the watchdog is not fed any more");
        }
        self.said = stuck.is_some();
        stuck.is_none()
    }
}

/// The `stats` message; rate and latency are the caller's.
pub fn stats(
    camera: &camera::thread::Status,
    display: &display::Status,
    mqtt: Option<&mqtt::Mqtt>,
    rules: &rules::Rules,
    pipeline: &Shared,
    (fps, latency_ms): (f64, wire::Latency),
) -> wire::Stats {
    let camera = camera.report();
    let mqtt = mqtt.map(mqtt::Mqtt::status).unwrap_or_default();
    wire::Stats {
        time: clock::rfc3339(Timestamp::now()),
        uptime_s: wire::rounded(pipeline.uptime().as_secs_f32(), 1),
        version: env!("CARGO_PKG_VERSION"),
        camera: Some(camera.description).filter(|description| !description.is_empty()),
        frames: camera.frames,
        frames_dropped: pipeline.frames_dropped(),
        frames_damaged: camera.damaged,
        camera_reopened: camera.reopened,
        fps,
        latency_ms,
        errors: BTreeMap::from([
            ("display", display.errors()),
            ("models", pipeline.errors()),
            ("mqtt", mqtt.reconnects),
            ("mqtt_id_taken", mqtt.yielded),
            ("mqtt_letters_dropped", mqtt.letters_dropped),
            ("mqtt_left_out", mqtt.left_out),
        ]),
        events_dropped: mqtt.events_dropped,
        rules: rules.counts(),
        memory_bytes: stats::resident_memory(),
        delegate: pipeline.delegate(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_stops_moving_is_noticed() {
        let start = Instant::now();
        let mut health = Health::new(start);
        let at = |s: u64| start + Duration::from_secs(s);
        assert!(health.all_progress(&[("camera", 1), ("mqtt", 5)], at(1)));
        assert!(health.all_progress(&[("camera", 2), ("mqtt", 6)], at(10)));
        assert!(health.all_progress(&[("camera", 3), ("mqtt", 6)], at(24)));
        assert!(!health.all_progress(&[("camera", 4), ("mqtt", 6)], at(26)));
        assert!(health.all_progress(&[("camera", 5), ("mqtt", 7)], at(27)));
        // A part that has ended is not asked any more.
        assert!(health.all_progress(&[("mqtt", 8)], at(60)));
    }
}
