//! emotiond: faces before a camera, their emotion on a small display and over MQTT.
//!
//! The modules in reading order; `ARCHITECTURE.md` says what may know what.

/// Where models and the runtime library are looked for.
pub mod assets;
/// Growing pauses between tries.
pub mod backoff;
/// Where frames come from: V4L2 devices and replayed files.
pub mod camera;
/// Telling a face's emotion.
pub mod classify;
/// The subcommands.
pub mod cli;
/// Wall-clock time as text.
pub mod clock;
/// The configuration file, as written and as validated.
pub mod config;
/// The running daemon: builds the parts, spawns, signals, joins.
pub mod daemon;
/// Finding faces in a frame.
pub mod detect;
/// The small display.
pub mod display;
/// Emotions, scores, faces and observations.
pub mod emotion;
/// Running a TFLite model.
pub mod engine;
/// Measuring a model on labelled data.
pub mod eval;
/// A picture in memory and the geometry on it.
pub mod frame;
/// Programs that the daemon starts, and ends with all that they started.
pub mod group;
/// The last day in minutes.
pub mod history;
/// A slot that holds the newest thing.
pub mod latest;
/// Tools for AI assistants.
pub mod mcp;
/// From names in the configuration to loaded nets.
pub mod models;
/// Publishing over MQTT.
pub mod mqtt;
/// Faces marked in a picture: box, label, bars.
pub mod overlay;
/// Recognising people who were enrolled.
pub mod people;
/// Decoding of photo files, strictly and within limits.
pub mod photo;
/// One frame in, one observation out.
pub mod pipeline;
/// Chance for jitter and names.
pub mod random;
/// What is worth telling: from observations to messages.
pub mod report;
/// What is done when something is seen for some time.
pub mod rules;
/// What survives a restart.
pub mod settings;
/// The one flag that ends every thread.
pub mod shutdown;
/// A model's sidecar file: what the net expects and what it answers.
pub mod sidecar;
/// Probabilities over time: averaging, hysteresis, dwell.
pub mod smooth;
/// Counters and latencies of the running daemon.
pub mod stats;
/// Faces over time: ids and the primary face.
pub mod track;
/// The page and the HTTP API.
pub mod web;
/// Files that are whole or absent.
pub mod whole;
/// The JSON that leaves the program.
pub mod wire;
