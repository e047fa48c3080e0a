//! `emotiond eval --boxes`: how many of the faces that people marked a detector finds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cli::photos;
use crate::eval::delimiter;
use crate::nets::engine::EngineError;
use crate::see::search::FaceDetector;
use crate::vocabulary::emotion::Detection;
use crate::vocabulary::frame::{Frame, Rect};

/// A marked face is found when a detection overlaps it by at least this much.
const FOUND_IOU: f32 = 0.4;

/// A detection that overlaps every marked face by less is none of them. Between the two lie boxes
/// drawn otherwise than the detector does.
const NO_FACE_IOU: f32 = 0.3;

/// Groups of faces by the height of their box, in pixels.
const SIZES: [(f32, f32); 3] = [(64.0, f32::INFINITY), (32.0, 64.0), (0.0, 32.0)];

/// Faces of less height count neither for nor against the average precision: people mark them
/// as they like.
const LEAST: f32 = SIZES[1].0;

type Detect = fn(&mut FaceDetector, &Frame) -> Result<Vec<Detection>, EngineError>;

/// How a detector can be used: on a camera's frames, and on photos, with more looks.
const MODES: [(&str, Detect); 2] = [("frame", FaceDetector::detect), ("photo", FaceDetector::detect_photo)];

#[derive(Deserialize)]
struct Row {
    image: String,
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

#[derive(Debug, Serialize)]
struct Report {
    detector: String,
    photos: usize,
    /// Photos without a face.
    negatives: usize,
    modes: Vec<Mode>,
}

#[derive(Debug, Default, Serialize)]
struct Mode {
    mode: &'static str,
    /// Found and marked faces by size.
    found: Vec<Group>,
    detections: usize,
    /// Detections that are no marked face of any size.
    unmatched: usize,
    /// Share of the detections that are a marked face of any size.
    precision: f64,
    /// Of faces of [`LEAST`] pixels and more.
    average_precision: f64,
    /// Faces found in photos without one.
    false_faces: usize,
    ms_per_photo: f64,
}

#[derive(Debug, Serialize)]
struct Group {
    /// Height of the marked box.
    pixels: String,
    found: usize,
    faces: usize,
}

/// Measures `detector` on the photos in `images` (or its folder `images`) with the boxes of `csv`.
pub fn run(
    detector: &mut FaceDetector,
    images: &Path,
    csv: &Path,
    negatives: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let folder = Some(images.join("images")).filter(|folder| folder.is_dir());
    let folder = folder.as_deref().unwrap_or(images);
    let mut marked = Vec::new();
    for (image, boxes) in read_boxes(csv)? {
        marked.push((photos::read(&folder.join(image))?, boxes));
    }
    let mut without = Vec::new();
    if let Some(folder) = negatives {
        for path in photos::list(&[folder.to_owned()])? {
            without.push(photos::read(&path)?);
        }
    }
    let modes = MODES
        .iter()
        .map(|(mode, detect)| {
            Ok(Mode { mode, ..measure(&mut |frame| detect(detector, frame), &marked, &without)? })
        })
        .collect::<Result<_, EngineError>>()?;
    let report = Report { detector: detector.name(), photos: marked.len(), negatives: without.len(), modes };
    if json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn read_boxes(path: &Path) -> anyhow::Result<BTreeMap<String, Vec<Rect>>> {
    let mut marked: BTreeMap<String, Vec<Rect>> = BTreeMap::new();
    let unreadable = || format!("unable to read {}", path.display());
    let builder = delimiter::builder_for(path).with_context(unreadable)?;
    let mut reader = builder.from_path(path).with_context(unreadable)?;
    for (index, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.with_context(|| format!("{}, row {}", path.display(), index + 1))?;
        let Row { image, x, y, width, height } = row;
        marked.entry(image).or_default().push(Rect { x, y, width, height });
    }
    if marked.is_empty() {
        bail!("{} holds no boxes", path.display());
    }
    Ok(marked)
}

fn measure(
    detect: &mut dyn FnMut(&Frame) -> Result<Vec<Detection>, EngineError>,
    marked: &[(Frame, Vec<Rect>)],
    without: &[Frame],
) -> Result<Mode, EngineError> {
    let mut mode = Mode::default();
    let mut counts = [(0, 0); SIZES.len()];
    let mut answers = Vec::new();
    let started = Instant::now();
    for (frame, boxes) in marked {
        let faces = detect(frame)?;
        mode.detections += faces.len();
        mode.unmatched += faces.iter().filter(|face| is_no_face(face, boxes)).count();
        let hits = hits(&faces, boxes);
        answers.extend(faces.iter().zip(&hits).filter_map(|(face, hit)| answer(face, *hit, boxes)));
        count(&hits, boxes, &mut counts);
    }
    let large = counts[0].1 + counts[1].1;
    mode.precision = round(1.0 - mode.unmatched as f64 / mode.detections.max(1) as f64);
    mode.average_precision = round(average_precision(answers, large));
    mode.ms_per_photo = (started.elapsed().as_secs_f64() * 1e6 / marked.len() as f64).round() / 1e3;
    for frame in without {
        mode.false_faces += detect(frame)?.len();
    }
    for ((least, most), (found, faces)) in SIZES.iter().zip(counts) {
        let pixels =
            if most.is_finite() { format!("{least} to {most}") } else { format!("{least} and more") };
        mode.found.push(Group { pixels, found, faces });
    }
    Ok(mode)
}

fn is_no_face(face: &Detection, boxes: &[Rect]) -> bool {
    boxes.iter().all(|bounds| face.bounds.iou(bounds) < NO_FACE_IOU)
}

/// The number of the marked face that each detection finds; each face is found once at most.
fn hits(faces: &[Detection], boxes: &[Rect]) -> Vec<Option<usize>> {
    let mut taken = vec![false; boxes.len()];
    let find = |face: &Detection| {
        let overlap = |index: &usize| face.bounds.iou(&boxes[*index]);
        let free = (0..boxes.len()).filter(|index| !taken[*index]);
        let hit = free.max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        let hit = hit.filter(|index| overlap(index) >= FOUND_IOU);
        if let Some(index) = hit {
            taken[index] = true;
        }
        hit
    };
    faces.iter().map(find).collect()
}

/// Adds to the counts of found and marked faces.
fn count(hits: &[Option<usize>], boxes: &[Rect], counts: &mut [(usize, usize); SIZES.len()]) {
    for (index, bounds) in boxes.iter().enumerate() {
        if let Some(group) = SIZES.iter().position(|(least, most)| (*least..*most).contains(&bounds.height)) {
            counts[group].0 += usize::from(hits.contains(&Some(index)));
            counts[group].1 += 1;
        }
    }
}

/// A detection's certainty and whether it is right, for the average precision; `None` where it counts
/// neither way.
fn answer(face: &Detection, hit: Option<usize>, boxes: &[Rect]) -> Option<(f32, bool)> {
    match hit {
        Some(index) if boxes[index].height >= LEAST => Some((face.score, true)),
        None if is_no_face(face, boxes) => Some((face.score, false)),
        _ => None,
    }
}

/// The area under precision over recall of `faces` marked faces, each precision raised to the greatest of
/// any higher recall (Pascal VOC 2010). It knows only answers that the detector was asked for: with a
/// lower `detector.min_score` it grows.
fn average_precision(mut answers: Vec<(f32, bool)>, faces: usize) -> f64 {
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = 0;
    let mut precisions = Vec::new();
    for (index, (_, is_right)) in answers.iter().enumerate() {
        if *is_right {
            right += 1;
            precisions.push(f64::from(right) / (index + 1) as f64);
        }
    }
    let mut best = 0.0_f64;
    let area: f64 = precisions
        .iter()
        .rev()
        .map(|precision| {
            best = best.max(*precision);
            best
        })
        .sum();
    area / faces.max(1) as f64
}

/// To four decimals, as figures are printed.
fn round(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

fn print(report: &Report) {
    say!("{}: {} photos, {} without a face", report.detector, report.photos, report.negatives);
    for mode in &report.modes {
        say!("\nas a {}, {:.2} ms each", mode.mode, mode.ms_per_photo);
        for group in &mode.found {
            say!("faces of {:>11} px: {:>4} of {:>4} found", group.pixels, group.found, group.faces);
        }
        say!(
            "{} of {} detections are no marked face: precision {:.1} %",
            mode.unmatched,
            mode.detections,
            100.0 * mode.precision
        );
        say!("average precision {:.1} %, faces of {LEAST} px and more", 100.0 * mode.average_precision);
        if report.negatives > 0 {
            say!("{} false faces in photos without a face", mode.false_faces);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::Landmarks;

    #[test]
    fn a_face_is_found_once() {
        let face = |x| Detection {
            bounds: Rect { x, y: 0.0, width: 100.0, height: 100.0 },
            core: Rect::default(),
            score: 0.9,
            landmarks: Landmarks::default(),
        };
        let marked = |x, height| Rect { x, y: 0.0, width: 100.0, height };
        let boxes = [marked(0.0, 100.0), marked(500.0, 50.0), marked(900.0, 20.0)];
        let faces = [face(0.0), face(10.0), face(500.0), face(700.0)];
        let hits = hits(&faces, &boxes);
        assert_eq!(hits, [Some(0), None, Some(1), None]);
        let mut counts = Default::default();
        count(&hits, &boxes, &mut counts);
        assert_eq!(counts, [(1, 1), (1, 1), (0, 1)]);
        let none: Vec<bool> = faces.iter().map(|face| is_no_face(face, &boxes)).collect();
        assert_eq!(none, [false, false, false, true]);
    }

    #[test]
    fn average_precision_is_that_of_pascal_voc() {
        // Right, wrong, right, right, of five: 1 + 3/4 + 3/4, the second raised from 2/3 by the third.
        let answers = vec![(0.6, true), (0.9, true), (0.7, true), (0.8, false)];
        assert!((average_precision(answers, 5) - 0.5).abs() < 1e-9);
        assert_eq!(average_precision(Vec::new(), 0), 0.0);
        let boxes = [Rect { x: 0.0, y: 0.0, width: 20.0, height: 20.0 }];
        let small =
            Detection { bounds: boxes[0], core: boxes[0], score: 0.9, landmarks: Landmarks::default() };
        assert_eq!(answer(&small, Some(0), &boxes), None);
        assert_eq!(answer(&small, None, &[]), Some((0.9, false)));
    }
}
