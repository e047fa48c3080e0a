//! The section `[camera]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::keys::{Keys, Unfit};
use crate::base::printable::without_credentials;
use crate::base::secret::Secret;
use crate::vocabulary::encoding::Encoding;

/// Where pictures come from, and how they are turned.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// The camera, or what stands for one.
    pub source: Source,
    /// May be switched off over MQTT and HTTP, and on again only when true.
    pub enabled: bool,
    /// What a command writes.
    pub format: CommandFormat,
    /// Wished size in pixels, before rotation, and rate in frames a second.
    pub width: u32,
    /// In pixels, before rotation; 16 to 8192.
    pub height: u32,
    /// Frames a second; 1 to 240.
    pub fps: u32,
    /// Applied to each picture.
    pub rotate: Rotation,
    /// Left and right swapped, after rotation.
    pub mirror: bool,
    /// A replay starts again at its end.
    pub repeat: bool,
    /// How fast a replay runs.
    pub pace: Pace,
    /// Without a frame for this long the camera counts as stalled and is opened again.
    pub timeout: Duration,
}

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The first device that delivers pictures.
    Auto,
    /// A V4L2 device node.
    Device(PathBuf),
    /// A photo, a folder of photos or a film.
    Replay(PathBuf),
    /// A program and its arguments; writes pictures to its standard output.
    Command(Vec<Secret>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(path) => path.display().fmt(f),
            Self::Replay(path) => write!(f, "replay:{}", path.display()),
            // Its arguments may hold a password, as the addresses of network cameras do.
            Self::Command(words) => write!(f, "command:{}", words.first().map_or("", Secret::reveal)),
        }
    }
}

impl FromStr for Source {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        if text == "auto" {
            Ok(Self::Auto)
        } else if let Some(path) = text.strip_prefix("replay:").filter(|path| !path.is_empty()) {
            if path.contains("://") {
                let way = "use command: with ffmpeg for an address";
                return Err(Unfit::new(format_args!("a replay is a file or folder ({way})")));
            }
            Ok(Self::Replay(path.into()))
        } else if let Some(line) = text.strip_prefix("command:") {
            match shell_words::split(line) {
                Ok(words) if !words.is_empty() => {
                    Ok(Self::Command(words.into_iter().map(Secret::from).collect()))
                }
                Ok(_) => Err(Unfit::new("no command after \"command:\"")),
                // The line may hold a password.
                Err(error) => Err(Unfit::new(format_args!("unable to split the command: {error}"))),
            }
        } else if text.starts_with('/') {
            Ok(Self::Device(text.into()))
        } else {
            let forms = "auto, a path such as /dev/video0, replay:PATH or command:LINE";
            let shown = without_credentials(text);
            Err(Unfit::new(format_args!("{shown:?} is no source ({forms})")))
        }
    }
}

/// What a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFormat {
    /// MJPEG or YUV4MPEG2, as its first bytes say.
    Auto,
    /// Frames of the configured size and of one of [`Encoding::RAW`], one after the other and nothing between.
    Raw(Encoding),
}

const COMMAND_FORMATS: [(&str, CommandFormat); 1 + Encoding::RAW.len()] = {
    let mut formats = [("auto", CommandFormat::Auto); 1 + Encoding::RAW.len()];
    let mut at = 0;
    while at < Encoding::RAW.len() {
        let (name, encoding) = Encoding::RAW[at];
        at += 1;
        formats[at] = (name, CommandFormat::Raw(encoding));
    }
    formats
};

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
    /// As the camera delivers it.
    #[default]
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// The four turns in degrees, as a key takes them.
    pub(super) const DEGREES: [(i64, Self); 4] =
        [(0, Self::None), (90, Self::Quarter), (180, Self::Half), (270, Self::ThreeQuarters)];
}

impl Camera {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        Self {
            source: keys
                .text("source", Source::Auto, str::parse)
                .help(
                    "\"auto\", a device such as \"/dev/v4l/by-id/…\", \"replay:PATH\" of a photo, a folder or a film, or \
                     \"command:LINE\", a program and its arguments, quoted as for a shell, that writes pictures to its \
                     standard output.",
                )
                .get(),
            enabled: keys
                .flag("enabled", true)
                .help("false: the camera stays closed, and nobody can switch it on over MQTT or HTTP.")
                .get(),
            format: keys
                .choice("format", CommandFormat::Auto, &COMMAND_FORMATS)
                .help(
                    "What a command writes: MJPEG or YUV4MPEG2, as its start says (auto), or raw frames of width x \
                     height.",
                )
                .get(),
            width: keys
                .integer("width", 640, 16..=8192)
                .unit("pixels")
                .help("Wished width; the nearest that the camera offers is taken.")
                .get(),
            height: keys.integer("height", 480, 16..=8192).unit("pixels").help("Wished height.").get(),
            fps: keys
                .integer("fps", 30, 1..=240)
                .unit("frames a second")
                .help("Wished rate; of a command's pictures those beyond it are left out.")
                .get(),
            rotate: keys.steps("rotate", Rotation::None, &Rotation::DEGREES).unit("degrees").help("Clockwise turn.").get(),
            mirror: keys.flag("mirror", false).help("Left and right are swapped, after the turn.").get(),
            repeat: keys.flag("loop", true).help("A replay starts again at its end.").get(),
            pace: keys
                .choice("pace", Pace::RealTime, &[("real-time", Pace::RealTime), ("flat-out", Pace::FlatOut)])
                .help("How fast a replay runs.")
                .get(),
            timeout: keys
                .seconds("timeout_s", 5.0, 0.5..=300.0)
                .help("Without a picture for so long the camera is opened again.")
                .get(),
        }
    }
}
