//! Panels other than an SSD1306 on I2C: the SH1106, either of them on SPI, and dimming at night. Models decode
//! the bus's bytes.

use std::cell::RefCell;
use std::convert::Infallible;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use embedded_graphics::geometry::Point;
use embedded_hal::digital::{self, OutputPin};
use embedded_hal::i2c::{self, I2c};
use embedded_hal::spi::{self, SpiDevice};
use emotiond::config::{Config, Display, DisplayDriver, DisplaySize, Night};
use emotiond::display::panel::Panel;
use emotiond::display::picture::{Picture, WIDTH};
use emotiond::display::wire::{I2cWire, SpiWire, Wire};
use emotiond::display::{BrokerMark, CameraMark, View, bus, night, screen};
use emotiond::vocabulary::emotion::{Emotion, State};

use crate::support::sh1106_model::Sh1106;
use crate::support::ssd1306_model::Ssd1306;

const SIZES: [DisplaySize; 2] = [DisplaySize::W128H64, DisplaySize::W128H32];
const DRIVERS: [DisplayDriver; 2] = [DisplayDriver::Ssd1306, DisplayDriver::Sh1106];

fn defaults() -> Display {
    Config::parse("", "defaults", &Default::default()).expect("defaults").display
}

fn picture(emotion: Emotion, confidence: f32, size: DisplaySize) -> Picture {
    let state = State::Emotion(emotion);
    let (camera, broker) = (CameraMark::Reading, BrokerMark::Connected);
    screen::picture(&View { state, confidence, faces: 1, person: None, camera, broker }, size, Point::zero())
}

fn pixels(picture: &Picture) -> Vec<Vec<bool>> {
    (0..picture.height()).map(|y| (0..WIDTH).map(|x| picture.lit(x, y)).collect()).collect()
}

enum Controller {
    Ssd1306(Ssd1306),
    Sh1106(Sh1106),
}

/// A panel behind a bus of either kind, and what went over it.
#[derive(Clone)]
struct Module(Rc<RefCell<Inside>>);

struct Inside {
    controller: Controller,
    /// The level of D/C#; without it SPI carries nothing.
    dc: Option<bool>,
    bytes: usize,
}

impl Module {
    fn new(driver: DisplayDriver, height: usize) -> Self {
        let controller = match driver {
            DisplayDriver::Sh1106 => Controller::Sh1106(Sh1106::new(height)),
            _ => Controller::Ssd1306(Ssd1306::new(height)),
        };
        Self(Rc::new(RefCell::new(Inside { controller, dc: None, bytes: 0 })))
    }

    fn take(&self, data: bool, bytes: &[u8]) {
        let state = &mut *self.0.borrow_mut();
        state.bytes += bytes.len();
        match &mut state.controller {
            Controller::Ssd1306(panel) => {
                panel.write(&[[if data { 0x40 } else { 0 }].as_slice(), bytes].concat());
            }
            Controller::Sh1106(panel) if data => bytes.iter().for_each(|byte| panel.data(*byte)),
            Controller::Sh1106(panel) => bytes.iter().for_each(|byte| panel.command(*byte)),
        }
    }

    /// Bytes for the controller since the last call.
    fn bytes(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().bytes)
    }

    fn seen(&self) -> Vec<Vec<bool>> {
        match &self.0.borrow().controller {
            Controller::Ssd1306(panel) => {
                assert_eq!(panel.unknown, [0_u8; 0], "commands that the datasheet knows");
                panel.seen()
            }
            Controller::Sh1106(panel) => {
                assert_eq!(panel.unknown, [0_u8; 0], "commands that the datasheet knows");
                panel.seen()
            }
        }
    }

    fn contrast(&self) -> u8 {
        match &self.0.borrow().controller {
            Controller::Ssd1306(panel) => panel.contrast,
            Controller::Sh1106(panel) => panel.contrast,
        }
    }
}

impl i2c::ErrorType for Module {
    type Error = i2c::ErrorKind;
}

impl I2c for Module {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        assert_eq!(address, 0x3c);
        for operation in operations {
            match operation {
                i2c::Operation::Read(buffer) => buffer.fill(0x40),
                i2c::Operation::Write(bytes) => {
                    assert!(matches!(bytes[0], 0x00 | 0x40) && bytes.len() <= 17, "{bytes:x?}");
                    self.take(bytes[0] == 0x40, &bytes[1..]);
                }
            }
        }
        Ok(())
    }
}

impl spi::ErrorType for Module {
    type Error = Infallible;
}

impl SpiDevice for Module {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), Infallible> {
        for operation in operations {
            let spi::Operation::Write(bytes) = operation else { panic!("only writes: {operation:?}") };
            let data = self.0.borrow().dc.expect("D/C# is set before anything is sent");
            self.take(data, bytes);
        }
        Ok(())
    }
}

/// The line D/C# of a module.
struct Dc(Module);

impl digital::ErrorType for Dc {
    type Error = Infallible;
}

impl OutputPin for Dc {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.0.borrow_mut().dc = Some(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.0.borrow_mut().dc = Some(true);
        Ok(())
    }
}

/// Shows pictures one after the other, and what is seen is what was shown.
fn check<W: Wire<Error: std::fmt::Debug>>(wire: W, module: &Module, config: &Display) {
    let now = Instant::now();
    let mut panel = Panel::open(wire, config).expect("opened");
    assert_eq!(module.bytes(), 0, "nothing is written before there is a picture");
    let mut sent = Vec::new();
    for (emotion, confidence) in
        [(Emotion::Happy, 0.93), (Emotion::Happy, 0.94), (Emotion::Sad, 0.41), (Emotion::Sad, 0.41)]
    {
        let picture = picture(emotion, confidence, config.size);
        panel.show(Some(&picture), now).expect("shown");
        let mut expected = pixels(&picture);
        if config.flip {
            expected.reverse();
            expected.iter_mut().for_each(|row| row.reverse());
        }
        assert!(module.seen() == expected, "{:?} {:?}", config.driver, config.size);
        sent.push(module.bytes());
    }
    assert!(sent[0] > 512 && sent[1] < 100 && sent[3] == 0, "only changes are sent: {sent:?}");
    panel.show(None, now).expect("off");
    assert!(module.seen().concat().iter().all(|lit| !lit), "dark");
}

#[test]
fn every_controller_size_and_way_up_on_either_bus() {
    for driver in DRIVERS {
        for size in SIZES {
            for flip in [false, true] {
                let config = Display { driver, size, flip, ..defaults() };
                let height = Picture::new(size).height();
                let module = Module::new(driver, height);
                check(I2cWire::new(module.clone(), 0x3c), &module, &config);
                let module = Module::new(driver, height);
                check(SpiWire::new(module.clone(), Dc(module.clone())), &module, &config);
            }
        }
    }
}

#[test]
fn it_is_dimmed_at_night() {
    let night = Night { from: 22 * 60, until: 7 * 60, contrast: 3 };
    for driver in DRIVERS {
        let config = Display { driver, contrast: 200, night: Some(night), ..defaults() };
        let module = Module::new(driver, 64);
        let mut panel = Panel::open(I2cWire::new(module.clone(), 0x3c), &config).expect("opened");
        let (picture, now) = (picture(Emotion::Happy, 0.9, config.size), Instant::now());
        for (minute, contrast) in [(21 * 60 + 59, 200), (22 * 60, 3), (0, 3), (7 * 60, 200)] {
            panel.set_contrast(night::contrast(&config, minute));
            panel.show(Some(&picture), now).expect("shown");
            assert_eq!(module.contrast(), contrast, "{driver:?} at minute {minute}");
            assert!(module.seen() == pixels(&picture));
            module.bytes();
            panel.show(Some(&picture), now).expect("shown");
            assert_eq!(module.bytes(), 0, "said once");
        }
    }
}

#[test]
fn what_the_file_may_say_of_a_panel() {
    let parse = |text: &str| {
        Config::parse(&format!("[display]\n{text}"), "t.toml", &Default::default())
            .map(|config| config.display)
    };
    let spi =
        parse("bus = \"/dev/spidev0.0\"\ndc_line = 25\nreset_line = 24").expect("valid").spi.expect("SPI");
    assert_eq!((&*spi.chip, spi.dc_line, spi.reset_line), (Path::new("/dev/gpiochip0"), 25, Some(24)));
    assert_eq!(parse("bus = \"/dev/i2c-1\"").expect("valid").spi, None);
    let cases = [
        ("bus = \"/dev/spidev0.0\"", "t.toml:2: display.bus: a panel on SPI needs display.dc_line"),
        ("dc_line = 5000", "t.toml:2: display.dc_line: 5000 is out of range (-1 to 1023)"),
        ("\nnight = \"22-7\"", "t.toml:3: display.night: \"22-7\" are no night hours (HH:MM-HH:MM"),
        ("night_contrast = 256", "t.toml:2: display.night_contrast: 256 is out of range (0 to 255)"),
    ];
    for (text, message) in cases {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn an_spi_panel_that_cannot_be_had_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let spi = emotiond::config::Spi { chip: folder.path().join("gpiochip9"), dc_line: 25, reset_line: None };
    let open = |path: &Path| {
        let config = Display { bus: Some(path.to_owned()), spi: Some(spi.clone()), ..defaults() };
        bus::open(&config).err().expect("no panel").to_string()
    };
    let missing = open(&folder.path().join("spidev9.0"));
    assert!(missing.contains("spidev9.0: there is no such device (on a Raspberry Pi"), "{missing}");
    let file = folder.path().join("spidev9.1");
    std::fs::write(&file, "").expect("written");
    let error = open(&file);
    assert!(error.contains("spidev9.1: unable to set mode and clock: "), "{error}");
}
