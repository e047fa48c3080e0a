//! The privacy switch: who may turn it, and who hears of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::base::mutex::lock;
use crate::config::Config;
use crate::config::settings::{Forbidden, LOST, Store};
use crate::mqtt::Mqtt;

/// Clones share the switch.
#[derive(Clone)]
pub struct Switch(Arc<Inner>);

struct Inner {
    enabled: Arc<AtomicBool>,
    /// What the configuration file says: false cannot be overridden.
    allowed: bool,
    store: Store,
    mqtt: Option<Mqtt>,
    /// One at a time, so that what is kept is what is.
    turning: Mutex<()>,
}

impl Switch {
    /// As it was left, unless the file says no.
    pub fn new(config: &Config, store: Store, mqtt: Option<Mqtt>) -> Self {
        let enabled = config.camera.enabled && store.get().enabled;
        if let Some(mqtt) = &mqtt {
            mqtt.set_enabled(enabled);
        }
        Self(Arc::new(Inner {
            enabled: Arc::new(AtomicBool::new(enabled)),
            allowed: config.camera.enabled,
            store,
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

    /// Why it is off where nobody has switched it off.
    pub fn lost(&self) -> Option<&'static str> {
        (self.0.allowed && self.0.store.get().lost).then_some(LOST)
    }

    /// Turns it; `by` says over what, for the log.
    pub fn turn(&self, enabled: bool, by: &str) -> Result<(), Forbidden> {
        let inner = &*self.0;
        if enabled && !inner.allowed {
            return Err(Forbidden);
        }
        let _turning = lock(&inner.turning);
        log::info!("camera switched {} over {by}", if enabled { "on" } else { "off" });
        if !enabled {
            inner.enabled.store(false, Ordering::Relaxed);
        }
        // Kept before it is told, so that nobody reads an OFF that a power cut turns into ON.
        inner.store.update(|settings| settings.enabled = enabled);
        inner.enabled.store(enabled, Ordering::Relaxed);
        if let Some(mqtt) = &inner.mqtt {
            mqtt.set_enabled(enabled);
        }
        Ok(())
    }
}
