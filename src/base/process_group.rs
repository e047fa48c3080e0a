//! Programs that the daemon starts: each leads a process group of its own, which ends as a whole.

use rustix::process::{Pid, Signal, kill_process_group};

/// What systemd says to the daemon and is not for its children.
pub const PRIVATE: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY"];

/// A process group that ends when this is dropped, which must be before its leader is waited for:
/// after that the number may be another's.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// The group that the process `leader` leads.
    pub fn of(leader: Option<u32>) -> Self {
        Self(leader.and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    pub const fn leader(&self) -> Option<Pid> {
        self.0
    }

    /// A group that has ended already is what was wanted.
    pub fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Lets the group go, its leader has been waited for.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
