//! The USB-to-I2C adapter `i2c-tiny-usb` (protocol: Linux `drivers/i2c/busses/i2c-tiny-usb.c`) with
//! an SSD1306 at 0x3c as the only thing on its bus.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::ssd1306_model::Ssd1306;
use crate::usbip::{Device, Setup};

pub const WIDTH: usize = 128;
pub const HEIGHT: usize = 64;

const PANEL_ADDRESS: u16 = 0x3c;

const VENDOR_INTERFACE_IN: u8 = 0xc1;
const VENDOR_INTERFACE_OUT: u8 = 0x41;

const CMD_GET_FUNC: u8 = 1;
const CMD_SET_DELAY: u8 = 2;
const CMD_GET_STATUS: u8 = 3;
/// Plus 1 for the first message of a transfer and 2 for the last.
const CMD_I2C_IO: u8 = 4;
const CMD_I2C_IO_LAST: u8 = 7;

const STATUS_ADDRESS_ACK: u8 = 1;
const STATUS_ADDRESS_NAK: u8 = 2;

/// `I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL` of `linux/i2c.h`.
const FUNCTIONALITY: u32 = 0x0eff_0009;

/// Vendor 0403, product c631, one configuration.
const DEVICE_DESCRIPTOR: [u8; 18] =
    [18, 1, 0x10, 0x01, 0xff, 0, 0, 8, 0x03, 0x04, 0x31, 0xc6, 0x05, 0x02, 0, 0, 0, 1];
/// One interface of the vendor's class without endpoints of its own; 100 mA from the bus.
const CONFIGURATION_DESCRIPTOR: [u8; 18] = [9, 2, 18, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xff, 0, 0, 0];

/// The panel, or none while it has no power: power that comes back finds a chip that has forgotten
/// everything.
#[derive(Default)]
pub struct Panel(Option<Ssd1306>);

impl Panel {
    pub fn set_power(&mut self, on: bool) {
        if on != self.0.is_some() {
            self.0 = on.then(|| Ssd1306::new(HEIGHT));
        }
    }

    /// What a viewer sees: 64 lines of 128 `#` (lit) and `.`.
    pub fn seen(&self) -> String {
        let lit = |x, y| self.0.as_ref().is_some_and(|chip| chip.lit(x, y));
        let line =
            |y| (0..WIDTH).map(|x| if lit(x, y) { '#' } else { '.' }).chain(['\n']).collect::<String>();
        (0..HEIGHT).map(line).collect()
    }
}

pub fn lock(panel: &Mutex<Panel>) -> MutexGuard<'_, Panel> {
    panel.lock().expect("no thread panics with the panel in hand")
}

pub struct Adapter {
    panel: Arc<Mutex<Panel>>,
    status: u8,
}

impl Adapter {
    pub fn new(panel: Arc<Mutex<Panel>>) -> Self {
        Self { panel, status: 0 }
    }

    fn transfer(&mut self, setup: &Setup, data: &[u8]) -> Vec<u8> {
        let mut panel = lock(&self.panel);
        let Some(chip) = panel.0.as_mut().filter(|_| setup.index == PANEL_ADDRESS) else {
            self.status = STATUS_ADDRESS_NAK;
            return vec![0; usize::from(setup.length)];
        };
        self.status = STATUS_ADDRESS_ACK;
        if setup.request_type == VENDOR_INTERFACE_IN {
            return vec![chip.read(); usize::from(setup.length)];
        }
        chip.write(data);
        Vec::new()
    }
}

impl Device for Adapter {
    fn descriptors(&self) -> (&[u8], &[u8]) {
        (&DEVICE_DESCRIPTOR, &CONFIGURATION_DESCRIPTOR)
    }

    fn control(&mut self, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (VENDOR_INTERFACE_IN, CMD_GET_FUNC) => Some(FUNCTIONALITY.to_le_bytes().to_vec()),
            (VENDOR_INTERFACE_OUT, CMD_SET_DELAY) => Some(Vec::new()),
            (VENDOR_INTERFACE_IN, CMD_GET_STATUS) => Some(vec![self.status]),
            (VENDOR_INTERFACE_IN | VENDOR_INTERFACE_OUT, CMD_I2C_IO..=CMD_I2C_IO_LAST) => {
                Some(self.transfer(setup, data))
            }
            _ => None,
        }
    }
}
