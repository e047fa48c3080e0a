//! Programs as cameras: real ones that write pictures, and ones that do not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use emotiond::camera::thread::State;
use emotiond::camera::{self, CameraError, list};
use emotiond::config::{self, CommandFormat, Config, Pace, Rotation, Source};
use emotiond::vocabulary::encoding::Encoding;
use tempfile::TempDir;

use crate::support::cameras::{Running, children_with, config, next, open_error, wait_until};

/// The source as a user writes it.
fn command(line: &str) -> config::Camera {
    let overrides = [("camera.source".to_owned(), format!("command:{line}"))].into();
    config(Config::parse("", "test", &overrides).expect("a command").camera.source)
}

fn ffmpeg(input: &str, output: &str) -> config::Camera {
    command(&format!("ffmpeg -nostdin -v error -f lavfi -i '{input}' {output} -"))
}

/// An executable script.
fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    // Through another name, so that it is never run while it is still open for writing.
    let draft = folder.join(format!("{name}.draft"));
    std::fs::write(&draft, format!("#!/bin/sh\n{body}\n")).expect("written");
    std::fs::set_permissions(&draft, PermissionsExt::from_mode(0o755)).expect("executable");
    std::fs::rename(&draft, &path).expect("moved");
    path
}

/// What a program whose camera is lost says.
fn lost(config: &config::Camera) -> String {
    let mut camera = camera::open(config).expect("started");
    loop {
        match next(&mut *camera) {
            Ok(_) | Err(CameraError::Damaged(_)) => {}
            Err(CameraError::Lost(reason)) => return reason.to_string(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn ffmpegs_pictures_in_every_format_are_the_same() {
    let red = "color=c=0xc81e3c:size=64x48:rate=25";
    let raw = |format| CommandFormat::Raw(format);
    let cases = [
        (CommandFormat::Auto, "-c:v mjpeg -q:v 2 -f mjpeg", "MJPEG"),
        (CommandFormat::Auto, "-c:v mjpeg -q:v 2 -f mpjpeg", "MJPEG"),
        (CommandFormat::Auto, "-pix_fmt yuv420p -f yuv4mpegpipe", "YUV4MPEG2"),
        (CommandFormat::Auto, "-pix_fmt yuv422p -f yuv4mpegpipe", "YUV4MPEG2"),
        (CommandFormat::Auto, "-pix_fmt yuv444p -f yuv4mpegpipe", "YUV4MPEG2"),
        (raw(Encoding::Rgb), "-pix_fmt rgb24 -f rawvideo", "raw"),
        (raw(Encoding::Bgr), "-pix_fmt bgr24 -f rawvideo", "raw"),
        (raw(Encoding::Yuyv), "-pix_fmt yuyv422 -f rawvideo", "raw"),
        (raw(Encoding::Uyvy), "-pix_fmt uyvy422 -f rawvideo", "raw"),
        (raw(Encoding::Nv12), "-pix_fmt nv12 -f rawvideo", "raw"),
        (raw(Encoding::I420), "-pix_fmt yuv420p -f rawvideo", "raw"),
    ];
    for (format, output, name) in cases {
        let config = config::Camera { format, width: 64, height: 48, ..ffmpeg(red, output) };
        let mut camera = camera::open(&config).expect("started");
        for number in 0..30 {
            let frame = next(&mut *camera).expect("a frame");
            assert_eq!((frame.width, frame.height, frame.sequence), (64, 48, number), "{output}");
            for (value, expected) in frame.data.iter().zip([200, 30, 60].iter().cycle()) {
                assert!(value.abs_diff(*expected) <= 4, "{output}: {:?}", &frame.data[..3]);
            }
        }
        assert_eq!(camera.description(), format!("command ffmpeg, 64x48 {name}"));
    }
}

#[test]
fn it_is_turned_and_thinned_out_as_others_are() {
    let config = ffmpeg("testsrc=size=64x48:rate=1000", "-c:v mjpeg -f mjpeg");
    let config = config::Camera { rotate: Rotation::Quarter, pace: Pace::RealTime, fps: 5, ..config };
    let mut camera = camera::open(&config).expect("started");
    let numbers = [(); 3].map(|()| {
        let frame = next(&mut *camera).expect("a frame");
        assert_eq!((frame.width, frame.height), (48, 64));
        frame.sequence
    });
    assert!(numbers[0] + 1 < numbers[1] && numbers[1] + 1 < numbers[2], "{numbers:?}");
}

#[test]
fn what_cannot_be_run_is_named() {
    let folder = TempDir::new().expect("temporary folder");
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "text").expect("written");
    let error = open_error(&command("no-such-program --x"));
    assert_eq!(error, "unable to open command no-such-program: there is no such program (is it installed?)");
    let error = open_error(&command(&plain.to_string_lossy()));
    assert!(error.ends_with("it may not be run (is it executable?)"), "{error}");
}

#[test]
fn a_program_that_ends_says_why() {
    let error =
        lost(&command("sh -c 'echo starting >&2; echo no camera at rtsp://u:secret@cam/1 >&2; exit 3'"));
    assert_eq!(error, "command sh: it ended with exit status: 3: no camera at rtsp://cam/1");
    let error = lost(&command("sh -c 'kill -9 $$'"));
    assert!(error.contains("signal: 9"), "{error}");
    // Also after pictures, and with one of them half written.
    let error = lost(&command(
        "sh -c 'ffmpeg -nostdin -v error -f lavfi -i testsrc=size=64x48 -frames:v 3 -f mjpeg - | head -c 5000; exit 7'",
    ));
    assert!(error.starts_with("command sh: it ended with exit status: 7"), "{error}");
}

#[test]
fn what_is_no_picture_is_told() {
    let error = lost(&command("yes 'camera starting'"));
    assert!(error.contains("neither MJPEG nor YUV4MPEG2 but \"camera starting\\n"), "{error}");
    let error = lost(&ffmpeg("testsrc=size=64x48", "-f rawvideo -pix_fmt yuv420p"));
    assert!(error.contains("name its raw format in camera.format"), "{error}");
    let config =
        config::Camera { timeout: Duration::from_millis(500), ..command("sh -c 'echo hello; sleep 1000'") };
    let error = lost(&config);
    assert!(error.contains("but \"hello\\n\""), "{error}");
}

#[test]
fn a_program_that_hangs_is_ended_with_all_that_it_started() {
    let folder = TempDir::new().expect("temporary folder");
    // Deaf to the request to end, and so is what it starts.
    let hang = script(
        folder.path(),
        "hang",
        "trap '' TERM\necho waiting for light >&2\nsh -c \"sleep 1000; : $0\" &\nwait",
    );
    let config = config::Camera { timeout: Duration::from_millis(600), ..command(&hang.to_string_lossy()) };
    assert_eq!(lost(&config), format!("command {}: no frame in 0.6 s: waiting for light", hang.display()));
    // Killed is not gone yet, and what is no child of ours cannot be waited for.
    wait_until(|| children_with(&hang) == 0, || "what it started still runs".to_owned());
}

#[test]
fn the_thread_starts_it_again_and_ends_it() {
    let folder = TempDir::new().expect("temporary folder");
    let flaky = script(
        folder.path(),
        "flaky",
        "exec ffmpeg -nostdin -v error -f lavfi -i testsrc=size=64x48:rate=25 -frames:v 4 -f mjpeg -",
    );
    let running = Running::start(command(&flaky.to_string_lossy()));
    for number in [0, 1, 2, 3, 0, 1] {
        assert_eq!(running.take().sequence, number);
    }
    let report = running.links.status.report();
    assert_eq!(report.reopened, 1);
    assert!(report.error.is_some_and(|error| error.contains("it ended with exit status: 0")));
    running.stop();

    let steady = script(
        folder.path(),
        "steady",
        "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc=size=64x48 -metadata comment=$0 -f mjpeg -",
    );
    let running = Running::start(command(&steady.to_string_lossy()));
    running.take();
    running.wait_for(State::Streaming);
    assert_eq!(children_with(&steady), 1);
    running.links.enabled.store(false, std::sync::atomic::Ordering::Relaxed);
    running.wait_for(State::Off);
    assert_eq!(children_with(&steady), 0, "privacy means that it does not run");
    running.stop();
}

#[test]
fn one_that_comes_and_goes_is_used_again_once_it_lasts() {
    let folder = TempDir::new().expect("temporary folder");
    let starts = folder.path().join("starts");
    let started = || std::fs::read_to_string(&starts).map_or(0, |lines| lines.len());
    // Three starts in a row give four frames, as one with a loose plug.
    let loose = script(
        folder.path(),
        "loose",
        &format!(
            "echo >> {0}; [ $(wc -l < {0}) -gt 3 ] || few='-frames:v 4'\n\
             exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc=size=64x48:rate=25 $few -f mjpeg -",
            starts.display()
        ),
    );
    let running = Running::start(command(&loose.to_string_lossy()));
    let report = || running.links.status.report();
    while started() < 4 {
        running.links.frames.take(Duration::from_millis(10));
    }
    assert_eq!(report().reopened, 1, "only the first return is told of");
    while report().reopened < 2 {
        running.links.frames.take(Duration::from_millis(10));
        assert!(started() <= 4, "{:?}", report());
    }
    assert!(report().error.is_some_and(|error| error.contains("used again after 5 s")));
    running.take();
    running.stop();
}

/// Runs only as the child of the test below.
#[test]
#[ignore = "needs a PATH with a program for a Raspberry Pi's camera"]
fn child_with_a_pi_camera() {
    let config = config::Camera { width: 320, height: 240, fps: 10, ..config(Source::Auto) };
    let mut camera = camera::open(&config).expect("the module is found");
    let frame = next(&mut *camera).expect("a frame");
    assert_eq!((frame.width, frame.height), (320, 240));
    assert!(camera.description().contains("rpicam-vid, 320x240 MJPEG"), "{}", camera.description());
}

/// Runs only as the child of the test below.
#[test]
#[ignore = "needs a PATH with a program that finds no camera"]
fn child_without_a_pi_camera() {
    let error = open_error(&config(Source::Auto));
    let told = error.starts_with("unable to open any camera: ")
        && error.ends_with(": ERROR: *** no cameras available ***");
    assert!(told, "{error}");
}

#[test]
fn auto_takes_a_pi_camera_where_no_device_delivers() {
    if list::cameras().iter().any(|camera| camera.problem.is_none()) {
        eprintln!("skipped: this machine has a camera");
        return;
    }
    let cases = [
        (
            "command::child_with_a_pi_camera",
            // As the real one: only what it knows, and nothing without an output.
            "for word; do case $word in --width=*) w=${word#*=};; --height=*) h=${word#*=};; --framerate=*) f=${word#*=};; \
             --timeout=0|--nopreview|--codec=mjpeg|--flush=1|--output=-) ;; *) echo \"unrecognised option '$word'\" >&2; exit 255;; esac; done\n\
             exec ffmpeg -nostdin -v error -f lavfi -i testsrc=size=${w}x$h:rate=$f -f mjpeg -",
        ),
        ("command::child_without_a_pi_camera", "echo 'ERROR: *** no cameras available ***' >&2; exit 255"),
    ];
    for (child, body) in cases {
        let folder = TempDir::new().expect("temporary folder");
        script(folder.path(), "rpicam-vid", body);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("PATH"));
        let output = Command::new(std::env::current_exe().expect("own path"))
            .args(["--ignored", "--exact", child])
            .env("PATH", path)
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}
