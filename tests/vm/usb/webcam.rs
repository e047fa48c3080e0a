//! A webcam by the USB Video Class 1.0 (UVC) with a bulk endpoint, one format, one size and one picture.

use std::io;
use std::time::{Duration, Instant};

use crate::usbip::{Device, Setup};

const FRAME_INTERVAL: Duration = Duration::from_millis(100);
/// Longest payload, header included: what `uvcvideo` takes in one URB (32 packets of 512 bytes).
const MAX_PAYLOAD: usize = 32 * 512;
const PAYLOAD_HEADER: usize = 2;

/// Bits of the payload header (UVC 1.0, 2.4.3.3).
const FRAME_ID: u8 = 1;
const END_OF_FRAME: u8 = 2;
const END_OF_HEADER: u8 = 0x80;

const CLASS_INTERFACE_OUT: u8 = 0x21;
const CLASS_INTERFACE_IN: u8 = 0xa1;
const SET_CUR: u8 = 0x01;
const GET_CUR: u8 = 0x81;
const GET_MIN: u8 = 0x82;
const GET_MAX: u8 = 0x83;
const GET_LEN: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEF: u8 = 0x87;
const STREAMING_INTERFACE: u16 = 1;
/// Bytes of the probe and commit controls of UVC 1.0 (4.3.1.1).
const STREAMING_CONTROL: usize = 26;

/// USB 2.0, a device of several interfaces that belong together; the numbers of Linux's own gadget.
const DEVICE_DESCRIPTOR: [u8; 18] =
    [18, 1, 0x00, 0x02, 0xef, 2, 1, 64, 0x6b, 0x1d, 0x02, 0x01, 0x00, 0x01, 0, 0, 0, 1];

/// The sixteen bytes of a format's GUID behind its four-character code (UVC 1.0, payload documents).
const GUID_TAIL: [u8; 12] = [0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71];
/// `MEDIASUBTYPE_RGB24`, whose bytes are blue, green, red.
const GUID_BGR: [u8; 16] =
    [0x7d, 0xeb, 0x36, 0xe4, 0x4f, 0x52, 0xce, 0x11, 0x9f, 0x53, 0x00, 0x20, 0xaf, 0x0b, 0xa7, 0x70];

pub struct Webcam {
    configuration: Vec<u8>,
    picture: Vec<u8>,
    /// Size of the buffer that a picture needs.
    frame_size: u32,
    sent: usize,
    frame_id: u8,
    next_frame: Instant,
}

impl Webcam {
    /// `format`: `MJPG`, `YUYV`, `UYVY`, `NV12`, `GREY` or `BGR3`; `size` as `640x480`; `picture` the
    /// bytes of a frame.
    pub fn new(format: &str, size: &str, picture: Vec<u8>) -> io::Result<Self> {
        let unknown = || io::Error::other(format!("unknown format or size: {format} {size}"));
        let (width, height) = size.split_once('x').ok_or_else(unknown)?;
        let width: u16 = width.parse().map_err(io::Error::other)?;
        let height: u16 = height.parse().map_err(io::Error::other)?;
        let (format, bits) = match format {
            "MJPG" => (None, 24),
            "YUYV" => (Some(guid(b"YUY2")), 16),
            "UYVY" => (Some(guid(b"UYVY")), 16),
            "NV12" => (Some(guid(b"NV12")), 12),
            "GREY" => (Some(guid(b"Y800")), 8),
            "BGR3" => (Some(GUID_BGR), 24),
            _ => return Err(unknown()),
        };
        let frame_size = u32::from(width) * u32::from(height) * u32::from(bits) / 8;
        if format.is_some() && picture.len() != frame_size as usize {
            return Err(io::Error::other(format!("{} bytes, expected {frame_size}", picture.len())));
        }
        Ok(Self {
            configuration: configuration(format, bits, width, height, frame_size),
            picture,
            frame_size,
            sent: 0,
            frame_id: 0,
            next_frame: Instant::now(),
        })
    }

    fn streaming_control(&self) -> Vec<u8> {
        let mut control = vec![0; STREAMING_CONTROL];
        control[2] = 1;
        control[3] = 1;
        control[4..8].copy_from_slice(&interval());
        control[18..22].copy_from_slice(&self.frame_size.to_le_bytes());
        control[22..].copy_from_slice(&(MAX_PAYLOAD as u32).to_le_bytes());
        control
    }
}

impl Device for Webcam {
    fn descriptors(&self) -> (&[u8], &[u8]) {
        (&DEVICE_DESCRIPTOR, &self.configuration)
    }

    fn control(&mut self, setup: &Setup, _data: &[u8]) -> Option<Vec<u8>> {
        if setup.index != STREAMING_INTERFACE {
            return None;
        }
        match (setup.request_type, setup.request) {
            // There is nothing to choose from; a stream begins with a whole picture.
            (CLASS_INTERFACE_OUT, SET_CUR) => {
                self.sent = 0;
                Some(Vec::new())
            }
            (CLASS_INTERFACE_IN, GET_CUR | GET_MIN | GET_MAX | GET_DEF) => Some(self.streaming_control()),
            (CLASS_INTERFACE_IN, GET_LEN) => Some(vec![STREAMING_CONTROL as u8, 0]),
            // Can be read and written.
            (CLASS_INTERFACE_IN, GET_INFO) => Some(vec![3]),
            _ => None,
        }
    }

    fn bulk_in(&mut self, max: usize) -> Option<Vec<u8>> {
        if self.sent == 0 {
            let now = Instant::now();
            if now < self.next_frame {
                return None;
            }
            self.next_frame = now + FRAME_INTERVAL;
        }
        let left = &self.picture[self.sent..];
        let now = left.len().min(max.min(MAX_PAYLOAD) - PAYLOAD_HEADER);
        let last = now == left.len();
        let flags = END_OF_HEADER | self.frame_id | if last { END_OF_FRAME } else { 0 };
        let mut payload = vec![PAYLOAD_HEADER as u8, flags];
        payload.extend_from_slice(&left[..now]);
        self.sent += now;
        if last {
            self.sent = 0;
            self.frame_id ^= FRAME_ID;
        }
        Some(payload)
    }
}

/// In units of 100 ns.
fn interval() -> [u8; 4] {
    (FRAME_INTERVAL.as_micros() as u32 * 10).to_le_bytes()
}

fn guid(code: &[u8; 4]) -> [u8; 16] {
    let mut guid = [0; 16];
    guid[..4].copy_from_slice(code);
    guid[4..].copy_from_slice(&GUID_TAIL);
    guid
}

/// The configuration descriptor (UVC 1.0, 3.2 to 3.10): a control interface with camera and output
/// terminal, a streaming interface with one format (`None`: MJPEG) of one size.
fn configuration(guid: Option<[u8; 16]>, bits: u8, width: u16, height: u16, frame_size: u32) -> Vec<u8> {
    let mut format = match guid {
        None => vec![11, 0x24, 6, 1, 1, 1, 1, 0, 0, 0, 0],
        Some(guid) => [&[27, 0x24, 4, 1, 1][..], &guid, &[bits, 1, 0, 0, 0, 0]].concat(),
    };
    format.extend([30, 0x24, if guid.is_none() { 7 } else { 5 }, 1, 0]);
    format.extend(width.to_le_bytes());
    format.extend(height.to_le_bytes());
    let bits_a_second = frame_size * 8 * (1000 / FRAME_INTERVAL.as_millis() as u32);
    format.extend(bits_a_second.to_le_bytes());
    format.extend(bits_a_second.to_le_bytes());
    format.extend(frame_size.to_le_bytes());
    format.extend(interval());
    format.push(1);
    format.extend(interval());

    let streaming_length = (14 + format.len() as u16).to_le_bytes();
    let mut rest: Vec<u8> = [
        // Association of two interfaces of the class video.
        &[8, 0x0b, 0, 2, 0x0e, 3, 0, 0][..],
        // Control interface; header, camera terminal 1, output terminal 2 fed by 1.
        &[9, 4, 0, 0, 0, 0x0e, 1, 0, 0],
        &[13, 0x24, 1, 0x00, 0x01, 13 + 18 + 9, 0, 0x80, 0x8d, 0x5b, 0x00, 1, 1],
        &[18, 0x24, 2, 1, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0],
        &[9, 0x24, 3, 2, 0x01, 0x01, 0, 1, 0],
        // Streaming interface with its endpoint 0x81; header that links to terminal 2.
        &[9, 4, 1, 0, 1, 0x0e, 2, 0, 0],
        &[14, 0x24, 1, 1, streaming_length[0], streaming_length[1], 0x81, 0, 2, 0, 0, 0, 1, 0],
    ]
    .concat();
    rest.extend(format);
    rest.extend([7, 5, 0x81, 2, 0x00, 0x02, 0]);
    let total = (9 + rest.len() as u16).to_le_bytes();
    let mut descriptor = vec![9, 2, total[0], total[1], 2, 1, 0, 0x80, 50];
    descriptor.extend(rest);
    descriptor
}
