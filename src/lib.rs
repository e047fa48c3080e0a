//! emotiond: faces before a camera, their emotion on a small display and over MQTT.
//!
//! The modules from the ground up, which is the order to read them in; `ARCHITECTURE.md` says what may know what.

// They panic where nobody reads any more: `cli::out` has what does not.
#![deny(clippy::print_stdout)]

/// What every program needs: knows nothing of faces.
pub mod base;

/// The words that all parts share: plain data.
pub mod vocabulary;

/// The configuration file, as written and as validated.
pub mod config;

/// Bytes to pictures.
pub mod media;

/// A model file to something that runs.
pub mod nets;

/// Pictures to faces and their emotions.
pub mod see;

/// Recognising people who were enrolled.
mod people;

/// One frame in, one observation out.
pub mod pipeline;

/// Observations to what is worth telling.
pub mod tell;

/// Faces marked in a picture: box, label, bars.
pub mod overlay;

/// Where frames come from: V4L2 devices and replayed files.
pub mod camera;

/// The small display.
pub mod display;

/// Publishing over MQTT.
pub mod mqtt;

/// What is done when something is seen for some time.
mod rules;

/// The page and the HTTP API.
mod web;

/// Tools for AI assistants.
mod mcp;

/// Measuring a model on labelled data.
mod eval;

/// The running daemon: builds the parts, spawns, signals, joins.
mod daemon;

/// The subcommands.
pub mod cli;
