//! The display against a model of the panel that decodes the bus's bytes, and against pictures.
//!
//! `EMOTIOND_BLESS=1` writes the pictures anew: look at them before they are committed.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use embedded_graphics::geometry::Point;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use emotiond::base::latest::Latest;
use emotiond::base::part::Part;
use emotiond::base::shutdown::Shutdown;
use emotiond::config::{Config, Display, DisplayDriver, DisplaySize};
use emotiond::display::panel::{CHECK, Panel, REFRESH};
use emotiond::display::picture::Picture;
use emotiond::display::policy::{Policy, SHIFTS, Showing};
use emotiond::display::wire::I2cWire;
use emotiond::display::{self, BrokerMark, CameraMark, Caption, Status, View, preview, screen};
use emotiond::vocabulary::emotion::{Emotion, State};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{GrayImage, Luma, RgbImage};

use crate::support::ssd1306_model::Ssd1306;

const SIZES: [DisplaySize; 3] = [DisplaySize::W128H64, DisplaySize::W128H32, DisplaySize::W64H128];

fn config(size: DisplaySize) -> Display {
    let mut config = Config::parse("", "defaults", &Default::default()).expect("defaults").display;
    config.size = size;
    config
}

const fn happy() -> View {
    View {
        state: State::Emotion(Emotion::Happy),
        confidence: 0.93,
        faces: 1,
        person: None,
        camera: CameraMark::Reading,
        broker: BrokerMark::Connected,
    }
}

fn upright(view: &View, size: DisplaySize) -> Picture {
    screen::picture(view, size, Point::zero())
}

/// The screens that the pictures in `golden` show, by name.
fn screens() -> Vec<(String, View)> {
    let states = Emotion::ALL.map(State::Emotion).into_iter().chain([State::Uncertain, State::None]);
    let mut screens: Vec<(String, View)> = states
        .map(|state| {
            let (confidence, faces) = match state {
                State::Emotion(emotion) => (0.97 - 0.06 * f32::from(emotion as u8), 1),
                State::Uncertain => (0.31, 1),
                State::None => (0.0, 0),
            };
            (state.name().to_owned(), View { state, confidence, faces, ..happy() })
        })
        .collect();
    let nothing = View { broker: BrokerMark::Away, ..View::default() };
    screens.extend([
        ("several-faces".to_owned(), View { faces: 3, confidence: 1.0, ..happy() }),
        ("person".to_owned(), View { person: Some(Caption::new("Anna-Katharina")), faces: 2, ..happy() }),
        (
            "person-long".to_owned(),
            View { person: Some(Caption::new("Maximilian Ördög-Wiśniewski")), ..happy() },
        ),
        ("person-greek".to_owned(), View { person: Some(Caption::new("Ελένη Παπαδοπούλου")), ..happy() }),
        ("person-cyrillic".to_owned(), View { person: Some(Caption::new("Володимир")), ..happy() }),
        ("broker-away".to_owned(), View { broker: BrokerMark::Away, ..happy() }),
        ("broker-off".to_owned(), View { broker: BrokerMark::Off, ..happy() }),
        ("starting".to_owned(), nothing),
        ("camera-lost".to_owned(), View { camera: CameraMark::Lost, ..happy() }),
        ("camera-damaged".to_owned(), View { camera: CameraMark::Damaged, ..happy() }),
        ("camera-off".to_owned(), View { camera: CameraMark::Off, ..nothing }),
    ]);
    screens
}

/// A bus with a panel on it that keeps count, and fails when told to.
#[derive(Clone)]
struct Bus(Rc<RefCell<Wire>>);

struct Wire {
    address: u8,
    panel: Ssd1306,
    /// Bytes on the bus, address bytes included.
    bytes: usize,
    writes: usize,
    /// The write with this number breaks off in the middle.
    fails_at: Option<usize>,
}

impl Bus {
    fn new(height: usize) -> Self {
        let panel = Ssd1306::new(height);
        Self(Rc::new(RefCell::new(Wire { address: 0x3c, panel, bytes: 0, writes: 0, fails_at: None })))
    }

    /// Bytes since the last call.
    fn bytes(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().bytes)
    }

    fn seen(&self) -> Vec<Vec<bool>> {
        let wire = self.0.borrow();
        assert_eq!(wire.panel.unknown, [0_u8; 0], "commands that the datasheet knows");
        wire.panel.seen()
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let wire = &mut *self.0.borrow_mut();
        if address != wire.address {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Read(buffer) => buffer.fill(wire.panel.read()),
                Operation::Write(bytes) => {
                    wire.writes += 1;
                    wire.bytes += 1 + bytes.len();
                    if wire.fails_at == Some(wire.writes) {
                        wire.panel.write(&bytes[..bytes.len() / 2 + 1]);
                        return Err(ErrorKind::Bus);
                    }
                    wire.panel.write(bytes);
                }
            }
        }
        Ok(())
    }
}

fn pixels(picture: &Picture) -> Vec<Vec<bool>> {
    let row = |y| (0..picture.width()).map(|x| picture.lit(x, y)).collect();
    (0..picture.height()).map(row).collect()
}

/// What is seen on a panel that is mounted as its size says: on end it stands on its left edge.
fn viewed(bus: &Bus, size: DisplaySize) -> Vec<Vec<bool>> {
    let seen = bus.seen();
    match size {
        DisplaySize::W64H128 => {
            (0..seen[0].len()).rev().map(|column| seen.iter().map(|row| row[column]).collect()).collect()
        }
        _ => seen,
    }
}

fn open(bus: &Bus, config: &Display) -> Panel<I2cWire<Bus>> {
    Panel::open(I2cWire::new(bus.clone(), config.address), config).expect("a panel answers")
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn blessed() -> bool {
    std::env::var_os("EMOTIOND_BLESS").is_some()
}

#[test]
fn every_screen_reaches_the_viewer_as_the_golden_picture() {
    for size in SIZES {
        for (name, view) in screens() {
            let picture = upright(&view, size);
            let bus = Bus::new(picture.rows());
            open(&bus, &config(size)).show(Some(&picture), Instant::now()).expect("shown");
            let seen = viewed(&bus, size);
            let (width, height) = (seen[0].len(), seen.len());
            let image = GrayImage::from_fn(width as u32, height as u32, |x, y| {
                Luma([if seen[y as usize][x as usize] { 255 } else { 0 }])
            });
            let path = root(&format!("tests/golden/{width}x{height}-{name}.png"));
            if blessed() {
                image.save(&path).expect("written");
            }
            let golden = image::open(&path).expect("golden picture").to_luma8();
            assert!(golden == image, "{} differs from what is shown", path.display());
        }
    }
}

#[test]
fn no_two_screens_are_alike() {
    for size in SIZES {
        let pictures: Vec<_> =
            screens().into_iter().map(|(name, view)| (name, upright(&view, size))).collect();
        for (index, (name, picture)) in pictures.iter().enumerate() {
            for (other, different) in &pictures[..index] {
                assert_ne!(picture, different, "{name} and {other}");
            }
        }
    }
}

/// The README's picture.
#[test]
fn contact_sheet() {
    const MARGIN: u32 = 12;
    const COLUMNS: u32 = 3;
    let path = root("docs/display.png");
    let shown = screens().into_iter().filter(|(name, _)| !name.starts_with("broker") && name != "starting");
    let screens: Vec<RgbImage> = shown
        .filter(|(name, _)| {
            name != "several-faces" && !name.starts_with("person") && name != "camera-damaged"
        })
        .map(|(_, view)| image::load_from_memory(&view.png(DisplaySize::W128H64)).expect("PNG").to_rgb8())
        .collect();
    assert_eq!(screens.len(), 12);
    let (width, height) = screens[0].dimensions();
    let rows = screens.len() as u32 / COLUMNS;
    let mut sheet = RgbImage::from_pixel(
        COLUMNS * (width + MARGIN) + MARGIN,
        rows * (height + MARGIN) + MARGIN,
        image::Rgb([38, 41, 48]),
    );
    for (index, screen) in (0..).zip(&screens) {
        let x = MARGIN + index % COLUMNS * (width + MARGIN);
        let y = MARGIN + index / COLUMNS * (height + MARGIN);
        image::imageops::replace(&mut sheet, screen, x.into(), y.into());
    }
    if blessed() {
        let file = std::fs::File::create(&path).expect("written");
        let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::NoFilter);
        sheet.write_with_encoder(encoder).expect("written");
    }
    assert!(image::open(&path).expect("docs/display.png").to_rgb8() == sheet, "the README's picture is old");
}

#[test]
fn no_shift_cuts_anything() {
    for size in SIZES {
        for (name, view) in screens() {
            let still = upright(&view, size);
            for shift in SHIFTS {
                let moved = screen::picture(&view, size, shift);
                let count = |picture| pixels(picture).concat().into_iter().filter(|lit| *lit).count();
                assert_eq!(count(&still), count(&moved), "{name} shifted by {shift}");
                assert!(count(&still) > 100, "{name} is empty");
            }
        }
    }
}

#[test]
fn flipped_is_upside_down() {
    for size in SIZES {
        let picture = upright(&happy(), size);
        let bus = Bus::new(picture.rows());
        let config = Display { flip: true, contrast: 7, ..config(size) };
        open(&bus, &config).show(Some(&picture), Instant::now()).expect("shown");
        let mut expected = pixels(&picture);
        expected.reverse();
        expected.iter_mut().for_each(|row| row.reverse());
        assert_eq!(viewed(&bus, size), expected);
        assert_eq!(bus.0.borrow().panel.contrast, 7);
    }
}

#[test]
fn only_changes_are_sent() {
    let size = DisplaySize::W128H64;
    let (bus, now) = (Bus::new(64), Instant::now());
    let mut panel = open(&bus, &config(size));
    let mut cost = |view: &View| {
        let picture = upright(view, size);
        panel.show(Some(&picture), now).expect("shown");
        assert_eq!(bus.seen(), pixels(&picture));
        bus.bytes()
    };
    let first = cost(&happy());
    assert!((1024..=1250).contains(&first), "set up and drawn: {first} bytes");
    assert_eq!(cost(&happy()), 0);
    let confidence = cost(&View { confidence: 0.91, ..happy() });
    assert!(confidence <= 80, "confidence: {confidence} bytes");
    // Marks in one corner, the percentage in another: not the box around both.
    let distant = cost(&View { confidence: 0.88, broker: BrokerMark::Away, ..happy() });
    assert!(distant <= 120, "confidence and broker: {distant} bytes");
    let sad = cost(&View { state: State::Emotion(Emotion::Sad), ..happy() });
    assert!(sad < first, "another emotion: {sad} bytes");
    eprintln!("bytes: first {first}, confidence {confidence}, two places {distant}, emotion {sad}");
}

#[test]
fn any_transfer_may_break_off() {
    let size = DisplaySize::W128H64;
    let now = Instant::now();
    let sad = upright(&View { state: State::Emotion(Emotion::Sad), ..happy() }, size);
    let writes = {
        let bus = Bus::new(64);
        let mut panel = open(&bus, &config(size));
        for picture in [&upright(&happy(), size), &sad] {
            panel.show(Some(picture), now).expect("shown");
        }
        bus.0.borrow().writes
    };
    assert!(writes > 80);
    for fails_at in 1..=writes {
        let bus = Bus::new(64);
        bus.0.borrow_mut().fails_at = Some(fails_at);
        let mut panel = open(&bus, &config(size));
        let shown =
            panel.show(Some(&upright(&happy(), size)), now).and_then(|()| panel.show(Some(&sad), now));
        assert_eq!(shown, Err(ErrorKind::Bus), "write {fails_at}");
        panel.show(Some(&sad), now).expect("shown");
        assert_eq!(bus.seen(), pixels(&sad), "after write {fails_at} broke off");
    }
}

#[test]
fn a_panel_that_lost_its_power_unnoticed_comes_back() {
    let (size, now) = (DisplaySize::W128H32, Instant::now());
    let picture = upright(&happy(), size);
    let bus = Bus::new(32);
    let mut panel = open(&bus, &config(size));
    panel.show(Some(&picture), now).expect("shown");
    bus.0.borrow_mut().panel.power_cycle();
    panel.show(Some(&picture), now).expect("shown");
    assert_ne!(bus.seen(), pixels(&picture));
    panel.show(Some(&picture), now + REFRESH).expect("shown");
    assert_eq!(bus.seen(), pixels(&picture));
}

#[test]
fn a_panel_that_went_away_is_missed_though_nothing_changes() {
    let (size, now) = (DisplaySize::W128H64, Instant::now());
    let picture = upright(&happy(), size);
    for shown in [Some(&picture), None] {
        let bus = Bus::new(64);
        let mut panel = open(&bus, &config(size));
        panel.show(shown, now).expect("shown");
        bus.0.borrow_mut().address = 0x3d;
        panel.show(shown, now).expect("not asked yet");
        let missed = panel.show(shown, now + CHECK);
        assert_eq!(missed, Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)));
    }
}

#[test]
fn off_and_on_again() {
    let (size, now) = (DisplaySize::W128H64, Instant::now());
    let picture = upright(&happy(), size);
    let bus = Bus::new(64);
    let mut panel = open(&bus, &config(size));
    panel.show(Some(&picture), now).expect("shown");
    bus.bytes();
    panel.show(None, now).expect("off");
    assert!(!bus.0.borrow().panel.on);
    assert_eq!(bus.bytes(), 3);
    panel.show(None, now).expect("still off");
    assert_eq!(bus.bytes(), 0);
    panel.show(Some(&picture), now).expect("on");
    assert_eq!(bus.seen(), pixels(&picture));
}

#[test]
fn nothing_is_written_where_nothing_answers() {
    let bus = Bus::new(64);
    bus.0.borrow_mut().address = 0x3d;
    let config = config(DisplaySize::W128H64);
    let opened = Panel::open(I2cWire::new(bus.clone(), config.address), &config).map(|_| ());
    assert_eq!(opened, Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)));
    assert_eq!(bus.0.borrow().writes, 0);
}

#[test]
fn blank_without_a_face_and_awake_at_once() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut policy = Policy::new(&config(DisplaySize::W128H64), start);
    let nobody = View { state: State::None, ..happy() };
    let lost = View { camera: CameraMark::Lost, ..nobody };
    let blank = |showing| showing == Showing::Blank;
    assert!(!blank(policy.step(&nobody, at(0))));
    assert!(!blank(policy.step(&nobody, at(299))));
    assert!(blank(policy.step(&nobody, at(300))));
    assert!(!blank(policy.step(&happy(), at(301))), "a face wakes");
    assert!(!blank(policy.step(&nobody, at(600))));
    assert!(blank(policy.step(&nobody, at(601))));
    assert!(!blank(policy.step(&lost, at(602))), "the camera's state wakes");
    assert!(blank(policy.step(&lost, at(902))));
    let never = Display { blank_after: None, ..config(DisplaySize::W128H64) };
    assert!(!blank(Policy::new(&never, start).step(&nobody, at(1_000_000))));
}

#[test]
fn the_picture_moves_by_a_pixel_each_minute() {
    let start = Instant::now();
    let mut policy = Policy::new(&config(DisplaySize::W128H64), start);
    for round in 0..2 {
        for (index, shift) in (0..).zip(SHIFTS) {
            let minute = round * SHIFTS.len() as u64 + index;
            for second in [0, 59] {
                let now = start + Duration::from_secs(60 * minute + second);
                assert_eq!(policy.step(&happy(), now), Showing::Shifted(shift));
            }
        }
    }
    for (from, to) in SHIFTS.iter().zip(SHIFTS.iter().cycle().skip(1)) {
        let step = *to - *from;
        assert!(step.x.abs() <= 1 && step.y.abs() <= 1 && step != Point::zero());
    }
}

#[test]
fn half_blocks_show_two_rows() {
    let picture = upright(&happy(), DisplaySize::W128H32);
    let text = preview::text(&picture);
    let rows: Vec<Vec<bool>> = text
        .lines()
        .flat_map(|line| [['▀', '█'], ['▄', '█']].map(|lit| line.chars().map(|c| lit.contains(&c)).collect()))
        .collect();
    assert_eq!(rows, pixels(&picture));
    assert!(preview::terminal(&picture, true).starts_with("\x1b[2J"));
    assert!(preview::terminal(&picture, false).contains(&text));
}

/// The thread as the daemon runs it, on a machine whose panel is missing.
#[test]
fn the_thread_writes_the_png_and_ends_dark() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("panel.png");
    let config = Display {
        driver: DisplayDriver::Ssd1306,
        bus: Some(folder.path().join("i2c-9")),
        preview_png: Some(path.clone()),
        ..config(DisplaySize::W128H32)
    };
    let (views, status, shutdown) = (Latest::default(), Arc::new(Status::default()), Shutdown::default());
    let thread = Part::spawn("display", {
        let (views, status, shutdown) = (views.clone(), Arc::clone(&status), shutdown.clone());
        move |pulse| display::run(config, views, false, status, shutdown, pulse)
    })
    .expect("a thread");
    let written = |png: &[u8]| std::fs::read(&path).is_ok_and(|found| found == png);
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait("the first screen", &|| written(&View::default().png(DisplaySize::W128H32)));
    views.put(happy());
    wait("the view", &|| written(&happy().png(DisplaySize::W128H32)));
    wait("the panel's trouble", &|| {
        status.last_error().is_some_and(|error| error.contains("i2c-9") && error.contains("modprobe i2c-dev"))
    });
    let beats = thread.beats();
    wait("the heartbeat", &|| thread.beats() > beats);
    assert_eq!((status.panel(), status.errors()), (None, 0));
    shutdown.request();
    thread.join().expect("the thread ends well");
    assert!(written(&preview::png(&Picture::new(DisplaySize::W128H32))));
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1, "no temporary file is left");
}
