//! USB devices for the kernel's `vhci_hcd`: the USB/IP protocol over a socket pair
//! (Linux `Documentation/usb/usbip_protocol.rst`), with the control endpoint and one bulk endpoint in.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;
const HEADER: usize = 48;
/// `-EPIPE`: the endpoint stalls, which is how a device refuses a request.
const STALL: i32 = -32;
/// `-ECONNRESET`: the URB was taken back before it was answered.
const TAKEN_BACK: i32 = -104;
/// Longest transfer that is believed.
const MAX_TRANSFER: usize = 1 << 20;
/// How often an endpoint that has nothing to say is asked again.
const POLL_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// `enum usb_device_speed` of Linux.
#[derive(Clone, Copy)]
pub enum Speed {
    Full = 2,
    High = 3,
}

/// A control request (USB 2.0, 9.3).
pub struct Setup {
    pub request_type: u8,
    pub request: u8,
    pub value: u16,
    pub index: u16,
    pub length: u16,
}

pub const DEVICE_TO_HOST: u8 = 0x80;
pub const GET_DESCRIPTOR: u8 = 6;

pub trait Device {
    /// The device and the configuration descriptor.
    fn descriptors(&self) -> (&[u8], &[u8]);

    /// The bytes that the device answers (empty for a request to it), or `None` where it stalls.
    fn control(&mut self, setup: &Setup, data: &[u8]) -> Option<Vec<u8>>;

    /// At most `max` bytes for the bulk endpoint, or `None` as long as there is nothing to send.
    fn bulk_in(&mut self, _max: usize) -> Option<Vec<u8>> {
        None
    }
}

/// Plugs a device into a port; the stream carries its URBs.
pub fn attach(port: u8, speed: Speed) -> io::Result<UnixStream> {
    let (device, kernel) = UnixStream::pair()?;
    // Bus 1 of a machine that exports devices, there the device with the port's number.
    let id = 1 << 16 | (u32::from(port) + 1);
    let line = format!("{port} {} {id} {}", kernel.as_raw_fd(), speed as u8);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match fs::write(format!("{CONTROLLER}/attach"), &line) {
            Ok(()) => return Ok(device),
            // The port is busy for a moment after a device was detached.
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)),
            Err(error) => return Err(error),
        }
    }
}

/// Pulls the device out of a port.
pub fn detach(port: u8) -> io::Result<()> {
    fs::write(format!("{CONTROLLER}/detach"), port.to_string())
}

/// Answers the kernel until the device is detached.
pub fn serve(mut stream: UnixStream, device: &mut impl Device) -> io::Result<()> {
    let mut waiting = VecDeque::new();
    let mut header = [0; HEADER];
    loop {
        answer_bulk(&mut stream, device, &mut waiting)?;
        let pause = (!waiting.is_empty()).then_some(&POLL_PAUSE);
        if poll(&mut [PollFd::new(&stream, PollFlags::IN)], pause)? == 0 {
            continue;
        }
        match stream.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        match (word(&header, 0), word(&header, 16)) {
            (CMD_SUBMIT, 0) => answer_control(&mut stream, &header, device)?,
            (CMD_SUBMIT, _) => waiting.push_back(header),
            (CMD_UNLINK, _) => {
                let number = word(&header, 20);
                let before = waiting.len();
                waiting.retain(|urb| word(urb, 4) != number);
                let status = if waiting.len() < before { TAKEN_BACK } else { 0 };
                stream.write_all(&answer(RET_UNLINK, &header, status, &[], 0))?;
            }
            (command, _) => return Err(io::Error::other(format!("unknown USB/IP command {command}"))),
        }
    }
}

fn answer_bulk(
    stream: &mut UnixStream,
    device: &mut impl Device,
    waiting: &mut VecDeque<[u8; HEADER]>,
) -> io::Result<()> {
    while let Some(urb) = waiting.front() {
        let Some(bytes) = device.bulk_in(word(urb, 24) as usize) else { break };
        stream.write_all(&answer(RET_SUBMIT, urb, 0, &bytes, bytes.len()))?;
        waiting.pop_front();
    }
    Ok(())
}

fn answer_control(
    stream: &mut UnixStream,
    header: &[u8; HEADER],
    device: &mut impl Device,
) -> io::Result<()> {
    let to_host = word(header, 12) == 1;
    let length = word(header, 24) as usize;
    if length > MAX_TRANSFER {
        return Err(io::Error::other(format!("transfer of {length} bytes")));
    }
    let mut data = vec![0; if to_host { 0 } else { length }];
    stream.read_exact(&mut data)?;
    let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let setup = Setup {
        request_type: header[40],
        request: header[41],
        value: half(42),
        index: half(44),
        length: half(46),
    };
    let reply = match control(device, &setup, &data) {
        None => answer(RET_SUBMIT, header, STALL, &[], 0),
        Some(bytes) if to_host => {
            let bytes = &bytes[..bytes.len().min(length)];
            answer(RET_SUBMIT, header, 0, bytes, bytes.len())
        }
        Some(_) => answer(RET_SUBMIT, header, 0, &[], length),
    };
    stream.write_all(&reply)
}

fn control(device: &mut impl Device, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
    let (device_descriptor, configuration) = device.descriptors();
    match (setup.request_type, setup.request, setup.value >> 8) {
        (DEVICE_TO_HOST, GET_DESCRIPTOR, 1) => Some(device_descriptor.to_vec()),
        (DEVICE_TO_HOST, GET_DESCRIPTOR, 2) => Some(configuration.to_vec()),
        (DEVICE_TO_HOST, GET_DESCRIPTOR, _) => None,
        // What every device does without being asked twice: configure, set interfaces, clear halts.
        (0..=2, _, _) => Some(Vec::new()),
        _ => device.control(setup, data),
    }
}

fn answer(command: u32, request: &[u8], status: i32, data: &[u8], length: usize) -> Vec<u8> {
    let mut reply = vec![0; HEADER];
    reply[..4].copy_from_slice(&command.to_be_bytes());
    reply[4..8].copy_from_slice(&request[4..8]);
    reply[20..24].copy_from_slice(&status.to_be_bytes());
    reply[24..28].copy_from_slice(&(length as u32).to_be_bytes());
    reply.extend_from_slice(data);
    reply
}

fn word(header: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
