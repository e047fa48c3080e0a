//! An SSD1306 on an I2C bus that is not there: inside a virtual machine this program plays the USB
//! device `i2c-tiny-usb` with the panel behind it, so that the kernel's own driver makes `/dev/i2c-N`.
//!
//! ```text
//! vm-panel serve              plug the adapter in and answer until killed
//! vm-panel plug | unplug      the USB adapter, and with it /dev/i2c-N
//! vm-panel power on | off     the panel alone; without power it acknowledges nothing
//! vm-panel show               what the panel shows, as text
//! vm-panel compare FILE.png   the same, and exit 1 where it is not the picture in FILE.png
//! ```

mod adapter;
#[path = "../../support/ssd1306_model.rs"]
#[allow(dead_code, reason = "shared with tests that look at more of it")]
mod ssd1306_model;
mod usbip;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::{env, fs, io, thread};

use adapter::{Adapter, HEIGHT, Panel, WIDTH};

const SOCKET: &str = "/run/vm-panel.sock";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["serve"] => serve().map(|()| true),
        ["show"] => ask("show").map(|rows| {
            print!("{}", as_text(&rows));
            true
        }),
        ["compare", path] => compare(path),
        _ => ask(&words.join(" ")).map(|_| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vm-panel {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let panel = Arc::new(Mutex::new(Panel::default()));
    plug(&panel)?;
    // A file left by an earlier run would make the address taken.
    let _ = fs::remove_file(SOCKET);
    for connection in UnixListener::bind(SOCKET)?.incoming() {
        let mut connection = connection?;
        let mut command = String::new();
        BufReader::new(&connection).read_line(&mut command)?;
        let answer = obey(command.trim(), &panel).unwrap_or_else(|error| format!("error: {error}"));
        // A client that has gone away does not need its answer.
        let _ = connection.write_all(answer.as_bytes());
    }
    Ok(())
}

fn obey(command: &str, panel: &Arc<Mutex<Panel>>) -> io::Result<String> {
    match command {
        "plug" => plug(panel)?,
        "unplug" => {
            usbip::detach()?;
            lock(panel).set_power(false);
        }
        "power on" => lock(panel).set_power(true),
        "power off" => lock(panel).set_power(false),
        "show" => return Ok(lock(panel).seen()),
        _ => return Err(io::Error::other(format!("unknown command {command:?}"))),
    }
    Ok(String::new())
}

fn plug(panel: &Arc<Mutex<Panel>>) -> io::Result<()> {
    lock(panel).set_power(true);
    let stream = usbip::attach()?;
    let panel = Arc::clone(panel);
    thread::spawn(move || {
        if let Err(error) = usbip::serve(stream, &mut Adapter::new(panel)) {
            eprintln!("vm-panel: {error}");
        }
    });
    Ok(())
}

fn lock(panel: &Mutex<Panel>) -> std::sync::MutexGuard<'_, Panel> {
    panel.lock().expect("no thread panics with the panel in hand")
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

/// Whether the panel shows the picture in the PNG file `path`; prints the panel, and where they
/// differ the picture, too.
fn compare(path: &str) -> io::Result<bool> {
    let shown = ask("show")?;
    let picture = image::open(path).map_err(io::Error::other)?.to_luma8();
    let scale = picture.width() / WIDTH as u32;
    if scale == 0 || (picture.width(), picture.height()) != (WIDTH as u32 * scale, HEIGHT as u32 * scale) {
        return Err(io::Error::other(format!(
            "{path} is {}x{}, no multiple of {WIDTH}x{HEIGHT}",
            picture.width(),
            picture.height()
        )));
    }
    let row = |y: u32| -> String {
        (0..WIDTH as u32)
            .map(|x| if picture.get_pixel(x * scale, y * scale).0[0] > 127 { '#' } else { '.' })
            .chain(['\n'])
            .collect()
    };
    let expected: String = (0..HEIGHT as u32).map(row).collect();
    print!("{}", as_text(&shown));
    let same = shown == expected;
    if !same {
        let differing = shown.chars().zip(expected.chars()).filter(|(a, b)| a != b).count();
        print!("{differing} pixels differ from {path}:\n{}", as_text(&expected));
    }
    Ok(same)
}

/// Two rows of `#` and `.` become one line of half blocks, about as tall as it is wide on a terminal.
fn as_text(rows: &str) -> String {
    let rows: Vec<&[u8]> = rows.lines().map(str::as_bytes).collect();
    let mut text = String::new();
    for pair in rows.chunks_exact(2) {
        text.extend(pair[0].iter().zip(pair[1]).map(|pixels| match pixels {
            (b'#', b'#') => '█',
            (b'#', _) => '▀',
            (_, b'#') => '▄',
            _ => ' ',
        }));
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}
