//! How far a long command is, drawn on a terminal only, and how it is stopped.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

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
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Whether SIGINT or SIGTERM has come; the second one ends the program at once.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn on_signals() -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag))
                .and_then(|_| flag::register(signal, Arc::clone(&flag)))
                .context("unable to catch signals")?;
        }
        Ok(Self(flag))
    }

    /// # Errors
    /// When a signal has come.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("stopped by a signal");
        }
        Ok(())
    }
}
