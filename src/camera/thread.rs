//! The camera thread: opens, reads, and opens again what was lost.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use super::error::CameraError;
use super::settle::Settle;
use super::source::{Camera, panic_text};
use crate::base::backoff::Backoff;
use crate::base::latest::Latest;
use crate::base::mutex::lock;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;
use crate::config::{self, Pace};
use crate::vocabulary::frame::Frame;

/// How often a waiting thread looks at the switch and shows that it is alive.
const TICK: Duration = Duration::from_millis(200);

/// What the camera is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not opened for the first time yet.
    Starting,
    /// Switched off: the device is closed.
    Off,
    /// Delivers pictures.
    Streaming,
    /// Sends pictures of which none is whole; is tried again and again.
    Damaged,
    /// Could not be opened, or does not deliver any more; is tried again and again.
    Lost,
    /// A replay that is not repeated is over; the thread has ended.
    Ended,
}

/// A snapshot of [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the camera is doing.
    pub state: State,
    /// What the open camera says of itself; empty when none is open.
    pub description: String,
    /// The last failure; stays after the camera is back.
    pub error: Option<String>,
    /// Frames handed on.
    pub frames: u64,
    /// Frames that were cut short or could not be decoded.
    pub damaged: u64,
    /// How often the camera came back after it was lost.
    pub reopened: u64,
}

/// What other threads may know of the camera thread.
#[derive(Debug)]
pub struct Status {
    about: Mutex<About>,
    frames: AtomicU64,
    damaged: AtomicU64,
    reopened: AtomicU64,
}

#[derive(Debug)]
struct About {
    state: State,
    description: String,
    error: Option<String>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            about: Mutex::new(About { state: State::Starting, description: String::new(), error: None }),
            frames: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            reopened: AtomicU64::new(0),
        }
    }
}

impl State {
    /// As it is told over MQTT and HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Off => "off",
            Self::Streaming => "streaming",
            Self::Damaged => "damaged",
            Self::Lost => "lost",
            Self::Ended => "ended",
        }
    }
}

impl Status {
    /// What is known now.
    pub fn report(&self) -> Report {
        let about = self.about();
        Report {
            state: about.state,
            description: about.description.clone(),
            error: about.error.clone(),
            frames: self.frames.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
            reopened: self.reopened(),
        }
    }

    /// What the camera is doing now.
    pub fn state(&self) -> State {
        self.about().state
    }

    /// How often the camera came back after it was lost.
    pub fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Relaxed)
    }

    /// Sets the state and says whether it is another one.
    fn set(&self, state: State, description: &str) -> bool {
        let mut about = self.about();
        description.clone_into(&mut about.description);
        std::mem::replace(&mut about.state, state) != state
    }

    fn fail(&self, error: String) {
        self.about().error = Some(error);
    }

    /// Nothing here can be half-written when a holder panics.
    fn about(&self) -> MutexGuard<'_, About> {
        lock(&self.about)
    }
}

/// What the camera thread shares with others.
#[derive(Clone, Debug)]
pub struct Links {
    /// Where frames go. With [`Pace::FlatOut`] each one waits until it is taken.
    pub frames: Latest<Frame>,
    /// Where it is said how the camera is.
    pub status: Arc<Status>,
    /// Whether pictures may be taken; off closes the device within a second.
    pub enabled: Arc<AtomicBool>,
    /// Set to have the device closed and opened again.
    pub restart: Arc<AtomicBool>,
    /// Ends the thread.
    pub shutdown: Shutdown,
    /// Fed at least once a second while the thread is well, whether frames come or not.
    pub pulse: Pulse,
}

impl Links {
    fn go_on(&self) -> bool {
        self.pulse.beat();
        !self.shutdown.requested()
            && self.enabled.load(Ordering::Relaxed)
            && !self.restart.load(Ordering::Relaxed)
    }
}

/// Why a camera was closed.
enum Closed {
    /// Shutdown, or it was switched off.
    Asked,
    Ended,
    Failed(CameraError),
}

/// Runs until shutdown or the end of a replay. Opens the camera again when it is lost, panics of the
/// device's library included: ever more slowly up to every 10 s, and when a device was plugged in.
pub fn run(config: &config::Camera, links: &Links) {
    let status = &*links.status;
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
    let mut settle = Settle::default();
    while !links.shutdown.requested() {
        if links.restart.swap(false, Ordering::Relaxed) {
            log::info!("camera: restarted on request");
            backoff.reset();
            settle = Settle::default();
        }
        if !links.enabled.load(Ordering::Relaxed) {
            links.pulse.beat();
            if status.set(State::Off, "") {
                log::info!("camera: switched off");
            }
            backoff.reset();
            settle = Settle::default();
            links.shutdown.wait(TICK);
            continue;
        }
        let session = catch_unwind(AssertUnwindSafe(|| session(config, links, &mut backoff, &mut settle)));
        let (state, error) = match session {
            Ok(Closed::Asked) => continue,
            Ok(Closed::Ended) => {
                status.set(State::Ended, "");
                log::info!("camera: the replay has ended");
                return;
            }
            Ok(Closed::Failed(error @ CameraError::OnlyDamaged(_))) => (State::Damaged, error.to_string()),
            Ok(Closed::Failed(error)) => (State::Lost, error.to_string()),
            Err(panic) => (State::Lost, format!("the device's library panicked: {}", panic_text(&*panic))),
        };
        settle.lost(Instant::now());
        status.fail(error.clone());
        if status.set(state, "") {
            log::warn!("camera: {error}; trying again");
        } else {
            log::debug!("camera: {error}");
        }
        pause(links, &mut backoff);
    }
}

/// Waits before the next try; a device that was plugged in meanwhile ends that at once.
fn pause(links: &Links, backoff: &mut Backoff) {
    let devices = devices_changed();
    let until = Instant::now() + backoff.pause();
    while links.go_on() && Instant::now() < until {
        links.shutdown.wait(TICK.min(until.saturating_duration_since(Instant::now())));
        if devices_changed() != devices {
            // udev may not have opened the node to the camera's group yet, so the tries after come soon, too.
            return backoff.reset();
        }
    }
}

/// When a device node was made or removed last; `None` where that cannot be told.
fn devices_changed() -> Option<SystemTime> {
    fs::metadata("/dev").and_then(|folder| folder.modified()).ok()
}

/// From opening to closing. A camera that was lost is used once it has delivered for as long as `settle` says.
fn session(config: &config::Camera, links: &Links, backoff: &mut Backoff, settle: &mut Settle) -> Closed {
    let mut camera = match super::open_while(config, &|| links.go_on()) {
        Ok(camera) => camera,
        Err(_) if !links.go_on() => return Closed::Asked,
        Err(error) => return Closed::Failed(error),
    };
    let mut first = None;
    let mut announced = false;
    while links.go_on() {
        match camera.next() {
            Ok(frame) => {
                if !announced {
                    let now = Instant::now();
                    let back = matches!(links.status.state(), State::Lost | State::Damaged);
                    let since = *first.get_or_insert_with(|| unsettled(&links.status, back, settle, now));
                    if back && now - since < settle.time() {
                        continue;
                    }
                    announce(&links.status, &*camera, back);
                    if back {
                        settle.back(now);
                    }
                    backoff.reset();
                    announced = true;
                }
                // Also a frame that was on its way when the switch was turned is not handed on.
                if links.go_on() && hand_on(config, links, frame) {
                    links.status.frames.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(CameraError::Waiting) => {}
            Err(error @ CameraError::Damaged(_)) => {
                let before = links.status.damaged.fetch_add(1, Ordering::Relaxed);
                let level = if before == 0 { log::Level::Warn } else { log::Level::Debug };
                log::log!(level, "camera: {error}");
                links.status.fail(error.to_string());
            }
            Err(CameraError::Ended) => return Closed::Ended,
            Err(error) => return Closed::Failed(error),
        }
    }
    Closed::Asked
}

/// The first frame came at `now`; says what is waited for where something is.
fn unsettled(status: &Status, back: bool, settle: &mut Settle, now: Instant) -> Instant {
    if back && !settle.time().is_zero() {
        let why = format!("it comes and goes: used again after {} s without a gap", settle.time().as_secs());
        let level = if settle.says() { log::Level::Info } else { log::Level::Debug };
        log::log!(level, "camera: {why}");
        status.fail(why);
    }
    now
}

/// A camera counts as back once a frame came, not when it can be opened.
fn announce(status: &Status, camera: &dyn Camera, back: bool) {
    if back {
        status.reopened.fetch_add(1, Ordering::Relaxed);
    }
    if status.set(State::Streaming, camera.description()) {
        log::info!("camera: {}{}", camera.description(), if back { " is back" } else { "" });
    }
}

/// Whether the frame was put in; flat out that may be refused by shutdown or the switch.
fn hand_on(config: &config::Camera, links: &Links, frame: Frame) -> bool {
    match config.pace {
        Pace::RealTime => {
            links.frames.put(frame);
            true
        }
        Pace::FlatOut => {
            let mut frame = frame;
            while let Err(refused) = links.frames.put_when_empty(frame, TICK) {
                if !links.go_on() {
                    return false;
                }
                frame = refused;
            }
            true
        }
    }
}
