//! Observations to what is worth telling.

/// The last day in minutes.
pub mod history;
/// From observations to messages.
pub mod report;
/// Counters and latencies of the running daemon.
pub mod stats;
