//! A V4L2 device node, opened and asked what it offers.
#![expect(unsafe_code, reason = "an ioctl that the v4l crate lacks")]

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use v4l::capability::Flags;
use v4l::format::FourCC;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::v4l_sys::{V4L2_CAP_DEVICE_CAPS, v4l2_capability};
use v4l::video::Capture;
use v4l::{Device, Fraction};

use super::negotiate::{Interval, Mode, Pause, Size, Steps, Wish};
use crate::vocabulary::encoding::Encoding;

/// Paths worth trying, each device once: names in `/dev/v4l/by-id`, sorted, then the others by
/// number.
pub(super) fn nodes() -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut targets = Vec::new();
    for (name, target) in by_id() {
        names.push(name);
        targets.push(target);
    }
    names.extend(numbered().into_iter().filter(|path| !targets.contains(path)));
    names
}

/// Links in `/dev/v4l/by-id`, sorted, and the nodes that they lead to.
pub(super) fn by_id() -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = std::fs::read_dir("/dev/v4l/by-id") else { return Vec::new() };
    let mut links: Vec<(PathBuf, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let target = path.canonicalize().ok()?;
            Some((path, target))
        })
        .collect();
    links.sort();
    links
}

/// Each `/dev/videoN`, by number.
pub(super) fn numbered() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/dev") else { return Vec::new() };
    let mut nodes: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// Why a node cannot be used as a camera.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("not a V4L2 device")]
    NoDevice,
    #[error("{}", cause(.0))]
    Open(#[source] io::Error),
    #[error("{action}: {}", cause(source))]
    Set { action: &'static str, source: io::Error },
    /// What it is instead.
    #[error("{0}")]
    NoCamera(&'static str),
    #[error("it offers no format")]
    NoFormat,
    #[error("none of its formats is known: {0} (raw sensor? start this program under libcamerify)")]
    UnknownFormats(String),
    #[error("the driver chose the format {0}, which is not known")]
    Chosen(FourCC),
    #[error("the driver's answer: {0}")]
    Panicked(String),
}

/// An open node and what it says of itself.
pub(super) struct Node {
    pub device: Device,
    pub card: String,
    pub driver: String,
    capabilities: Flags,
}

impl Node {
    pub fn open(path: &Path) -> Result<Self, NodeError> {
        // Opening a FIFO for writing, as the crate does, would wait or spoil it.
        let metadata = std::fs::metadata(path).map_err(NodeError::Open)?;
        if !std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type()) {
            return Err(NodeError::NoDevice);
        }
        let device = Device::with_path(path).map_err(NodeError::Open)?;
        let raw = query_capabilities(&device).map_err(NodeError::Open)?;
        let capabilities =
            if raw.capabilities & V4L2_CAP_DEVICE_CAPS != 0 { raw.device_caps } else { raw.capabilities };
        Ok(Self {
            card: text(&raw.card),
            driver: text(&raw.driver),
            capabilities: Flags::from(capabilities),
            device,
        })
    }

    /// Whether frames can be captured as this program does it.
    pub fn check_capture(&self) -> Result<(), NodeError> {
        check_capture(self.capabilities)
    }
}

/// The crate's own query panics when the card's name, cut to 32 bytes, ends within a character.
fn query_capabilities(device: &Device) -> io::Result<v4l2_capability> {
    // SAFETY: the structure is plain integers, for which zero is a value.
    let mut capabilities: v4l2_capability = unsafe { std::mem::zeroed() };
    // SAFETY: VIDIOC_QUERYCAP writes one `v4l2_capability` to where the pointer leads, and the
    // device keeps its descriptor open during the call.
    unsafe {
        v4l::v4l2::ioctl(
            device.handle().fd(),
            v4l::v4l2::vidioc::VIDIOC_QUERYCAP,
            (&raw mut capabilities).cast(),
        )?;
    }
    Ok(capabilities)
}

/// Text up to the first zero, on one line.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().replace(char::is_control, " ")
}

fn check_capture(capabilities: Flags) -> Result<(), NodeError> {
    let reason = if capabilities.intersects(Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE) {
        "it is a codec or scaler, no camera"
    } else if capabilities.contains(Flags::VIDEO_CAPTURE) {
        if capabilities.contains(Flags::STREAMING) {
            return Ok(());
        }
        "it cannot stream"
    } else if capabilities.contains(Flags::VIDEO_CAPTURE_MPLANE) {
        "it captures multi-planar, as camera interfaces and ISPs do (use libcamerify)"
    } else if capabilities.intersects(Flags::META_CAPTURE | Flags::META_OUTPUT) {
        "it carries metadata, no pictures"
    } else if capabilities.intersects(Flags::VIDEO_OUTPUT | Flags::VIDEO_OUTPUT_MPLANE) {
        "it is an output, no camera"
    } else {
        "it does not capture video"
    };
    Err(NodeError::NoCamera(reason))
}

/// What a driver offers that can be decoded, as far as `wish` is concerned.
pub(super) fn modes(device: &Device, wish: &Wish) -> Vec<Mode> {
    let mut modes = Vec::new();
    for fourcc in fourccs(device) {
        let Some(encoding) = Encoding::from_fourcc(fourcc.repr) else { continue };
        let mut sizes: Vec<(u32, u32)> =
            sizes(device, fourcc).into_iter().map(|size| wish.size(size)).collect();
        if sizes.is_empty() {
            // Without a list the driver takes the wish and answers with what it can do.
            sizes.push((wish.width, wish.height));
        }
        for (width, height) in sizes {
            let mode = Mode { encoding, fourcc: fourcc.repr, width, height, interval: None };
            let pauses = pauses(device, fourcc, width, height);
            if pauses.is_empty() {
                modes.push(mode);
            }
            modes.extend(
                pauses.into_iter().map(|pause| Mode { interval: Some(wish.interval(pause)), ..mode }),
            );
        }
    }
    modes
}

/// Why none of the device's formats will do.
pub(super) fn no_known_format(device: &Device) -> NodeError {
    let offered: Vec<String> = fourccs(device).iter().map(ToString::to_string).collect();
    if offered.is_empty() { NodeError::NoFormat } else { NodeError::UnknownFormats(offered.join(", ")) }
}

pub(super) fn fourccs(device: &Device) -> Vec<FourCC> {
    device.enum_formats().unwrap_or_default().into_iter().map(|format| format.fourcc).collect()
}

pub(super) fn sizes(device: &Device, fourcc: FourCC) -> Vec<Size> {
    // Drivers need not list sizes.
    let listed = device.enum_framesizes(fourcc).unwrap_or_default();
    listed
        .into_iter()
        .map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => Size::Discrete { width: size.width, height: size.height },
            FrameSizeEnum::Stepwise(range) => Size::Stepwise {
                width: Steps { min: range.min_width, max: range.max_width, step: range.step_width },
                height: Steps { min: range.min_height, max: range.max_height, step: range.step_height },
            },
        })
        .collect()
}

pub(super) fn pauses(device: &Device, fourcc: FourCC, width: u32, height: u32) -> Vec<Pause> {
    let interval =
        |fraction: Fraction| Interval { numerator: fraction.numerator, denominator: fraction.denominator };
    // Nor rates.
    let listed = device.enum_frameintervals(fourcc, width, height).unwrap_or_default();
    listed
        .into_iter()
        .map(|entry| match entry.interval {
            FrameIntervalEnum::Discrete(fraction) => Pause::Discrete(interval(fraction)),
            FrameIntervalEnum::Stepwise(range) => Pause::Stepwise(interval(range.min), interval(range.max)),
        })
        .collect()
}

/// What an error of the system means for a camera.
pub(super) fn cause(error: &io::Error) -> String {
    let Some(errno) = Errno::from_io_error(error) else { return error.to_string() };
    let text = match errno {
        Errno::NOENT => "no such device (is it connected?)",
        Errno::NODEV | Errno::NXIO => "the device is gone",
        Errno::ACCESS | Errno::PERM => "permission denied (is the user in group video?)",
        Errno::BUSY => "another program uses it",
        Errno::NOSPC => "not enough USB bandwidth (use another port or a smaller camera.width)",
        Errno::IO => "the device failed (EIO)",
        Errno::NOTTY | Errno::ISDIR => "not a V4L2 device",
        _ => return error.to_string(),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_are_no_cameras() {
        let streaming = Flags::STREAMING | Flags::READ_WRITE;
        assert!(check_capture(Flags::VIDEO_CAPTURE | streaming).is_ok());
        let cases = [
            (Flags::VIDEO_CAPTURE, "stream"),
            (Flags::META_CAPTURE | streaming, "metadata"),
            (Flags::VIDEO_OUTPUT | streaming, "output"),
            (Flags::VIDEO_M2M_MPLANE | streaming, "codec"),
            (Flags::VIDEO_CAPTURE_MPLANE | streaming, "multi-planar"),
            (Flags::RADIO, "does not capture"),
        ];
        for (flags, word) in cases {
            let reason = check_capture(flags).expect_err(word).to_string();
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn names_may_end_within_a_character() {
        let mut card = [0; 32];
        card[..5].copy_from_slice(b"Cam\xe6\x91");
        assert_eq!(text(&card), "Cam\u{fffd}");
        assert_eq!(text(b"full"), "full");
    }
}
