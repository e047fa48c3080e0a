//! How the device announces itself to Home Assistant: MQTT discovery in its device form
//! (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>).

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::topics::{Topic, Topics};
use crate::config::{self, DWELL_S, MIN_CONFIDENCE};
use crate::vocabulary::emotion::{Emotion, State};
use crate::vocabulary::wire::EventType;

/// A value that was not repeated so many times is not true any more.
const MISSED: u32 = 6;

/// The payload of [`Topic::Discovery`].
pub fn payload(config: &config::Mqtt, topics: &Topics) -> Vec<u8> {
    let device = Device { config, topics };
    let mut components = Map::new();
    for (name, component) in device.sensors().into_iter().chain(device.controls()) {
        components.insert(name.clone(), device.identified(&name, component));
    }
    let origin = json!({
        "name": env!("CARGO_PKG_NAME"),
        "sw_version": env!("CARGO_PKG_VERSION"),
        "support_url": env!("CARGO_PKG_REPOSITORY"),
    });
    let payload = json!({
        "device": {
            "identifiers": [format!("emotiond-{}", config.device)],
            "name": config.device,
            "manufacturer": "emotiond",
            "model": "Emotion camera",
            "sw_version": env!("CARGO_PKG_VERSION"),
        },
        "origin": origin,
        "availability": [device.available(Topic::Availability)],
        "availability_mode": "all",
        "components": components,
    });
    payload.to_string().into_bytes()
}

/// What changes with every message fills a recorder's database, so it is there for those who switch it on.
fn seldom(mut component: Value) -> Value {
    component["enabled_by_default"] = false.into();
    component
}

struct Device<'a> {
    config: &'a config::Mqtt,
    topics: &'a Topics,
}

impl Device<'_> {
    fn topic(&self, topic: Topic) -> String {
        self.topics.name(topic)
    }

    fn available(&self, topic: Topic) -> Value {
        json!({ "topic": self.topic(topic) })
    }

    /// Adds the ids that stay when people rename the device or the entity.
    fn identified(&self, name: &str, mut component: Value) -> Value {
        let platform = component["platform"].as_str().unwrap_or_default().to_owned();
        let slug = self.config.device.replace('-', "_");
        component["unique_id"] = format!("emotiond-{}-{name}", self.config.device).into();
        component["default_entity_id"] = format!("{platform}.{slug}_{name}").into();
        component
    }

    /// Adds that it is true only while pictures come, and repeated.
    fn needs_pictures(&self, repeated: std::time::Duration, mut component: Value) -> Value {
        component["availability"] =
            json!([self.available(Topic::Availability), self.available(Topic::CameraAvailability)]);
        component["expire_after"] = (repeated * MISSED).as_secs().max(30).into();
        component
    }

    /// A component that reads `state`.
    fn of_state(&self, component: Value) -> Value {
        let mut component = self.needs_pictures(self.config.state_interval, component);
        component["state_topic"] = self.topic(Topic::State).into();
        component
    }

    /// A sensor that reads `stats`.
    fn of_stats(&self, component: Value) -> Value {
        let mut component = self.needs_pictures(self.config.stats_interval, component);
        component["state_topic"] = self.topic(Topic::Stats).into();
        component["platform"] = "sensor".into();
        component["entity_category"] = "diagnostic".into();
        component["state_class"] = "measurement".into();
        seldom(component)
    }

    fn sensors(&self) -> Vec<(String, Value)> {
        let emotions = Emotion::ALL.iter().map(|emotion| State::Emotion(*emotion));
        let options: Vec<&str> =
            emotions.chain([State::Uncertain, State::None]).map(|state| state.name()).collect();
        let sensors = vec![
            (
                "emotion".to_owned(),
                self.of_state(json!({
                    "platform": "sensor", "name": "Emotion", "icon": "mdi:emoticon-outline",
                    "device_class": "enum", "options": options,
                    "value_template": "{{ value_json.emotion }}",
                    "json_attributes_topic": self.topic(Topic::State),
                    "json_attributes_template": "{{ {'since': value_json.since} | tojson }}",
                })),
            ),
            (
                "confidence".to_owned(),
                seldom(self.of_state(json!({
                    "platform": "sensor", "name": "Confidence", "icon": "mdi:percent-outline",
                    "unit_of_measurement": "%", "state_class": "measurement",
                    "value_template": "{{ (value_json.confidence * 100) | round(0) | int }}",
                }))),
            ),
            (
                "faces".to_owned(),
                self.of_state(json!({
                    "platform": "sensor", "name": "Faces", "icon": "mdi:account-multiple",
                    "state_class": "measurement", "value_template": "{{ value_json.faces }}",
                })),
            ),
            (
                "face_present".to_owned(),
                self.of_state(json!({
                    "platform": "binary_sensor", "name": "Face present", "device_class": "occupancy",
                    "value_template": "{{ 'ON' if value_json.faces > 0 else 'OFF' }}",
                })),
            ),
        ];
        sensors.into_iter().chain(self.scores()).chain(self.person()).chain(self.diagnostics()).collect()
    }

    fn diagnostics(&self) -> Vec<(String, Value)> {
        vec![
            (
                "frame_rate".to_owned(),
                self.of_stats(json!({
                    "name": "Frame rate", "icon": "mdi:filmstrip", "unit_of_measurement": "fps",
                    "value_template": "{{ value_json.fps }}", "suggested_display_precision": 1,
                })),
            ),
            (
                "latency".to_owned(),
                self.of_stats(json!({
                    "name": "Latency", "device_class": "duration", "unit_of_measurement": "ms",
                    "value_template": "{{ value_json.latency_ms.p95 }}", "suggested_display_precision": 0,
                })),
            ),
            (
                "camera_problem".to_owned(),
                json!({
                    "platform": "binary_sensor", "name": "Camera", "device_class": "problem",
                    "entity_category": "diagnostic", "state_topic": self.topic(Topic::CameraState),
                    "value_template": "{{ 'ON' if value_json.state in ['lost', 'damaged'] else 'OFF' }}",
                    "json_attributes_topic": self.topic(Topic::CameraState),
                }),
            ),
        ]
    }

    /// One an emotion.
    fn scores(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        Emotion::ALL.iter().map(|emotion| {
            let name = emotion.name();
            let score = seldom(self.of_state(json!({
                "platform": "sensor", "name": format!("Score {name}"), "icon": "mdi:percent-outline",
                "unit_of_measurement": "%", "state_class": "measurement",
                "value_template":
                    format!("{{{{ ((value_json.scores.{name} | default(0)) * 100) | round(0) | int }}}}"),
            })));
            (format!("score_{name}"), score)
        })
    }

    /// Who it is, where people are recognised.
    fn person(&self) -> Option<(String, Value)> {
        self.config.people.then(|| {
            let person = self.of_state(json!({
                "platform": "sensor", "name": "Person", "icon": "mdi:account",
                "value_template":
                    "{{ (value_json.primary.person | default('unknown')) if value_json.primary else 'none' }}",
            }));
            ("person".to_owned(), person)
        })
    }

    fn controls(&self) -> Vec<(String, Value)> {
        let mut controls = vec![
            (
                "changes".to_owned(),
                json!({
                    "platform": "event", "name": "Changes", "icon": "mdi:emoticon-confused-outline",
                    "state_topic": self.topic(Topic::Event),
                    "event_types": EventType::ALL,
                }),
            ),
            (
                "detection".to_owned(),
                json!({
                    "platform": "switch", "name": "Detection", "icon": "mdi:camera",
                    "state_topic": self.topic(Topic::Enabled), "command_topic": self.topic(Topic::EnabledSet),
                }),
            ),
            (
                "min_confidence".to_owned(),
                self.number("min_confidence", "Confidence limit", &MIN_CONFIDENCE, 0.01),
            ),
            ("dwell".to_owned(), self.number("dwell_s", "Dwell", &DWELL_S, 0.1)),
            (
                "restart_camera".to_owned(),
                json!({
                    "platform": "button", "name": "Restart camera", "device_class": "restart",
                    "entity_category": "config", "command_topic": self.topic(Topic::CameraRestart),
                }),
            ),
        ];
        if self.config.face_image {
            let image = json!({
                "platform": "image", "name": "Last face",
                "image_topic": self.topic(Topic::FaceImage), "content_type": "image/jpeg",
            });
            controls.push(("last_face".to_owned(), image));
        }
        controls
    }

    fn number(&self, key: &str, name: &str, range: &RangeInclusive<f64>, step: f64) -> Value {
        let mut number = json!({
            "platform": "number", "name": name, "entity_category": "config", "mode": "box",
            "state_topic": self.topic(Topic::Settings), "command_topic": self.topic(Topic::SettingsSet),
            "value_template": format!("{{{{ value_json.{key} }}}}"),
            "command_template": format!("{{\"{key}\": {{{{ value }}}}}}"),
            "min": range.start(), "max": range.end(), "step": step,
        });
        if key.ends_with("_s") {
            number["unit_of_measurement"] = "s".into();
            number["device_class"] = "duration".into();
        }
        number
    }
}
