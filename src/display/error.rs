//! Why there is no display, and what helps.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why there is no display.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DisplayError {
    #[error("unable to find a display: there is no I2C bus ({remedy})")]
    NoBus { remedy: &'static str },
    #[error("unable to find a display: no I2C bus is known to be the user's, only {} (set display.bus)", .others.join(", "))]
    NoUserBus { others: Vec<String> },
    #[error("unable to open {}: {} ({remedy})", bus.display(), plain(source))]
    Open { bus: PathBuf, source: io::Error, remedy: &'static str },
    #[error(
        "unable to find a display: nothing answers at address {address:#04x} on {} (check the wiring: GND, VCC, SCL, SDA; address 0x3c or 0x3d)",
        bus.display()
    )]
    NoAnswer { bus: PathBuf, address: u8 },
    #[error("unable to use the display at address {address:#04x} on {}: {source}{}", bus.display(), remedy(source))]
    Bus { bus: PathBuf, address: u8, source: io::Error },
    #[error("unable to use the display on {}: {reason}", bus.display())]
    Spi { bus: PathBuf, reason: String },
}

pub(super) const ENABLE_ON_PI: &str = "on a Raspberry Pi switch it on with raspi-config, Interface Options, I2C, or dtparam=i2c_arm=on in config.txt; then modprobe i2c-dev";
const ENABLE: &str = "modprobe i2c-dev, or plug in a USB adapter";

impl DisplayError {
    /// Why `bus` cannot be opened on a board of this `model`.
    pub fn open(bus: &Path, source: io::Error, model: Option<&str>) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::PermissionDenied => "is the user in group i2c?",
            io::ErrorKind::NotFound => enable(model),
            _ => "is it an I2C bus?",
        };
        Self::Open { bus: bus.to_owned(), source, remedy }
    }

    /// Why a transfer failed.
    pub fn transfer(bus: &Path, address: u8, source: io::Error) -> Self {
        // A missing acknowledge is ENXIO or EREMOTEIO (Documentation/i2c/fault-codes.rst); the drivers
        // of some USB adapters say EIO.
        let silent = [Errno::NXIO, Errno::REMOTEIO, Errno::IO];
        if Errno::from_io_error(&source).is_some_and(|errno| silent.contains(&errno)) {
            Self::NoAnswer { bus: bus.to_owned(), address }
        } else {
            Self::Bus { bus: bus.to_owned(), address, source }
        }
    }
}

/// The two causes that have a remedy in plain words, without the system's number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such bus".to_owned(),
        _ => error.to_string(),
    }
}

/// What helps against a failed transfer, where that is known.
fn remedy(source: &io::Error) -> &'static str {
    match Errno::from_io_error(source) {
        Some(Errno::BUSY) => " (does a kernel driver such as ssd1307fb hold it?)",
        Some(Errno::TIMEDOUT) => " (is SDA or SCL shorted or without a pull-up?)",
        Some(Errno::OPNOTSUPP) => " (the adapter speaks only SMBus)",
        Some(Errno::NODEV) => " (was the adapter unplugged?)",
        _ => "",
    }
}

pub(super) fn enable(model: Option<&str>) -> &'static str {
    if model.is_some_and(|model| model.contains("Raspberry Pi")) { ENABLE_ON_PI } else { ENABLE }
}
