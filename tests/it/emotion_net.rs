//! The emotion net gives the numbers that the training toolkit wrote down: `tests/golden/emotion-net.json`
//! by `python -m face_training golden`, checked on that side by its own test of the same file.

use std::path::Path;
use std::time::Instant;

use emotiond::config::Config;
use emotiond::nets::assets;
use emotiond::nets::sidecar::{self, EmotionModel, Kind};
use emotiond::pipeline::load;
use emotiond::see::classify::Encoder;
use emotiond::vocabulary::frame::{Frame, PixelFormat};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const SIDE: i64 = 48;

#[derive(Deserialize)]
struct Table {
    model_sha256: String,
    labels: Vec<String>,
    encoded_pixels_0_to_255: Vec<i8>,
    faces: Vec<Face>,
}

#[derive(Deserialize)]
struct Face {
    name: String,
    ramp: [i64; 2],
    /// Centre x and y, radius x and y, grey value.
    ellipses: Vec<[i64; 5]>,
    noise: i64,
    pixels_sha256: String,
    input_sha256: String,
    logits_int8: Vec<i8>,
    probabilities: Vec<f32>,
}

impl Face {
    /// As the table's `formula` says.
    fn pixel(&self, x: i64, y: i64) -> u8 {
        let [first, last] = self.ramp;
        let mut grey = first + ((last - first) * x).div_euclid(SIDE - 1);
        for [cx, cy, rx, ry, level] in &self.ellipses {
            if (x - cx).pow(2) * ry.pow(2) + (y - cy).pow(2) * rx.pow(2) <= rx.pow(2) * ry.pow(2) {
                grey = *level;
            }
        }
        (grey + (31 * x + 17 * y + 7 * x * y) % (self.noise + 1)).clamp(0, 255) as u8
    }

    fn pixels(&self) -> Vec<u8> {
        (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| self.pixel(x, y))).collect()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn table() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/emotion-net.json");
    serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("is the table")
}

#[test]
fn the_toolkit_and_the_daemon_get_the_same_numbers() {
    let table = table();
    let config = Config::parse("", "test", &Default::default()).expect("defaults").classifier;
    let path = assets::model(&config.model).expect("the shipped model");
    assert_eq!(
        sha256(&std::fs::read(&path).expect("reads")),
        table.model_sha256,
        "another model: python -m face_training golden --model models/emotion.tflite --out tests/golden/emotion-net.json"
    );
    let described: EmotionModel = sidecar::read(&path, Kind::Emotion).expect("sidecar");
    let mut engine = load::bare_classifier(&config).expect("loads");
    let mut classifier = load::classifier(&config).expect("loads");
    let labels: Vec<_> = classifier.labels().iter().map(|label| label.name().to_owned()).collect();
    assert_eq!(labels, table.labels);

    let encoder = Encoder::new(&described.header.input, &engine.inputs()[0]);
    let mut input = Vec::new();
    encoder.encode(&(0..=255).collect::<Vec<u8>>(), &mut input);
    assert_eq!(
        input.iter().map(|byte| byte.cast_signed()).collect::<Vec<_>>(),
        table.encoded_pixels_0_to_255
    );

    let mut same = 0;
    for face in &table.faces {
        let pixels = face.pixels();
        assert_eq!(sha256(&pixels), face.pixels_sha256, "{}", face.name);
        encoder.encode(&pixels, &mut input);
        assert_eq!(sha256(&input), face.input_sha256, "{}", face.name);

        engine.run(&input).expect("runs");
        let logits: Vec<_> = engine.output(0).iter().map(|byte| byte.cast_signed()).collect();
        assert_eq!(logits.len(), face.logits_int8.len());
        // Another processor's kernels may round a value the other way.
        let off = logits.iter().zip(&face.logits_int8).map(|(found, kept)| found.abs_diff(*kept)).max();
        assert!(off <= Some(1), "{}: {logits:?} instead of {:?}", face.name, face.logits_int8);
        if off > Some(0) {
            continue;
        }
        same += 1;
        let frame = Frame::new(48, 48, PixelFormat::Gray8, pixels, Instant::now(), 0);
        let scores = classifier.classify_crop(&frame).expect("runs");
        for (label, expected) in classifier.labels().iter().zip(&face.probabilities) {
            let found = scores.get(*label).expect("known");
            // The daemon breaks ties of equal logits, which moves probabilities by less than this.
            assert!((found - expected).abs() < 1e-3, "{} {label}: {found} instead of {expected}", face.name);
        }
    }
    assert!(same >= table.faces.len() / 2, "only {same} of {} faces give the same", table.faces.len());
}
