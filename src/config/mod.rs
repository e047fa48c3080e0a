//! The validated configuration. [`Config::load`](crate::config::Config::load) reads a file; what is written there is checked in
//! `raw` and cannot be seen by later code.

mod check;
mod display;
mod raw;
mod rules;
/// What survives a restart.
pub mod settings;
mod web;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use rules::{Action, Condition, Rule, Rules, Who};

/// Name of the face detector that is used when none is configured.
pub const DEFAULT_DETECTOR: &str = "face-full-range";
/// Name of the emotion model that is used when none is configured.
pub const DEFAULT_CLASSIFIER: &str = "emotion";

/// Name of the face detector for a face that is known to be there.
pub const CLOSE_DETECTOR: &str = "face-short-range";

/// Name of the face descriptor that is used when none is configured.
pub const DEFAULT_DESCRIPTOR: &str = "face-descriptor-int8";

/// Bounds of `classifier.min_confidence`, also when it is changed while running.
pub const MIN_CONFIDENCE: RangeInclusive<f64> = 0.0..=1.0;
/// Bounds of `smoothing.dwell_s` in seconds, also when it is changed while running.
pub const DWELL_S: RangeInclusive<f64> = 0.0..=60.0;

/// Where the configuration is looked for when `--config` names no file.
pub const DEFAULT_PATH: &str = "/etc/emotiond/emotiond.toml";

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub device: Device,
    pub camera: Camera,
    pub detector: Detector,
    pub classifier: Classifier,
    pub smoothing: Smoothing,
    pub display: Display,
    pub mqtt: Mqtt,
    pub web: Web,
    pub people: People,
    pub rules: Rules,
    pub log: Log,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// `[a-z0-9-]{1,32}`.
    pub id: String,
    /// Where what must survive a restart is kept.
    pub state_dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The first device that delivers pictures.
    Auto,
    Device(PathBuf),
    /// A photo, a folder of photos or a film.
    Replay(PathBuf),
    /// A program and its arguments; writes pictures to its standard output.
    Command(Vec<String>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(path) => path.display().fmt(f),
            Self::Replay(path) => write!(f, "replay:{}", path.display()),
            // Its arguments may hold a password, as the addresses of network cameras do.
            Self::Command(words) => write!(f, "command:{}", words.first().map_or("", String::as_str)),
        }
    }
}

/// What a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFormat {
    /// MJPEG or YUV4MPEG2, as its first bytes say.
    Auto,
    /// Frames of the configured size, one after the other and nothing between.
    Raw(RawFormat),
}

/// How the pixels of a raw frame are laid out; rows without padding, Y'CbCr in limited range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawFormat {
    Rgb,
    Bgr,
    Yuyv,
    Uyvy,
    Nv12,
    I420,
    Grey,
}

/// How a replay is paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As a camera would deliver it; frames that come too late for the pipeline are dropped.
    RealTime,
    /// As fast as the pipeline takes it; no frame is dropped.
    FlatOut,
}

/// Clockwise turn of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    #[default]
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    pub source: Source,
    /// May be switched off over MQTT and HTTP, and on again only when true.
    pub enabled: bool,
    pub format: CommandFormat,
    /// Wished size in pixels, before rotation, and rate in frames a second.
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub rotate: Rotation,
    /// Left and right swapped, after rotation.
    pub mirror: bool,
    /// A replay starts again at its end.
    pub repeat: bool,
    pub pace: Pace,
    /// Without a frame for this long the camera counts as stalled and is opened again.
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// File, or name of a shipped detector.
    pub model: PathBuf,
    /// 0 to 1.
    pub min_score: f32,
    /// Smallest side of a face's box in pixels.
    pub min_size: u32,
    pub max_faces: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegate {
    Cpu,
    Gpu,
    EdgeTpu,
    Library(PathBuf),
}

impl fmt::Display for Delegate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::EdgeTpu => f.write_str("edgetpu"),
            Self::Library(path) => path.display().fmt(f),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// File, or name of a shipped model.
    pub model: PathBuf,
    pub delegate: Delegate,
    /// Keys and values that an external delegate knows.
    pub delegate_options: BTreeMap<String, String>,
    /// The classic TFLite library; `None`: one beside the runtime, or the system's.
    pub classic_library: Option<PathBuf>,
    /// Run on the CPU when the delegate is not to be had.
    pub fallback: bool,
    /// Of what an external delegate leaves to the CPU; 0: the library's default.
    pub threads: u32,
    /// Below this probability, 0 to 1, a face is `uncertain`.
    pub min_confidence: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Smoothing {
    /// Time constant of the exponential average of the probabilities.
    pub window: Duration,
    /// By how much, 0 to 1, another emotion must lead before the label changes.
    pub margin: f32,
    /// How long a label stays at least, and another must lead to replace it.
    pub dwell: Duration,
    /// How long a face that is not found any more is still followed.
    pub hold: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayDriver {
    /// An SSD1306 where one answers, else none.
    Auto,
    Ssd1306,
    Sh1106,
    /// PNG and terminal only.
    Preview,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplaySize {
    W128H64,
    W128H32,
    /// A panel of 128x64 that stands on end.
    W64H128,
}

/// The GPIO lines of a panel on SPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spi {
    /// `/dev/gpiochipN`.
    pub chip: PathBuf,
    /// Low for commands, high for data.
    pub dc_line: u32,
    pub reset_line: Option<u32>,
}

/// When the panel is dimmed, in minutes after midnight, local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    pub from: u16,
    /// Excluded; may be earlier than `from`.
    pub until: u16,
    /// 0 to 255.
    pub contrast: u8,
}

impl Night {
    pub const fn contains(&self, minute: u16) -> bool {
        if self.from <= self.until {
            self.from <= minute && minute < self.until
        } else {
            self.from <= minute || minute < self.until
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Display {
    pub driver: DisplayDriver,
    /// `/dev/i2c-N` or `/dev/spidevN.M`; `None`: the I2C buses that a board gives to its user are tried.
    pub bus: Option<PathBuf>,
    /// With a bus that is SPI.
    pub spi: Option<Spi>,
    /// 7-bit I2C address.
    pub address: u8,
    pub size: DisplaySize,
    /// Upside down; of a panel on end, standing on its right edge instead of its left.
    pub flip: bool,
    /// 0 to 255.
    pub contrast: u8,
    pub night: Option<Night>,
    /// Written whenever the picture changes, whatever the driver.
    pub preview_png: Option<PathBuf>,
    /// Blank after this long without a face; `None`: never.
    pub blank_after: Option<Duration>,
    /// The picture moves by a pixel this often; `None`: never.
    pub shift_every: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    /// `None`: off.
    pub broker: Option<Broker>,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    /// The device's id.
    pub device: String,
    /// Without a slash at the end.
    pub base_topic: String,
    /// `None`: one of its own for each run.
    pub client_id: Option<String>,
    /// The device announces itself to Home Assistant.
    pub discovery: bool,
    /// As `people.enabled`: who is seen is announced, too.
    pub people: bool,
    /// Home Assistant's discovery prefix, without a slash at the end.
    pub discovery_prefix: String,
    /// A picture of the last face is published.
    pub face_image: bool,
    /// PEM; `None`: the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// PEM certificate and PKCS #8 key.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    pub keep_alive: Duration,
    pub state_interval: Duration,
    pub stats_interval: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// `None`: off.
    pub listen: Option<SocketAddr>,
    pub token_file: Option<PathBuf>,
    /// Names by which browsers may reach it, beside addresses, `localhost` and the host's own name.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// PEM certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Most live pictures a second.
    pub live_fps: u32,
    /// Most live pictures, and most streams of events, at once.
    pub max_viewers: usize,
    /// Most photos that are received, waiting or worked on at once.
    pub max_uploads: usize,
    /// Most bytes of a request's body.
    pub max_body: usize,
    /// Most pixels of an uploaded photo.
    pub max_pixels: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct People {
    pub enabled: bool,
    /// Name or path of the descriptor model.
    pub model: PathBuf,
    /// Greatest distance of two descriptors of one person.
    pub threshold: f32,
    /// By how much the second best person must be farther away.
    pub margin: f32,
    pub check: LiveCheck,
}

/// What a person must have done before an event or a rule speaks of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveCheck {
    None,
    /// Turned the head, which a flat photo cannot.
    Turn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: log::LevelFilter,
}

/// What is wrong with a configuration; the message names file, line and key where they are known.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("unable to read configuration {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{place}: {message}")]
    Invalid { place: String, message: String },
}

impl Config {
    /// Reads and validates `path`; without one [`DEFAULT_PATH`], and the defaults when that does
    /// not exist. `overrides` maps a key (`camera.source`) to a TOML value or bare string and wins.
    pub fn load(path: Option<&Path>, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Read { path: file.to_owned(), source }),
        };
        Self::parse(&text, &file.display().to_string(), overrides)
    }

    /// Validates the text of a file called `name`.
    pub fn parse(text: &str, name: &str, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut config = raw::parse(text, name)?;
        for (key, value) in overrides {
            config.set(key, value)?;
        }
        check::validate(config, &check::Places { text, name })
    }
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
            ("[camera]\nwidht = 640\n", "test.toml:2: camera.widht: unknown field `widht`"),
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
                "test.toml:2: camera.source: unable to split \"a 'b\": missing closing quote",
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
            ("[mqtt]\nurl = \"http://broker\"\n", "test.toml:2: mqtt.url: \"http://broker\""),
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

    #[test]
    fn broker_urls() {
        let broker =
            |url: &str| parse(&format!("[mqtt]\nurl = \"{url}\"\n")).map(|config| config.mqtt.broker);
        let expected = |host: &str, port, tls| Some(Broker { host: host.to_owned(), port, tls });
        assert_eq!(broker("mqtt://house").expect("valid"), expected("house", 1883, false));
        assert_eq!(broker("mqtts://[::1]:8884").expect("valid"), expected("::1", 8884, true));
        assert_eq!(broker("").expect("valid"), None);
        for url in ["mqtt://", "mqtt://u:p@house", "house:1883", "mqtt://house:99999", "mqtt://house/x"] {
            assert!(broker(url).is_err(), "{url}");
        }
    }
}
