//! The one flag that ends every thread.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::base::mutex::lock;

/// Clones share the flag; once requested it stays so.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<(Mutex<bool>, Condvar)>);

impl Shutdown {
    /// Asks every thread to end and wakes those that sleep in [`Self::wait`].
    pub fn request(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Whether the program is to end.
    pub fn requested(&self) -> bool {
        *lock(&self.0.0)
    }

    /// Sleeps for `duration` or until shutdown; `true` when it was requested.
    pub fn wait(&self, duration: Duration) -> bool {
        let guard = lock(&self.0.0);
        let (requested, _) = self
            .0
            .1
            .wait_timeout_while(guard, duration, |requested| !*requested)
            .unwrap_or_else(PoisonError::into_inner);
        *requested
    }
}
