//! Who is enrolled may change while the daemon runs: `emotiond people` writes the file, this notices.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::shared::Shared;
use crate::people::recogniser::Recogniser;
use crate::people::store;
use crate::pipeline::load;

/// Between two looks at the file.
const EVERY: Duration = Duration::from_secs(2);

/// Watches the file of people.
pub struct Enrolled {
    folder: PathBuf,
    space: String,
    length: usize,
    pipeline: Arc<Shared>,
    seen: Option<(SystemTime, u64)>,
    next: Instant,
}

impl Enrolled {
    /// To be made before the nets load who is enrolled, or at once after.
    pub fn new(folder: PathBuf, people: &Recogniser, pipeline: Arc<Shared>) -> Self {
        let (space, length) = people.space();
        let space = space.to_owned();
        let mut watched = Self { folder, space, length, pipeline, seen: None, next: Instant::now() };
        watched.seen = watched.stamp();
        watched
    }

    /// Passes on who is enrolled when the file has changed.
    pub fn look(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + EVERY;
        let stamp = self.stamp();
        if stamp != self.seen {
            self.seen = stamp;
            let people = load::gallery(&self.folder, &self.space, self.length);
            log::info!("{} people are enrolled now", people.len());
            self.pipeline.enrol(people);
        }
    }

    /// When the file was written and how long it is; `None` where there is none.
    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let metadata = std::fs::metadata(store::path(&self.folder)).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}
