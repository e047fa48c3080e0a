//! What the page and the HTTP API are handed.

use std::net::SocketAddr;
use std::sync::Arc;

use super::health;
use super::mirror::Mirror;
use super::shared::Shared;
use super::switch::Switch;
use crate::camera::thread::State as CameraState;
use crate::config::{Config, DisplayDriver};
use crate::display::{self};
use crate::pipeline::stills::Stills;
use crate::vocabulary::frame::Frame;
use crate::vocabulary::wire::{self, Details, Latency, Part, Parts};
use crate::web::photos::Classify;
use crate::{camera, mqtt, rules, web};

/// The parts that are asked how they are.
#[derive(Clone)]
pub struct Asked {
    pub camera: Arc<camera::thread::Status>,
    pub display: Arc<display::Status>,
    pub mqtt: Option<mqtt::Mqtt>,
    pub rules: rules::Rules,
    pub pipeline: Arc<Shared>,
}

impl Asked {
    /// The `stats` message with the rate and latency that are given.
    pub fn stats(&self, rate: (f64, Latency)) -> wire::Stats {
        let Self { camera, display, mqtt, rules, pipeline } = self;
        health::stats(camera, display, mqtt.as_ref(), rules, pipeline, rate)
    }
}

/// Everything that the page shows and does.
pub fn shown(config: &Config, asked: &Asked, switch: &Switch, mirror: Mirror) -> web::Shown {
    let (driver, size) = (config.display.driver, config.display.size);
    let (of_parts, of_stats) = (asked.clone(), asked.clone());
    let (of_switch, is_on, turned) = (switch.clone(), switch.clone(), switch.clone());
    web::Shown {
        device: config.device.id.clone(),
        pictures_leave: pictures_leave(config),
        parts: Box::new(move || parts(&of_parts, driver, of_switch.lost())),
        stats: Box::new(move || of_stats.stats(Default::default())),
        display: Box::new(move || mirror.png(size)),
        enabled: Box::new(move || is_on.enabled()),
        switch: Box::new(move |enabled| turned.turn(enabled, "HTTP")),
    }
}

/// How the configuration lets pictures leave the device.
fn pictures_leave(config: &Config) -> Vec<&'static str> {
    let to_broker = config.mqtt.broker.is_some() && config.mqtt.face_image;
    // Behind a proxy the page listens to this machine alone, but is told the name that others use.
    let served = |address: SocketAddr| !address.ip().is_loopback() || !config.web.allowed_hosts.is_empty();
    let over_network = config.web.listen.is_some_and(served);
    [(to_broker, "mqtt"), (over_network, "network")]
        .into_iter()
        .filter_map(|(leaves, way)| leaves.then_some(way))
        .collect()
}

/// `lost`: why the camera is off where nobody has switched it off.
fn parts(asked: &Asked, driver: DisplayDriver, lost: Option<&str>) -> (Parts, Details) {
    let camera = asked.camera.report();
    let broker = asked.mqtt.as_ref().map(mqtt::Mqtt::status);
    let panel = asked.display.panel();
    let parts = Parts {
        camera: match camera.state {
            CameraState::Starting => Part::well("starting"),
            CameraState::Off if lost.is_some() => Part::unwell("off"),
            CameraState::Off => Part::well("off"),
            CameraState::Streaming => Part::well("streaming"),
            CameraState::Damaged => Part::unwell("damaged"),
            CameraState::Lost => Part::unwell("lost"),
            CameraState::Ended => Part::well("ended"),
        },
        broker: match &broker {
            None => Part::well("off"),
            Some(status) if status.connected => Part::well("connected"),
            Some(status) if status.yielding => Part::unwell("yielding"),
            Some(_) => Part::unwell("away"),
        },
        display: match (driver, &panel) {
            (_, Some(_)) => Part::well("shown"),
            (DisplayDriver::Ssd1306 | DisplayDriver::Sh1106, None) => Part::unwell("absent"),
            (DisplayDriver::Auto, None) => Part::well("absent"),
            (DisplayDriver::Preview, None) => Part::well("preview"),
            (DisplayDriver::None, None) => Part::well("off"),
        },
        pipeline: if asked.pipeline.failing() { Part::unwell("failing") } else { Part::well("running") },
    };
    let details = Details {
        camera: match camera.state {
            CameraState::Lost | CameraState::Damaged => camera.error.unwrap_or_default(),
            CameraState::Off => lost.unwrap_or_default().to_owned(),
            CameraState::Starting | CameraState::Streaming | CameraState::Ended => camera.description,
        },
        broker: broker.and_then(|status| status.last_error).unwrap_or_default(),
        display: panel.or_else(|| asked.display.last_error()).unwrap_or_default(),
        pipeline: asked.pipeline.delegate(),
    };
    (parts, details)
}

/// The faces of uploads. The least confidence is the running pipeline's.
pub fn classify(config: &Config, pipeline: Arc<Shared>) -> Classify {
    let mut stills = Stills::new(config.clone());
    Box::new(move |frame: &Frame| Ok(stills.faces(frame, Some(pipeline.min_confidence()))?))
}
