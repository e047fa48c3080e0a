//! `emotiond eval --boxes`: how many of the faces that people marked a detector finds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cli::photos;
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
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn read_boxes(path: &Path) -> anyhow::Result<BTreeMap<String, Vec<Rect>>> {
    let mut marked: BTreeMap<String, Vec<Rect>> = BTreeMap::new();
    let mut reader =
        csv::Reader::from_path(path).with_context(|| format!("unable to read {}", path.display()))?;
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
    let started = Instant::now();
    for (frame, boxes) in marked {
        let faces = detect(frame)?;
        mode.detections += faces.len();
        mode.unmatched += faces.iter().filter(|face| is_no_face(face, boxes)).count();
        count(&faces, boxes, &mut counts);
    }
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

/// Adds to the counts of found and marked faces; each detection finds one face at most.
fn count(faces: &[Detection], boxes: &[Rect], counts: &mut [(usize, usize); SIZES.len()]) {
    let mut taken = vec![false; boxes.len()];
    for face in faces {
        let best = (0..boxes.len())
            .filter(|index| !taken[*index])
            .max_by(|a, b| face.bounds.iou(&boxes[*a]).total_cmp(&face.bounds.iou(&boxes[*b])));
        if let Some(index) = best.filter(|index| face.bounds.iou(&boxes[*index]) >= FOUND_IOU) {
            taken[index] = true;
        }
    }
    for (bounds, found) in boxes.iter().zip(taken) {
        if let Some(group) = SIZES.iter().position(|(least, most)| (*least..*most).contains(&bounds.height)) {
            counts[group].0 += usize::from(found);
            counts[group].1 += 1;
        }
    }
}

fn print(report: &Report) {
    println!("{}: {} photos, {} without a face", report.detector, report.photos, report.negatives);
    for mode in &report.modes {
        println!("\nas a {}, {:.2} ms each", mode.mode, mode.ms_per_photo);
        for group in &mode.found {
            println!("faces of {:>11} px: {:>4} of {:>4} found", group.pixels, group.found, group.faces);
        }
        println!("{} of {} detections are no marked face", mode.unmatched, mode.detections);
        if report.negatives > 0 {
            println!("{} false faces in photos without a face", mode.false_faces);
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
            score: 0.9,
            landmarks: Landmarks::default(),
        };
        let marked = |x, height| Rect { x, y: 0.0, width: 100.0, height };
        let boxes = [marked(0.0, 100.0), marked(500.0, 50.0), marked(900.0, 20.0)];
        let faces = [face(0.0), face(10.0), face(500.0), face(700.0)];
        let mut counts = Default::default();
        count(&faces, &boxes, &mut counts);
        assert_eq!(counts, [(1, 1), (1, 1), (0, 1)]);
        let none: Vec<bool> = faces.iter().map(|face| is_no_face(face, &boxes)).collect();
        assert_eq!(none, [false, false, false, true]);
    }
}
