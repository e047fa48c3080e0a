//! The tests of the whole, one program: `cargo test --test it web::` runs those in `web.rs`.

mod support;

mod architecture;
mod broker_config;
mod camera;
mod classify;
mod classify_runs;
mod cli;
mod command;
mod config;
mod daemon;
mod delegate;
mod detect;
mod display;
mod display_bus;
mod display_panels;
mod emotion_net;
mod engine;
mod eval;
mod kinds;
mod manual;
mod mcp;
mod metrics;
mod mqtt;
mod mqtt_claim;
mod mqtt_forget;
mod mqtt_tls;
mod overlay;
mod rules;
mod web;
mod web_access;
mod web_hostile;
mod web_tls;
