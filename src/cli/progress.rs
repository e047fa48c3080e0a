//! How far a long command is, drawn on a terminal only, and how it is stopped.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::base::atomic_file;
use crate::cli::status::Stopped;

/// A bar with rate and remaining time on standard error; nothing where that is no terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// For `total` things, or an unknown number of them, that are called `unit`.
    pub fn new(total: Option<u64>, unit: &str, title: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::none();
        }
        let template = match total {
            Some(_) => "{msg}{wide_bar} {human_pos} of {human_len} {prefix}, {rate}, {eta} left",
            None => "{msg}{spinner} {human_pos} {prefix}, {rate}",
        };
        let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
        // indicatif's own `per_sec` has four decimals.
        let style = style.with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{:.0}/s", state.per_sec());
        });
        let title = if title.is_empty() { String::new() } else { format!("{title} ") };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        let bar = bar.with_style(style).with_message(title).with_prefix(unit.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// For what prints a line a step: on a terminal those lines are progress enough.
    pub fn of_lines(total: Option<u64>, unit: &str, title: &str) -> Self {
        if std::io::stdout().is_terminal() { Self::none() } else { Self::new(total, unit, title) }
    }

    /// For what is over at once.
    pub fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    pub fn step(&self) {
        self.0.inc(1);
    }

    /// Lets `write` write to the terminal without the bar in between.
    pub fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.suspend(write)
    }

    /// Lets `write` write to standard output, for which the bar need only make room where that is a terminal: it is
    /// drawn ten times a second, not with each line.
    pub fn beside<R>(&self, write: impl FnOnce() -> R) -> R {
        if std::io::stdout().is_terminal() { self.aside(write) } else { write() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Which of SIGINT, SIGTERM and SIGHUP has come, if any; the second one ends the program at once.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicI32>);

impl Stop {
    pub fn on_signals() -> anyhow::Result<Self> {
        let come = Arc::new(AtomicI32::new(0));
        let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
        let mut signals = Signals::new(wanted).context("unable to catch signals")?;
        let flag = Arc::clone(&come);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in &mut signals {
                    if flag.swap(signal, Ordering::Relaxed) != 0 {
                        atomic_file::remove_unfinished();
                        std::process::exit(128 + signal);
                    }
                }
            })
            .context("unable to start a thread")?;
        Ok(Self(come))
    }

    /// # Errors
    /// [`Stopped`] when a signal has come.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Stopped { signal }.into()),
        }
    }
}

/// Whether the program was started so that it ignores the signal, as `nohup` does with SIGHUP.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
