//! The live picture: encoded once a frame on a thread of its own, only while somebody looks, and
//! shared by all who look. Who is slow misses pictures; nobody waits for him.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::watch;

use crate::base::latest::Latest;
use crate::base::mutex::lock;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;
use crate::media::encode;
use crate::vocabulary::frame::Frame;

/// How often the waiting thread looks for shutdown.
const TICK: Duration = Duration::from_millis(200);

/// Of 1 to 100: no blocks are seen at a webcam's size, in half the bytes of 92.
const QUALITY: u8 = 80;

/// A frame may come so much before it is due, or a rate that divides the camera's would be missed.
const TOLERANCE: Duration = Duration::from_millis(5);

/// An encoded frame.
#[derive(Debug)]
pub struct Picture {
    pub jpeg: Bytes,
    /// The frame's number.
    pub sequence: u64,
    pub captured: Instant,
}

/// What pipeline, encoder and viewers share.
#[derive(Debug)]
pub struct Live {
    frames: Latest<Frame>,
    interval: Duration,
    next: Mutex<Option<Instant>>,
    newest: watch::Sender<Option<Arc<Picture>>>,
    /// Whether pictures may be shown; held while one is published or withdrawn.
    open: Mutex<bool>,
    viewers: Arc<AtomicUsize>,
    most_viewers: usize,
    encoded: AtomicU64,
}

impl Live {
    /// At most `fps` pictures a second for at most `most_viewers`.
    pub fn new(fps: u32, most_viewers: usize) -> Self {
        Self {
            frames: Latest::default(),
            interval: Duration::from_secs(1) / fps.max(1),
            next: Mutex::new(None),
            newest: watch::Sender::new(None),
            open: Mutex::new(false),
            viewers: Arc::default(),
            most_viewers,
            encoded: AtomicU64::new(0),
        }
    }

    /// Takes the frame when somebody looks and a picture is due. Costs a copied pointer at most.
    pub fn offer(&self, frame: &Frame, now: Instant) {
        if self.viewers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut next = lock(&self.next);
        if next.is_none_or(|next| now + TOLERANCE >= next) {
            // After a pause the rate starts anew instead of catching up.
            let due = next.filter(|due| now < *due + self.interval).unwrap_or(now);
            *next = Some(due + self.interval);
            *lock(&self.open) = true;
            self.frames.put(frame.clone());
        }
    }

    /// Withdraws the picture: the camera is closed or gone.
    pub fn close(&self) {
        let mut open = lock(&self.open);
        if std::mem::take(&mut *open) {
            self.frames.take(Duration::ZERO);
            self.newest.send_replace(None);
        }
    }

    /// Somebody who looks from now on; `None` when too many do.
    pub fn look(&self) -> Option<Viewer> {
        let viewers = Arc::clone(&self.viewers);
        let room = |now: usize| (now < self.most_viewers).then_some(now + 1);
        viewers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let mut newest = self.newest.subscribe();
        // What was encoded for others may be old.
        newest.mark_unchanged();
        Some(Viewer { viewers, newest })
    }

    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Pictures encoded since start.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }

    /// Encodes until shutdown; `pulse` is fed at least every `TICK`.
    pub fn run(&self, shutdown: &Shutdown, pulse: &Pulse) {
        while !shutdown.requested() {
            pulse.beat();
            let Some(frame) = self.frames.take(TICK) else { continue };
            match encode::jpeg(&frame, QUALITY) {
                Ok(jpeg) => self.publish(Picture {
                    jpeg: jpeg.into(),
                    sequence: frame.sequence,
                    captured: frame.captured,
                }),
                Err(error) => log::debug!("unable to encode a live picture: {error}"),
            }
        }
    }

    fn publish(&self, picture: Picture) {
        self.encoded.fetch_add(1, Ordering::Relaxed);
        let open = lock(&self.open);
        if *open {
            self.newest.send_replace(Some(Arc::new(picture)));
        }
    }
}

/// Counts as somebody who looks until dropped.
#[derive(Debug)]
pub struct Viewer {
    viewers: Arc<AtomicUsize>,
    newest: watch::Receiver<Option<Arc<Picture>>>,
}

impl Viewer {
    /// The next picture; those that came while nobody asked are passed over.
    pub async fn next(&mut self) -> Option<Arc<Picture>> {
        loop {
            self.newest.changed().await.ok()?;
            let picture = self.newest.borrow_and_update().clone();
            if picture.is_some() {
                return picture;
            }
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::frame::PixelFormat;

    fn frame(sequence: u64) -> Frame {
        Frame::new(8, 8, PixelFormat::Gray8, vec![128; 64], Instant::now(), sequence)
    }

    #[test]
    fn nothing_is_encoded_unless_somebody_looks_and_then_at_the_wished_rate() {
        let live = Live::new(15, 1);
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        live.offer(&frame(0), at(0));
        assert!(live.frames.take(Duration::ZERO).is_none());

        let viewer = live.look().expect("room");
        assert!(live.look().is_none(), "no room for a second");
        let mut taken = Vec::new();
        // A camera of 30 frames a second, a few milliseconds early or late.
        for (number, ms) in [0, 30, 70, 100, 130, 167, 200].into_iter().enumerate() {
            live.offer(&frame(number as u64), at(ms));
            taken.extend(live.frames.take(Duration::ZERO).map(|frame| frame.sequence));
        }
        assert_eq!(taken, [0, 2, 4, 6]);
        drop(viewer);
        assert!(live.look().is_some());
    }

    #[test]
    fn a_closed_camera_shows_nothing_that_was_on_its_way() {
        let live = Live::new(15, 8);
        let mut viewer = live.look().expect("room");
        live.offer(&frame(1), Instant::now());
        let on_its_way = live.frames.take(Duration::ZERO).expect("taken");
        live.close();
        let jpeg = encode::jpeg(&on_its_way, QUALITY).expect("encoded").into();
        live.publish(Picture { jpeg, sequence: 1, captured: on_its_way.captured });
        assert!(viewer.newest.borrow_and_update().is_none());
    }
}
