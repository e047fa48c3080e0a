//! Observations to what is worth telling.

/// The last day in minutes.
pub(crate) mod history;
/// From observations to messages.
pub(crate) mod report;
/// Counters and latencies of the running daemon.
pub mod stats;
