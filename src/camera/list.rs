//! The V4L2 devices of this machine and what they offer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use serde::Serialize;
use v4l::Device;

use super::negotiate::{Pause, Size};
use super::node::{Node, NodeError, by_id, fourccs, no_known_format, numbered, pauses, sizes, text};
use super::source::panic_text;
use crate::vocabulary::encoding::Encoding;

/// A device node, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct CameraInfo {
    /// `/dev/videoN`.
    pub path: PathBuf,
    /// Its name in `/dev/v4l/by-id`, which stays when others are plugged in.
    pub by_id: Option<PathBuf>,
    /// What the driver calls the device.
    pub card: Option<String>,
    /// The driver's name.
    pub driver: Option<String>,
    /// What it offers, each with its sizes.
    pub formats: Vec<FormatInfo>,
    /// Why it cannot be used as a camera; `None`: it can.
    pub problem: Option<String>,
}

/// One format and size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormatInfo {
    /// Four-character code: `MJPG`, `YUYV`.
    pub format: String,
    /// Whether this program can decode it.
    pub known: bool,
    /// Sizes in pixels; the greatest one of a range.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Frames a second; empty where the driver lists none.
    pub fps: Vec<f64>,
}

/// Every `/dev/videoN`, with what it offers or why it is no camera.
pub fn cameras() -> Vec<CameraInfo> {
    let by_id = by_id();
    let info = |path: PathBuf| {
        let by_id = by_id.iter().find(|(_, target)| *target == path).map(|(name, _)| name.clone());
        let mut info =
            CameraInfo { path, by_id, card: None, driver: None, formats: Vec::new(), problem: None };
        // The crate panics on values that it does not know.
        let described = catch_unwind(AssertUnwindSafe(|| describe(&mut info)))
            .unwrap_or_else(|panic| Err(NodeError::Panicked(panic_text(&*panic))));
        info.problem = described.err().map(|error| error.to_string());
        info
    };
    numbered().into_iter().map(info).collect()
}

fn describe(info: &mut CameraInfo) -> Result<(), NodeError> {
    let node = Node::open(&info.path)?;
    info.card = Some(node.card.clone());
    info.driver = Some(node.driver.clone());
    node.check_capture()?;
    info.formats = formats(&node.device);
    if info.formats.iter().any(|format| format.known) { Ok(()) } else { Err(no_known_format(&node.device)) }
}

fn formats(device: &Device) -> Vec<FormatInfo> {
    let mut formats = Vec::new();
    for fourcc in fourccs(device) {
        for size in sizes(device, fourcc) {
            let (width, height) = match size {
                Size::Discrete { width, height } => (width, height),
                Size::Stepwise { width, height } => (width.max, height.max),
            };
            let mut fps: Vec<f64> = pauses(device, fourcc, width, height)
                .into_iter()
                .flat_map(|pause| match pause {
                    Pause::Discrete(interval) => vec![interval.fps()],
                    Pause::Stepwise(shortest, longest) => vec![shortest.fps(), longest.fps()],
                })
                .map(|fps| (fps * 1000.0).round() / 1000.0)
                .collect();
            fps.sort_by(|a, b| b.total_cmp(a));
            fps.dedup();
            let known = Encoding::from_fourcc(fourcc.repr).is_some();
            formats.push(FormatInfo { format: text(&fourcc.repr), known, width, height, fps });
        }
    }
    formats
}
