//! The detectors on the demonstration portrait, against what MediaPipe's own package finds there
//! (`tests/data/blazeface.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use emotiond::config::Config;
use emotiond::nets::assets;
use emotiond::pipeline::load;
use emotiond::see::search::FaceDetector;
use emotiond::vocabulary::emotion::Detection;
use emotiond::vocabulary::frame::{Frame, PixelFormat, Point};
use image::{GenericImageView, RgbImage, imageops};
use serde_json::Value;

fn detector(keys: &[(&str, &str)]) -> FaceDetector {
    let overrides: BTreeMap<String, String> =
        keys.iter().map(|(key, value)| (format!("detector.{key}"), (*value).to_owned())).collect();
    let config = Config::parse("", "none", &overrides).expect("valid");
    load::detector(&config.detector).expect("run `make build`")
}

fn full_range() -> FaceDetector {
    detector(&[("model", "face-full-range"), ("min_score", "0.5")])
}

fn portrait() -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("third_party/portrait.png");
    image::open(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make test`", path.display()))
        .into_rgb8()
}

/// The portrait with its mirror image to the right.
fn pair() -> RgbImage {
    let portrait = portrait();
    let mut pair = RgbImage::new(2 * portrait.width(), portrait.height());
    imageops::replace(&mut pair, &portrait, 0, 0);
    imageops::replace(&mut pair, &imageops::flip_horizontal(&portrait), i64::from(portrait.width()), 0);
    pair
}

fn rgb(picture: RgbImage) -> Frame {
    let (width, height) = picture.dimensions();
    Frame::new(width, height, PixelFormat::Rgb8, picture.into_raw(), Instant::now(), 0)
}

fn assert_near(face: &Detection, expected: &Value, tolerance: f32, what: &str) {
    let number = |value: &Value| value.as_f64().expect("number") as f32;
    let near = |value: f32, expected: &Value, tolerance: f32| {
        let expected = number(expected);
        assert!((value - expected).abs() <= tolerance, "{what}: {value} is not {expected}: {face:?}");
    };
    near(face.score, &expected["score"], 0.01);
    let bounds = face.bounds;
    for (index, value) in [bounds.x, bounds.y, bounds.width, bounds.height].into_iter().enumerate() {
        near(value, &expected["box"][index], tolerance);
    }
    let marks = face.landmarks;
    let points = [marks.right_eye, marks.left_eye, marks.nose, marks.mouth];
    for (index, Point { x, y }) in points.into_iter().enumerate() {
        near(x, &expected["points"][index][0], tolerance);
        near(y, &expected["points"][index][1], tolerance);
    }
}

#[test]
fn faces_are_mediapipes() {
    let cases: Value = serde_json::from_str(include_str!("../data/blazeface.json")).expect("JSON");
    for case in cases.as_array().expect("cases") {
        let (model, picture) =
            (case["detector"].as_str().expect("name"), case["picture"].as_str().expect("name"));
        let frame = rgb(if picture == "pair" { pair() } else { portrait() });
        let mut detector =
            detector(&[("model", model), ("min_score", &case["min_score"].to_string()), ("min_size", "0")]);
        let faces = detector.detect(&frame).expect("runs");
        let expected = case["faces"].as_array().expect("faces");
        let what = format!("{model}, {picture}");
        assert_eq!(faces.len(), expected.len(), "{what}: {faces:?}");
        for (face, expected) in faces.iter().zip(expected) {
            // MediaPipe's bilinear weights are multiples of 1/32, ours of 1/256.
            assert_near(face, expected, 0.5, &what);
        }
    }
}

/// By our own detector, however the photo lies; the eyes say which way.
#[test]
fn a_turned_photo_has_its_face_where_it_is() {
    let mut ours = detector(&[]);
    let upright = portrait();
    let photos = [
        upright.clone(),
        imageops::rotate90(&upright),
        imageops::rotate180(&upright),
        imageops::rotate270(&upright),
    ];
    for (quarters, photo) in (0..).zip(photos) {
        let [face] = ours.detect_photo(&rgb(photo)).expect("runs")[..] else { panic!("{quarters}") };
        let center = face.bounds.center();
        let expected = [(224.0, 117.0), (395.0, 224.0), (288.0, 395.0), (117.0, 288.0)][quarters];
        assert!((center.x - expected.0).hypot(center.y - expected.1) < 8.0, "{quarters}: {face:?}");
        let roll = face.landmarks.roll().to_degrees();
        let turn = (roll - 90.0 * quarters as f32 + 180.0).rem_euclid(360.0) - 180.0;
        assert!(turn.abs() < 15.0, "{quarters}: {roll} degrees");
    }
}

#[test]
fn a_grey_frame_has_the_same_face() {
    let grey = imageops::grayscale(&portrait());
    let (width, height) = grey.dimensions();
    let frame = Frame::new(width, height, PixelFormat::Gray8, grey.into_raw(), Instant::now(), 0);
    let faces = full_range().detect(&frame).expect("runs");
    let coloured = full_range().detect(&rgb(portrait())).expect("runs");
    assert_eq!((faces.len(), coloured.len()), (1, 1));
    assert!(faces[0].bounds.iou(&coloured[0].bounds) > 0.8, "{faces:?} {coloured:?}");
}

#[test]
fn number_and_size_of_faces_are_limited() {
    let frame = rgb(pair());
    let all = full_range().detect(&frame).expect("runs");
    assert_eq!(all.len(), 2);
    let limited = |key, value| {
        let mut detector = detector(&[("model", "face-full-range"), ("min_score", "0.5"), (key, value)]);
        detector.detect(&frame).expect("runs")
    };
    assert_eq!(limited("max_faces", "1"), all[..1]);
    // One is 99 pixels wide, the other 108.
    assert_eq!(limited("min_size", "103"), all[1..]);
    assert_eq!(limited("min_size", "200"), []);
}

#[test]
fn a_photo_that_a_face_fills_is_looked_at_from_afar() {
    // The portrait's face and nothing else.
    let photo = rgb(portrait().view(182, 78, 86, 90).to_image());
    let mut detector = full_range();
    assert_eq!(detector.detect(&photo).expect("runs"), []);
    let [face] = detector.detect_photo(&photo).expect("runs")[..] else { panic!("not one face") };
    let center = face.bounds.center();
    assert!((center.x - 43.0).abs() < 15.0 && (center.y - 45.0).abs() < 15.0, "{face:?}");
}

#[test]
fn a_photos_small_faces_are_found_in_tiles() {
    let mut wide = RgbImage::new(1800, 1200);
    let small = imageops::resize(&portrait(), 307, 307, imageops::FilterType::Triangle);
    imageops::replace(&mut wide, &small, 1200, 600);
    let photo = rgb(wide);
    let mut detector = full_range();
    assert_eq!(detector.detect(&photo).expect("runs"), []);
    let [face] = detector.detect_photo(&photo).expect("runs")[..] else { panic!("not one face") };
    let center = face.bounds.center();
    assert!((center.x - 1335.0).abs() < 20.0 && (center.y - 672.0).abs() < 20.0, "{face:?}");
}

/// A copy of the full-range detector whose sidecar is edited.
fn edited(folder: &Path, from: &str, to: &str) -> PathBuf {
    let model = assets::model(Path::new("face-full-range")).expect("run `make build`");
    let text = std::fs::read_to_string(model.with_extension("json")).expect("sidecar");
    assert!(text.contains(from), "{text}");
    let copy = folder.join("copy.tflite");
    std::fs::copy(&model, &copy).expect("copies");
    std::fs::write(copy.with_extension("json"), text.replace(from, to)).expect("writes");
    copy
}

#[test]
fn a_sidecar_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let cases = [
        ("\"stride\": 4", "\"stride\": 8", "the sidecar's 576 anchors want 16 float32 each"),
        ("\"scores_output\": 1", "\"scores_output\": 2", "it has no output 2"),
        ("\"width\": 192", "\"width\": 128", "the input has shape [1, 192, 192, 3]"),
        ("\"face-detector\"", "\"emotion\"", "it describes a model of kind"),
    ];
    for (from, to, reason) in cases {
        let path = edited(folder.path(), from, to);
        let mut config = Config::parse("", "none", &BTreeMap::new()).expect("valid");
        config.detector.model = path;
        let error = load::detector(&config.detector).err().expect(to).to_string();
        assert!(error.contains(reason) && error.contains("copy.json"), "{error}");
    }
}
