//! A panel with an SSD1306 or SH1106. Only what changed goes over the bus.
//!
//! Commands and section numbers are those of the Solomon Systech SSD1306 datasheet, revision 1.1. The SH1106
//! (Sino Wealth datasheet, version 2.3) knows the same but for three things: its memory is four columns wider,
//! a page is addressed at a time, and its voltage converter has another command.

use std::ops::Range;
use std::time::{Duration, Instant};

use display_interface::{DataFormat, DisplayError, WriteOnlyDataCommand};
use ssd1306::command::{AddrMode, Command, VcomhLevel};

use super::picture::{PAGE_ROWS, Picture, WIDTH};
use super::wire::Wire;
use crate::config::{self, DisplayDriver};

/// A panel that lost its power and got it back between two transfers is dark and full of noise, and
/// answers as before: so often it is set up and drawn anew. Nobody sees that on one that kept its power.
pub const REFRESH: Duration = Duration::from_secs(60);

/// How often a panel is asked whether it is still there. While its bus is held open, the kernel cannot
/// finish taking away an adapter that was unplugged, nor see to what else happens on the USB hub.
pub const CHECK: Duration = Duration::from_secs(1);

/// Columns of an SH1106's memory to the left of the glass, and as many to its right.
const SH1106_MARGIN: usize = 2;

/// Switches an SH1106's voltage converter on (commands, 10).
const SH1106_CONVERTER_ON: [u8; 2] = [0xad, 0x8b];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    Ssd1306,
    Sh1106,
}

/// What is on the panel, as far as is known.
enum Contents {
    Unknown,
    Off,
    On(Picture),
}

/// A panel that answered, or that cannot be asked.
pub struct Panel<W: Wire> {
    wire: W,
    controller: Controller,
    flip: bool,
    contrast: u8,
    /// The contrast that was sent last.
    sent_contrast: u8,
    contents: Contents,
    refreshed: Option<Instant>,
    checked: Option<Instant>,
}

impl<W: Wire> Panel<W> {
    /// Finds out whether something answers. Nothing is written.
    ///
    /// # Errors
    /// The bus's.
    pub fn open(mut wire: W, config: &config::Display) -> Result<Self, W::Error> {
        wire.answers()?;
        let controller = match config.driver {
            DisplayDriver::Sh1106 => Controller::Sh1106,
            _ => Controller::Ssd1306,
        };
        Ok(Self {
            wire,
            controller,
            flip: config.flip,
            contrast: config.contrast,
            sent_contrast: config.contrast,
            contents: Contents::Unknown,
            refreshed: None,
            checked: None,
        })
    }

    /// Sets the contrast, 0 to 255, of what is shown next.
    pub const fn set_contrast(&mut self, contrast: u8) {
        self.contrast = contrast;
    }

    /// Shows the picture, or with `None` switches the panel off. To be called often, also with the
    /// same picture: so a panel that lost its power comes back.
    ///
    /// # Errors
    /// The bus's. The next call sets the panel up anew.
    pub fn show(&mut self, picture: Option<&Picture>, now: Instant) -> Result<(), W::Error> {
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
            self.wire.answers()?;
            self.checked = Some(now);
        }
        self.contents = match (picture, contents) {
            (None, Contents::Off) => Contents::Off,
            (None, _) => {
                self.send(Command::DisplayOn(false))?;
                Contents::Off
            }
            (Some(picture), Contents::On(old)) => {
                if self.contrast != self.sent_contrast {
                    self.send(Command::Contrast(self.contrast))?;
                    self.sent_contrast = self.contrast;
                }
                for window in changes(&old, picture, |window| self.cost(window)) {
                    self.write(&window, picture)?;
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
    fn set_up(&mut self, picture: &Picture) -> Result<(), W::Error> {
        let rows = picture.rows() as u8;
        let rotated = !self.flip;
        // A transfer that broke off may have left a command waiting for two arguments.
        self.send(Command::Noop)?;
        self.send(Command::Noop)?;
        self.send(Command::DisplayClockDiv(0x8, 0x0))?;
        self.send(Command::Multiplex(rows - 1))?;
        self.send(Command::DisplayOffset(0))?;
        self.send(Command::StartLine(0))?;
        match self.controller {
            Controller::Ssd1306 => {
                self.send(Command::ChargePump(true))?;
                self.send(Command::AddressMode(AddrMode::Horizontal))?;
                self.send(Command::EnableScroll(false))?;
            }
            Controller::Sh1106 => self.wire.command(&SH1106_CONVERTER_ON)?,
        }
        // Panels of 64 rows alternate the two sides' COM pins (10.1.18).
        self.send(Command::ComPinConfig(rows == 64, false))?;
        // Panels are mounted so that both directions must be reversed for upright pictures.
        self.send(Command::SegmentRemap(rotated))?;
        self.send(Command::ReverseComDir(rotated))?;
        self.send(Command::PreChargePeriod(1, 2))?;
        self.send(Command::Contrast(self.contrast))?;
        self.send(Command::VcomhDeselect(VcomhLevel::Auto))?;
        self.send(Command::AllOn(false))?;
        self.send(Command::Invert(false))?;
        self.sent_contrast = self.contrast;
        self.write(&Window::whole(picture), picture)?;
        self.send(Command::DisplayOn(true))
    }

    fn send(&mut self, command: Command) -> Result<(), W::Error> {
        self.wire.command(Encoded::of(command).bytes())
    }

    /// Sends the part of the picture that lies in the window.
    fn write(&mut self, window: &Window, picture: &Picture) -> Result<(), W::Error> {
        let columns = window.columns.clone();
        if self.controller == Controller::Ssd1306 {
            let row = |page: usize| ((page * PAGE_ROWS) as u8).into();
            self.send(Command::ColumnAddress(columns.start as u8, columns.end as u8 - 1))?;
            self.send(Command::PageAddress(row(window.pages.start), row(window.pages.end - 1)))?;
        }
        for page in window.pages.clone() {
            if self.controller == Controller::Sh1106 {
                // Page, upper and lower half of the column (10.1.13, 10.1.2, 10.1.1).
                let column = (columns.start + SH1106_MARGIN) as u8;
                self.wire.command(&[0xb0 | page as u8, 0x10 | column >> 4, column & 0x0f])?;
            }
            self.wire.data(&picture.pages()[page][columns.clone()])?;
        }
        Ok(())
    }

    /// Bytes on the bus, addresses and control bytes included, that [`Self::write`] takes.
    fn cost(&self, window: &Window) -> usize {
        let command = 3 + W::overhead(0);
        let page = window.columns.len() + W::overhead(window.columns.len());
        match self.controller {
            Controller::Ssd1306 => 2 * command + page * window.pages.len(),
            Controller::Sh1106 => (command + page) * window.pages.len(),
        }
    }
}

/// A command's bytes, as the `ssd1306` crate knows them.
#[derive(Default)]
struct Encoded {
    bytes: [u8; 7],
    length: usize,
}

impl Encoded {
    fn of(command: Command) -> Self {
        let mut encoded = Self::default();
        command.send(&mut encoded).expect("no command is longer");
        encoded
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl WriteOnlyDataCommand for Encoded {
    fn send_commands(&mut self, commands: DataFormat<'_>) -> Result<(), DisplayError> {
        let DataFormat::U8(bytes) = commands else { return Err(DisplayError::DataFormatNotImplemented) };
        let room = self.bytes.get_mut(..bytes.len()).ok_or(DisplayError::OutOfBoundsError)?;
        room.copy_from_slice(bytes);
        self.length = bytes.len();
        Ok(())
    }

    fn send_data(&mut self, _: DataFormat<'_>) -> Result<(), DisplayError> {
        Err(DisplayError::DataFormatNotImplemented)
    }
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

    /// The smallest window that holds both.
    fn joined(&self, other: &Self) -> Self {
        let hull = |a: &Range<usize>, b: &Range<usize>| a.start.min(b.start)..a.end.max(b.end);
        Self { columns: hull(&self.columns, &other.columns), pages: hull(&self.pages, &other.pages) }
    }
}

/// Windows that turn `old` into `new`: changed bytes, joined wherever that is not dearer.
fn changes(old: &Picture, new: &Picture, cost: impl Fn(&Window) -> usize) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (page, (old, new)) in old.pages().iter().zip(new.pages()).enumerate() {
        for column in (0..WIDTH).filter(|&column| old[column] != new[column]) {
            let byte = Window { columns: column..column + 1, pages: page..page + 1 };
            let near = windows.iter_mut().rev().find_map(|window| {
                let joined = window.joined(&byte);
                (cost(&joined) <= cost(window) + cost(&byte)).then_some((window, joined))
            });
            match near {
                Some((window, joined)) => *window = joined,
                None => windows.push(byte),
            }
        }
    }
    let whole = Window::whole(new);
    if windows.iter().map(&cost).sum::<usize>() > cost(&whole) { vec![whole] } else { windows }
}
