//! V4L2 capture devices, by the `v4l` crate.
//!
//! Single-planar video capture with mapped buffers, which is what webcams and `v4l2loopback` have.
#![expect(unsafe_code, reason = "a stream is dropped by hand where its drop may panic")]

use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use v4l::buffer::{Flags, Metadata, Type};
use v4l::format::{Colorspace, FourCC, Quantization};
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, Fraction};

use super::error::{CameraError, Damage, Loss, Tried, Unopened};
use super::negotiate::{Interval, Mode, Wish};
use super::node::{self, Node, NodeError};
use super::source::{Camera, first_frame, panic_text};
use super::stall::Stall;
use crate::config;
use crate::media::decode::{self, Layout, Range};
use crate::vocabulary::encoding::Encoding;
use crate::vocabulary::frame::Frame;

/// Longest wait in one call of [`Camera::next`].
const WAIT: Duration = Duration::from_millis(200);

/// Enough that the driver always has some while one is decoded.
const BUFFERS: u32 = 4;

/// An open device that streams.
pub struct V4l2Camera {
    stream: ManuallyDrop<Stream<'static>>,
    description: String,
    layout: Layout,
    stall: Stall,
    /// A buffer was dequeued and not queued again: [`CaptureStream::next`] may be called.
    holds_buffer: bool,
    /// The driver's number of the first frame, and the number of the last one handed out.
    numbers: Option<(u32, u64)>,
    /// A frame that was taken to see whether the device delivers any.
    probed: Option<Frame>,
}

impl V4l2Camera {
    /// Opens and starts the device at `path` with what is nearest to the configured size and rate.
    ///
    /// # Errors
    /// [`CameraError::Open`] with the cause and, where one is known, the remedy.
    pub fn open(path: &Path, config: &config::Camera) -> Result<Self, CameraError> {
        let failed = |error: NodeError| CameraError::Open {
            source_name: path.display().to_string(),
            reason: error.into(),
        };
        // The crate panics on values that it does not know, such as a new colour space.
        catch_unwind(AssertUnwindSafe(|| Self::start(path, config)))
            .unwrap_or_else(|panic| Err(NodeError::Panicked(panic_text(&*panic))))
            .map_err(failed)
    }

    fn start(path: &Path, config: &config::Camera) -> Result<Self, NodeError> {
        let node = Node::open(path)?;
        node.check_capture()?;
        let wish = Wish { width: config.width, height: config.height, fps: config.fps };
        let modes = node::modes(&node.device, &wish);
        let mode = wish.choose(&modes).ok_or_else(|| node::no_known_format(&node.device))?;
        let said = |action: &'static str| move |source: io::Error| NodeError::Set { action, source };
        let format = set_format(&node.device, &mode).map_err(said("unable to set the format"))?;
        let layout = layout(&format)?;
        let fps = set_rate(&node.device, &wish, &mode);
        let mut stream = Stream::with_buffers(&node.device, Type::VideoCapture, BUFFERS)
            .map_err(said("unable to get buffers"))?;
        // Queues all buffers and starts; a frame cannot be there at once.
        stream.set_timeout(Duration::ZERO);
        let mut camera = Self {
            stream: ManuallyDrop::new(stream),
            description: describe(path, &node.card, &format, fps),
            layout,
            stall: Stall::new(config.timeout),
            holds_buffer: false,
            numbers: None,
            probed: None,
        };
        match CaptureStream::next(&mut *camera.stream) {
            Ok(_) => camera.holds_buffer = true,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(said("unable to start the stream")(error)),
        }
        Ok(camera)
    }

    /// Waits for a first whole frame and keeps it for [`Camera::next`].
    fn probe(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), CameraError> {
        self.probed = Some(first_frame(self, go_on)?);
        Ok(())
    }

    /// Dequeues a frame, once one is known to be there. `None` when the buffer's contents cannot be
    /// had: the crate hands out only what its `next` dequeued, and that first queues the buffer
    /// which the caller held. So the first frame of a stream is given up.
    fn dequeue(&mut self) -> io::Result<Option<(&[u8], &Metadata)>> {
        if !self.holds_buffer {
            CaptureStream::dequeue(&mut *self.stream)?;
            self.holds_buffer = true;
            return Ok(None);
        }
        self.holds_buffer = false;
        let taken = CaptureStream::next(&mut *self.stream)?;
        self.holds_buffer = true;
        Ok(Some(taken))
    }

    /// The frame's number since the source was opened; drivers that do not count say 0 for ever.
    fn number(numbers: &mut Option<(u32, u64)>, sequence: u32) -> u64 {
        let Some((first, last)) = numbers else {
            *numbers = Some((sequence, 0));
            return 0;
        };
        *last = u64::from(sequence.wrapping_sub(*first)).max(*last + 1);
        *last
    }
}

impl Camera for V4l2Camera {
    fn description(&self) -> &str {
        &self.description
    }

    fn next(&mut self) -> Result<Frame, CameraError> {
        if let Some(frame) = self.probed.take() {
            return Ok(frame);
        }
        let events = rustix::event::PollFlags::IN.bits() as i16;
        match self.stream.handle().poll(events, WAIT.as_millis() as i32) {
            Ok(0) => return Err(self.stall.waiting()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(CameraError::Waiting),
            Err(error) => return Err(lost("unable to wait for a frame", error)),
        }
        let layout = self.layout;
        let mut numbers = self.numbers;
        let (bytes, metadata) = match self.dequeue() {
            Ok(Some((buffer, metadata))) => {
                let used = (metadata.bytesused as usize).min(buffer.len());
                (&buffer[..used], *metadata)
            }
            Ok(None) => return Err(CameraError::Waiting),
            // What was announced is not there; a driver that goes on so must not make this spin.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                std::thread::sleep(Duration::from_millis(10));
                return Err(self.stall.waiting());
            }
            Err(error) => return Err(lost("unable to take a frame", error)),
        };
        let sequence = Self::number(&mut numbers, metadata.sequence);
        let result = if metadata.flags.contains(Flags::ERROR) {
            Err(Damage::Marked)
        } else {
            decode::decode(&layout, bytes).map_err(Damage::from)
        };
        self.numbers = numbers;
        let pixels = result.map_err(|damage| self.stall.damaged(damage))?;
        self.stall.fed();
        let captured = captured(&metadata);
        Ok(Frame::new(pixels.width, pixels.height, pixels.format, pixels.data, captured, sequence))
    }
}

impl Drop for V4l2Camera {
    fn drop(&mut self) {
        // The crate's drop panics when the stream cannot be stopped, and again, which would abort,
        // when its buffers cannot be given back. Without the device both are in order.
        let stopped = self.stream.stop();
        if let Err(error) = &stopped
            && error.raw_os_error() != Some(Errno::NODEV.raw_os_error())
        {
            log::warn!("{}: unable to stop the stream, its buffers stay: {error}", self.description);
            return;
        }
        // SAFETY: the stream is not touched after this, and this is dropped once.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(&mut self.stream) }));
        if let Err(panic) = dropped {
            log::warn!("{}: unable to close: {}", self.description, panic_text(&*panic));
        }
    }
}

/// Opens the first device that can capture and really delivers a frame: by their names in
/// `/dev/v4l/by-id`, then by number.
///
/// # Errors
/// [`CameraError::Open`] says what was tried and why each one failed.
pub fn open_any(config: &config::Camera, go_on: &dyn Fn() -> bool) -> Result<V4l2Camera, CameraError> {
    let (mut tried, mut only_damaged) = (Vec::new(), false);
    for path in node::nodes() {
        if !go_on() {
            break;
        }
        let opened = V4l2Camera::open(&path, config);
        match opened.and_then(|mut camera| camera.probe(go_on).map(|()| camera)) {
            Ok(camera) => return Ok(camera),
            Err(error) => {
                only_damaged |= matches!(error, CameraError::OnlyDamaged(_));
                tried.push((path, error));
            }
        }
    }
    if only_damaged {
        return Err(CameraError::OnlyDamaged(Damage::Devices(Tried(tried))));
    }
    let reason = if tried.is_empty() { Unopened::NoDevices } else { Unopened::Devices(Tried(tried)) };
    Err(CameraError::Open { source_name: "any camera".to_owned(), reason })
}

fn lost(action: &'static str, source: io::Error) -> CameraError {
    Loss::Device { action, source }.into()
}

fn set_format(device: &Device, mode: &Mode) -> io::Result<Format> {
    device.set_format(&Format::new(mode.width, mode.height, FourCC::new(&mode.fourcc)))
}

/// What the driver really set, as far as it can be decoded.
fn layout(format: &Format) -> Result<Layout, NodeError> {
    let encoding = Encoding::from_fourcc(format.fourcc.repr).ok_or(NodeError::Chosen(format.fourcc))?;
    // V4L2_MAP_QUANTIZATION_DEFAULT of linux/videodev2.h.
    let range = match (format.quantization, format.colorspace) {
        (Quantization::FullRange, _) | (Quantization::Default, Colorspace::JPEG) => Range::Full,
        _ => Range::Limited,
    };
    Ok(Layout { encoding, width: format.width, height: format.height, stride: format.stride, range })
}

/// Asks for the rate; frames a second that the driver says it set, if it says so.
fn set_rate(device: &Device, wish: &Wish, mode: &Mode) -> Option<f64> {
    let interval = mode.interval.unwrap_or(Interval { numerator: 1, denominator: wish.fps });
    let parameters = Parameters::new(Fraction::new(interval.numerator, interval.denominator));
    // Many drivers have no rate to set; then it is what it is.
    let set = device.set_params(&parameters).or_else(|_| device.params()).ok()?.interval;
    let fps = Interval { numerator: set.numerator, denominator: set.denominator }.fps();
    (fps > 0.0).then_some(fps)
}

fn describe(path: &Path, card: &str, format: &Format, fps: Option<f64>) -> String {
    let rate = fps.map_or_else(String::new, |fps| format!(" at {}/s", (fps * 100.0).round() / 100.0));
    format!("{} ({card}), {}x{} {}{rate}", path.display(), format.width, format.height, format.fourcc)
}

/// When the driver says that the frame was taken, or now when its clock is another.
fn captured(metadata: &Metadata) -> Instant {
    let now = Instant::now();
    if metadata.flags & Flags::TIMESTAMP_MASK != Flags::TIMESTAMP_MONOTONIC {
        return now;
    }
    // `Instant` reads this clock, too.
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let stamp = Duration::from(metadata.timestamp);
    Duration::try_from(clock)
        .ok()
        .and_then(|clock| clock.checked_sub(stamp))
        .filter(|age| *age < Duration::from_secs(10))
        .and_then(|age| now.checked_sub(age))
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_what_the_driver_dropped() {
        let mut numbers = None;
        let given = [7, 8, 11, 11, 11, 3].map(|sequence| V4l2Camera::number(&mut numbers, sequence));
        assert_eq!(given[..5], [0, 1, 4, 5, 6]);
        let mut numbers = None;
        let wrapped = [u32::MAX, 0, 1].map(|sequence| V4l2Camera::number(&mut numbers, sequence));
        assert_eq!(wrapped, [0, 1, 2]);
    }

    #[test]
    fn range_as_the_kernel_defaults_it() {
        let mut format = Format::new(4, 4, FourCC::new(b"YUYV"));
        assert_eq!(layout(&format).expect("known").range, Range::Limited);
        format.colorspace = Colorspace::JPEG;
        assert_eq!(layout(&format).expect("known").range, Range::Full);
        format.quantization = Quantization::LimitedRange;
        assert_eq!(layout(&format).expect("known").range, Range::Limited);
        format.fourcc = FourCC::new(b"H264");
        assert!(layout(&format).expect_err("unknown").to_string().contains("H264"));
    }
}
