//! From what is written to what is meant: ranges, choices, and rules over several keys.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::raw::{self, OVERRIDDEN, RawConfig};
use super::*;

/// The file that values came from, to say where a bad one stands.
pub struct Places<'a> {
    pub text: &'a str,
    pub name: &'a str,
}

impl Places<'_> {
    pub fn error(&self, span: std::ops::Range<usize>, key: &str, message: impl fmt::Display) -> ConfigError {
        let place = if span == OVERRIDDEN {
            key.to_owned()
        } else {
            format!("{}:{}: {key}", self.name, raw::line_of(self.text, span.start))
        };
        ConfigError::Invalid { place, message: message.to_string() }
    }

    /// The value as `convert` understands it, or `default` where none is written.
    pub fn value<T, U>(
        &self,
        key: &str,
        value: Option<Spanned<T>>,
        default: U,
        convert: impl FnOnce(T) -> Result<U, String>,
    ) -> Result<U, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        let span = value.span();
        convert(value.into_inner()).map_err(|message| self.error(span, key, message))
    }

    pub fn integer<U: TryFrom<i64> + fmt::Display>(
        &self,
        key: &str,
        value: Option<Spanned<i64>>,
        default: U,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<U, ConfigError> {
        self.value(key, value, default, |value| {
            U::try_from(value)
                .ok()
                .filter(|_| range.contains(&value))
                .ok_or_else(|| format!("{value} is out of range ({} to {})", range.start(), range.end()))
        })
    }

    pub fn number(
        &self,
        key: &str,
        value: Option<Spanned<f64>>,
        default: f64,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<f64, ConfigError> {
        self.value(key, value, default, |value| {
            if range.contains(&value) {
                Ok(value)
            } else {
                Err(format!("{value} is out of range ({} to {})", range.start(), range.end()))
            }
        })
    }

    pub fn seconds(
        &self,
        key: &str,
        value: Option<Spanned<f64>>,
        default: f64,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Duration, ConfigError> {
        self.number(key, value, default, range).map(Duration::from_secs_f64)
    }

    pub fn choice<U: Copy>(
        &self,
        key: &str,
        value: Option<Spanned<String>>,
        default: U,
        choices: &[(&str, U)],
    ) -> Result<U, ConfigError> {
        self.value(key, value, default, |text| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice).ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                format!("{text:?} is none of {}", names.join(", "))
            })
        })
    }

    /// A file's path; an empty one counts as not written.
    pub fn path(&self, value: Option<Spanned<String>>) -> Option<PathBuf> {
        value.map(Spanned::into_inner).filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

pub fn validate(raw: RawConfig, places: &Places<'_>) -> Result<Config, ConfigError> {
    let device = device(raw.device, places)?;
    let people = people(raw.people, places)?;
    let mut mqtt = mqtt(raw.mqtt, places, &device.id)?;
    mqtt.people = people.enabled;
    Ok(Config {
        camera: camera(raw.camera, places)?,
        detector: detector(raw.detector, places)?,
        classifier: classifier(raw.classifier, places)?,
        smoothing: smoothing(raw.smoothing, places)?,
        display: display::display(raw.display, places)?,
        web: web::web(raw.web, places)?,
        people,
        rules: rules::rules(raw.rules, places, &mqtt)?,
        log: log(raw.log, places)?,
        device,
        mqtt,
    })
}

fn device(raw: raw::RawDevice, places: &Places<'_>) -> Result<Device, ConfigError> {
    let id = places.value("device.id", raw.id, None, |id| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=32).contains(&id.len()) && id.chars().all(allowed) {
            Ok(Some(id))
        } else {
            Err(format!("{id:?} is no device id (1 to 32 of a-z, 0-9 and -)"))
        }
    })?;
    let state_dir = places
        .path(raw.state_dir)
        // systemd's StateDirectory= names the folder that it made.
        .or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("/var/lib/emotiond"));
    Ok(Device { id: id.unwrap_or_else(default_id), state_dir })
}

/// Host name and four characters of the machine id.
fn default_id() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let host: String = read("/proc/sys/kernel/hostname")
        .trim()
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(27)
        .collect();
    let host = if host.is_empty() { "emotiond" } else { &host };
    let machine = read("/etc/machine-id");
    match machine.get(..4) {
        Some(start) if start.chars().all(|c| c.is_ascii_hexdigit()) => format!("{host}-{start}"),
        _ => host.to_owned(),
    }
}

const COMMAND_FORMATS: [(&str, CommandFormat); 8] = [
    ("auto", CommandFormat::Auto),
    ("rgb", CommandFormat::Raw(RawFormat::Rgb)),
    ("bgr", CommandFormat::Raw(RawFormat::Bgr)),
    ("yuyv", CommandFormat::Raw(RawFormat::Yuyv)),
    ("uyvy", CommandFormat::Raw(RawFormat::Uyvy)),
    ("nv12", CommandFormat::Raw(RawFormat::Nv12)),
    ("i420", CommandFormat::Raw(RawFormat::I420)),
    ("grey", CommandFormat::Raw(RawFormat::Grey)),
];

/// From degrees.
pub fn rotation(degrees: i64) -> Result<Rotation, String> {
    match degrees {
        0 => Ok(Rotation::None),
        90 => Ok(Rotation::Quarter),
        180 => Ok(Rotation::Half),
        270 => Ok(Rotation::ThreeQuarters),
        _ => Err(format!("{degrees} is none of 0, 90, 180, 270")),
    }
}

fn camera(raw: raw::RawCamera, places: &Places<'_>) -> Result<Camera, ConfigError> {
    let source = places.value("camera.source", raw.source, Source::Auto, |text| source(&text))?;
    let rotate = places.value("camera.rotate", raw.rotate, Rotation::None, rotation)?;
    Ok(Camera {
        source,
        enabled: raw.enabled.is_none_or(Spanned::into_inner),
        format: places.choice("camera.format", raw.format, CommandFormat::Auto, &COMMAND_FORMATS)?,
        width: places.integer("camera.width", raw.width, 640, 16..=8192)?,
        height: places.integer("camera.height", raw.height, 480, 16..=8192)?,
        fps: places.integer("camera.fps", raw.fps, 30, 1..=240)?,
        rotate,
        mirror: raw.mirror.is_some_and(Spanned::into_inner),
        repeat: raw.r#loop.is_none_or(Spanned::into_inner),
        pace: places.choice(
            "camera.pace",
            raw.pace,
            Pace::RealTime,
            &[("real-time", Pace::RealTime), ("flat-out", Pace::FlatOut)],
        )?,
        timeout: places.seconds("camera.timeout_s", raw.timeout_s, 5.0, 0.5..=300.0)?,
    })
}

fn source(text: &str) -> Result<Source, String> {
    if text == "auto" {
        Ok(Source::Auto)
    } else if let Some(path) = text.strip_prefix("replay:").filter(|path| !path.is_empty()) {
        Ok(Source::Replay(path.into()))
    } else if let Some(line) = text.strip_prefix("command:") {
        match shell_words::split(line) {
            Ok(words) if !words.is_empty() => Ok(Source::Command(words)),
            Ok(_) => Err("no command after \"command:\"".to_owned()),
            Err(error) => Err(format!("unable to split {line:?}: {error}")),
        }
    } else if text.starts_with('/') {
        Ok(Source::Device(text.into()))
    } else {
        Err(format!("{text:?} is no source (auto, a path such as /dev/video0, replay:PATH or command:LINE)"))
    }
}

fn detector(raw: raw::RawDetector, places: &Places<'_>) -> Result<Detector, ConfigError> {
    Ok(Detector {
        model: places.path(raw.model).unwrap_or_else(|| DEFAULT_DETECTOR.into()),
        min_score: places.number("detector.min_score", raw.min_score, 0.5, 0.05..=1.0)? as f32,
        min_size: places.integer("detector.min_size", raw.min_size, 24, 0..=4096)?,
        max_faces: places.integer("detector.max_faces", raw.max_faces, 8, 1..=100)?,
    })
}

fn classifier(raw: raw::RawClassifier, places: &Places<'_>) -> Result<Classifier, ConfigError> {
    let delegate =
        places.value("classifier.delegate", raw.delegate, Delegate::Cpu, |name| match name.as_str() {
            "cpu" => Ok(Delegate::Cpu),
            "gpu" => Ok(Delegate::Gpu),
            "edgetpu" => Ok(Delegate::EdgeTpu),
            path if path.starts_with('/') => Ok(Delegate::Library(path.into())),
            _ => Err(format!("{name:?} is none of cpu, gpu, edgetpu or the path of a library")),
        })?;
    let external = matches!(delegate, Delegate::EdgeTpu | Delegate::Library(_));
    let delegate_options =
        places.value("classifier.delegate_options", raw.delegate_options, BTreeMap::new(), |options| {
            if options.is_empty() || external {
                Ok(options)
            } else {
                Err(format!("delegate {delegate} takes none (edgetpu and libraries do)"))
            }
        })?;
    Ok(Classifier {
        model: places.path(raw.model).unwrap_or_else(|| DEFAULT_CLASSIFIER.into()),
        delegate,
        delegate_options,
        classic_library: places.path(raw.classic_library),
        fallback: raw.fallback.is_none_or(Spanned::into_inner),
        threads: places.integer("classifier.threads", raw.threads, 0, 0..=64)?,
        min_confidence: places.number("classifier.min_confidence", raw.min_confidence, 0.4, MIN_CONFIDENCE)?
            as f32,
    })
}

fn smoothing(raw: raw::RawSmoothing, places: &Places<'_>) -> Result<Smoothing, ConfigError> {
    Ok(Smoothing {
        window: places.seconds("smoothing.window_s", raw.window_s, 0.3, 0.0..=60.0)?,
        margin: places.number("smoothing.margin", raw.margin, 0.1, 0.0..=1.0)? as f32,
        dwell: places.seconds("smoothing.dwell_s", raw.dwell_s, 0.3, DWELL_S)?,
        hold: places.seconds("smoothing.hold_s", raw.hold_s, 1.0, 0.0..=60.0)?,
    })
}

fn mqtt(raw: raw::RawMqtt, places: &Places<'_>, id: &str) -> Result<Mqtt, ConfigError> {
    let default = Some(Broker { host: "localhost".to_owned(), port: 1883, tls: false });
    let base_topic = places.value("mqtt.base_topic", raw.base_topic, String::new(), topic)?;
    let prefix = places.value("mqtt.discovery_prefix", raw.discovery_prefix, String::new(), topic)?;
    let key_span = raw.client_key_file.as_ref().map(Spanned::span);
    let cert_span = raw.client_cert_file.as_ref().map(Spanned::span);
    let client_cert = match (places.path(raw.client_cert_file), places.path(raw.client_key_file)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            let message = "needs mqtt.client_key_file, too";
            return Err(places.error(cert_span.unwrap_or(OVERRIDDEN), "mqtt.client_cert_file", message));
        }
        (None, Some(_)) => {
            let message = "needs mqtt.client_cert_file, too";
            return Err(places.error(key_span.unwrap_or(OVERRIDDEN), "mqtt.client_key_file", message));
        }
    };
    Ok(Mqtt {
        broker: places.value("mqtt.url", raw.url, default, |url| broker(&url))?,
        username: raw.username.map(Spanned::into_inner).filter(|name| !name.is_empty()),
        password_file: places.path(raw.password_file),
        device: id.to_owned(),
        base_topic: or(base_topic, &format!("emotiond/{id}")),
        client_id: raw.client_id.map(Spanned::into_inner).filter(|name| !name.is_empty()),
        discovery: raw.discovery.is_none_or(Spanned::into_inner),
        people: false,
        discovery_prefix: or(prefix, "homeassistant"),
        face_image: raw.face_image.is_some_and(Spanned::into_inner),
        ca_file: places.path(raw.ca_file),
        client_cert,
        // MQTT 3.1.1, 3.1.2.10: a 16-bit number of seconds; below five a busy network looks dead.
        keep_alive: Duration::from_secs(places.integer(
            "mqtt.keep_alive_s",
            raw.keep_alive_s,
            30,
            5..=65_535,
        )?),
        state_interval: places.seconds("mqtt.state_interval_s", raw.state_interval_s, 5.0, 0.5..=3600.0)?,
        stats_interval: places.seconds("mqtt.stats_interval_s", raw.stats_interval_s, 10.0, 1.0..=3600.0)?,
    })
}

/// The start of a topic.
fn topic(text: String) -> Result<String, String> {
    if text.contains(['#', '+', '\0']) || text.starts_with(['/', '$']) || text.ends_with('/') {
        Err(format!("{text:?} is no base topic (no +, #, leading $ or slash at either end)"))
    } else {
        Ok(text)
    }
}

fn or(text: String, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text }
}

fn broker(url: &str) -> Result<Option<Broker>, String> {
    if url.is_empty() {
        return Ok(None);
    }
    let bad = || format!("{url:?} is no broker (mqtt://HOST[:PORT], mqtts://HOST[:PORT], or empty for none)");
    let (rest, tls) = match url.strip_prefix("mqtt://") {
        Some(rest) => (rest, false),
        None => (url.strip_prefix("mqtts://").ok_or_else(bad)?, true),
    };
    if rest.contains('@') {
        return Err(format!("{url:?} holds a user name: use mqtt.username and mqtt.password_file"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(bad)?) };
            (host, port)
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let host_is_plain = !host.is_empty() && !host.contains(|c: char| c == '/' || c.is_whitespace());
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?,
        None if tls => 8883,
        None => 1883,
    };
    if host_is_plain { Ok(Some(Broker { host: host.to_owned(), port, tls })) } else { Err(bad()) }
}

fn people(raw: raw::RawPeople, places: &Places<'_>) -> Result<People, ConfigError> {
    let checks = [("none", LiveCheck::None), ("turn", LiveCheck::Turn)];
    Ok(People {
        enabled: raw.enabled.is_some_and(Spanned::into_inner),
        model: places.path(raw.model).unwrap_or_else(|| DEFAULT_DESCRIPTOR.into()),
        threshold: places.number("people.threshold", raw.threshold, 0.5, 0.05..=2.0)? as f32,
        margin: places.number("people.margin", raw.margin, 0.05, 0.0..=1.0)? as f32,
        check: places.choice("people.check", raw.check, LiveCheck::None, &checks)?,
    })
}

fn log(raw: raw::RawLog, places: &Places<'_>) -> Result<Log, ConfigError> {
    use log::LevelFilter::{Debug, Error, Info, Trace, Warn};
    let levels = [("error", Error), ("warn", Warn), ("info", Info), ("debug", Debug), ("trace", Trace)];
    Ok(Log { level: places.choice("log.level", raw.level, Info, &levels)? })
}
