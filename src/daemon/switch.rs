//! The privacy switch: who may turn it, and who hears of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::mqtt::Mqtt;
use crate::settings::{self, Settings};

/// Clones share the switch.
#[derive(Clone)]
pub struct Switch(Arc<Inner>);

struct Inner {
    enabled: Arc<AtomicBool>,
    /// What the configuration file says: false cannot be overridden.
    allowed: bool,
    state_dir: PathBuf,
    mqtt: Option<Mqtt>,
    /// One at a time, so that what is kept is what is.
    turning: Mutex<()>,
}

impl Switch {
    /// As it was left, unless the file says no. What is kept but unreadable is said and replaced.
    pub fn new(config: &Config, mqtt: Option<Mqtt>) -> Self {
        let kept = settings::load(&config.device.state_dir).unwrap_or_else(|error| {
            log::warn!("settings are back to their defaults: {error}");
            Settings::default()
        });
        let enabled = config.camera.enabled && kept.enabled;
        if let Some(mqtt) = &mqtt {
            mqtt.set_enabled(enabled);
        }
        Self(Arc::new(Inner {
            enabled: Arc::new(AtomicBool::new(enabled)),
            allowed: config.camera.enabled,
            state_dir: config.device.state_dir.clone(),
            mqtt,
            turning: Mutex::new(()),
        }))
    }

    /// For the camera's thread.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.enabled)
    }

    pub fn enabled(&self) -> bool {
        self.0.enabled.load(Ordering::Relaxed)
    }

    /// Turns it; `by` says over what, for the log. The error says why it is not turned.
    pub fn turn(&self, enabled: bool, by: &str) -> Result<(), &'static str> {
        let inner = &*self.0;
        if enabled && !inner.allowed {
            return Err("camera.enabled is false in the configuration file");
        }
        let _turning = inner.turning.lock().unwrap_or_else(PoisonError::into_inner);
        log::info!("camera switched {} over {by}", if enabled { "on" } else { "off" });
        inner.enabled.store(enabled, Ordering::Relaxed);
        if let Some(mqtt) = &inner.mqtt {
            mqtt.set_enabled(enabled);
        }
        if let Err(error) = settings::save(&inner.state_dir, Settings { enabled }) {
            log::warn!("the camera's switch will be forgotten at restart: {error}");
        }
        Ok(())
    }
}
