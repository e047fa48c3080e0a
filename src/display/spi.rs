//! The SPI device and GPIO lines of a panel.

use std::path::Path;
use std::time::Duration;

use linux_embedded_hal::gpio_cdev::{Chip, LineHandle, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, SpidevDevice};

use super::error::DisplayError;
use super::wire::SpiWire;
use crate::config::Spi;

/// Of the two controllers the slower one's clock: 250 ns a cycle (SH1106 datasheet 2.3, AC
/// characteristics; the SSD1306 takes 100 ns, table 13-4). A whole picture takes 2 ms.
const HERTZ: u32 = 4_000_000;

/// Reset is low for at least 3 µs (SSD1306 datasheet 8.9) or 10 µs (SH1106, reset timing), and the
/// controller is ready 2 µs later; sleeping takes longer anyway.
const RESET: Duration = Duration::from_micros(100);

/// A panel's wire, and the line that keeps it out of reset.
pub struct SpiPanel {
    pub wire: SpiWire<SpidevDevice, CdevPin>,
    _reset: Option<LineHandle>,
}

/// Opens the SPI device at `bus` and resets the panel.
///
/// # Errors
/// [`DisplayError::Spi`] with cause and remedy.
pub fn open(bus: &Path, config: &Spi) -> Result<SpiPanel, DisplayError> {
    let failed = |reason: String| DisplayError::Spi { bus: bus.to_owned(), reason };
    let mut device = SpidevDevice::open(bus).map_err(|error| failed(device_reason(error.inner())))?;
    let options = SpidevOptions::new().max_speed_hz(HERTZ).mode(SpiModeFlags::SPI_MODE_0).build();
    device.configure(&options).map_err(|error| failed(format!("unable to set mode and clock: {error}")))?;
    let line = |number: u32, value: u8| {
        let request = |chip: &Path| {
            Chip::new(chip)?.get_line(number)?.request(LineRequestFlags::OUTPUT, value, "emotiond")
        };
        request(&config.chip).map_err(|error| {
            failed(format!(
                "unable to use line {number} of {}: {error} (is the user in group gpio, and nothing else on it? gpioinfo tells)",
                config.chip.display()
            ))
        })
    };
    let reset = config.reset_line.map(|number| line(number, 0)).transpose()?;
    if let Some(reset) = &reset {
        std::thread::sleep(RESET);
        reset.set_value(1).map_err(|error| failed(format!("unable to end the reset: {error}")))?;
        std::thread::sleep(RESET);
    }
    let dc = CdevPin::new(line(config.dc_line, 0)?).map_err(|error| failed(error.to_string()))?;
    Ok(SpiPanel { wire: SpiWire::new(device, dc), _reset: reset })
}

/// Why the device cannot be opened.
fn device_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such device (on a Raspberry Pi switch it on with raspi-config, Interface Options, SPI, or \
             dtparam=spi=on in config.txt)"
                .to_owned()
        }
        std::io::ErrorKind::PermissionDenied => "permission denied (is the user in group spi?)".to_owned(),
        _ => error.to_string(),
    }
}
