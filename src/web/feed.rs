//! What the pipeline says, kept for those who ask over HTTP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::live::Live;
use super::metrics::Histogram;
use super::timeline::{Stretch, Timeline};
use crate::base::mutex::lock;
use crate::tell::history::{self, History};
use crate::tell::report::Moment;
use crate::tell::stats::Meter;
use crate::vocabulary::frame::Frame;
use crate::vocabulary::wire;

fn now() -> Moment {
    Moment { instant: Instant::now(), wall: Timestamp::now() }
}

/// Over how long rate and latency are measured.
const METERED: Duration = Duration::from_secs(2);

/// Events that a slow or broken stream may lag behind before it misses some.
const EVENTS: usize = 64;

pub struct Feed {
    pub live: Live,
    events: broadcast::Sender<Arc<wire::Event>>,
    /// The last [`EVENTS`] of them, the oldest first.
    happened: Mutex<VecDeque<Arc<wire::Event>>>,
    seen: Mutex<Seen>,
}

/// The newest of everything.
struct Seen {
    state: Option<wire::State>,
    frame: Option<wire::FrameInfo>,
    timeline: Timeline,
    history: History,
    meter: Meter,
    metered: Instant,
    rate: (f64, wire::Latency),
    latencies: Histogram,
}

/// What is seen now.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// `None` until the pipeline has said its first word.
    pub state: Option<wire::State>,
    pub frame: Option<wire::FrameInfo>,
    pub fps: f64,
    pub latency: wire::Latency,
}

impl Feed {
    pub fn new(live: Live) -> Self {
        let now = Instant::now();
        let seen = Seen {
            state: None,
            frame: None,
            timeline: Timeline::default(),
            history: History::default(),
            meter: Meter::new(now),
            metered: now,
            rate: Default::default(),
            latencies: Histogram::default(),
        };
        Self {
            live,
            events: broadcast::Sender::new(EVENTS),
            happened: Mutex::default(),
            seen: Mutex::new(seen),
        }
    }

    /// A frame and what was seen in it, `latency` after it was taken.
    pub fn observe(&self, frame: &Frame, state: wire::State, latency: Duration) {
        let now = Instant::now();
        {
            let mut seen = self.seen();
            seen.meter.add(latency);
            if now.duration_since(seen.metered) >= METERED {
                seen.metered = now;
                seen.rate = seen.meter.take(now);
            }
            seen.latencies.add(latency);
            seen.timeline.add(state.emotion, state.confidence, now);
            seen.history.add(state.emotion, state.faces, Moment { instant: now, wall: Timestamp::now() });
            seen.state = Some(state);
            seen.frame =
                Some(wire::FrameInfo { sequence: frame.sequence, width: frame.width, height: frame.height });
        }
        self.live.offer(frame, now);
    }

    /// No picture comes.
    pub fn nothing(&self, state: wire::State) {
        {
            let mut seen = self.seen();
            let moment = now();
            seen.timeline.add(history::OFF, 0.0, moment.instant);
            seen.history.add(history::OFF, 0, moment);
            seen.state = Some(state);
            if seen.frame.take().is_some() {
                let now = Instant::now();
                seen.meter = Meter::new(now);
                seen.metered = now;
                seen.rate = Default::default();
            }
        }
        self.live.close();
    }

    pub fn event(&self, event: wire::Event) {
        let event = Arc::new(event);
        let mut happened = self.happened();
        if happened.len() == EVENTS {
            happened.pop_front();
        }
        happened.push_back(Arc::clone(&event));
        // Fails when nobody listens.
        let _ = self.events.send(event);
    }

    /// What happens from now on, and what has happened since the event `last`, as far as it is kept. Of
    /// one that is not known any more, or of the time before the last start, all that is kept is younger.
    pub fn events(
        &self,
        last: Option<&str>,
    ) -> (VecDeque<Arc<wire::Event>>, broadcast::Receiver<Arc<wire::Event>>) {
        let happened = self.happened();
        let missed = last.map(|last| {
            let seen = happened.iter().rposition(|event| event.id == last).map_or(0, |place| place + 1);
            happened.iter().skip(seen).cloned().collect()
        });
        (missed.unwrap_or_default(), self.events.subscribe())
    }

    fn happened(&self) -> MutexGuard<'_, VecDeque<Arc<wire::Event>>> {
        lock(&self.happened)
    }

    pub fn now(&self) -> Now {
        let seen = self.seen();
        let (fps, latency) = seen.rate;
        Now { state: seen.state.clone(), frame: seen.frame, fps, latency }
    }

    pub fn timeline(&self) -> Vec<Stretch> {
        self.seen().timeline.stretches(now())
    }

    pub fn history(&self, minutes: usize) -> wire::History {
        self.seen().history.summary(minutes, now())
    }

    pub fn latencies(&self) -> Histogram {
        self.seen().latencies.clone()
    }

    /// Each field is whole at any time: a panicked holder leaves at worst one of them older.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}
