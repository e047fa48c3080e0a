//! Which I2C buses are tried for a panel, and what is said when none can be had.

use std::io;
use std::path::{Path, PathBuf};

use emotiond::display::bus::{Adapter, adapters, candidates, user_buses};
use emotiond::display::error::DisplayError;

fn adapter((number, name): (u32, &str)) -> Adapter {
    Adapter { path: format!("/dev/i2c-{number}").into(), name: name.to_owned() }
}

#[test]
fn only_the_users_buses_are_tried() {
    let pi = [
        (0, "bcm2835 (i2c@7e205000)"),
        (1, "bcm2835 (i2c@7e804000)"),
        (20, "fef04500.i2c"),
        (22, "i2c-tiny-usb at bus 001 device 004"),
    ];
    let tegra = [0, 1, 2, 7, 8].map(|number| (number, "Tegra I2C adapter"));
    let pc = [
        (0, "SMBus I801 adapter at f040"),
        (1, "i915 gmbus dpa"),
        (2, "NVIDIA i2c adapter 1 at 1:00.0"),
        (3, "AMDGPU DM i2c hw bus 0"),
        (4, "Synopsys DesignWare I2C adapter"),
    ];
    let usb = [
        (0, "SMBus PIIX4 adapter port 0 at 0b00"),
        (1, "MCP2221 usb-i2c bridge"),
        (2, "CH341 I2C USB bus 003 device 005"),
        (3, "CP2112 SMBus Bridge on hidraw0"),
    ];
    type Buses<'a> = &'a [(u32, &'a str)];
    let cases: [(Option<&str>, Buses<'_>, &[u32]); 9] = [
        (Some("Raspberry Pi 4 Model B Rev 1.4"), &pi, &[1, 22]),
        (Some("Raspberry Pi Zero 2 W Rev 1.0"), &pi[..1], &[]),
        (Some("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit"), &tegra, &[7, 1]),
        (Some("NVIDIA Jetson Xavier NX Developer Kit"), &tegra, &[8, 1]),
        (Some("Jetson-AGX"), &tegra, &[8, 1]),
        (Some("NVIDIA Jetson Nano Developer Kit"), &tegra, &[1, 0]),
        (None, &pc, &[]),
        (None, &usb, &[1, 2, 3]),
        (None, &[], &[]),
    ];
    for (model, buses, expected) in cases {
        let adapters: Vec<Adapter> = buses.iter().copied().map(adapter).collect();
        let tried: Vec<PathBuf> =
            user_buses(model, &adapters).iter().map(|adapter| adapter.path.clone()).collect();
        let expected: Vec<PathBuf> =
            expected.iter().map(|number| format!("/dev/i2c-{number}").into()).collect();
        assert_eq!(tried, expected, "{model:?}");
        assert_eq!(candidates(model, &adapters).ok(), Some(tried).filter(|tried| !tried.is_empty()));
    }
}

#[test]
fn adapters_are_read_from_sysfs() {
    let class = tempfile::tempdir().expect("folder");
    for (bus, name) in [("i2c-10", "fef04500.i2c\n"), ("i2c-2", "i2c-tiny-usb at bus 001 device 004\n")] {
        std::fs::create_dir(class.path().join(bus)).expect("folder");
        std::fs::write(class.path().join(bus).join("name"), name).expect("file");
    }
    let expected = [(2, "i2c-tiny-usb at bus 001 device 004"), (10, "fef04500.i2c")].map(adapter);
    assert_eq!(adapters(class.path()), expected);
    assert_eq!(adapters(&class.path().join("missing")), []);
}

#[test]
fn errors_name_cause_and_remedy() {
    let bus = Path::new("/dev/i2c-1");
    let pi = Some("Raspberry Pi 5 Model B Rev 1.0");
    let errno = io::Error::from_raw_os_error;
    let (permission, missing, no_device, remote_io, busy) =
        (errno(13), errno(2), errno(6), errno(121), errno(16));
    let cases: [(DisplayError, &[&str]); 8] = [
        (
            DisplayError::open(bus, permission, pi),
            &["/dev/i2c-1", "ermission denied", "(is the user in group i2c?)"],
        ),
        (
            DisplayError::open(bus, missing, pi),
            &["/dev/i2c-1", "raspi-config", "dtparam=i2c_arm=on", "modprobe i2c-dev"],
        ),
        (candidates(pi, &[]).expect_err("none"), &["no I2C bus", "raspi-config", "modprobe i2c-dev"]),
        (candidates(pi, &[adapter((20, "fef04500.i2c"))]).expect_err("not the header's"), &["raspi-config"]),
        (
            candidates(None, &[adapter((0, "SMBus I801 adapter"))]).expect_err("not the user's"),
            &["/dev/i2c-0 (SMBus I801 adapter)", "display.bus"],
        ),
        (DisplayError::transfer(bus, 0x3c, no_device), &["nothing answers", "0x3c", "/dev/i2c-1", "wiring"]),
        (DisplayError::transfer(bus, 0x3d, remote_io), &["nothing answers", "0x3d"]),
        (DisplayError::transfer(bus, 0x3c, busy), &["/dev/i2c-1", "0x3c", "usy", "kernel driver"]),
    ];
    for (error, parts) in cases {
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{text:?} does not say {part:?}");
        }
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?}");
    }
}
