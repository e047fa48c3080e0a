//! What handlers need.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::access::Access;
use super::feed::Feed;
use super::metrics::Requests;
use super::photos::Photos;
use crate::base::clock;
use crate::config;
use crate::config::settings::Forbidden;
use crate::vocabulary::wire;

/// What handlers need.
pub struct App {
    pub access: Access,
    pub feed: Arc<Feed>,
    pub photos: Photos,
    pub requests: Requests,
    pub limits: Limits,
    /// Turns true when the daemon stops.
    pub closed: watch::Receiver<bool>,
    /// The newest status as JSON, while somebody listens.
    pub newest: watch::Sender<Arc<str>>,
    /// Places for streams of events.
    pub listeners: Arc<Semaphore>,
    device: String,
    pictures_leave: Vec<&'static str>,
    parts: Box<dyn Fn() -> (wire::Parts, wire::Details) + Send + Sync>,
    pub stats: Box<dyn Fn() -> wire::Stats + Send + Sync>,
    pub display: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub enabled: Box<dyn Fn() -> bool + Send + Sync>,
    pub switch: Box<dyn Fn(bool) -> Result<(), Forbidden> + Send + Sync>,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_body: usize,
    /// Between two states in a stream of events.
    pub interval: Duration,
}

impl App {
    pub fn new(
        config: &config::Web,
        access: Access,
        feed: Arc<Feed>,
        photos: Photos,
        closed: watch::Receiver<bool>,
        links: Shown,
    ) -> Self {
        let limits =
            Limits { max_body: config.max_body, interval: Duration::from_secs(1) / config.live_fps.max(1) };
        let Shown { device, pictures_leave, parts, stats, display, enabled, switch } = links;
        Self {
            access,
            feed,
            photos,
            requests: Requests::default(),
            limits,
            closed,
            newest: watch::Sender::new(Arc::from("")),
            listeners: Arc::new(Semaphore::new(config.max_viewers)),
            device,
            pictures_leave,
            parts,
            stats,
            display,
            enabled,
            switch,
        }
    }

    /// All that is known now.
    pub fn status(&self) -> wire::Status {
        let now = self.feed.now();
        let (parts, details) = (self.parts)();
        wire::Status {
            state: now.state.unwrap_or_else(nothing_yet),
            device: self.device.clone(),
            version: env!("CARGO_PKG_VERSION"),
            enabled: (self.enabled)(),
            pictures_leave: self.pictures_leave.clone(),
            parts,
            details,
            frame: now.frame,
            fps: now.fps,
            latency_ms: now.latency,
        }
    }

    pub fn parts(&self) -> wire::Parts {
        (self.parts)().0
    }
}

/// Before the pipeline has said its first word.
fn nothing_yet() -> wire::State {
    let now = clock::rfc3339(Timestamp::now());
    wire::State {
        time: now.clone(),
        emotion: "none",
        confidence: 0.0,
        scores: wire::Scores::default(),
        faces: 0,
        primary: None,
        others: Vec::new(),
        since: now,
    }
}

/// Until the daemon stops.
pub async fn closed(mut closed: watch::Receiver<bool>) {
    // An error is the sender's end, which is the daemon's.
    let _ = closed.wait_for(|closed| *closed).await;
}

/// What the daemon hands in to be shown and done.
pub struct Shown {
    pub device: String,
    /// How pictures can leave it, as in [`wire::Status`].
    pub pictures_leave: Vec<&'static str>,
    /// How every part is.
    pub parts: Box<dyn Fn() -> (wire::Parts, wire::Details) + Send + Sync>,
    /// Counters; rate and latency are measured here.
    pub stats: Box<dyn Fn() -> wire::Stats + Send + Sync>,
    /// What the panel shows or would show, as PNG.
    pub display: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub enabled: Box<dyn Fn() -> bool + Send + Sync>,
    /// Switches the camera.
    pub switch: Box<dyn Fn(bool) -> Result<(), Forbidden> + Send + Sync>,
}
