//! The configuration as it is written: every key optional, nothing checked but names and types.

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;

/// Stands for the place of a value that was not read from the file but overridden.
pub const OVERRIDDEN: std::ops::Range<usize> = 0..0;

macro_rules! section {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(pub $field: Option<Spanned<$type>>,)*
        }

        impl $name {
            /// Takes every value that `other` holds.
            fn overlay(&mut self, other: Self) {
                $(if let Some(value) = other.$field {
                    self.$field = Some(Spanned::new(OVERRIDDEN, value.into_inner()));
                })*
            }
        }
    };
}

section!(RawDevice { id: String, state_dir: String });
section!(RawCamera {
    source: String,
    enabled: bool,
    format: String,
    width: i64,
    height: i64,
    fps: i64,
    rotate: i64,
    mirror: bool,
    r#loop: bool,
    pace: String,
    timeout_s: f64,
});
section!(RawDetector { model: String, min_score: f64, min_size: i64, max_faces: i64 });
section!(RawClassifier {
    model: String,
    delegate: String,
    delegate_options: std::collections::BTreeMap<String, String>,
    classic_library: String,
    fallback: bool,
    threads: i64,
    min_confidence: f64,
});
section!(RawSmoothing { window_s: f64, margin: f64, dwell_s: f64, hold_s: f64 });
section!(RawDisplay {
    driver: String,
    bus: String,
    address: i64,
    gpio_chip: String,
    dc_line: i64,
    reset_line: i64,
    size: String,
    rotate: i64,
    contrast: i64,
    night: String,
    night_contrast: i64,
    preview_png: String,
    blank_after_s: f64,
    shift_every_s: f64,
});
section!(RawMqtt {
    url: String,
    username: String,
    password_file: String,
    base_topic: String,
    client_id: String,
    discovery: bool,
    discovery_prefix: String,
    face_image: bool,
    ca_file: String,
    client_cert_file: String,
    client_key_file: String,
    keep_alive_s: i64,
    state_interval_s: f64,
    stats_interval_s: f64,
});
section!(RawWeb {
    listen: String,
    token_file: String,
    allowed_hosts: Vec<String>,
    cors_origins: Vec<String>,
    tls_cert: String,
    tls_key: String,
    live_fps: i64,
    max_viewers: i64,
    max_uploads: i64,
    max_body_mb: i64,
    max_megapixels: i64,
});
section!(RawPeople { enabled: bool, model: String, threshold: f64, margin: f64, check: String });
section!(RawRules { rule: Vec<Spanned<RawRule>> });

/// One entry of `rules.rule`; lists are overridden whole, so this needs no overlay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRule {
    pub name: Option<Spanned<String>>,
    pub emotion: Option<Spanned<super::rules::Names>>,
    pub person: Option<Spanned<super::rules::Names>>,
    pub min_confidence: Option<Spanned<f64>>,
    pub min_faces: Option<Spanned<i64>>,
    pub max_faces: Option<Spanned<i64>>,
    pub for_s: Option<Spanned<f64>>,
    pub gap_s: Option<Spanned<f64>>,
    pub rest_s: Option<Spanned<f64>>,
    pub repeat: Option<Spanned<bool>>,
    pub at_end: Option<Spanned<bool>>,
    pub publish: Option<Spanned<String>>,
    pub payload: Option<Spanned<String>>,
    pub end_payload: Option<Spanned<String>>,
    pub retain: Option<Spanned<bool>>,
    pub post: Option<Spanned<String>>,
    pub token_file: Option<Spanned<String>>,
    pub command: Option<Spanned<Vec<String>>>,
    pub limit_s: Option<Spanned<f64>>,
}

section!(RawLog { level: String });

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    pub device: RawDevice,
    pub camera: RawCamera,
    pub detector: RawDetector,
    pub classifier: RawClassifier,
    pub smoothing: RawSmoothing,
    pub display: RawDisplay,
    pub mqtt: RawMqtt,
    pub web: RawWeb,
    pub people: RawPeople,
    pub rules: RawRules,
    pub log: RawLog,
}

impl RawConfig {
    /// Sets `key` (`section.name`) to a TOML value, or to the text itself where that is no value
    /// of the key's type.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let quoted = toml::Value::String(value.to_owned());
        let parsed = deserialize(&format!("{key} = {value}"))
            .or_else(|_| deserialize(&format!("{key} = {quoted}")))
            .map_err(|error| ConfigError::Invalid { place: key.to_owned(), message: error.message })?;
        self.overlay(parsed);
        Ok(())
    }

    fn overlay(&mut self, other: Self) {
        self.device.overlay(other.device);
        self.camera.overlay(other.camera);
        self.detector.overlay(other.detector);
        self.classifier.overlay(other.classifier);
        self.smoothing.overlay(other.smoothing);
        self.display.overlay(other.display);
        self.mqtt.overlay(other.mqtt);
        self.web.overlay(other.web);
        self.people.overlay(other.people);
        self.rules.overlay(other.rules);
        self.log.overlay(other.log);
    }
}

/// Parses the text of the file called `name`.
pub fn parse(text: &str, name: &str) -> Result<RawConfig, ConfigError> {
    deserialize(text).map_err(|error| {
        let line = line_of(text, error.offset);
        let key = if error.key == "." { String::new() } else { format!("{}: ", error.key) };
        ConfigError::Invalid { place: format!("{name}:{line}"), message: format!("{key}{}", error.message) }
    })
}

struct TypeError {
    key: String,
    offset: usize,
    message: String,
}

fn deserialize(text: &str) -> Result<RawConfig, TypeError> {
    let described = |key: String, error: &toml::de::Error| TypeError {
        key,
        offset: error.span().map_or(0, |span| span.start),
        message: error.message().replace('\n', ", "),
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| described(".".to_owned(), &error))?;
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| described(key_name(&error.path().to_string()), error.inner()))
}

/// The key without the parts that [`Spanned`] adds, and, where a field is unknown, its section.
fn key_name(path: &str) -> String {
    path.split('.').filter(|part| !part.starts_with("$__")).collect::<Vec<_>>().join(".")
}

/// Line number, from 1, of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
