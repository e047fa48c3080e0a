//! The real program on photos, datasets and all kinds of bad input.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::program::{emotiond, failure, model_with, portrait, text};

#[test]
fn the_portrait_is_happy() {
    let portrait = portrait();
    let output = emotiond(&["classify", "--json", text(&portrait)]);
    assert!(output.status.success());
    let line = String::from_utf8(output.stdout).expect("UTF-8");
    let start = format!(
        r#"{{"source":{},"frame":0,"time_s":0.0,"width":512,"height":512,"faces":[{{"id":1,"box":{{"x":"#,
        Value::from(text(&portrait))
    );
    assert!(line.starts_with(&start), "{line}");
    let picture: Value = serde_json::from_str(&line).expect("one line of JSON");
    let [face] = &picture["faces"].as_array().expect("faces")[..] else { panic!("{line}") };
    assert_eq!(face["emotion"], "happy");
    let scores = face["scores"].as_object().expect("scores");
    assert_eq!(scores.len(), 8);
    let sum: f64 = scores.values().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < 0.001, "{sum}");
}

#[test]
fn a_bad_photo_is_skipped_and_said() {
    let folder = tempfile::tempdir().expect("folder");
    let empty = folder.path().join("a.jpg");
    fs::write(&empty, "").expect("writes");
    let output = emotiond(&["classify", "--json", text(&empty), text(&portrait())]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8").lines().count(), 1);
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(error.contains("a.jpg: the file is empty"), "{error}");
}

#[test]
fn photos_that_are_none() {
    let folder = tempfile::tempdir().expect("folder");
    let whole = fs::read(portrait()).expect("reads");
    // The size stands in the first chunk: width and height at 16, a CRC at 29.
    let mut huge = whole.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let mut crc = flate2::Crc::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let cases: [(&str, &[u8], &str); 4] = [
        ("empty.png", b"", "the file is empty"),
        ("text.jpg", b"dear diary", "it is no JPEG"),
        ("cut.png", &whole[..whole.len() / 2], "the PNG is cut short"),
        ("huge.png", &huge, "20000x20000 pixels are beyond the limit of 100 megapixels"),
    ];
    for (name, content, reason) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("writes");
        let error = failure(&["classify", text(&path)], 1);
        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
    let error = failure(&["classify", "/nowhere/photo.jpg"], 1);
    assert!(error.starts_with("unable to read /nowhere/photo.jpg"), "{error}");
}

#[test]
fn faces_are_cut_as_the_net_sees_them() {
    let folder = tempfile::tempdir().expect("folder");
    let output = emotiond(&["crop", text(&portrait()), "--out", text(folder.path())]);
    assert!(output.status.success());
    let crop = image::open(folder.path().join("portrait.png")).expect("a picture");
    assert_eq!((crop.width(), crop.height(), crop.color()), (48, 48, image::ColorType::L8));
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 7] = [
        (|sidecar| sidecar["sha256"] = "00".into(), "the sidecar says 00"),
        (|sidecar| sidecar["labels"][0] = "bored".into(), "unknown emotion \"bored\""),
        (|sidecar| sidecar["labels"][0] = "happy".into(), "stands twice"),
        (
            |sidecar| drop(sidecar["labels"].as_array_mut().expect("labels").pop()),
            "8 values, the sidecar 7 labels",
        ),
        (
            |sidecar| sidecar["input"]["width"] = 64.into(),
            "the input has shape [1, 48, 48, 1], the sidecar says [1, 48, 64, 1]",
        ),
        (|sidecar| sidecar["output"]["scale"] = 0.5.into(), "the sidecar says scale 0.5"),
        (|sidecar| sidecar["kind"] = "face-detector".into(), "instead of Emotion"),
    ];
    for (change, reason) in cases {
        let model = model_with(&folder, change);
        let error = failure(&["check", "--set", &format!("classifier.model={}", model.display())], 78);
        assert!(error.contains("mine.json") && error.contains(reason), "{error}");
    }
    let text_file = folder.path().join("text.tflite");
    fs::write(&text_file, "no model").expect("writes");
    let error = failure(&["run", "--set", &format!("classifier.model={}", text_file.display())], 78);
    assert!(error.contains("text.tflite: not a TFLite model"), "{error}");
    let error = failure(&["check", "--set", "classifier.model=/nowhere/x.tflite"], 78);
    assert!(error.contains("unable to read model /nowhere/x.tflite"), "{error}");
    let error = failure(&["check", "--set", "classifier.model=nobody"], 78);
    assert!(error.contains("no model nobody in "), "{error}");
}

#[test]
fn configurations_that_are_wrong_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("mine.toml");
    for (content, reason) in [
        ("[camera]\nwidht = 1\n", "mine.toml:2: camera.widht: unknown key, did you mean width?"),
        ("[camera]\nfps = \"many\"\n", "mine.toml:2: camera.fps: invalid type"),
        ("\n[camera]\nfps = 1000\n", "mine.toml:3: camera.fps: 1000 is out of range (1 to 240)"),
    ] {
        fs::write(&file, content).expect("writes");
        let error = failure(&["run", "--config", text(&file)], 78);
        assert!(error.contains(reason), "{error}");
    }
    let error = failure(&["check", "--config", "/nowhere.toml"], 78);
    assert!(error.starts_with("unable to read configuration /nowhere.toml"), "{error}");
    let error = failure(&["check", "--set", "mqtt.password_file=/nowhere/secret"], 78);
    assert!(error.contains("mqtt.password_file: unable to read /nowhere/secret"), "{error}");
    assert_eq!(emotiond(&["classify"]).status.code(), Some(2), "wrong usage");
    let error = failure(&["people", "list", "--instance", "nowhere"], 78);
    assert!(error.contains("unable to read configuration /etc/emotiond/emotiond@nowhere.toml"), "{error}");
    assert_eq!(emotiond(&["check", "--instance", "a/b"]).status.code(), Some(2), "no instance");
}

#[test]
fn output_that_nobody_reads_or_that_has_no_room_is_no_panic() {
    let run = |command: &mut Command| {
        let output =
            command.args(["devices"]).stderr(Stdio::piped()).spawn().expect("starts").wait_with_output();
        let output = output.expect("ended");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut unread = Command::new(env!("CARGO_BIN_EXE_emotiond"));
    let (reader, writer) = std::io::pipe().expect("pipe");
    drop(reader);
    let (code, said) = run(unread.stdout(writer));
    assert!(code == Some(0) && !said.contains("panicked"), "{code:?} {said}");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let (code, said) = run(Command::new(env!("CARGO_BIN_EXE_emotiond")).stdout(full));
    assert!(code == Some(1) && said.contains("unable to write to standard output: No space left"), "{said}");
}

#[test]
fn a_system_without_files_is_no_bad_configuration() {
    let limited = format!("ulimit -n 6; exec {} run --set mqtt.url=", env!("CARGO_BIN_EXE_emotiond"));
    let output = Command::new("sh").args(["-c", &limited]).output().expect("starts");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn check_lists_all_that_is_wrong() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("mine.toml");
    let content = "\
[classifier]
model = \"/nowhere/x.tflite\"
[mqtt]
url = \"mqtts://house\"
password_file = \"/nowhere/secret\"
ca_file = \"/nowhere/ca.pem\"
[web]
token_file = \"/nowhere/token\"
tls_cert = \"/nowhere/cert.pem\"
tls_key = \"/nowhere/key.pem\"
[[rules.rule]]
name = \"chime\"
min_faces = 1
command = [\"/nowhere/chime\"]
post = \"http://house/\"
token_file = \"/nowhere/rule\"
";
    fs::write(&file, content).expect("writes");
    let output = emotiond(&["check", "--config", text(&file), "--set", "detector.model=/nowhere/y.tflite"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty(), "what is there says little beside what is wrong");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("emotiond: ")).collect();
    let expected = [
        ("emotiond: detector.model: ", "/nowhere/y.tflite"),
        ("mine.toml:2: classifier.model: ", "/nowhere/x.tflite"),
        ("mine.toml:5: ", "mqtt.password_file: unable to read /nowhere/secret"),
        ("mine.toml:6: ", "/nowhere/ca.pem (mqtt.ca_file)"),
        ("mine.toml:8: ", "web.token_file: unable to read /nowhere/token"),
        ("mine.toml:9: ", "/nowhere/cert.pem"),
        ("rule \"chime\"", "/nowhere/rule"),
        ("/nowhere/chime", "rule \"chime\""),
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, (place, what)) in lines.iter().zip(expected) {
        assert!(line.contains(place) && line.contains(what), "{line}");
    }
}

#[test]
fn manual_pages_and_completions_name_every_command() {
    let folder = tempfile::tempdir().expect("folder");
    assert!(emotiond(&["generate", "--out", text(folder.path())]).status.success());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
    let page = read("man/emotiond.1");
    for command in ["run", "check", "devices", "classify", "eval", "crop", "bench", "tls", "mcp", "mqtt"] {
        assert!(page.contains(&format!("emotiond\\-{command}(1)")), "{command}: {page}");
        assert!(read(&format!("man/emotiond-{command}.1")).contains(".SH SYNOPSIS"), "{command}");
        for file in ["emotiond.bash", "emotiond.fish", "_emotiond"] {
            assert!(read(&format!("completions/{file}")).contains(command), "{file}: {command}");
        }
    }
    assert!(!page.contains("generate"), "it is for packages");
    let page = read("man/emotiond.toml.5");
    for line in ["[[rules.rule]]", "\\fBtimeout_s\\fR = 5.0", "[0.5 to 300 seconds]"] {
        assert!(page.contains(line), "{line}: {page}");
    }
}
