//! `emotiond eval`: the real program on datasets of every form, and on all that can be wrong with them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{emotiond, failure, model_with, portrait, text};

fn figures(args: &[&str]) -> Value {
    let output = emotiond(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else")
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

    let zip = folder.path().join("faces.zip");
    let mut writer = zip::ZipWriter::new(fs::File::create(&zip).expect("file"));
    writer.start_file("fer2013/faces.csv", zip::write::SimpleFileOptions::default()).expect("starts");
    writer.write_all(faces.as_bytes()).expect("writes");
    writer.finish().expect("ends");

    for csv in [&plain, &gz, &xz, &zip] {
        let all = figures(&["eval", text(csv), "--json"]);
        assert_eq!(all["samples"], 4);
        // Of PublicTest's three, 5 of 9 votes are happy, 8 of 10 neutral, and 3 to 3 is none.
        let judged =
            figures(&["eval", text(csv), "--json", "--split", "PublicTest", "--votes", text(&votes_file)]);
        assert_eq!(judged["samples"], 2);
        assert_eq!(judged["per_class"]["happy"]["support"], 1);
        assert_eq!(judged["per_class"]["neutral"]["support"], 1);
        let two = figures(&["eval", text(csv), "--json", "--labels", "happy,sad"]);
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
            faces[..faces.len() - 5].to_owned(),
            "faces.csv, row 4: usage \"Public\" is \"PublicTest\" cut short",
        ),
        (faces[..faces.len() - 40].to_owned(), "faces.csv, row 4: 2 fields instead of 3 (is the file cut"),
        (String::new(), "faces.csv: the file is empty"),
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
    fs::write(&votes_file, votes.clone() + "PublicTest,e,10,0,0,0,0,0,0,0,0,0\n").expect("writes");
    let error = failure(&["eval", text(&file), "--votes", text(&votes_file)], 1);
    assert!(error.contains("votes.csv: it has 5 rows, more than the 4 of the faces"), "{error}");
    fs::write(&votes_file, votes.replacen("\nTraining", "\nPublicTest", 1)).expect("writes");
    let error = failure(&["eval", text(&file), "--votes", text(&votes_file)], 1);
    assert!(error.contains("votes.csv, row 1: votes for a face of PublicTest"), "{error}");
}

#[test]
fn compressed_files_that_are_damaged_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    let (faces, _) = dataset();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gz.write_all(faces.as_bytes()).expect("writes");
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(faces.as_bytes()).expect("writes");
    let (gz, xz) = (gz.finish().expect("ends"), xz.finish().expect("ends"));
    let mut flipped = xz.clone();
    flipped[xz.len() / 2] ^= 0x55;
    let cases = [
        ("cut.csv.gz", &gz[..gz.len() / 2]),
        ("cut.csv.xz", &xz[..xz.len() / 2]),
        ("flipped.csv.xz", &flipped[..]),
        ("broken.zip", b"PK\x03\x04 and no more".as_slice()),
    ];
    for (name, content) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("writes");
        let error = failure(&["eval", text(&path)], 1);
        assert!(error.contains(name) && error.contains("copy it again"), "{error}");
    }
}

/// A smiling face, 48×48, and a grey picture without one.
fn pictures(folder: &Path) -> (PathBuf, PathBuf) {
    let cut = emotiond(&["crop", text(&portrait()), "--out", text(folder)]);
    assert!(cut.status.success());
    let smile = folder.join("smile.png");
    fs::rename(folder.join("portrait.png"), &smile).expect("renames");
    let grey = folder.join("grey.png");
    image::GrayImage::from_pixel(200, 200, image::Luma([128])).save(&grey).expect("writes");
    (smile, grey)
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

#[test]
fn class_folders_with_all_that_can_be_odd_in_them() {
    let folder = tempfile::tempdir().expect("folder");
    let (smile, _) = pictures(folder.path());
    let data = folder.path().join("test");
    for class in ["joy/S010", "anger", "fear", "bored"] {
        fs::create_dir_all(data.join(class)).expect("folder");
    }
    for path in ["joy/a.png", "joy/S010/b.PNG", "anger/c.png", "bored/d.png"] {
        fs::copy(&smile, data.join(path)).expect("copies");
    }
    fs::write(data.join("joy/notes.txt"), "no picture").expect("writes");
    let whole = figures(&["eval", text(folder.path()), "--split", "test", "--json"]);
    assert_eq!(whole["confusion"]["labels"], json!(["angry", "fear", "happy"]));
    assert_eq!(whole["confusion"]["rows"], json!([[0, 0, 1], [0, 0, 0], [0, 0, 2]]));
    assert_eq!(
        (&whole["samples"], &whole["accuracy"], &whole["skipped"]),
        (&3.into(), &0.6667.into(), &1.into())
    );

    fs::write(data.join("anger/empty.png"), "").expect("writes");
    symlink(&data, data.join("anger/loop")).expect("links");
    symlink("nowhere.png", data.join("anger/lost.png")).expect("links");
    let output = emotiond(&["eval", text(&data), "--json"]);
    assert_eq!(output.status.code(), Some(1), "something was skipped");
    let damaged: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&damaged["samples"], &damaged["skipped"]), (&3.into(), &4.into()));
    for message in [
        "class folders, 4 samples; pictures are faces already (--crops, the default for this format)",
        "left out, because no emotion is called so: folder bored (1 pictures)",
        "class fear is empty",
        "left out, because the data does not know it: disgust, sad, surprise, neutral, contempt",
        "empty.png: the file is empty",
        "anger/loop: a link back to",
        "lost.png: a broken link",
    ] {
        assert!(stderr(&output).contains(message), "{message}: {}", stderr(&output));
    }

    let error = failure(&["eval", text(folder.path()), "--split", "train"], 1);
    assert!(error.contains("it has no folder of split \"train\" (it holds test)"), "{error}");
    let error = failure(&["eval", text(folder.path())], 1);
    assert!(error.contains("neither labels.csv nor class folders") && error.contains("only test"), "{error}");
}

#[test]
fn a_folder_without_permission_is_an_error() {
    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().expect("folder");
    // Somewhere that another user can reach, which a clone need not be.
    let program = folder.path().join("emotiond");
    fs::copy(env!("CARGO_BIN_EXE_emotiond"), &program).expect("copies");
    let classes = folder.path().join("classes");
    fs::create_dir_all(classes.join("happy")).expect("folder");
    fs::create_dir_all(classes.join("sad")).expect("folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    fs::set_permissions(classes.join("sad"), fs::Permissions::from_mode(0o000)).expect("permissions");
    let mut command = Command::new(&program);
    if rustix::process::getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.args(["eval", text(&classes)]).current_dir("/").output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains("unable to read") && message.contains("classes/sad"), "{message}");
    assert!(message.to_lowercase().contains("permission denied"), "{message}");
}

#[test]
fn a_list_of_photos_is_measured_with_the_detector() {
    let folder = tempfile::tempdir().expect("folder");
    let (_, grey) = pictures(folder.path());
    let data = folder.path().join("photos");
    fs::create_dir_all(data.join("images")).expect("folder");
    fs::copy(portrait(), data.join("images/a.png")).expect("copies");
    fs::copy(&grey, data.join("images/b.png")).expect("copies");
    let list = data.join("labels.csv");
    let rows = "image,person,emotion\na.png,x,happiness\nb.png,y,neutral\n";
    fs::write(&list, rows).expect("writes");
    let output = emotiond(&["eval", text(&data), "--json", "--labels", "happy,neutral"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&found["samples"], &found["no_face"], &found["accuracy"]),
        (&2.into(), &1.into(), &0.5.into())
    );
    assert_eq!(found["confusion"]["rows"], json!([[1, 0], [0, 0]]));
    assert_eq!(
        found["per_class"]["neutral"],
        json!({"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1})
    );
    assert!(stderr(&output).contains("the largest face of each picture (--detect, the default"));
    assert!(stderr(&output).contains("no face found, which counts as wrong, in 1: "), "{}", stderr(&output));
    assert_eq!(found["macro_f1"], Value::Null, "no class has samples enough");
    fs::write(&list, rows.replace(',', ";")).expect("writes");
    let crops = figures(&["eval", text(&list), "--json", "--crops"]);
    assert_eq!(crops["no_face"], 0);

    for (content, reason) in [
        (rows.replace("neutral", "bored"), "labels.csv, row 2: b.png: unknown emotion \"bored\""),
        (rows.replace(",neutral", ""), "labels.csv, row 2: 2 fields instead of 3"),
        (rows.replace("emotion", "mood"), "labels.csv: the first row names no column \"emotion\""),
        (rows.replace("b.png", ""), "labels.csv, row 2: it names no picture"),
    ] {
        fs::write(&list, content).expect("writes");
        let error = failure(&["eval", text(&data)], 1);
        assert!(error.contains(reason), "{error}");
    }
    fs::write(&list, rows.replace("b.png", "c.png")).expect("writes");
    let error = failure(&["eval", text(&data), "--json"], 1);
    assert!(error.contains("c.png") && error.contains("No such file"), "{error}");
    let error = failure(&["eval", text(&data), "--votes", text(&list)], 1);
    assert!(error.contains("votes go with FER2013's CSV"), "{error}");
}

/// Class folders `happy` and `sad` with the smile in each.
fn smiles(folder: &TempDir) -> PathBuf {
    let (smile, _) = pictures(folder.path());
    let data = folder.path().join("smiles");
    for class in ["happy", "sad"] {
        fs::create_dir_all(data.join(class)).expect("folder");
        fs::copy(&smile, data.join(class).join("a.png")).expect("copies");
    }
    data
}

#[test]
fn spoilt_pictures_are_measured_beside_clean_ones() {
    let folder = tempfile::tempdir().expect("folder");
    let data = smiles(&folder);
    let found = figures(&["eval", text(&data), "--json", "--corrupt"]);
    assert_eq!(found["accuracy"], 0.5, "the sad one smiles, too");
    let accuracy = found["corrupted"]["accuracy"].as_object().expect("a figure a way");
    let names: Vec<&str> = accuracy.keys().map(String::as_str).collect();
    let mut wanted =
        ["blur", "noise", "half_light", "jpeg", "smaller", "larger", "turned_right", "turned_left"];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    // A smile of a whole face survives these.
    for name in ["half_light", "jpeg", "noise"] {
        assert_eq!(accuracy[name], 0.5, "{name}");
    }
    let sum: f64 = accuracy.values().map(|share| share.as_f64().expect("a number")).sum();
    let mean = found["corrupted"]["mean_accuracy"].as_f64().expect("a number");
    assert!((mean - sum / 8.0).abs() < 1e-4, "{mean} {sum}");
    assert_eq!(found["coverage"][0], json!({"min_confidence": 0.5, "covered": 1.0, "accuracy": 0.5}));
    let said = emotiond(&["eval", text(&data), "--corrupt"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("points below clean") && said.contains("of these right 50.00 %"), "{said}");
    fs::write(folder.path().join("list.csv"), "image,emotion\na.png,happy\nb.png,sad\n").expect("writes");
    let error = failure(&["eval", text(&folder.path().join("list.csv")), "--corrupt"], 1);
    assert!(error.contains("that is for pictures that are faces already (--crops)"), "{error}");
}

#[test]
fn further_columns_of_a_list_are_groups() {
    let folder = tempfile::tempdir().expect("folder");
    let data = smiles(&folder);
    let list = data.join("labels.csv");
    let mut rows = "image,emotion,age,person\n".to_owned();
    for number in 0..20 {
        let wrong = if number < 5 { "sad" } else { "happy" };
        rows += &format!("happy/a.png,happy,young,p{number}\nhappy/a.png,{wrong},old,q{number}\n");
    }
    fs::write(&list, rows + "happy/a.png,happy,,p1\n").expect("writes");
    let found = figures(&["eval", text(&list), "--crops", "--json", "--by", "age"]);
    let by = &found["by"][0];
    assert_eq!(by["column"], "age");
    let told = |place: usize, key: &str| by["groups"][place][key].clone();
    assert_eq!((told(0, "value"), told(0, "samples")), (json!(""), json!(1)));
    assert_eq!((told(1, "value"), told(1, "accuracy")), (json!("old"), json!(0.75)));
    assert_eq!(told(1, "recall"), json!({"happy": 1.0, "sad": 0.0}));
    assert_eq!((told(2, "value"), told(2, "no_face")), (json!("young"), json!(0)));
    let gap = &by["gap"];
    assert_eq!((&gap["best"], &gap["worst"], &gap["people"]), (&json!("young"), &json!("old"), &json!(true)));
    assert_eq!(gap["accuracy"], 0.25);
    let error = failure(&["eval", text(&list), "--crops", "--by", "sex"], 1);
    assert!(error.contains("the first row names no column \"sex\""), "{error}");
    fs::remove_file(&list).expect("removes");
    let error = failure(&["eval", text(&data), "--by", "age"], 1);
    assert!(error.contains("groups by age need a CSV of pictures, this is class folders"), "{error}");
}

#[test]
fn two_models_are_compared_on_the_same_faces() {
    let folder = tempfile::tempdir().expect("folder");
    let data = smiles(&folder);
    // The other model says sad where the shipped one says happy.
    let other = model_with(&folder, |sidecar| {
        let labels = sidecar["labels"].as_array_mut().expect("labels");
        let at = |name: &str| labels.iter().position(|label| label == name).expect("a label");
        let (happy, sad) = (at("happy"), at("sad"));
        labels.swap(happy, sad);
        sidecar["name"] = "gloomy".into();
        sidecar["version"] = "7.7.7".into();
    });
    let found = figures(&["eval", text(&data), "--json", "--against", text(&other)]);
    let against = &found["against"];
    assert_eq!((&found["accuracy"], &against["accuracy"]), (&0.5.into(), &0.5.into()));
    assert_eq!(against["model"], "gloomy 7.7.7");
    assert_eq!(against["confusion"]["rows"], json!([[0, 1], [0, 1]]));
    assert_eq!(
        against["mcnemar"],
        json!({"only_first_right": 1, "only_second_right": 1, "method": "exact binomial", "p": 1.0})
    );
    let own = figures(&["eval", text(&data), "--json", "--model", text(&other)]);
    assert_eq!((&own["model"], &own["confusion"]), (&against["model"], &against["confusion"]));
}

/// The interface in the order in which it is documented, and nothing else.
#[test]
fn the_json_has_the_documented_keys() {
    let folder = tempfile::tempdir().expect("folder");
    let output = emotiond(&["eval", text(&smiles(&folder)), "--json"]);
    let line = String::from_utf8(output.stdout).expect("UTF-8");
    let start = "{\"samples\":2,\"accuracy\":0.5,\"macro_f1\":null,\"top2\":1.0,\"per_class\":{\"happy\":{\"precision\":0.5,\
                 \"recall\":1.0,\"f1\":0.6667,\"support\":1},\"sad\":{\"precision\":0.0,\"recall\":0.0,\"f1\":0.0,\"support\":1}},\
                 \"confusion\":{\"labels\":[\"happy\",\"sad\"],\"rows\":[[1,0],[1,0]]},\"ece\":";
    assert!(line.starts_with(start), "{line}");
    let value: Value = serde_json::from_str(&line).expect("one line");
    let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
    let mut documented = [
        "samples",
        "accuracy",
        "macro_f1",
        "top2",
        "per_class",
        "confusion",
        "ece",
        "no_face",
        "skipped",
        "model",
        "elapsed_s",
        "coverage",
    ];
    documented.sort_unstable();
    assert_eq!(keys, documented);
}

#[test]
fn a_report_is_written_whole_and_never_over_another() {
    let folder = tempfile::tempdir().expect("folder");
    let data = smiles(&folder);
    let report = folder.path().join("new/report");
    let args = ["eval", text(&data), "--report", text(&report)];
    let output = emotiond(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    let names = |folder: &Path| -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("reads")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&report), ["metrics.json", "report.html"]);
    assert_eq!(names(report.parent().expect("a parent")), ["report"], "nothing else is left behind");
    let page = fs::read_to_string(report.join("report.html")).expect("reads");
    assert_eq!(page.matches("<svg ").count(), 6, "three plots, light and dark");
    assert!(page.ends_with("</html>") && page.contains("prefers-color-scheme: dark"));
    assert!(!page.contains("src=\"") && !page.contains("href=\""), "the page needs no other file");
    let figures = fs::read_to_string(report.join("metrics.json")).expect("reads");
    let figures: Value = serde_json::from_str(&figures).expect("JSON");
    assert_eq!((&figures["accuracy"], &figures["source"]["faces"]), (&0.5.into(), &"crops".into()));
    assert_eq!(figures["intervals_95"]["accuracy"], json!([0.0, 1.0]));

    let error = failure(&args, 1);
    assert!(error.contains("report.html: it exists (--force replaces it)"), "{error}");
    fs::write(report.join("report.html"), "mine").expect("writes");
    fs::write(report.join("notes.txt"), "mine").expect("writes");
    assert!(emotiond(&[&args[..], &["--force"]].concat()).status.success());
    assert_eq!(names(&report), ["metrics.json", "notes.txt", "report.html"]);
    assert!(fs::read_to_string(report.join("report.html")).expect("reads").ends_with("</html>"), "replaced");
    let error = failure(&["eval", text(&data), "--report", text(&report.join("notes.txt"))], 1);
    assert!(error.contains("notes.txt: it is no folder"), "{error}");
}

#[test]
fn the_shipped_model_is_as_good_as_its_card_says() {
    let Some(data) = std::env::var_os("EMOTIOND_TEST_DATA").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "EMOTIOND_TEST_DATA must be set in CI");
        eprintln!("SKIPPED: EMOTIOND_TEST_DATA is not set");
        return;
    };
    let (faces, votes) = (data.join("fer2013/fer2013.csv.xz"), data.join("fer2013/fer2013new.csv"));
    let report = figures(&["eval", text(&faces), "--json", "--split", "PublicTest", "--votes", text(&votes)]);
    assert_eq!(report["samples"], 3199);
    let accuracy = report["accuracy"].as_f64().expect("a number");
    assert!(accuracy >= 0.85, "{accuracy}");
    assert!(report["ece"].as_f64().expect("a number") <= 0.03, "{report}");
}
