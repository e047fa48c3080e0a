//! USB devices that are not there: inside a virtual machine this program plays an `i2c-tiny-usb`
//! adapter with an SSD1306 behind it, so that the kernel's own driver makes `/dev/i2c-N`, and a
//! webcam, so that `uvcvideo` makes `/dev/videoN`.
//!
//! ```text
//! vm-usb serve                                   answer the kernel and the commands below until killed
//! vm-usb plug panel                              the adapter with the panel
//! vm-usb plug webcam FORMAT WIDTHxHEIGHT FILE    a webcam that shows the frame in FILE
//! vm-usb unplug panel|webcam
//! vm-usb power on|off                            the panel alone; without power it acknowledges nothing
//! vm-usb show                                    what the panel shows, as text
//! vm-usb png FILE.png                            writes what the panel shows as a picture, four times as large
//! vm-usb compare FILE.png                        the same, and exit 1 where it is not the picture in FILE.png
//! ```

mod panel;
#[path = "../../it/support/ssd1306_model.rs"]
#[allow(dead_code, reason = "shared with tests that look at more of it")]
mod ssd1306_model;
mod usbip;
mod webcam;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::{env, fs, io, thread};

use panel::{Adapter, HEIGHT, Panel, WIDTH};
use usbip::Speed;
use webcam::Webcam;

const SOCKET: &str = "/run/vm-usb.sock";
const PANEL_PORT: u8 = 0;
const WEBCAM_PORT: u8 = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["serve"] => serve().map(|()| true),
        ["show"] => ask("show").map(|seen| {
            print!("{}", as_text(&seen));
            true
        }),
        ["png", path] => save(path).map(|()| true),
        ["compare", path] => compare(path),
        _ => ask(&words.join(" ")).map(|_| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vm-usb {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let panel = Arc::new(Mutex::new(Panel::default()));
    for connection in UnixListener::bind(SOCKET)?.incoming() {
        let mut connection = connection?;
        let mut command = String::new();
        BufReader::new(&connection).read_line(&mut command)?;
        let words: Vec<&str> = command.split_whitespace().collect();
        let answer = obey(&words, &panel).unwrap_or_else(|error| format!("error: {error}"));
        // A client that has gone away does not need its answer.
        let _ = connection.write_all(answer.as_bytes());
    }
    Ok(())
}

fn obey(command: &[&str], panel: &Arc<Mutex<Panel>>) -> io::Result<String> {
    match command {
        ["plug", "panel"] => {
            panel::lock(panel).set_power(true);
            plug(PANEL_PORT, Speed::Full, Adapter::new(Arc::clone(panel)))?;
        }
        ["plug", "webcam", format, size, path] => {
            plug(WEBCAM_PORT, Speed::High, Webcam::new(format, size, fs::read(path)?)?)?;
        }
        ["unplug", "panel"] => {
            usbip::detach(PANEL_PORT)?;
            panel::lock(panel).set_power(false);
        }
        ["unplug", "webcam"] => usbip::detach(WEBCAM_PORT)?,
        ["power", state] => panel::lock(panel).set_power(*state == "on"),
        ["show"] => return Ok(panel::lock(panel).seen()),
        _ => return Err(io::Error::other("unknown command")),
    }
    Ok(String::new())
}

fn plug(port: u8, speed: Speed, mut device: impl usbip::Device + Send + 'static) -> io::Result<()> {
    let stream = usbip::attach(port, speed)?;
    thread::spawn(move || {
        if let Err(error) = usbip::serve(stream, &mut device) {
            eprintln!("vm-usb: device on port {port}: {error}");
        }
    });
    Ok(())
}

/// Sends one command to the serving process and waits for its answer.
fn ask(command: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(SOCKET)?;
    writeln!(stream, "{command}")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.strip_prefix("error: ") {
        Some(error) => Err(io::Error::other(error.to_owned())),
        None => Ok(answer),
    }
}

/// Writes the panel's picture to the PNG file `path`.
fn save(path: &str) -> io::Result<()> {
    const SCALE: u32 = 4;
    let seen = ask("show")?;
    let rows: Vec<&[u8]> = seen.lines().map(str::as_bytes).collect();
    let luma =
        |x: u32, y: u32| if rows[(y / SCALE) as usize][(x / SCALE) as usize] == b'#' { 255 } else { 0 };
    image::GrayImage::from_fn(WIDTH as u32 * SCALE, HEIGHT as u32 * SCALE, |x, y| image::Luma([luma(x, y)]))
        .save(path)
        .map_err(io::Error::other)
}

/// Whether the panel shows the picture in the PNG file `path`; prints the panel, and where they
/// differ the picture, too.
fn compare(path: &str) -> io::Result<bool> {
    let seen = ask("show")?;
    let picture = image::open(path).map_err(io::Error::other)?.to_luma8();
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    let scale = picture.width() / width;
    if scale == 0 || picture.dimensions() != (width * scale, height * scale) {
        return Err(io::Error::other(format!("{path} is no multiple of {width}x{height}")));
    }
    let lit = |x: u32, y: u32| picture.get_pixel(x * scale, y * scale).0[0] > 127;
    let line = |y| (0..width).map(|x| if lit(x, y) { '#' } else { '.' }).chain(['\n']).collect::<String>();
    let expected: String = (0..height).map(line).collect();
    print!("{}", as_text(&seen));
    let differing = seen.chars().zip(expected.chars()).filter(|(a, b)| a != b).count();
    if differing > 0 {
        print!("{differing} pixels differ from {path}:\n{}", as_text(&expected));
    }
    Ok(differing == 0)
}

/// Two lines of `#` and `.` become one of half blocks, about as tall as it is wide on a terminal.
fn as_text(seen: &str) -> String {
    let rows: Vec<&[u8]> = seen.lines().map(str::as_bytes).collect();
    let mut text = String::new();
    for pair in rows.chunks_exact(2) {
        let line: String = pair[0]
            .iter()
            .zip(pair[1])
            .map(|pixels| match pixels {
                (b'#', b'#') => '█',
                (b'#', _) => '▀',
                (_, b'#') => '▄',
                _ => ' ',
            })
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
