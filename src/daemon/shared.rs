//! What the main thread and the pipeline's share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::base::mutex::lock;
use crate::config::Smoothing;
use crate::people::gallery::Gallery;
use crate::tell::stats::Meter;
use crate::vocabulary::wire::Latency;

/// What the main thread and this one share.
pub struct Shared {
    started: Instant,
    errors: AtomicU64,
    /// The newest frame could not be analysed.
    failing: AtomicBool,
    /// The replay is over and its last frame has been told of.
    drained: AtomicBool,
    frames_dropped: AtomicU64,
    meter: Mutex<Meter>,
    /// What the emotion net runs on.
    delegate: Mutex<String>,
    /// Settings to take over before the next frame.
    settings: Mutex<Option<(Smoothing, f32)>>,
    min_confidence: Mutex<f32>,
    /// Who is enrolled from the next frame on.
    people: Mutex<Option<Gallery>>,
}

impl Shared {
    pub fn new(delegate: &str, min_confidence: f32) -> Self {
        Self {
            started: Instant::now(),
            errors: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            frames_dropped: AtomicU64::new(0),
            meter: Mutex::new(Meter::new(Instant::now())),
            delegate: Mutex::new(delegate.to_owned()),
            settings: Mutex::new(None),
            min_confidence: Mutex::new(min_confidence),
            people: Mutex::new(None),
        }
    }

    /// Since the daemon has begun.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The nets fail, so that nothing is seen though pictures come.
    pub fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Probability below which a face is `uncertain`, as configured last.
    pub fn min_confidence(&self) -> f32 {
        *lock(&self.min_confidence)
    }

    pub fn frames_dropped(&self) -> u64 {
        self.frames_dropped.load(Ordering::Relaxed)
    }

    pub fn drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    pub fn delegate(&self) -> String {
        lock(&self.delegate).clone()
    }

    /// What the emotion net runs on from now on.
    pub fn runs_on(&self, delegate: &str) {
        let mut known = lock(&self.delegate);
        if *known != delegate {
            delegate.clone_into(&mut known);
        }
    }

    /// Whether the newest frame could not be analysed.
    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Counts a frame that could not be analysed; says how many there were before.
    pub fn count_error(&self) -> u64 {
        self.errors.fetch_add(1, Ordering::Relaxed)
    }

    pub fn set_drained(&self, drained: bool) {
        self.drained.store(drained, Ordering::Relaxed);
    }

    pub fn set_frames_dropped(&self, dropped: u64) {
        self.frames_dropped.store(dropped, Ordering::Relaxed);
    }

    /// Settings to take over before the next frame, once.
    pub fn take_settings(&self) -> Option<(Smoothing, f32)> {
        lock(&self.settings).take()
    }

    /// Who is enrolled from the next frame on, once.
    pub fn take_people(&self) -> Option<Gallery> {
        lock(&self.people).take()
    }

    /// A frame was analysed so long after it was taken.
    pub fn measure(&self, latency: Duration) {
        lock(&self.meter).add(latency);
    }

    /// Frames a second and latencies since the last call.
    pub fn take_meter(&self) -> (f64, Latency) {
        lock(&self.meter).take(Instant::now())
    }

    /// Who is enrolled from the next frame on.
    pub fn enrol(&self, people: Gallery) {
        *lock(&self.people) = Some(people);
    }

    /// Smoothing and least confidence from the next frame on.
    pub fn configure(&self, smoothing: Smoothing, min_confidence: f32) {
        *lock(&self.min_confidence) = min_confidence;
        *lock(&self.settings) = Some((smoothing, min_confidence));
    }
}
