//! Runs of `emotiond classify`: stopped, gone on with, chosen from, summed up.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use image::ImageFormat;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::classify::{classify, emotiond, errors, files, film, json_lines, probed, small, stdout, text};
use crate::support::made::{encoded, ffmpeg};
use crate::support::mosquitto::eventually;

fn begin(args: &[&str]) -> Child {
    let child = emotiond().arg("classify").args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    child.expect("starts")
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("sent");
}

#[test]
fn what_is_killed_leaves_the_file_whole_or_absent() {
    let folder = tempfile::tempdir().expect("folder");
    let clip = folder.path().join("clip.mp4");
    film(&clip, 40);
    let cases = [
        (Signal::KILL, false, None),
        (Signal::TERM, false, Some(143)),
        (Signal::HUP, false, Some(129)),
        (Signal::INT, false, Some(130)),
        // At once, not after the frame that is worked on.
        (Signal::INT, true, Some(130)),
    ];
    for (signal, twice, status) in cases {
        let out = tempfile::tempdir().expect("folder");
        let table = out.path().join("t.csv");
        let mut child = begin(&[text(&clip), "--csv", text(&table), "--out", text(out.path())]);
        eventually("the copy is begun", || {
            files(out.path()).iter().any(|file| file.starts_with(".clip.mp4"))
        });
        send(&child, signal);
        if twice {
            send(&child, signal);
        }
        let output = child.wait().expect("ends");
        let left = files(out.path());
        let unfinished = left.iter().any(|name| name.starts_with('.'));
        assert!(left.iter().all(|name| name.starts_with('.') || name == "t.csv"), "{left:?}");
        if let Some(status) = status {
            assert_eq!(output.code(), Some(status));
            assert!(!unfinished, "{left:?}");
        }
        if status.is_some() && !twice {
            let mut said = String::new();
            std::io::Read::read_to_string(&mut child.stderr.take().expect("pipe"), &mut said).expect("reads");
            assert!(said.contains("emotiond: stopped by a signal"), "{said}");
        }
    }
}

#[test]
fn a_stopped_run_goes_on() {
    let folder = tempfile::tempdir().expect("folder");
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).expect("folder");
    for n in 0..3 {
        small().save(photos.join(format!("{n}.png"))).expect("saved");
    }
    let clip = photos.join("9.mp4");
    film(&clip, 40);
    let (table, out) = (folder.path().join("t.csv"), folder.path().join("out"));
    let args = [text(&photos), "--csv", text(&table), "--out", text(&out)];
    let mut child = begin(&args);
    eventually("the film is begun", || files(&out).iter().any(|file| file.starts_with(".9.mp4")));
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let rows = fs::read_to_string(&table).expect("what was done is kept");
    assert_eq!(rows.lines().filter(|row| row.contains(".png")).count(), 3, "{rows}");
    assert_eq!(files(&out), ["0.png", "1.png", "2.png"]);

    let first = fs::metadata(out.join("0.png")).expect("a copy").modified().expect("a time");
    film(&clip, 1);
    let on = classify(&[&args[..], &["--resume"]].concat());
    assert!(on.status.success(), "{:?}", errors(&on));
    let rows = fs::read_to_string(&table).expect("reads");
    assert_eq!(rows.lines().filter(|row| row.contains(".png")).count(), 3, "{rows}");
    assert_eq!(rows.lines().filter(|row| row.contains("9.mp4")).count(), 25, "{rows}");
    assert_eq!(files(&out), ["0.png", "1.png", "2.png", "9.mp4"]);
    let after = fs::metadata(out.join("0.png")).expect("a copy").modified().expect("a time");
    assert_eq!(first, after, "not done again");
    let again = classify(&[&args[..], &["--resume"]].concat());
    assert_eq!((again.status.code(), stdout(&again)), (Some(0), ""), "nothing is left to do");
    assert_eq!(fs::read_to_string(&table).expect("reads"), rows);
}

#[test]
fn outputs_never_replace_inputs_and_leave_nothing_empty() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    small().save(path("a.png")).expect("saved");
    let before = fs::read(path("a.png")).expect("reads");
    for option in ["--csv", "--timeline", "--subtitles"] {
        film(&path("clip.mp4"), 1);
        let output = classify(&[
            text(&path("a.png")),
            text(&path("clip.mp4")),
            option,
            text(&path("a.png")),
            "--force",
        ]);
        assert!(errors(&output)[0].contains("a.png: it is an original"), "{option}: {:?}", errors(&output));
        assert_eq!(fs::read(path("a.png")).expect("reads"), before);
    }
    fs::write(path("no.mp4"), "dear diary").expect("written");
    let (table, plot, vtt) = (path("t.csv"), path("t.png"), path("t.vtt"));
    let options = ["--csv", text(&table), "--timeline", text(&plot), "--subtitles", text(&vtt)];
    let output = classify(&[&[text(&path("no.mp4"))], &options[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(!table.exists() && !plot.exists() && !vtt.exists());

    let output = classify(&[text(&path("clip.mp4")), "--csv", "-"]);
    assert!(stdout(&output).starts_with("source,frame,") && stdout(&output).lines().count() == 26);
    let output = classify(&[text(&path("clip.mp4")), "--csv", "-", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let long = path(&format!("{}.png", "n".repeat(236)));
    small().save(&long).expect("saved");
    let out = path("out");
    let output = classify(&[text(&long), "--out", text(&out)]);
    assert!(output.status.success(), "{:?}", errors(&output));
    assert_eq!(files(&out).len(), 1);
}

#[test]
fn faces_are_chosen_and_summed_up() {
    let folder = tempfile::tempdir().expect("folder");
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).expect("folder");
    small().save(photos.join("smile.png")).expect("saved");
    image::RgbImage::new(64, 64).save(photos.join("dark.png")).expect("saved");
    for name in ["a.xyz", "b.xyz", "c.txt", ".hidden"] {
        fs::write(photos.join(name), "x").expect("written");
    }
    let all = classify(&["--json", text(&photos)]);
    let summary = "2 photos: 1 face (1 happy); 3 files left out: 2 .xyz, 1 .txt";
    assert!(String::from_utf8_lossy(&all.stderr).lines().any(|line| line == summary), "{all:?}");
    let out = folder.path().join("out");
    let happy = classify(&["--json", "--only", "happy", "--out", text(&out), text(&photos)]);
    assert_eq!((json_lines(&happy).len(), files(&out)), (1, vec!["smile.png".to_owned()]));
    assert_eq!(json_lines(&classify(&["--json", "--only", "sad,angry", text(&photos)])).len(), 0);

    let clip = folder.path().join("clip.mp4");
    film(&clip, 2);
    let vtt = folder.path().join("clip.vtt");
    let part = ["--json", "--every", "0.5s", "--from", "0:00.6", "--to", "1.9", "--subtitles", text(&vtt)];
    let frames: Vec<(u64, f64)> = json_lines(&classify(&[&part[..], &[text(&clip)]].concat()))
        .iter()
        .map(|line| (line["frame"].as_u64().expect("a number"), line["time_s"].as_f64().expect("a time")))
        .collect();
    assert_eq!(frames, [(15, 0.6), (25, 1.0), (38, 1.52)]);
    let subtitles = fs::read_to_string(&vtt).expect("reads");
    assert!(
        subtitles.starts_with("WEBVTT\n\n00:00:00.600 --> ") && subtitles.ends_with("\nhappy\n"),
        "{subtitles}"
    );
}

#[test]
fn names_are_told_safely_and_stay_distinct() {
    let folder = tempfile::tempdir().expect("folder");
    for name in [b"n\xfe.png".as_slice(), b"n\xff.png", b"r\x1b[31m.png"] {
        small()
            .save_with_format(folder.path().join(std::ffi::OsStr::from_bytes(name)), ImageFormat::Png)
            .expect("saved");
    }
    let lines = json_lines(&classify(&["--json", text(folder.path())]));
    let name =
        |line: &Value| line["source"].as_str().expect("a name").rsplit('/').next().map(ToOwned::to_owned);
    let names: Vec<_> = lines.iter().filter_map(name).collect();
    assert_eq!(names, ["n\\xfe.png", "n\\xff.png", "r\u{1b}[31m.png"]);
    let output = classify(&[text(folder.path())]);
    assert!(
        !stdout(&output).contains('\u{1b}') && stdout(&output).contains("r\\u{1b}[31m.png: happy"),
        "{output:?}"
    );
    let address = classify(&["https://example.org/a.jpg"]);
    assert!(errors(&address)[0].contains("it is an address, not a file (curl -s "), "{:?}", errors(&address));
}

#[test]
fn pipes_hold_photos_and_films() {
    let folder = tempfile::tempdir().expect("folder");
    let clip = folder.path().join("clip.mkv");
    film(&clip, 1);
    let piped =
        emotiond().args(["classify", "--json", "-"]).stdin(File::open(&clip).expect("opens")).output();
    assert_eq!(json_lines(&piped.expect("runs")).len(), 25);
    let photo = folder.path().join("a.png");
    small().save(&photo).expect("saved");
    let line = format!(
        "{} classify --json <(cat {}) <(cat {})",
        env!("CARGO_BIN_EXE_emotiond"),
        text(&clip),
        text(&photo)
    );
    let output = Command::new("bash").args(["-c", &line]).output().expect("bash runs");
    assert_eq!(json_lines(&output).len(), 26, "{:?}", errors(&output));
}

#[test]
fn a_copy_keeps_times_sound_date_and_colours() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    // Pictures that begin three seconds after the sound, at uneven times; a sound that MP4 does not hold.
    let still = path("still.png");
    small().save(&still).expect("saved");
    let input = ["-loop", "1", "-framerate", "25", "-t", "2", "-i", text(&still)];
    let late = "settb=1/1000,setpts='(3+N*(N+40)/2000)/TB'";
    let (clip, out) = (path("clip.mp4"), path("out"));
    let sound = ["-f", "lavfi", "-t", "6", "-i", "sine=440", "-vf", late, "-fps_mode", "passthrough"];
    let codecs = [
        "-enc_time_base",
        "1:1000",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "flac",
        "-strict",
        "-2",
    ];
    ffmpeg(&[input.as_slice(), &sound, &codecs, &[text(&clip)]].concat());
    let output = classify(&[text(&clip), "--out", text(&out)]);
    assert!(output.status.success(), "{:?}", errors(&output));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("encoded anew, as AAC, because MP4 holds no flac")
    );
    let copy = out.join("clip.mp4");
    assert_eq!((times(&copy), probed(&copy, "a:0", "codec_name").as_str()), (times(&clip), "aac"));
    assert!(times(&copy).len() == 50 && times(&copy)[0] == 3000, "{:?}", times(&copy));

    let jpeg = encoded(small(), ImageFormat::Jpeg);
    let icc = [&[0; 16], b"RGB XYZ ".as_slice(), &[0; 104]].concat();
    let profile = [b"\xff\xe2\0\x90ICC_PROFILE\0\x01\x01".as_slice(), &icc].concat();
    let jpeg = [&jpeg[..2], profile.as_slice(), &jpeg[2..]].concat();
    fs::write(path("p3.jpg"), crate::support::made::with_orientation(&jpeg, 6, 3)).expect("written");
    assert!(classify(&[text(&path("p3.jpg")), "--out", text(&out)]).status.success());
    let copy = fs::read(out.join("p3.jpg")).expect("reads");
    let has = |bytes: &[u8]| copy.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(&icc), "the profile");
    assert!(has(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0"), "the Exif data, upright");
}

/// When each frame is shown, in milliseconds.
fn times(path: &Path) -> Vec<i64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.trim_matches(',').parse::<f64>().ok())
        .map(|time| (time * 1e3).round() as i64)
        .collect()
}
