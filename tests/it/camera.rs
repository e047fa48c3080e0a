//! Cameras as the daemon sees them: replayed photos and films made here, nodes that are no cameras,
//! and the camera thread.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use emotiond::camera::thread::State;
use emotiond::camera::{self, CameraError, list};
use emotiond::config::{self, Pace, Rotation, Source};
use emotiond::media::film::{Film, FilmError, FilmOptions};
use emotiond::media::photo;
use emotiond::vocabulary::frame::{Frame, PixelFormat};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use crate::support::cameras::{Running, children_with, config, next, open_error};

fn replay(path: &Path) -> config::Camera {
    config(Source::Replay(path.to_owned()))
}

/// A photo of one grey level; lossless, so that it can be told from others.
fn write_photo(path: &Path, level: u8) {
    RgbImage::from_pixel(32, 16, Rgb([level; 3])).save(path).expect("photo written");
}

/// Photos of the levels 10, 20, 40 and, as the third, a broken one.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("temporary folder");
    for (name, level) in [("a.png", 10), ("b.PNG", 20), ("d.png", 40)] {
        write_photo(&folder.path().join(name), level);
    }
    let whole = std::fs::read(folder.path().join("a.png")).expect("photo");
    std::fs::write(folder.path().join("c.png"), &whole[..whole.len() / 2]).expect("written");
    std::fs::write(folder.path().join("notes.txt"), "no photo").expect("written");
    folder
}

/// A film of 2 s made by ffmpeg, 25 frames a second, 64x48 pixels.
fn film(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=2"])
        .args(more)
        .arg(&path)
        .status()
        .expect("ffmpeg runs (apt install ffmpeg)");
    assert!(made.success());
    path
}

#[test]
fn nodes_that_are_no_cameras_say_why() {
    let folder = TempDir::new().expect("temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "text").expect("written");
    let cases = [
        (Path::new("/dev/null"), "not a V4L2 device"),
        (&file, "not a V4L2 device"),
        (folder.path(), "not a V4L2 device"),
        (&folder.path().join("video9"), "no such device (is it connected?)"),
    ];
    for (path, reason) in cases {
        let error = open_error(&config(Source::Device(path.to_owned())));
        assert_eq!(error, format!("unable to open {}: {reason}", path.display()));
    }
}

#[test]
fn without_a_camera_auto_says_what_was_tried() {
    let nodes = list::cameras();
    if nodes.iter().any(|camera| camera.problem.is_none()) {
        eprintln!("skipped: this machine has a camera");
        return;
    }
    let error = open_error(&config(Source::Auto));
    assert!(error.starts_with("unable to open any camera: "), "{error}");
    for node in nodes {
        assert!(error.contains(&*node.path.to_string_lossy()), "{error}");
    }
}

#[test]
fn a_still_is_repeated_at_the_configured_rate() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("a.png");
    write_photo(&path, 77);
    let mut camera = camera::open(&config::Camera { repeat: true, ..replay(&path) }).expect("opened");
    let frames: Vec<Frame> = (0..5).map(|_| next(&mut *camera).expect("a frame")).collect();
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!((frame.width, frame.height, frame.format), (32, 16, PixelFormat::Rgb8));
        assert_eq!(frame.sequence, n as u64);
        assert_eq!(frame.captured - frames[0].captured, Duration::from_millis(10) * n as u32);
        assert!(frame.data.iter().all(|value| *value == 77));
    }
    let mut once = camera::open(&replay(&path)).expect("opened");
    assert!(next(&mut *once).is_ok());
    assert!(matches!(next(&mut *once), Err(CameraError::Ended)));
}

#[test]
fn real_time_never_delivers_early() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("a.png");
    write_photo(&path, 1);
    let config = config::Camera { repeat: true, pace: Pace::RealTime, fps: 3, ..replay(&path) };
    let mut camera = camera::open(&config).expect("opened");
    for _ in 0..3 {
        let frame = next(&mut *camera).expect("a frame");
        assert!(Instant::now() >= frame.captured);
    }
}

#[test]
fn a_folder_in_order_without_its_broken_photo() {
    let folder = folder();
    let mut camera = camera::open(&replay(folder.path())).expect("opened");
    let mut seen = Vec::new();
    let mut damaged = Vec::new();
    loop {
        match next(&mut *camera) {
            Ok(frame) => seen.push((frame.data[0], frame.sequence)),
            Err(CameraError::Damaged(reason)) => damaged.push(reason.to_string()),
            Err(error) => {
                assert!(matches!(error, CameraError::Ended), "{error}");
                break;
            }
        }
    }
    assert_eq!(seen, [(10, 0), (20, 1), (40, 3)]);
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].contains("c.png: the PNG is cut short"), "{}", damaged[0]);

    let mut camera = camera::open(&config::Camera { repeat: true, ..replay(folder.path()) }).expect("opened");
    let again: Vec<u8> = (0..8).filter_map(|_| next(&mut *camera).ok()).map(|frame| frame.data[0]).collect();
    assert_eq!(again, [10, 20, 40, 10, 20, 40]);
}

#[test]
fn folders_and_files_that_cannot_be_replayed() {
    let folder = TempDir::new().expect("temporary folder");
    let file = |name: &str, contents: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, contents).expect("written");
        path
    };
    let empty = folder.path().join("sub");
    std::fs::create_dir(&empty).expect("made");
    let cases = [
        (empty, "no photo in this folder"),
        (folder.path().join("missing.jpg"), "No such file"),
        (file("empty.jpg", b""), "the file is empty"),
        (file("text.txt", b"only text, no film"), "neither a photo nor a film"),
        (file("cut.jpg", &[0xff, 0xd8, 0xff, 0xe0]), "the JPEG is cut short"),
    ];
    for (path, reason) in cases {
        let error = open_error(&replay(&path));
        assert!(error.starts_with("unable to open replay ") && error.contains(reason), "{error}");
    }
    let broken = folder.path().join("broken");
    std::fs::create_dir(&broken).expect("made");
    std::fs::write(broken.join("a.png"), b"\x89PNG\r\n\x1a\n").expect("written");
    let mut camera = camera::open(&config::Camera { repeat: true, ..replay(&broken) }).expect("opened");
    assert!(matches!(next(&mut *camera), Err(CameraError::Damaged(_))));
    let error = next(&mut *camera).expect_err("not for ever");
    assert!(
        matches!(&error, CameraError::OnlyDamaged(reason) if reason.to_string().contains("none of the 1 photos")),
        "{error}"
    );
}

#[test]
fn a_progressive_jpeg_cut_anywhere_is_an_error() {
    let bytes = include_bytes!("../data/progressive.jpg");
    assert_eq!(photo::decode(bytes, "p").expect("whole").dimensions(), (24, 24));
    assert!(photo::decode(&[bytes, b"more".as_slice()].concat(), "p").is_ok());
    for end in 0..bytes.len() {
        assert!(photo::decode(&bytes[..end], "p").is_err(), "cut after {end}");
    }
}

#[test]
fn every_frame_of_a_film_with_its_time() {
    let folder = TempDir::new().expect("temporary folder");
    let path = film(folder.path(), "a %d film.mkv", &["-c:v", "ffv1"]);
    let mut film = Film::open(&path, FilmOptions::default()).expect("opened");
    assert_eq!((film.width(), film.height(), film.fps()), (64, 48, 25.0));
    let mut count = 0;
    while let Some(frame) = film.next_frame().expect("whole") {
        assert_eq!((frame.index, frame.time), (count, Duration::from_millis(40) * count as u32));
        assert_eq!(frame.rgb.len(), 64 * 48 * 3);
        count += 1;
    }
    assert_eq!(count, 50);
    assert!(film.next_frame().expect("still the end").is_none());
}

#[test]
fn a_film_starts_again_without_a_gap() {
    let folder = TempDir::new().expect("temporary folder");
    let path = film(folder.path(), "a.mp4", &["-pix_fmt", "yuv420p"]);
    let mut camera = camera::open(&config::Camera { repeat: true, ..replay(&path) }).expect("opened");
    assert!(camera.description().contains("film 64x48 at 25.000/s"), "{}", camera.description());
    let first = next(&mut *camera).expect("a frame");
    for n in 1..120 {
        let frame = next(&mut *camera).expect("a frame");
        assert_eq!(frame.sequence, n);
        assert_eq!(frame.captured - first.captured, Duration::from_millis(40) * n as u32);
    }
    let mut once = camera::open(&replay(&path)).expect("opened");
    let count = std::iter::from_fn(|| next(&mut *once).ok()).count();
    assert_eq!(count, 50);
    assert!(matches!(next(&mut *once), Err(CameraError::Ended)));
}

#[test]
fn a_films_own_rotation_and_the_configured_one() {
    let folder = TempDir::new().expect("temporary folder");
    let path = film(folder.path(), "plain.mp4", &["-pix_fmt", "yuv420p"]);
    let turned = folder.path().join("turned.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&path)
        .args(["-c", "copy", "-metadata:s:v:0", "rotate=90"])
        .arg(&turned)
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
    let film = Film::open(&turned, FilmOptions::default()).expect("opened");
    assert_eq!((film.width(), film.height()), (48, 64));
    let config = config::Camera { rotate: Rotation::Quarter, ..replay(&turned) };
    let frame = next(&mut *camera::open(&config).expect("opened")).expect("a frame");
    assert_eq!((frame.width, frame.height), (64, 48));
}

#[test]
fn a_damaged_film_delivers_what_comes_before_the_damage() {
    let folder = TempDir::new().expect("temporary folder");
    let whole = film(folder.path(), "a.mp4", &["-pix_fmt", "yuv420p", "-g", "5", "-movflags", "faststart"]);
    let bytes = std::fs::read(&whole).expect("film");
    let cut = folder.path().join("cut.mp4");
    std::fs::write(&cut, &bytes[..bytes.len() * 3 / 4]).expect("written");
    let mut film = Film::open(&cut, FilmOptions::default()).expect("opened");
    let error = loop {
        match film.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the end was not noticed to be missing"),
            Err(error) => break error,
        }
    };
    match &error {
        FilmError::Damaged { near, reason } => {
            assert!((Duration::from_millis(500)..Duration::from_secs(2)).contains(near), "{error}");
            assert!(!reason.is_empty() && !reason.contains('\n'), "{error}");
        }
        _ => panic!("{error}"),
    }
    let mut camera = camera::open(&replay(&cut)).expect("opened");
    let count = std::iter::from_fn(|| next(&mut *camera).ok()).count();
    assert!((1..50).contains(&count));
    assert!(matches!(next(&mut *camera), Err(CameraError::Ended)));
    // Without faststart what says how to decode comes last.
    let headless = folder.path().join("headless.mp4");
    let bytes = std::fs::read(film_with_index_at_end(folder.path())).expect("film");
    std::fs::write(&headless, &bytes[..bytes.len() / 2]).expect("written");
    let error = Film::open(&headless, FilmOptions::default()).expect_err("no index").to_string();
    assert!(error.contains("moov atom not found"), "{error}");
}

fn film_with_index_at_end(folder: &Path) -> PathBuf {
    film(folder, "end.mp4", &["-pix_fmt", "yuv420p"])
}

/// Runs only as the child of the test below.
#[test]
#[ignore = "needs a PATH without ffmpeg"]
fn child_without_ffmpeg() {
    let path = std::env::var("FILM").expect("FILM is set");
    let error = open_error(&replay(Path::new(&path)));
    assert!(error.ends_with("ffprobe is not installed (apt install ffmpeg)"), "{error}");
}

#[test]
fn a_missing_ffmpeg_is_named_with_the_remedy() {
    let folder = TempDir::new().expect("temporary folder");
    let path = film(folder.path(), "a.mp4", &["-pix_fmt", "yuv420p"]);
    let output = Command::new(std::env::current_exe().expect("own path"))
        .args(["--ignored", "--exact", "camera::child_without_ffmpeg"])
        .env("PATH", folder.path())
        .env("FILM", &path)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_dropped_film_leaves_no_child() {
    let folder = TempDir::new().expect("temporary folder");
    let path = film(folder.path(), "unique-name-of-a-film.mkv", &["-c:v", "ffv1"]);
    let film = Film::open(&path, FilmOptions::default()).expect("opened");
    assert_eq!(children_with(&path), 1);
    drop(film);
    assert_eq!(children_with(&path), 0);
}

#[test]
fn the_thread_loses_nothing_flat_out_and_ends() {
    let folder = folder();
    let running = Running::start(replay(folder.path()));
    let levels: Vec<u8> = (0..3)
        .map(|_| {
            // Slower than the camera.
            std::thread::sleep(Duration::from_millis(20));
            running.take().data[0]
        })
        .collect();
    assert_eq!(levels, [10, 20, 40]);
    running.wait_for(State::Ended);
    let report = running.links.status.report();
    assert_eq!((report.frames, report.damaged, report.reopened), (3, 1, 0));
    assert!(report.error.is_some_and(|error| error.contains("c.png")));
    assert_eq!(running.links.frames.dropped(), 0);
    running.thread.join().expect("ended by itself");
}

#[test]
fn the_thread_closes_and_opens_with_the_switch() {
    let folder = folder();
    let running = Running::start(config::Camera { repeat: true, ..replay(folder.path()) });
    assert_eq!(running.take().sequence, 0);
    running.take();
    running.wait_for(State::Streaming);
    running.links.enabled.store(false, Ordering::Relaxed);
    running.wait_for(State::Off);
    // At most one frame was in the slot already.
    let _ = running.links.frames.take(Duration::ZERO);
    let frames = running.links.status.report().frames;
    let beats = running.links.pulse.beats();
    while running.links.pulse.beats() < beats + 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(running.links.frames.take(Duration::ZERO).is_none());
    assert_eq!(running.links.status.report().frames, frames);
    running.links.enabled.store(true, Ordering::Relaxed);
    assert_eq!(running.take().sequence, 0, "opened afresh");
    running.wait_for(State::Streaming);
    assert_eq!(running.links.status.report().reopened, 0, "was not lost");
    running.stop();
}

#[test]
fn the_thread_waits_for_an_absent_camera_and_takes_it() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("later.png");
    let running = Running::start(config::Camera { repeat: true, ..replay(&path) });
    running.wait_for(State::Lost);
    assert!(running.links.status.report().error.is_some_and(|error| error.contains("later.png")));
    let made = folder.path().join("made.png");
    write_photo(&made, 9);
    std::fs::rename(&made, &path).expect("moved");
    assert_eq!(running.take().data[0], 9);
    running.wait_for(State::Streaming);
    assert_eq!(running.links.status.report().reopened, 1);
    running.stop();
}

#[test]
fn shutdown_ends_a_thread_that_waits() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("a.png");
    write_photo(&path, 3);
    // Nobody takes the frame.
    let full = Running::start(config::Camera { repeat: true, ..replay(&path) });
    full.wait_for(State::Streaming);
    full.stop();
    // The next frame is due in a second.
    let slow = config::Camera { repeat: true, pace: Pace::RealTime, fps: 1, ..replay(&path) };
    let slow = Running::start(slow);
    slow.take();
    slow.stop();
    let absent = Running::start(replay(&folder.path().join("absent.png")));
    absent.wait_for(State::Lost);
    absent.stop();
}
