//! A USB device for the kernel's `vhci_hcd`: the USB/IP protocol over a socket pair
//! (Documentation/usb/usbip_protocol.rst). Only the control endpoint; every URB is answered at once.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// Bus number 1, device number 2, as `vhci_hcd` wants them in one number.
const DEVICE_ID: u32 = 1 << 16 | 2;
const FULL_SPEED: u32 = 2;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;
const HEADER: usize = 48;
/// `-EPIPE`: the endpoint stalls, which is how a device refuses a request.
const STALL: i32 = -32;
/// The longest transfer on a control endpoint: `wLength` has 16 bits.
const MAX_TRANSFER: usize = 65_535;

/// A control request (USB 2.0, 9.3).
pub struct Setup {
    pub request_type: u8,
    pub request: u8,
    pub value: u16,
    pub index: u16,
    pub length: u16,
}

pub trait ControlDevice {
    /// The bytes that the device answers (empty for a request to it), or `None` where it stalls.
    fn control(&mut self, setup: &Setup, data: &[u8]) -> Option<Vec<u8>>;
}

/// Plugs a device into the first port; the stream carries its URBs.
pub fn attach() -> io::Result<UnixStream> {
    let (device, kernel) = UnixStream::pair()?;
    let line = format!("0 {} {DEVICE_ID} {FULL_SPEED}", kernel.as_raw_fd());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match fs::write(format!("{CONTROLLER}/attach"), &line) {
            Ok(()) => return Ok(device),
            // The port is busy for a moment after a device was detached.
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)),
            Err(error) => return Err(error),
        }
    }
}

/// Pulls the device out of the first port.
pub fn detach() -> io::Result<()> {
    fs::write(format!("{CONTROLLER}/detach"), "0")
}

/// Answers the kernel until the device is detached.
pub fn serve(mut stream: UnixStream, device: &mut impl ControlDevice) -> io::Result<()> {
    let mut header = [0; HEADER];
    loop {
        match stream.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        match word(&header, 0) {
            CMD_SUBMIT => submit(&mut stream, &header, device)?,
            // The URB was answered before this was read, so there is nothing left to cancel.
            CMD_UNLINK => stream.write_all(&answer(RET_UNLINK, &header, 0, 0))?,
            other => return Err(io::Error::other(format!("unknown USB/IP command {other}"))),
        }
    }
}

fn submit(stream: &mut UnixStream, header: &[u8], device: &mut impl ControlDevice) -> io::Result<()> {
    let to_host = word(header, 12) == 1;
    let length = word(header, 24) as usize;
    if length > MAX_TRANSFER {
        return Err(io::Error::other(format!("control transfer of {length} bytes")));
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
    let reply = match device.control(&setup, &data) {
        None => answer(RET_SUBMIT, header, STALL, 0),
        Some(mut bytes) if to_host => {
            bytes.truncate(length);
            let mut reply = answer(RET_SUBMIT, header, 0, bytes.len());
            reply.append(&mut bytes);
            reply
        }
        Some(_) => answer(RET_SUBMIT, header, 0, length),
    };
    stream.write_all(&reply)
}

fn answer(command: u32, request: &[u8], status: i32, length: usize) -> Vec<u8> {
    let mut reply = vec![0; HEADER];
    reply[..4].copy_from_slice(&command.to_be_bytes());
    reply[4..8].copy_from_slice(&request[4..8]);
    reply[20..24].copy_from_slice(&status.to_be_bytes());
    reply[24..28].copy_from_slice(&(length as u32).to_be_bytes());
    reply
}

fn word(header: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
