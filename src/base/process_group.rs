//! Programs that the daemon starts: each leads a process group of its own, which ends as a whole.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What systemd says to the daemon and is not for its children.
pub const PRIVATE: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY"];

/// In the environment of a program that is started here and of all that it starts, also of what has left its
/// process group.
const MARK: &str = "EMOTIOND_STARTED";

/// Most looks for processes of a mark while they start others.
const LOOKS: usize = 10;

/// Names one program that is started, and all that it starts.
#[derive(Clone, Debug)]
pub struct Mark(String);

impl Mark {
    /// One that no other program has.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The variable for the program's environment.
    pub fn variable(&self) -> (&'static str, &str) {
        (MARK, &self.0)
    }

    /// The processes that run now, as far as this user may ask.
    fn processes(&self) -> Vec<Pid> {
        let entry = format!("{MARK}={}", self.0);
        let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
        let own = rustix::process::getpid();
        all.filter_map(Result::ok)
            .filter_map(|process| {
                let pid = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
                let environment = std::fs::read(process.path().join("environ")).ok()?;
                let marked =
                    environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes());
                (marked && pid != own).then_some(pid)
            })
            .collect()
    }
}

/// A process group, and with a mark all that its programs have started, that ends when this is dropped, which
/// must be before its leader is waited for: after that the number may be another's.
#[derive(Debug)]
pub struct Group {
    leader: Option<Pid>,
    mark: Option<Mark>,
}

impl Group {
    /// The group that the process `leader` leads.
    pub fn of(leader: Option<u32>) -> Self {
        Self { leader: leader.and_then(|id| Pid::from_raw(id.try_into().ok()?)), mark: None }
    }

    /// With what has left the group, but has `mark` in its environment.
    pub fn marked(leader: Option<u32>, mark: Mark) -> Self {
        let mut group = Self::of(leader);
        group.mark = Some(mark);
        group
    }

    pub const fn leader(&self) -> Option<Pid> {
        self.leader
    }

    /// A group that has ended already is what was wanted.
    pub fn signal(&self, signal: Signal) {
        let Some(leader) = self.leader else { return };
        let _ = kill_process_group(leader, signal);
        let Some(mark) = &self.mark else { return };
        // A child that starts meanwhile is found at the next look.
        for _ in 0..if signal == Signal::KILL { LOOKS } else { 1 } {
            let left = mark.processes();
            if left.is_empty() {
                return;
            }
            for process in left {
                let _ = kill_process(process, signal);
            }
        }
    }

    /// Lets the group go, its leader has been waited for.
    pub fn forget(mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
