//! A slot that holds one thing: the newest replaces the old one, and drops are counted.
//!
//! This is what stands between threads instead of a queue: a slow reader sees the newest value and
//! never makes the writer wait or a queue grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::base::mutex::lock;

/// Both ends of the slot; clones share it. Each value is taken by one reader only.
#[derive(Debug)]
pub struct Latest<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    slot: Mutex<Option<T>>,
    filled: Condvar,
    emptied: Condvar,
    dropped: AtomicU64,
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Arc::new(Inner {
            slot: Mutex::new(None),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            dropped: AtomicU64::new(0),
        }))
    }
}

impl<T> Latest<T> {
    /// Puts a value in; one that nobody took yet is dropped and counted.
    pub fn put(&self, value: T) {
        let old = self.lock().replace(value);
        if old.is_some() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.0.filled.notify_one();
    }

    /// Puts a value in once the one before it was taken, so that none is dropped; hands it back when
    /// that did not happen within `timeout`.
    ///
    /// # Errors
    /// The value, when the slot was not emptied within `timeout`.
    pub fn put_when_empty(&self, value: T, timeout: Duration) -> Result<(), T> {
        let (mut slot, _) = self
            .0
            .emptied
            .wait_timeout_while(self.lock(), timeout, |slot| slot.is_some())
            .unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Err(value);
        }
        *slot = Some(value);
        drop(slot);
        self.0.filled.notify_one();
        Ok(())
    }

    /// Takes the value, waiting at most `timeout` for one.
    pub fn take(&self, timeout: Duration) -> Option<T> {
        let (mut slot, _) = self
            .0
            .filled
            .wait_timeout_while(self.lock(), timeout, |slot| slot.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let value = slot.take();
        drop(slot);
        self.0.emptied.notify_one();
        value
    }

    /// Values that were replaced before anybody took them.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// A panicked holder leaves a whole value or none: nothing here can be half-written.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<T>> {
        lock(&self.0.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_wins_and_drops_are_counted() {
        let latest = Latest::default();
        assert_eq!(latest.take(Duration::ZERO), None);
        for value in 1..=3 {
            latest.put(value);
        }
        assert_eq!(latest.take(Duration::ZERO), Some(3));
        assert_eq!(latest.take(Duration::ZERO), None);
        assert_eq!(latest.dropped(), 2);
    }

    #[test]
    fn a_patient_writer_drops_nothing() {
        let latest = Latest::default();
        latest.put(0);
        assert_eq!(latest.put_when_empty(1, Duration::ZERO), Err(1));
        let writer = latest.clone();
        let thread = std::thread::spawn(move || {
            (1..100).all(|n| writer.put_when_empty(n, Duration::from_secs(60)).is_ok())
        });
        for expected in 0..100 {
            assert_eq!(latest.take(Duration::from_secs(60)), Some(expected));
        }
        assert!(thread.join().expect("writer"));
        assert_eq!(latest.dropped(), 0);
    }

    #[test]
    fn a_waiting_reader_is_woken() {
        let latest = Latest::default();
        let writer = latest.clone();
        let thread = std::thread::spawn(move || writer.put(7));
        assert_eq!(latest.take(Duration::from_secs(60)), Some(7));
        thread.join().expect("writer");
    }
}
