//! Marked pictures against golden ones, on drawn backgrounds.
//!
//! `EMOTIOND_BLESS=1` writes the pictures anew: look at them before they are committed.

use std::path::Path;

use emotiond::overlay::{self, Mark};
use emotiond::vocabulary::emotion::{Emotion, Scores, State};
use emotiond::vocabulary::frame::Rect;
use image::{Rgb, RgbImage};

/// Most that a channel may differ: other processors round other digits.
const TOLERANCE: u8 = 3;

fn mark(state: State, x: f32, y: f32, side: f32) -> Mark {
    let confidence = if state == State::Uncertain { 0.31 } else { 0.86 };
    let strongest = match state {
        State::Emotion(emotion) => emotion,
        State::Uncertain | State::None => Emotion::Sad,
    };
    let rest = (1.0 - confidence) / 7.0;
    let scores = Emotion::ALL.map(|emotion| (emotion, if emotion == strongest { confidence } else { rest }));
    Mark {
        bounds: Rect { x, y, width: side, height: side },
        label: state.name().to_owned(),
        state,
        confidence,
        scores: Scores::from_pairs(scores),
        id: None,
    }
}

fn feeling(emotion: Emotion, x: f32, y: f32, side: f32) -> Mark {
    mark(State::Emotion(emotion), x, y, side)
}

/// A background with two eyes and a mouth in every box.
fn drawn(size: (u32, u32), background: impl Fn(u32, u32) -> [u8; 3], marks: &[Mark]) -> RgbImage {
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let skin = marks.iter().rev().find_map(|mark| {
            let Rect { x: left, y: top, width, height } = mark.bounds;
            let (dx, dy) = ((x as f32 - left) / width - 0.5, (y as f32 - top) / height - 0.5);
            let eye = (dx.abs() - 0.2).hypot(dy + 0.12) < 0.06;
            let mouth = dx.abs() < 0.2 && (dy - 0.25 + dx * dx).abs() < 0.03;
            let inside = dx.hypot(dy * 0.85) < 0.48;
            inside.then_some(if eye || mouth { [60, 40, 40] } else { [222, 178, 150] })
        });
        Rgb(skin.unwrap_or_else(|| background(x, y)))
    })
}

fn stripes(x: u32, y: u32) -> [u8; 3] {
    if (x / 6 + y / 6).is_multiple_of(2) { [250, 250, 250] } else { [10, 10, 10] }
}

fn meadow(_: u32, y: u32) -> [u8; 3] {
    [120, 200 - (y / 4).min(120) as u8, 90]
}

/// The marked pictures, by name.
fn pictures() -> Vec<(&'static str, RgbImage, Vec<Mark>)> {
    let mut pictures = Vec::new();
    let mut add = |name, size, background: fn(u32, u32) -> [u8; 3], marks: Vec<Mark>| {
        pictures.push((name, drawn(size, background, &marks), marks));
    };
    add(
        "film",
        (400, 300),
        |_, _| [244, 244, 244],
        vec![Mark { id: Some(1), ..feeling(Emotion::Happy, 140.0, 90.0, 110.0) }],
    );
    add("stripes", (400, 300), stripes, vec![feeling(Emotion::Surprise, 30.0, 70.0, 130.0)]);
    add("dark", (400, 300), |_, _| [6, 6, 10], vec![feeling(Emotion::Contempt, 250.0, 20.0, 120.0)]);
    add("uncertain", (300, 400), meadow, vec![mark(State::Uncertain, 60.0, 140.0, 160.0)]);
    add("tiny", (48, 48), |_, _| [90, 90, 90], vec![feeling(Emotion::Angry, 2.0, 2.0, 44.0)]);
    add("strip", (300, 40), meadow, vec![feeling(Emotion::Disgust, 120.0, -8.0, 50.0)]);
    add(
        "edges",
        (400, 300),
        stripes,
        vec![feeling(Emotion::Fear, -40.0, -30.0, 100.0), feeling(Emotion::Sad, 340.0, 240.0, 90.0)],
    );
    let pair = [Emotion::Neutral, Emotion::Sad, Emotion::Happy];
    let pair = (0..).zip(pair).map(|(n, emotion)| Mark {
        id: Some(n + 1),
        ..feeling(emotion, 60.0 + 190.0 * n as f32, 130.0 + 30.0 * (n % 2) as f32, 120.0)
    });
    add("group", (640, 400), meadow, pair.collect());
    let crowd = (0..40).map(|n| {
        let (column, row) = ((n % 8) as f32, (n / 8) as f32);
        let side = 14.0 + 5.0 * row;
        feeling(Emotion::ALL[n % 8], 12.0 + 50.0 * column + 6.0 * (row % 2.0), 40.0 + 74.0 * row, side)
    });
    add("crowd", (416, 416), meadow, crowd.collect());
    pictures
}

#[test]
fn marked_pictures_are_as_the_golden_ones() {
    for (name, picture, marks) in pictures() {
        let marked = overlay::annotate(picture, &marks);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/overlay-{name}.png"));
        if std::env::var_os("EMOTIOND_BLESS").is_some() {
            marked.save(&path).expect("written");
        }
        let golden = image::open(&path).expect("golden picture").to_rgb8();
        assert_eq!(golden.dimensions(), marked.dimensions(), "{}", path.display());
        let differs = golden.as_raw().iter().zip(marked.as_raw()).any(|(a, b)| a.abs_diff(*b) > TOLERANCE);
        assert!(!differs, "{} differs from what is drawn", path.display());
    }
}

/// Whatever the size, and wherever the faces: nothing panics, and only tiny pictures change size.
#[test]
fn any_picture_can_be_marked() {
    for size in [(1, 1), (1, 3000), (3000, 1), (7, 300), (257, 9), (2000, 1500)] {
        let (width, height) = (size.0 as f32, size.1 as f32);
        let marks = [
            feeling(Emotion::Fear, 0.0, 0.0, width.max(height)),
            feeling(Emotion::Sad, -width, -height, width),
            feeling(Emotion::Happy, width * 2.0, height * 2.0, 5.0),
            feeling(Emotion::Happy, width / 2.0, height / 2.0, 0.0),
        ];
        let marked = overlay::annotate(RgbImage::new(size.0, size.1), &marks);
        let factor = overlay::enlargement(size.0, size.1);
        assert_eq!(marked.dimensions(), (size.0 * factor, size.1 * factor));
    }
}
