//! The real program on photos, datasets and all kinds of bad input.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn portrait() -> PathBuf {
    let path = repository("third_party/portrait.png");
    assert!(path.is_file(), "{} is missing: run `make test`", path.display());
    path
}

fn emotiond(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emotiond")).args(args).output().expect("emotiond starts")
}

/// The error message, which must be one line, lower case after the program's name.
fn failure(args: &[&str], status: i32) -> String {
    let output = emotiond(args);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("emotiond: ")).collect();
    let [line] = lines[..] else { panic!("{args:?}: {text}") };
    line["emotiond: ".len()..].to_owned()
}

fn json(args: &[&str]) -> Value {
    let output = emotiond(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The shipped emotion model under another name, its sidecar changed.
fn model_with(folder: &TempDir, change: impl FnOnce(&mut Value)) -> PathBuf {
    let model = folder.path().join("mine.tflite");
    fs::copy(repository("models/emotion.tflite"), &model).expect("copies");
    let sidecar = fs::read_to_string(repository("models/emotion.json")).expect("reads");
    let mut sidecar: Value = serde_json::from_str(&sidecar).expect("JSON");
    change(&mut sidecar);
    fs::write(model.with_extension("json"), sidecar.to_string()).expect("writes");
    model
}

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
        ("[camera]\nwidht = 1\n", "mine.toml:2: camera.widht: unknown field"),
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
    assert!(error.contains("/nowhere/secret (mqtt.password_file)"), "{error}");
    assert_eq!(emotiond(&["classify"]).status.code(), Some(2), "wrong usage");
}

/// Four faces of one grey value each: three of PublicTest.
fn dataset() -> (String, String) {
    let face = vec!["128"; 48 * 48].join(" ");
    let faces = format!(
        "emotion,pixels,Usage\n3,{face},Training\n3,{face},PublicTest\n6,{face},PublicTest\n4,{face},PublicTest\n"
    );
    let votes = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n\
        Training,a,0,10,0,0,0,0,0,0,0,0\n\
        PublicTest,b,4,5,1,0,0,0,0,0,0,0\n\
        PublicTest,c,8,0,0,0,0,0,0,0,2,0\n\
        PublicTest,d,3,0,0,3,0,0,0,0,0,0\n";
    (faces, votes.to_owned())
}

#[test]
fn fer2013_is_read_plain_and_compressed_with_votes() {
    let folder = tempfile::tempdir().expect("folder");
    let (faces, votes) = dataset();
    let votes_file = folder.path().join("votes.csv");
    fs::write(&votes_file, votes).expect("writes");
    let plain = folder.path().join("faces.csv");
    fs::write(&plain, &faces).expect("writes");
    let gz = folder.path().join("faces.csv.gz");
    let mut writer =
        flate2::write::GzEncoder::new(fs::File::create(&gz).expect("file"), flate2::Compression::fast());
    writer.write_all(faces.as_bytes()).and_then(|()| writer.finish().map(drop)).expect("writes");
    let xz = folder.path().join("faces.csv.xz");
    let mut writer = liblzma::write::XzEncoder::new(fs::File::create(&xz).expect("file"), 1);
    writer.write_all(faces.as_bytes()).and_then(|()| writer.finish().map(drop)).expect("writes");

    for csv in [&plain, &gz, &xz] {
        let all = json(&["eval", text(csv), "--json"]);
        assert_eq!(all["samples"], 4);
        // Of PublicTest's three, 5 of 9 votes are happy, 8 of 10 neutral, and 3 to 3 is none.
        let judged =
            json(&["eval", text(csv), "--json", "--split", "PublicTest", "--votes", text(&votes_file)]);
        assert_eq!(judged["samples"], 2);
        assert_eq!(judged["per_class"]["happy"]["support"], 1);
        assert_eq!(judged["per_class"]["neutral"]["support"], 1);
        let two = json(&["eval", text(csv), "--json", "--labels", "happy,sad"]);
        assert_eq!((&two["samples"], &two["skipped"]), (&3.into(), &1.into()));
        assert_eq!(two["confusion"]["labels"], serde_json::json!(["happy", "sad"]));
    }
}

#[test]
fn datasets_that_are_damaged_are_named_by_row() {
    let folder = tempfile::tempdir().expect("folder");
    let (faces, votes) = dataset();
    let file = folder.path().join("faces.csv");
    let cases = [
        (faces.replacen("128 128 128 ", "128 ", 1), "faces.csv, row 1: 2302 pixels instead of 2304"),
        (faces.replacen("\n6,", "\n9,", 1), "faces.csv, row 3: emotion 9 is none of 0 to 6"),
        (faces.replacen(" 128,Pub", " 300,Pub", 1), "faces.csv, row 2: pixel \"300\" is none of 0 to 255"),
        (
            faces.replacen("pixels", "points", 1),
            "faces.csv: its first row is \"emotion,points,Usage\", neither FER2013's",
        ),
    ];
    for (content, reason) in cases {
        fs::write(&file, content).expect("writes");
        let error = failure(&["eval", text(&file)], 1);
        assert!(error.contains(reason), "{error}");
    }
    fs::write(&file, faces).expect("writes");
    let error = failure(&["eval", text(&file), "--split", "Exam"], 1);
    assert!(error.contains("no rows of split \"Exam\" (it holds PublicTest, Training)"), "{error}");
    let votes_file = folder.path().join("votes.csv");
    fs::write(&votes_file, votes.lines().take(3).collect::<Vec<_>>().join("\n")).expect("writes");
    let error = failure(&["eval", text(&file), "--votes", text(&votes_file)], 1);
    assert!(error.contains("votes.csv, row 3: the file ends before the faces do"), "{error}");
}

#[test]
fn the_shipped_model_is_as_good_as_its_card_says() {
    let Some(data) = std::env::var_os("EMOTIOND_TEST_DATA").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "EMOTIOND_TEST_DATA must be set in CI");
        eprintln!("SKIPPED: EMOTIOND_TEST_DATA is not set");
        return;
    };
    let (faces, votes) = (data.join("fer2013/fer2013.csv.xz"), data.join("fer2013/fer2013new.csv"));
    let report = json(&["eval", text(&faces), "--json", "--split", "PublicTest", "--votes", text(&votes)]);
    assert_eq!(report["samples"], 3199);
    let accuracy = report["accuracy"].as_f64().expect("a number");
    assert!(accuracy >= 0.85, "{accuracy}");
    assert!(report["ece"].as_f64().expect("a number") <= 0.03, "{report}");
}
