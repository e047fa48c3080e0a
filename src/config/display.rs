//! The section `[display]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::camera::Rotation;
use super::keys::{Keys, Read, Unfit};

/// The panel, and what is shown there.
#[derive(Clone, Debug, PartialEq)]
pub struct Display {
    /// How the panel is spoken to.
    pub driver: DisplayDriver,
    /// `/dev/i2c-N` or `/dev/spidevN.M`; `None`: the I2C buses that a board gives to its user are tried.
    pub bus: Option<PathBuf>,
    /// With a bus that is SPI.
    pub spi: Option<Spi>,
    /// 7-bit I2C address.
    pub address: u8,
    /// The panel's size.
    pub size: DisplaySize,
    /// Upside down; of a panel on end, standing on its right edge instead of its left.
    pub flip: bool,
    /// 0 to 255.
    pub contrast: u8,
    /// When it is dimmed, if ever.
    pub night: Option<Night>,
    /// Written whenever the picture changes, whatever the driver.
    pub preview_png: Option<PathBuf>,
    /// Blank after this long without a face; `None`: never.
    pub blank_after: Option<Duration>,
    /// The picture moves by a pixel this often; `None`: never.
    pub shift_every: Option<Duration>,
}

/// The panel's controller, or what takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayDriver {
    /// An SSD1306 where one answers, else none.
    Auto,
    /// SSD1306, on I2C or SPI.
    Ssd1306,
    /// SH1106, on I2C or SPI.
    Sh1106,
    /// PNG and terminal only.
    Preview,
    /// No display.
    None,
}

impl DisplayDriver {
    /// A panel is named: its absence is trouble.
    pub const fn needs_panel(self) -> bool {
        matches!(self, Self::Ssd1306 | Self::Sh1106)
    }

    /// A panel is looked for.
    pub const fn takes_panel(self) -> bool {
        self.needs_panel() || matches!(self, Self::Auto)
    }
}

impl fmt::Display for DisplayDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = DRIVERS.iter().find(|(_, driver)| driver == self).map_or("", |(name, _)| *name);
        f.write_str(name)
    }
}

const DRIVERS: [(&str, DisplayDriver); 5] = [
    ("auto", DisplayDriver::Auto),
    ("ssd1306", DisplayDriver::Ssd1306),
    ("sh1106", DisplayDriver::Sh1106),
    ("preview", DisplayDriver::Preview),
    ("none", DisplayDriver::None),
];

/// A panel's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplaySize {
    /// 128 x 64.
    W128H64,
    /// 128 x 32.
    W128H32,
    /// A panel of 128x64 that stands on end.
    W64H128,
}

/// The GPIO lines of a panel on SPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spi {
    /// `/dev/gpiochipN`.
    pub chip: PathBuf,
    /// Low for commands, high for data.
    pub dc_line: u32,
    /// The chip's line for its reset pin, if one is wired.
    pub reset_line: Option<u32>,
}

/// When the panel is dimmed, in minutes after midnight, local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    /// First minute of the day, 0 to 1439, local time.
    pub from: u16,
    /// Excluded; may be earlier than `from`.
    pub until: u16,
    /// 0 to 255.
    pub contrast: u8,
}

impl Night {
    /// Whether `minute` of the day, 0 to 1439, lies in it; a night may go past midnight.
    pub const fn contains(&self, minute: u16) -> bool {
        if self.from <= self.until {
            self.from <= minute && minute < self.until
        } else {
            self.from <= minute || minute < self.until
        }
    }
}

impl Display {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        let driver = keys
            .choice("driver", DisplayDriver::Auto, &DRIVERS)
            .help("\"auto\" (an SSD1306 where one answers), \"preview\" (PNG and terminal only), or the panel's controller.")
            .get();
        let (bus, spi, address) = wiring(keys);
        let (size, flip) = orientation(keys);
        let contrast = keys.integer("contrast", 127, 0..=255).help("Brightness of the panel.").get();
        let hours = keys
            .optional("night", "", None, Hours::from_str)
            .help(
                "Hours, local time, in which the contrast is another, such as \"22:00-07:00\"; empty: none.",
            )
            .get();
        let dimmed = keys.integer("night_contrast", 1, 0..=255).help("Brightness in those hours.").get();
        let positive = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
        Self {
            driver,
            bus,
            spi,
            address,
            size,
            flip,
            contrast,
            night: hours.map(|Hours { from, until }| Night { from, until, contrast: dimmed }),
            preview_png: keys
                .file("preview_png")
                .help("A PNG that shows what the panel shows, written at most once a second; empty: none.")
                .get(),
            blank_after: positive(
                keys.seconds("blank_after_s", 300.0, 0.0..=86_400.0)
                    .help("Without a face for so long the panel goes dark; 0: never.")
                    .get(),
            ),
            shift_every: positive(
                keys.seconds("shift_every_s", 60.0, 0.0..=86_400.0)
                    .help("Between moves by a pixel, against burn-in; 0: never.")
                    .get(),
            ),
        }
    }
}

fn wiring(keys: &mut Keys<'_, '_>) -> (Option<PathBuf>, Option<Spi>, u8) {
    let path = |text: &str| match text.starts_with('/') {
        true => Ok(Bus(text.into())),
        false => {
            let forms = "auto or a path such as /dev/i2c-1 or /dev/spidev0.0";
            Err(Unfit::new(format_args!("{text:?} is no bus ({forms})")))
        }
    };
    let bus = keys
        .optional("bus", "auto", None, path)
        .help("\"auto\" (the I2C buses that a board gives to its user) or a bus such as \"/dev/i2c-1\" or \"/dev/spidev0.0\".")
        .read();
    let address = keys
        .integer("address", 0x3c, 0x08..=0x77)
        .example("0x3c")
        .help("The panel's 7-bit address on I2C.")
        .get();
    let chip = keys.path("gpio_chip", "/dev/gpiochip0").help("For SPI: the GPIO chip.").get();
    let lines = -1..=1023;
    let dc_line: Read<i64> = keys
        .integer("dc_line", -1, lines.clone())
        .help("For SPI, which needs it: the line at the panel's pin D/C; -1: none.")
        .read();
    let reset_line: i64 = keys
        .integer("reset_line", -1, lines)
        .help("For SPI: the line at the panel's pin RES; -1: none.")
        .get();
    let is_spi = bus.value.as_ref().is_some_and(|Bus(bus)| bus.to_string_lossy().starts_with("/dev/spidev"));
    let spi = match u32::try_from(dc_line.value) {
        Ok(dc_line) if is_spi => Some(Spi { chip, dc_line, reset_line: u32::try_from(reset_line).ok() }),
        _ => None,
    };
    if is_spi && spi.is_none() && dc_line.sound {
        keys.mistake(&bus, "a panel on SPI needs display.dc_line, the GPIO line at its pin D/C");
    }
    (bus.value.map(|Bus(bus)| bus), spi, address)
}

fn orientation(keys: &mut Keys<'_, '_>) -> (DisplaySize, bool) {
    let sizes = [("128x64", DisplaySize::W128H64), ("128x32", DisplaySize::W128H32)];
    let size = keys.choice("size", DisplaySize::W128H64, &sizes).help("The panel's pixels.").get();
    let rotate = keys
        .steps("rotate", Rotation::None, &Rotation::DEGREES).unit("degrees")
        .help("Clockwise turn of the picture; 90 (it stands on its left edge) and 270 for a panel of 128x64 on end.")
        .read();
    let size = match (rotate.value, size) {
        (Rotation::None | Rotation::Half, size) => size,
        (_, DisplaySize::W128H32) => {
            keys.mistake(&rotate, "a panel of 128x32 is too narrow to stand on end (use 0 or 180)");
            size
        }
        (_, _) => DisplaySize::W64H128,
    };
    (size, matches!(rotate.value, Rotation::Half | Rotation::ThreeQuarters))
}

struct Bus(PathBuf);

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Minutes after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: u16,
    until: u16,
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl FromStr for Hours {
    type Err = Unfit;

    /// From `22:00-07:00`.
    fn from_str(text: &str) -> Result<Self, Unfit> {
        let minute = |time: &str| {
            let (hour, minute) = time.trim().split_once(':')?;
            let number = |text: &str, most: u16| {
                let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u16>().ok().filter(|number| plain && *number <= most)
            };
            Some(60 * number(hour, 23)? + number(minute, 59)?)
        };
        match text.split_once('-').and_then(|(from, until)| minute(from).zip(minute(until))) {
            Some((from, until)) if from != until => Ok(Self { from, until }),
            _ => {
                let form = "HH:MM-HH:MM, such as 22:00-07:00, or empty for none";
                Err(Unfit::new(format_args!("{text:?} are no night hours ({form})")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_may_span_midnight() {
        let parsed = |text: &str| {
            let Hours { from, until } = text.parse().expect(text);
            Night { from, until, contrast: 9 }
        };
        let over = parsed("22:00-07:30");
        assert_eq!(over, Night { from: 1320, until: 450, contrast: 9 });
        let dim = [1319, 1320, 1439, 0, 449, 450, 720].map(|minute| over.contains(minute));
        assert_eq!(dim, [false, true, true, true, true, false, false]);
        let within = parsed("00:00 - 06:05");
        assert_eq!([0, 364, 365, 1439].map(|minute| within.contains(minute)), [true, true, false, false]);
        for text in ["22-7", "24:00-07:00", "22:60-07:00", "22:00", "22:00-22:00", "+2:00-07:00", "a-b"] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }
}
