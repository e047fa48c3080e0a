//! `emotiond mqtt`: what concerns the broker.

use crate::cli::status::Status;
use crate::config::Config;
use crate::mqtt::{self, ForgetError};

#[derive(Debug, clap::Subcommand)]
pub enum MqttCommand {
    /// Takes this device's retained messages off the broker, so that Home Assistant drops it
    Forget,
}

/// Does what the command says.
pub fn run(command: &MqttCommand, config: &Config) -> anyhow::Result<Status> {
    let MqttCommand::Forget = command;
    let deleted = match mqtt::forget(&config.mqtt) {
        // Bad files stay bad configuration.
        Err(ForgetError::Mqtt(error)) => return Err(error.into()),
        other => other?,
    };
    if deleted.is_empty() {
        say!("the broker knows nothing of {}", config.device.id);
    }
    for topic in deleted {
        say!("forgotten: {topic}");
    }
    Ok(Status::Done)
}
