//! An SSD1306 panel on an I2C bus. Only what changed goes over the bus.
//!
//! Commands and section numbers are those of the Solomon Systech SSD1306 datasheet, revision 1.1.

use std::ops::Range;
use std::time::{Duration, Instant};

use display_interface::{DataFormat, WriteOnlyDataCommand};
use embedded_hal::i2c::{Error as _, ErrorKind, ErrorType, I2c, Operation};
use ssd1306::I2CDisplayInterface;
use ssd1306::command::{AddrMode, Command, VcomhLevel};
use ssd1306::prelude::I2CInterface;

use super::picture::{PAGE_ROWS, Picture, WIDTH};
use crate::config;

/// A panel that lost its power and got it back between two transfers is dark and full of noise, and
/// answers as before: so often it is set up and drawn anew. Nobody sees that on one that kept its power.
pub const REFRESH: Duration = Duration::from_secs(60);

/// How often a panel is asked whether it is still there. While its bus is held open, the kernel cannot
/// finish taking away an adapter that was unplugged, nor see to what else happens on the USB hub.
pub const CHECK: Duration = Duration::from_secs(1);

/// Bytes on the bus, addresses and control bytes included, that open a window: two commands.
const WINDOW_COST: usize = 2 * 5;

/// What is on the panel, as far as is known.
enum Contents {
    Unknown,
    Off,
    On(Picture),
}

/// A panel that answered.
pub struct Panel<B: I2c> {
    bus: Noting<B>,
    address: u8,
    flip: bool,
    contrast: u8,
    contents: Contents,
    refreshed: Option<Instant>,
    checked: Option<Instant>,
}

impl<B: I2c> Panel<B> {
    /// Finds out whether something answers at the configured address. Nothing is written.
    ///
    /// # Errors
    /// The bus's.
    pub fn open(mut bus: B, config: &config::Display) -> Result<Self, B::Error> {
        answers(&mut bus, config.address)?;
        Ok(Self {
            bus: Noting { bus, error: None },
            address: config.address,
            flip: config.flip,
            contrast: config.contrast,
            contents: Contents::Unknown,
            refreshed: None,
            checked: None,
        })
    }

    /// Shows the picture, or with `None` switches the panel off. To be called often, also with the
    /// same picture: so a panel that lost its power comes back.
    ///
    /// # Errors
    /// The bus's. The next call sets the panel up anew.
    pub fn show(&mut self, picture: Option<&Picture>, now: Instant) -> Result<(), B::Error> {
        let fresh = self.refreshed.is_some_and(|last| now.duration_since(last) < REFRESH);
        // Until all is sent, nothing is known.
        let contents = match std::mem::replace(&mut self.contents, Contents::Unknown) {
            contents if fresh => contents,
            _ => {
                self.refreshed = Some(now);
                Contents::Unknown
            }
        };
        if self.checked.is_none_or(|last| now.duration_since(last) >= CHECK) {
            answers(&mut self.bus.bus, self.address)?;
            self.checked = Some(now);
        }
        self.contents = match (picture, contents) {
            (None, Contents::Off) => Contents::Off,
            (None, _) => {
                self.send(|interface| Command::DisplayOn(false).send(interface))?;
                Contents::Off
            }
            (Some(picture), Contents::On(old)) => {
                for window in changes(&old, picture) {
                    self.send(|interface| window.write(picture, interface))?;
                }
                Contents::On(picture.clone())
            }
            (Some(picture), _) => {
                self.set_up(picture)?;
                Contents::On(picture.clone())
            }
        };
        Ok(())
    }

    /// From any state to the whole picture. It is switched on last, so that no noise is seen, and
    /// never off, so that a panel that was well does not flicker.
    fn set_up(&mut self, picture: &Picture) -> Result<(), B::Error> {
        let rows = picture.height() as u8;
        let commands = [
            // A transfer that broke off may have left a command waiting for two arguments.
            Command::Noop,
            Command::Noop,
            Command::DisplayClockDiv(0x8, 0x0),
            Command::Multiplex(rows - 1),
            Command::DisplayOffset(0),
            Command::StartLine(0),
            Command::ChargePump(true),
            Command::AddressMode(AddrMode::Horizontal),
            // Panels of 64 rows alternate the two sides' COM pins (10.1.18).
            Command::ComPinConfig(rows == 64, false),
            // Panels are mounted so that both directions must be reversed for upright pictures.
            Command::SegmentRemap(!self.flip),
            Command::ReverseComDir(!self.flip),
            Command::PreChargePeriod(1, 2),
            Command::Contrast(self.contrast),
            Command::VcomhDeselect(VcomhLevel::Auto),
            Command::AllOn(false),
            Command::Invert(false),
            Command::EnableScroll(false),
        ];
        self.send(|interface| {
            commands.into_iter().try_for_each(|command| command.send(interface))?;
            Window::whole(picture).write(picture, interface)?;
            Command::DisplayOn(true).send(interface)
        })
    }

    fn send(
        &mut self,
        action: impl FnOnce(&mut I2CInterface<&mut Noting<B>>) -> Result<(), display_interface::DisplayError>,
    ) -> Result<(), B::Error> {
        let mut interface = I2CDisplayInterface::new_custom_address(&mut self.bus, self.address);
        let sent = action(&mut interface);
        sent.map_err(|_| self.bus.error.take().expect("the interface fails only when its bus does"))
    }
}

/// Fails when nothing answers at the address.
///
/// One byte is read, which an SSD1306 answers with its status (8.1.5.1, 9.2) and which changes
/// nothing in it. `i2cdetect` sends an empty write instead, which several adapters refuse (those
/// with the kernel's quirk `I2C_AQ_NO_ZERO_LEN`, and most of those on USB).
fn answers<B: I2c>(bus: &mut B, address: u8) -> Result<(), B::Error> {
    bus.read(address, &mut [0])
}

/// A rectangle of the panel's memory: columns and pages, the ends excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    columns: Range<usize>,
    pages: Range<usize>,
}

impl Window {
    fn whole(picture: &Picture) -> Self {
        Self { columns: 0..WIDTH, pages: 0..picture.pages().len() }
    }

    /// Bytes on the bus. Data goes in writes of 16 bytes, each with an address and a control byte.
    fn cost(&self) -> usize {
        let page = self.columns.len() + 2 * self.columns.len().div_ceil(16);
        WINDOW_COST + page * self.pages.len()
    }

    /// The smallest window that holds both.
    fn joined(&self, other: &Self) -> Self {
        let hull = |a: &Range<usize>, b: &Range<usize>| a.start.min(b.start)..a.end.max(b.end);
        Self { columns: hull(&self.columns, &other.columns), pages: hull(&self.pages, &other.pages) }
    }

    fn write(
        &self,
        picture: &Picture,
        interface: &mut impl WriteOnlyDataCommand,
    ) -> Result<(), display_interface::DisplayError> {
        let row = |page: usize| ((page * PAGE_ROWS) as u8).into();
        Command::ColumnAddress(self.columns.start as u8, self.columns.end as u8 - 1).send(interface)?;
        Command::PageAddress(row(self.pages.start), row(self.pages.end - 1)).send(interface)?;
        for page in &picture.pages()[self.pages.clone()] {
            interface.send_data(DataFormat::U8(&page[self.columns.clone()]))?;
        }
        Ok(())
    }
}

/// Windows that turn `old` into `new`: changed bytes, joined wherever that is not dearer.
fn changes(old: &Picture, new: &Picture) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (page, (old, new)) in old.pages().iter().zip(new.pages()).enumerate() {
        for column in (0..WIDTH).filter(|&column| old[column] != new[column]) {
            let byte = Window { columns: column..column + 1, pages: page..page + 1 };
            let near = windows.iter_mut().rev().find_map(|window| {
                let joined = window.joined(&byte);
                (joined.cost() <= window.cost() + byte.cost()).then_some((window, joined))
            });
            match near {
                Some((window, joined)) => *window = joined,
                None => windows.push(byte),
            }
        }
    }
    let whole = Window::whole(new);
    if windows.iter().map(Window::cost).sum::<usize>() > whole.cost() { vec![whole] } else { windows }
}

/// Keeps the bus's error, of which the display interface tells only that there was one.
struct Noting<B: I2c> {
    bus: B,
    error: Option<B::Error>,
}

impl<B: I2c> ErrorType for Noting<B> {
    type Error = ErrorKind;
}

impl<B: I2c> I2c for Noting<B> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        self.bus.transaction(address, operations).map_err(|error| {
            let kind = error.kind();
            self.error = Some(error);
            kind
        })
    }
}
