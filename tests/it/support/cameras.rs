//! Cameras opened, read and run by their thread.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use emotiond::base::latest::Latest;
use emotiond::base::part::Pulse;
use emotiond::base::shutdown::Shutdown;
use emotiond::camera::thread::{self, Links, State, Status};
use emotiond::camera::{self, Camera, CameraError};
use emotiond::config::{self, Config, Pace, Source};
use emotiond::vocabulary::frame::Frame;

/// Longest wait for what must come.
const DEADLINE: Duration = Duration::from_secs(60);

pub fn config(source: Source) -> config::Camera {
    let defaults = Config::parse("", "test", &Default::default()).expect("defaults").camera;
    config::Camera { source, pace: Pace::FlatOut, repeat: false, fps: 100, ..defaults }
}

/// The next frame or the error that is not just "not yet".
pub fn next(camera: &mut dyn Camera) -> Result<Frame, CameraError> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        match camera.next() {
            Err(CameraError::Waiting) => {}
            result => return result,
        }
    }
    panic!("no frame");
}

pub fn open_error(config: &config::Camera) -> String {
    match camera::open(config) {
        Ok(camera) => panic!("opened {}", camera.description()),
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains('\n'), "{error}");
            error
        }
    }
}

/// Waits until `condition` holds; `otherwise` says what is the matter when it does not in time.
pub fn wait_until(condition: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes, zombies of ours included, whose command line has `path`.
pub fn children_with(path: &Path) -> usize {
    let needle = path.to_string_lossy().into_owned();
    std::fs::read_dir("/proc")
        .expect("proc")
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&needle))
        .count()
}

/// A running camera thread.
pub struct Running {
    pub links: Links,
    pub thread: JoinHandle<()>,
}

impl Running {
    pub fn start(config: config::Camera) -> Self {
        let links = Links {
            restart: Arc::default(),
            frames: Latest::default(),
            status: Arc::new(Status::default()),
            enabled: Arc::new(AtomicBool::new(true)),
            shutdown: Shutdown::default(),
            pulse: Pulse::default(),
        };
        let own = links.clone();
        let thread = std::thread::spawn(move || thread::run(&config, &own));
        Self { links, thread }
    }

    pub fn take(&self) -> Frame {
        self.links.frames.take(DEADLINE).expect("a frame in time")
    }

    pub fn wait_for(&self, state: State) {
        let status = &self.links.status;
        wait_until(|| status.state() == state, || format!("never {state:?}: {:?}", status.report()));
    }

    pub fn stop(self) {
        self.links.shutdown.request();
        self.thread.join().expect("no panic");
    }
}
