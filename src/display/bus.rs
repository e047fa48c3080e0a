//! The buses of this machine: which of them may be used, and why a panel is not to be had.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
use linux_embedded_hal::{CdevPinError, I2CError, I2cdev, SPIError};

use super::error::{DisplayError, ENABLE_ON_PI, enable};
use super::panel::Panel;
use super::spi::{self, SpiPanel};
use super::wire::{I2cWire, SpiError, Wire};
use crate::config;

/// Addresses that an SSD1306 can have (datasheet 8.1.5.1, the pin SA0).
const PANEL_ADDRESSES: [u8; 2] = [0x3c, 0x3d];

/// Names of the kernel's adapters on USB, which nothing but what the user wired is behind.
const USB_ADAPTERS: [&str; 5] = ["i2c-tiny-usb", "CH341", "MCP2221", "CP2112", "FT260"];

/// An I2C bus that the kernel offers to programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// `/dev/i2c-N`.
    pub path: PathBuf,
    /// As its driver calls it: `bcm2835 (i2c@7e804000)`.
    pub name: String,
}

/// The adapters of those buses that a board gives to its user, the likeliest first: the header's
/// pins 3 and 5, then its pins 27 and 28, then adapters on USB. Never one behind which a board keeps
/// its own chips: a PC's SMBus, a graphics card's DDC.
///
/// `model` is the device tree's: the numbers on a Jetson are those of its SoC, and agree with
/// `i2cPorts` of Adafruit Blinka's `microcontroller/tegra`.
pub fn user_buses<'a>(model: Option<&str>, adapters: &'a [Adapter]) -> Vec<&'a Adapter> {
    let model = model.unwrap_or_default();
    let header: &[u32] = if model.contains("Raspberry Pi") {
        // The HAT's identification bus (0) and the displays' and cameras' (10 and up) are not the user's.
        &[1]
    } else if model.contains("Orin") {
        &[7, 1]
    } else if model.contains("Xavier") || model == "Jetson-AGX" {
        &[8, 1]
    } else if model.contains("Jetson") {
        &[1, 0]
    } else {
        &[]
    };
    let on_header = header.iter().filter_map(|number| {
        let path = PathBuf::from(format!("/dev/i2c-{number}"));
        adapters.iter().find(|adapter| adapter.path == path && !is_usb(adapter))
    });
    on_header.chain(adapters.iter().filter(|adapter| is_usb(adapter))).collect()
}

fn is_usb(adapter: &Adapter) -> bool {
    USB_ADAPTERS.iter().any(|name| adapter.name.contains(name))
}

/// The adapters in `class`, which is `/sys/class/i2c-dev` or a copy of it, by number.
pub fn adapters(class: &Path) -> Vec<Adapter> {
    let Ok(entries) = fs::read_dir(class) else { return Vec::new() };
    let mut adapters: Vec<(u32, Adapter)> = entries
        .flatten()
        .filter_map(|entry| {
            let bus = entry.file_name().into_string().ok()?;
            let number = bus.strip_prefix("i2c-")?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            Some((number, Adapter { path: Path::new("/dev").join(bus), name: name.trim().to_owned() }))
        })
        .collect();
    adapters.sort_by_key(|(number, _)| *number);
    adapters.into_iter().map(|(_, adapter)| adapter).collect()
}

/// This machine's adapters.
fn own_adapters() -> Vec<Adapter> {
    adapters(Path::new("/sys/class/i2c-dev"))
}

/// What the device tree says this board is; `None` on a PC.
fn own_model() -> Option<String> {
    let model = fs::read_to_string("/proc/device-tree/model").ok()?;
    Some(model.trim_end_matches('\0').to_owned())
}

/// A panel's wire of either kind.
pub enum AnyWire {
    /// A panel on I2C.
    I2c {
        /// The panel's end.
        wire: I2cWire<I2cdev>,
        /// The bus' device node.
        bus: PathBuf,
        /// 7 bits.
        address: u8,
    },
    /// A panel on SPI.
    Spi {
        /// The panel's end, with its lines.
        panel: Box<SpiPanel>,
        /// The bus' device node.
        bus: PathBuf,
    },
}

impl AnyWire {
    fn i2c(bus: &Path, address: u8, error: &I2CError) -> DisplayError {
        DisplayError::transfer(bus, address, cause(error))
    }

    /// Runs what is to be done on either wire.
    fn run<R>(
        &mut self,
        i2c: impl FnOnce(&mut I2cWire<I2cdev>) -> Result<R, I2CError>,
        spi: impl FnOnce(&mut SpiPanel) -> Result<R, SpiError<SPIError, CdevPinError>>,
    ) -> Result<R, DisplayError> {
        match self {
            Self::I2c { wire, bus, address } => i2c(wire).map_err(|error| Self::i2c(bus, *address, &error)),
            Self::Spi { panel, bus } => spi(panel).map_err(|error| DisplayError::Spi {
                bus: bus.clone(),
                reason: match error {
                    SpiError::Bus(error) => error.to_string(),
                    SpiError::Line(error) => format!("display.dc_line: {error}"),
                },
            }),
        }
    }
}

impl Wire for AnyWire {
    type Error = DisplayError;

    fn answers(&mut self) -> Result<(), DisplayError> {
        self.run(Wire::answers, |panel| panel.wire.answers())
    }

    fn command(&mut self, bytes: &[u8]) -> Result<(), DisplayError> {
        self.run(|wire| wire.command(bytes), |panel| panel.wire.command(bytes))
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), DisplayError> {
        self.run(|wire| wire.data(bytes), |panel| panel.wire.data(bytes))
    }

    /// The slower one's.
    fn overhead(data: usize) -> usize {
        I2cWire::<I2cdev>::overhead(data)
    }
}

/// The configured panel, or the first that answers on the user's I2C buses. SPI is only used when it
/// is configured: a panel there cannot be asked whether it is one.
///
/// # Errors
/// What hinders; with several buses what hinders on the first.
pub fn open(config: &config::Display) -> Result<(Panel<AnyWire>, PathBuf), DisplayError> {
    let model = own_model();
    let model = model.as_deref();
    if let (Some(bus), Some(lines)) = (&config.bus, &config.spi) {
        let panel = Box::new(spi::open(bus, lines)?);
        let wire = AnyWire::Spi { panel, bus: bus.clone() };
        return Ok((Panel::open(wire, config)?, bus.clone()));
    }
    let buses = match &config.bus {
        Some(bus) => vec![bus.clone()],
        None => candidates(model, &own_adapters())?,
    };
    let mut first = None;
    for bus in buses {
        let opened = open_bus(&bus, model).and_then(|device| {
            let address = config.address;
            let wire = AnyWire::I2c { wire: I2cWire::new(device, address), bus: bus.clone(), address };
            Panel::open(wire, config)
        });
        match opened {
            Ok(panel) => return Ok((panel, bus)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(DisplayError::NoBus { remedy: enable(model) }))
}

/// The buses to try, at least one.
///
/// # Errors
/// When there is none, or none that is the user's.
pub fn candidates(model: Option<&str>, adapters: &[Adapter]) -> Result<Vec<PathBuf>, DisplayError> {
    let buses: Vec<PathBuf> =
        user_buses(model, adapters).into_iter().map(|adapter| adapter.path.clone()).collect();
    if !buses.is_empty() {
        return Ok(buses);
    }
    // A Raspberry Pi whose header bus is off still has those of its displays.
    if adapters.is_empty() || enable(model) == ENABLE_ON_PI {
        return Err(DisplayError::NoBus { remedy: enable(model) });
    }
    let described = |adapter: &Adapter| format!("{} ({})", adapter.path.display(), adapter.name);
    Err(DisplayError::NoUserBus { others: adapters.iter().map(described).collect() })
}

fn open_bus(bus: &Path, model: Option<&str>) -> Result<I2cdev, DisplayError> {
    I2cdev::new(bus).map_err(|error| DisplayError::open(bus, error.into(), model))
}

/// The operating system's error behind `error`.
fn cause(error: &I2CError) -> io::Error {
    match error.inner() {
        LinuxI2CError::Errno(errno) => io::Error::from_raw_os_error(*errno),
        LinuxI2CError::Io(error) => {
            error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
        }
    }
}

/// What was found out of a bus.
#[derive(Debug)]
pub enum Probe {
    /// Not the user's: left alone.
    NotTried,
    /// The addresses, of those that a panel can have, at which something answers.
    Answers(Vec<u8>),
    /// It could not be asked.
    Failed(DisplayError),
}

/// A bus as `emotiond devices` lists it.
#[derive(Debug)]
pub struct BusInfo {
    /// Its device node.
    pub path: PathBuf,
    /// The adapter's name.
    pub adapter: String,
    /// What answers there.
    pub probe: Probe,
}

/// All I2C buses. Those that are the user's are asked for panels, by reading.
pub fn list_buses() -> Vec<BusInfo> {
    let model = own_model();
    let adapters = own_adapters();
    let usable = user_buses(model.as_deref(), &adapters);
    adapters
        .iter()
        .map(|adapter| BusInfo {
            path: adapter.path.clone(),
            adapter: adapter.name.clone(),
            probe: if usable.contains(&adapter) {
                probe(&adapter.path, model.as_deref())
            } else {
                Probe::NotTried
            },
        })
        .collect()
}

fn probe(bus: &Path, model: Option<&str>) -> Probe {
    let mut answers = Vec::new();
    for address in PANEL_ADDRESSES {
        let device = match open_bus(bus, model) {
            Ok(device) => device,
            Err(error) => return Probe::Failed(error),
        };
        match I2cWire::new(device, address).answers() {
            Ok(()) => answers.push(address),
            Err(error) => match DisplayError::transfer(bus, address, cause(&error)) {
                DisplayError::NoAnswer { .. } => {}
                error => return Probe::Failed(error),
            },
        }
    }
    Probe::Answers(answers)
}
