//! What people may do to the running daemon, and what they are told came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::shared::Shared;
use super::switch::Switch;
use crate::camera::thread::{State as CameraState, Status as CameraStatus};
use crate::config::Config;
use crate::config::settings::{ChangeError, Forbidden, Store};
use crate::mqtt::{Command, Mqtt};
use crate::vocabulary::wire;

/// Between two words on why the camera is what it was before.
const BETWEEN_ERRORS: Duration = Duration::from_secs(20);

/// Why a command is not obeyed.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Switch(#[from] Forbidden),
    #[error(transparent)]
    Settings(#[from] ChangeError),
    #[error("the camera is switched off")]
    Off,
    #[error("the replay has ended")]
    Ended,
}

pub struct Control {
    pub switch: Switch,
    pub store: Store,
    /// Set to have the camera opened again.
    pub restart: Arc<AtomicBool>,
    camera: Arc<CameraStatus>,
    pipeline: Arc<Shared>,
    mqtt: Option<Mqtt>,
    /// What was said of the camera last.
    told: Option<(wire::CameraState, Instant)>,
}

impl Control {
    pub fn new(
        config: &Config,
        camera: Arc<CameraStatus>,
        pipeline: Arc<Shared>,
        mqtt: Option<Mqtt>,
    ) -> Self {
        let store = Store::open(&config.device.state_dir);
        let switch = Switch::new(config, store.clone(), mqtt.clone());
        let restart = Arc::new(AtomicBool::new(false));
        let control = Self { switch, store, restart, camera, pipeline, mqtt, told: None };
        control.apply(config);
        control
    }

    /// Does what a command says, or answers why not.
    pub fn obey(&self, command: &Command, config: &Config) {
        let done = match command {
            Command::SetEnabled(enabled) => self.switch.turn(*enabled, "MQTT").map_err(Refusal::from),
            Command::ChangeSettings(json) => self.change(json, config),
            Command::RestartCamera => self.restart_camera(),
        };
        if let (Err(reason), Some(mqtt)) = (done, &self.mqtt) {
            log::warn!("a command over MQTT was refused: {reason}");
            mqtt.refuse(command, &reason.to_string());
        }
    }

    /// Brings the settings into force: the configuration's, but for what was changed since.
    pub fn apply(&self, config: &Config) {
        let kept = self.store.get();
        let mut smoothing = config.smoothing.clone();
        if let Some(dwell) = kept.dwell_s {
            smoothing.dwell = Duration::from_secs_f64(dwell);
        }
        let confidence = kept.min_confidence.map_or(config.classifier.min_confidence, |value| value as f32);
        if let Some(mqtt) = &self.mqtt {
            mqtt.set_settings(&wire::Settings {
                min_confidence: wire::rounded(confidence, 4),
                dwell_s: smoothing.dwell.as_secs_f64(),
            });
        }
        self.pipeline.configure(smoothing, confidence);
    }

    /// Says how the camera is when that has changed.
    pub fn tell_camera(&mut self) {
        let Some(mqtt) = &self.mqtt else { return };
        let report = self.camera.report();
        let state = wire::CameraState {
            state: report.state.name(),
            camera: Some(report.description).filter(|description| !description.is_empty()),
            error: match report.state {
                CameraState::Lost | CameraState::Damaged => report.error,
                CameraState::Off => self.switch.lost().map(str::to_owned),
                CameraState::Starting | CameraState::Streaming | CameraState::Ended => None,
            },
        };
        let due = match &self.told {
            None => true,
            Some((told, _)) if *told == state => false,
            // A camera that fails in another way at each try is still the same lost camera.
            Some((told, at)) if told.state == state.state => at.elapsed() >= BETWEEN_ERRORS,
            Some(_) => true,
        };
        if due {
            mqtt.set_camera_state(&state);
            self.told = Some((state, Instant::now()));
        }
    }

    fn change(&self, json: &str, config: &Config) -> Result<(), Refusal> {
        let changed = self.store.get().changed(json)?;
        // The switch is another command's, which may have come meanwhile over HTTP.
        self.store.update(|settings| {
            (settings.min_confidence, settings.dwell_s) = (changed.min_confidence, changed.dwell_s);
        });
        log::info!("settings changed over MQTT: {}", json.trim());
        self.apply(config);
        Ok(())
    }

    fn restart_camera(&self) -> Result<(), Refusal> {
        match self.camera.state() {
            CameraState::Off => Err(Refusal::Off),
            CameraState::Ended => Err(Refusal::Ended),
            CameraState::Starting | CameraState::Streaming | CameraState::Damaged | CameraState::Lost => {
                self.restart.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}
