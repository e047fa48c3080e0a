//! `emotiond people` with the real program, the real nets and real photos. Needs the descriptor model
//! (`make people-model`): `make people-test`.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use support::mosquitto::eventually;
use support::running::portrait;
use support::site::Site;

const EMOTIOND: &str = env!("CARGO_BIN_EXE_emotiond");

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("people.json")
    }

    fn people(&self, arguments: &[&str]) -> Output {
        people(self.0.path(), arguments)
    }

    /// What it prints where it succeeds.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.people(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What it says where it fails.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.people(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    fn who(&self, photo: &Path) -> Value {
        let line = self.done(&["who", "--json", &photo.display().to_string()]);
        serde_json::from_str(line.trim()).expect("JSON")
    }
}

/// Runs `emotiond people` with a state folder.
fn people(state: &Path, arguments: &[&str]) -> Output {
    Command::new(EMOTIOND)
        .args(["--config", "/dev/null", "--set"])
        .arg(format!("device.state_dir={}", state.display()))
        .arg("people")
        .args(arguments)
        .output()
        .expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The portrait changed as another photo of her might be: mirrored, darker, a little turned about and scaled.
fn another(folder: &Path) -> PathBuf {
    let photo = image::open(portrait()).expect("decodes").fliph().brighten(-25).crop_imm(60, 0, 420, 400);
    let path = folder.join("another.png");
    photo.thumbnail(300, 300).save(&path).expect("writes");
    path
}

fn saved(folder: &Path, name: &str, picture: &image::DynamicImage) -> String {
    let path = folder.join(name);
    picture.save(&path).expect("writes");
    path.display().to_string()
}

#[test]
fn a_person_is_enrolled_found_moved_and_removed() {
    let home = Home::new();
    let photo = portrait();
    assert!(home.done(&["list"]).starts_with("nobody is enrolled"));
    assert!(home.done(&["add", "eileen", &photo]).starts_with("eileen: 1 photos added, 1 in all"));
    assert_eq!(fs::metadata(home.store()).expect("kept").permissions().mode() & 0o777, 0o600);
    let kept = fs::read_to_string(home.store()).expect("reads");
    assert!(!kept.contains("portrait"), "no word of the photo is kept");

    let seen = home.who(&another(home.0.path()));
    assert_eq!((seen["person"].as_str(), seen["face"].as_bool()), (Some("eileen"), Some(true)), "{seen}");
    let listed: Value = serde_json::from_str(home.done(&["list", "--json"]).trim()).expect("JSON");
    assert_eq!((listed["name"].as_str(), listed["photos"].as_u64()), (Some("eileen"), Some(1)));

    let export = home.0.path().join("out.json").display().to_string();
    home.done(&["export", &export]);
    assert!(home.refused(&["export", &export]).contains("--force replaces it"));
    home.done(&["remove", "eileen"]);
    assert!(!fs::read_to_string(home.store()).expect("reads").contains("eileen"));
    assert!(home.refused(&["remove", "eileen"]).contains("eileen is not enrolled (enrolled: nobody)"));
    assert_eq!(home.who(Path::new(&portrait()))["person"], Value::Null);
    assert!(home.done(&["import", &export]).starts_with("eileen: 1 of 1 descriptors taken over"));
    assert!(home.done(&["import", &export]).starts_with("eileen: 0 of 1 descriptors taken over"));
    assert_eq!(home.who(Path::new(&portrait()))["person"], "eileen");
}

#[test]
fn a_running_daemon_names_who_is_enrolled_meanwhile() {
    let site = Site::of(support::site::setup().set("people.enabled", "true"));
    let state = site.daemon.path("state");
    let person = || site.get("/api/v1/state").json()["primary"]["person"].clone();
    eventually("a face is seen", || site.get("/api/v1/state").json()["faces"] == 1);
    assert_eq!(person(), Value::Null);
    assert!(people(&state, &["add", "eileen", &portrait()]).status.success());
    eventually("she has a name", || person() == "eileen");
    assert!(people(&state, &["remove", "eileen"]).status.success());
    eventually("she has none any more", || person() == Value::Null);
}

#[test]
fn photos_that_cannot_be_enrolled_are_named() {
    let home = Home::new();
    let folder = home.0.path();
    let photo = image::open(portrait()).expect("decodes");
    let mut two = image::RgbImage::new(photo.width() * 2, photo.height());
    for (offset, picture) in [(0, photo.to_rgb8()), (photo.width(), photo.fliph().to_rgb8())] {
        image::imageops::overlay(&mut two, &picture, i64::from(offset), 0);
    }
    let two = saved(folder, "two.png", &two.into());
    let none = saved(folder, "none.png", &image::RgbImage::from_pixel(300, 300, image::Rgb([90; 3])).into());
    let blurred = saved(folder, "blurred.png", &photo.blur(3.0));
    let error = home.refused(&["add", "eileen", &two, &none, &blurred]);
    assert!(error.contains("two.png: it shows 2 faces"), "{error}");
    assert!(error.contains("none.png: no face is found"), "{error}");
    assert!(error.contains("blurred.png: the face is blurred"), "{error}");
    assert!(error.contains("eileen is not enrolled: no photo could be used"), "{error}");

    let photo = portrait();
    home.done(&["add", "eileen", &photo]);
    let twice = home.refused(&["add", "eileen", &photo]);
    assert!(twice.contains("eileen has just this photo already"), "{twice}");
    let other = home.refused(&["add", "anna", &photo]);
    assert!(other.contains("the face is eileen's, who is enrolled already"), "{other}");
    let usage = home.people(&["add", "a/b", &photo]);
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_damaged_store_is_said_and_kept() {
    let home = Home::new();
    fs::write(home.store(), "{\"form\":1,").expect("writes");
    assert!(home.refused(&["list"]).contains("unable to understand"));
    let photo = portrait();
    let output = home.people(&["add", "eileen", &photo]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("it is kept as "));
    let aside = home.0.path().join("people.json.damaged-1");
    assert_eq!(fs::read_to_string(aside).expect("kept"), "{\"form\":1,");

    let foreign = fs::read_to_string(home.store()).expect("reads").replace("face-api", "other");
    fs::write(home.store(), foreign).expect("writes");
    let output = home.people(&["who", &photo]);
    let error = text(&output.stderr);
    assert!(error.contains("1 descriptors are of another model (other-1.7.15)"), "{error}");
    assert!(text(&output.stdout).contains("nobody is enrolled"));
}

/// 45 + 45 pairs of the photos in `people`, or nothing where there are none and nobody insists.
#[test]
fn pairs_of_photos_are_compared() {
    let Some(data) = std::env::var_os("EMOTIOND_TEST_DATA").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "EMOTIOND_TEST_DATA is not set");
        eprintln!("left out: EMOTIOND_TEST_DATA is not set");
        return;
    };
    let folder = data.join("people");
    let mut people: Vec<PathBuf> =
        fs::read_dir(&folder).expect("photos").map(|entry| entry.expect("entry").path()).collect();
    people.sort();
    let photo = |person: usize, index: usize| {
        let mut photos: Vec<PathBuf> = fs::read_dir(&people[person])
            .expect("photos")
            .map(|entry| entry.expect("entry").path())
            .collect();
        photos.sort();
        photos[index].strip_prefix(&folder).expect("below").display().to_string()
    };
    let mut rows = String::from("a,b,same\n");
    for person in 0..10 {
        for index in 0..4 {
            rows += &format!("{},{},1\n", photo(person, index), photo(person, index + 1));
            rows += &format!("{},{},0\n", photo(person, index), photo((person + 1 + index) % 10, index));
        }
    }
    let home = Home::new();
    let pairs = home.0.path().join("pairs.csv");
    fs::write(&pairs, &rows).expect("writes");
    let (pairs, dir) = (pairs.display().to_string(), folder.display().to_string());
    let report: Value =
        serde_json::from_str(home.done(&["compare", "--pairs", &pairs, "--dir", &dir, "--json"]).trim())
            .expect("JSON");
    assert_eq!(
        (report["samples"].as_u64(), report["same"].as_u64(), report["no_face"].as_u64()),
        (Some(80), Some(40), Some(0))
    );
    let accuracy = report["accuracy"].as_f64().expect("a number");
    assert!(accuracy >= 0.95, "{accuracy}");
    assert_eq!(report["pairs"].as_array().map(Vec::len), Some(80));

    fs::write(&pairs, "a,b,same\nx.jpg,y.jpg,perhaps\n").expect("writes");
    let error = home.refused(&["compare", "--pairs", &pairs, "--dir", &dir]);
    assert!(error.contains("row 1 (columns a,b,same): same is \"perhaps\" instead of 1 or 0"), "{error}");
}
