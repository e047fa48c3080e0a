//! The validated configuration, a file a section. [`Config::load`](crate::config::Config::load) reads a file and tells all
//! mistakes in it at once.
//!
//! A key is one expression in its section's file (see `keys`); its name, default, unit, range and text are taken from there
//! for the shipped configuration and the manual (see `describe`).

mod camera;
mod classifier;
pub mod describe;
mod detector;
mod device;
mod display;
mod document;
mod keys;
mod log;
mod mqtt;
mod people;
mod rules;
/// What survives a restart.
pub(crate) mod settings;
mod smoothing;
mod unknown;
mod web;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use camera::{Camera, CommandFormat, Pace, Rotation, Source};
pub use classifier::{Classifier, DEFAULT_CLASSIFIER, Delegate, MIN_CONFIDENCE};
pub use detector::{CLOSE_DETECTOR, DEFAULT_DETECTOR, Detector};
pub use device::{Device, STATE_DIR};
pub use display::{Display, DisplayDriver, DisplaySize, Night, Spi};
pub use keys::Unfit;
pub use log::Log;
pub use mqtt::{Broker, Mqtt};
pub use people::{DEFAULT_DESCRIPTOR, LiveCheck, People};
pub use rules::{Action, Condition, Rule, Rules, Who};
pub use smoothing::{DWELL_S, Smoothing};
pub use web::Web;

use crate::base::printable::printable;
use document::{Document, Mistake, Offset, Override};
use keys::Reading;
use unknown::Removed;

/// Where the configuration is looked for when `--config` names no file.
pub const DEFAULT_PATH: &str = "/etc/emotiond/emotiond.toml";

/// Keys (`section.key`) that earlier versions knew, with what is to be used in their place.
const REMOVED: &Removed = &[];

/// A whole configuration, valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[device]`.
    pub device: Device,
    /// `[camera]`.
    pub camera: Camera,
    /// `[detector]`.
    pub detector: Detector,
    /// `[classifier]`.
    pub classifier: Classifier,
    /// `[smoothing]`.
    pub smoothing: Smoothing,
    /// `[display]`.
    pub display: Display,
    /// `[mqtt]`.
    pub mqtt: Mqtt,
    /// `[web]`.
    pub web: Web,
    /// `[people]`.
    pub people: People,
    /// `[rules]`.
    pub rules: Rules,
    /// `[log]`.
    pub log: Log,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ConfigError {
    #[error("unable to read configuration {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Every mistake, a line each, with file, line and key where they are known.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
}

/// Where the keys of a file stand, for what is found out later about their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<(String, String)>);

impl Places {
    /// Of the file that [`Config::load`] reads; a key that is overridden stands nowhere.
    pub fn load(path: Option<&Path>, overrides: &BTreeMap<String, String>) -> Self {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut reading = Reading::new(Document::parse(&text).0, REMOVED);
        Config::read(&mut reading);
        let place = |(key, offset): (String, Offset)| {
            let place = format!("{}:{}", file.display(), line(&text, offset?));
            Some(place).filter(|_| !overrides.contains_key(&key)).map(|place| (key, place))
        };
        Self(reading.places.into_iter().filter_map(place).collect())
    }

    /// File and line of the first key that `message` names.
    pub fn of(&self, message: &str) -> Option<&str> {
        let is_part = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.';
        let named = |key: &str| message.split(is_part).any(|word| word.trim_matches('.') == key);
        self.0.iter().find(|(key, _)| named(key)).map(|(_, place)| place.as_str())
    }
}

/// Number of the line that a byte is in.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

impl Config {
    /// Reads and validates `path`; without one [`DEFAULT_PATH`], and the defaults when that does
    /// not exist. `overrides` maps a key (`camera.source`) to a TOML value or bare string and wins.
    ///
    /// # Errors
    /// When the file cannot be read, or with all mistakes that are in it and in `overrides`.
    pub fn load(path: Option<&Path>, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Read { path: file.to_owned(), source }),
        };
        // Editors on Windows write a byte order mark.
        Self::parse(text.trim_start_matches('\u{feff}'), &file.display().to_string(), overrides)
    }

    /// Validates the text of a file called `name`.
    ///
    /// # Errors
    /// With all mistakes that are in it and in `overrides`.
    pub fn parse(text: &str, name: &str, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let overrides: Vec<Override> =
            overrides.iter().map(|(key, value)| Override::new(key, value)).collect();
        let (mut document, mut mistakes) = Document::parse(text);
        mistakes.extend(overrides.iter().filter_map(|new| document.set(new).err()));
        let mut reading = Reading::new(document, REMOVED);
        let config = Self::read(&mut reading);
        mistakes.append(&mut reading.mistakes);
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Invalid(told(mistakes, &reading.places, text, name)))
        }
    }

    fn read(reading: &mut Reading<'_>) -> Self {
        let device = reading.section("device", "", Device::read);
        let camera = reading.section("camera", "", Camera::read);
        let detector = reading.section("detector", "", Detector::read);
        let classifier = reading.section("classifier", "", Classifier::read);
        let smoothing = reading.section("smoothing", "", Smoothing::read);
        let display = reading.section("display", "", Display::read);
        let mut mqtt = reading.section("mqtt", "", |keys| Mqtt::read(keys, &device.id));
        let web = reading.section("web", "", Web::read);
        let people = reading.section("people", "", People::read);
        let rules = reading.section(
            "rules",
            "What is done when something has been seen for some time. One block a rule, as many as are wanted.",
            |keys| Rules::read(keys, &mqtt),
        );
        let log = reading.section("log", "", Log::read);
        reading.refuse_unknown_sections();
        mqtt.people = people.enabled;
        Self { device, camera, detector, classifier, smoothing, display, mqtt, web, people, rules, log }
    }
}

/// The mistakes of a file's `text` as lines, in the file's order after those of overrides. `written` says where keys are.
fn told(mistakes: Vec<Mistake>, written: &[(String, Offset)], text: &str, name: &str) -> Vec<String> {
    let line = |offset| line(text, offset);
    let (syntax, mut mistakes): (Vec<Mistake>, Vec<Mistake>) =
        mistakes.into_iter().partition(|mistake| mistake.key.is_empty());
    if let Some(first) = syntax.iter().filter_map(|broken| broken.offset).min() {
        // Behind a broken `[section]` its keys seem to belong to none.
        mistakes.retain(|mistake| mistake.key.contains('.') || mistake.offset < Some(first));
    }
    for broken in syntax {
        let at = broken.offset.map(line);
        // What could be made of a broken line is no second mistake, and neither is what follows from the first one on it.
        if mistakes.iter().any(|mistake| mistake.key.is_empty() && mistake.offset.map(line) == at) {
            continue;
        }
        mistakes.retain(|mistake| mistake.offset.map(line) != at);
        mistakes.push(broken);
    }
    for broken in mistakes.iter_mut().filter(|mistake| mistake.key.is_empty()) {
        let at = broken.offset.map(line);
        let key = written.iter().find(|(_, offset)| offset.map(line) == at).map(|(key, _)| key.clone());
        broken.key = key.unwrap_or_default();
    }
    mistakes.sort_by_key(|mistake| mistake.offset);
    let told = |Mistake { offset, key, message }: Mistake| {
        let place = offset.map(|offset| format!("{name}:{}", line(offset)));
        let key = Some(key).filter(|key| !key.is_empty());
        let line = place.into_iter().chain(key).chain([message]).collect::<Vec<_>>().join(": ");
        // A quoted key may hold a line break, which would look like a line of its own; a value a password.
        printable(&line)
    };
    mistakes.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, "test.toml", &BTreeMap::new())
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let cases = [
            ("[camera]\nwidht = 640\n", "test.toml:2: camera.widht: unknown key, did you mean width?"),
            ("[camera]\n\nwidth = \"wide\"\n", "test.toml:3: camera.width: invalid type: string \"wide\""),
            ("[camera]\nfps = 0\n", "test.toml:2: camera.fps: 0 is out of range (1 to 240)"),
            (
                "[classifier]\nmin_confidence = 1.5\n",
                "test.toml:2: classifier.min_confidence: 1.5 is out of range (0 to 1)",
            ),
            ("[camera]\nrotate = 45\n", "test.toml:2: camera.rotate: 45 is none of 0, 90, 180, 270"),
            (
                "[display]\nsize = \"128x32\"\nrotate = 90\n",
                "test.toml:3: display.rotate: a panel of 128x32 is too narrow to stand on end (use 0 or 180)",
            ),
            (
                "[camera]\nsource = \"command:a 'b\"\n",
                "test.toml:2: camera.source: unable to split the command: missing closing quote",
            ),
            (
                "[camera]\nformat = \"h264\"\n",
                "test.toml:2: camera.format: \"h264\" is none of auto, rgb, bgr, yuyv, uyvy, nv12, i420, grey",
            ),
            ("[camera]\nsource = \"usb\"\n", "test.toml:2: camera.source: \"usb\" is no source"),
            ("[camera\n", "test.toml:1: "),
            (
                "[web]\nlisten = \"0.0.0.0:8080\"\n",
                "test.toml:2: web.listen: 0.0.0.0:8080 can be reached from other machines: set web.token_file",
            ),
            ("[mqtt]\nurl = \"http://broker\"\n", "test.toml:2: mqtt.url: http://broker is no broker"),
            ("[device]\nid = \"Kitchen Pi\"\n", "test.toml:2: device.id: \"Kitchen Pi\""),
        ];
        for (text, message) in cases {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn overrides_win_and_name_themselves() {
        let set = |key: &str, value: &str| {
            Config::parse("", "t", &BTreeMap::from([(key.to_owned(), value.to_owned())]))
        };
        assert_eq!(set("camera.fps", "12").expect("valid").camera.fps, 12);
        assert_eq!(
            set("camera.source", "replay:/tmp/a b.jpg").expect("valid").camera.source,
            Source::Replay("/tmp/a b.jpg".into())
        );
        let error = set("camera.fps", "0").expect_err("out of range").to_string();
        assert_eq!(error, "camera.fps: 0 is out of range (1 to 240)");
        assert!(set("camera.colour", "1").is_err());
    }
}
