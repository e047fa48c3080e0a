//! The section `[display]`.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::check::{Places, rotation};
use super::raw::{self, OVERRIDDEN};
use super::{ConfigError, Display, DisplayDriver, DisplaySize, Night, Rotation, Spi};

pub fn display(raw: raw::RawDisplay, places: &Places<'_>) -> Result<Display, ConfigError> {
    let drivers = [
        ("auto", DisplayDriver::Auto),
        ("ssd1306", DisplayDriver::Ssd1306),
        ("sh1106", DisplayDriver::Sh1106),
        ("preview", DisplayDriver::Preview),
        ("none", DisplayDriver::None),
    ];
    let sizes = [("128x64", DisplaySize::W128H64), ("128x32", DisplaySize::W128H32)];
    let bus_span = raw.bus.as_ref().map_or(OVERRIDDEN, Spanned::span);
    let bus = places.value("display.bus", raw.bus, None, |bus| match bus.as_str() {
        "auto" => Ok(None),
        path if path.starts_with('/') => Ok(Some(PathBuf::from(path))),
        _ => Err(format!("{bus:?} is no bus (auto or a path such as /dev/i2c-1 or /dev/spidev0.0)")),
    })?;
    let chip = places.path(raw.gpio_chip).unwrap_or_else(|| PathBuf::from("/dev/gpiochip0"));
    let lines = -1..=1023;
    let dc_line = places.integer("display.dc_line", raw.dc_line, -1_i64, lines.clone())?;
    let reset_line = places.integer("display.reset_line", raw.reset_line, -1_i64, lines)?;
    let is_spi = bus.as_ref().is_some_and(|bus| bus.to_string_lossy().starts_with("/dev/spidev"));
    let spi = match (is_spi, u32::try_from(dc_line)) {
        (false, _) => None,
        (true, Ok(dc_line)) => Some(Spi { chip, dc_line, reset_line: u32::try_from(reset_line).ok() }),
        (true, Err(_)) => {
            let message = "a panel on SPI needs display.dc_line, the GPIO line at its pin D/C";
            return Err(places.error(bus_span, "display.bus", message));
        }
    };
    let size = places.choice("display.size", raw.size, DisplaySize::W128H64, &sizes)?;
    let rotate_span = raw.rotate.as_ref().map_or(OVERRIDDEN, Spanned::span);
    let rotate = places.value("display.rotate", raw.rotate, Rotation::None, rotation)?;
    let size = match (rotate, size) {
        (Rotation::None | Rotation::Half, size) => size,
        (_, DisplaySize::W128H32) => {
            let message = "a panel of 128x32 is too narrow to stand on end (use 0 or 180)";
            return Err(places.error(rotate_span, "display.rotate", message));
        }
        (_, _) => DisplaySize::W64H128,
    };
    let night_contrast = places.integer("display.night_contrast", raw.night_contrast, 1, 0..=255)?;
    let night = places.value("display.night", raw.night, None, |text| night(&text, night_contrast))?;
    let positive = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
    Ok(Display {
        driver: places.choice("display.driver", raw.driver, DisplayDriver::Auto, &drivers)?,
        bus,
        spi,
        address: places.integer("display.address", raw.address, 0x3c, 0x08..=0x77)?,
        size,
        flip: matches!(rotate, Rotation::Half | Rotation::ThreeQuarters),
        contrast: places.integer("display.contrast", raw.contrast, 127, 0..=255)?,
        night,
        preview_png: places.path(raw.preview_png),
        blank_after: positive(places.seconds(
            "display.blank_after_s",
            raw.blank_after_s,
            300.0,
            0.0..=86_400.0,
        )?),
        shift_every: positive(places.seconds(
            "display.shift_every_s",
            raw.shift_every_s,
            60.0,
            0.0..=86_400.0,
        )?),
    })
}

/// `22:00-07:00`; empty: none.
fn night(text: &str, contrast: u8) -> Result<Option<Night>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let minute = |time: &str| {
        let (hour, minute) = time.trim().split_once(':')?;
        let number = |text: &str, most: u16| {
            let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| plain && *number <= most)
        };
        Some(60 * number(hour, 23)? + number(minute, 59)?)
    };
    let times = text.split_once('-').and_then(|(from, until)| minute(from).zip(minute(until)));
    match times {
        Some((from, until)) if from != until => Ok(Some(Night { from, until, contrast })),
        _ => {
            Err(format!("{text:?} are no night hours (HH:MM-HH:MM, such as 22:00-07:00, or empty for none)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_may_span_midnight() {
        let parsed = |text| night(text, 9).ok().flatten();
        let over = parsed("22:00-07:30").expect("a night");
        assert_eq!(over, Night { from: 1320, until: 450, contrast: 9 });
        let dim = [1319, 1320, 1439, 0, 449, 450, 720].map(|minute| over.contains(minute));
        assert_eq!(dim, [false, true, true, true, true, false, false]);
        let within = parsed("00:00 - 06:05").expect("a night");
        assert_eq!([0, 364, 365, 1439].map(|minute| within.contains(minute)), [true, true, false, false]);
        assert_eq!(night("", 9), Ok(None));
        for text in ["22-7", "24:00-07:00", "22:60-07:00", "22:00", "22:00-22:00", "+2:00-07:00", "a-b"] {
            assert!(night(text, 9).is_err(), "{text}");
        }
    }
}
