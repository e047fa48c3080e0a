//! Threads that are named, minded and joined.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Shows that a thread makes progress; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Says that there was progress. Waiting for what is not there counts as such.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often there was progress.
    pub fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A part of the program that runs on a thread of its own.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    pulse: Pulse,
    thread: JoinHandle<()>,
}

impl Part {
    /// Runs `body` on a thread called `name`. It is handed the pulse, which it feeds at least once a second while all
    /// is well.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn spawn(name: &'static str, body: impl FnOnce(&Pulse) + Send + 'static) -> io::Result<Self> {
        let pulse = Pulse::default();
        let own = pulse.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || body(&own))?;
        Ok(Self { name, pulse, thread })
    }

    /// The thread's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How often it made progress.
    pub fn beats(&self) -> u64 {
        self.pulse.beats()
    }

    /// It has returned or panicked.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// With what it panicked.
    pub fn join(self) -> std::thread::Result<()> {
        self.thread.join()
    }
}
