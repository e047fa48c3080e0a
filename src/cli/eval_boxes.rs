//! `emotiond eval --boxes`: how many of the faces that people marked a detector finds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cli::photos;
use crate::detect::FaceDetector;
use crate::emotion::Detection;
use crate::frame::Rect;

/// A detection and a marked face are the same when they overlap by at least this much.
const MIN_IOU: f32 = 0.4;

/// Groups of faces by the height of their box, in pixels.
const SIZES: [(f32, f32); 3] = [(64.0, f32::INFINITY), (32.0, 64.0), (0.0, 32.0)];

#[derive(Deserialize)]
struct Row {
    image: String,
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    detector: String,
    photos: usize,
    /// Found and marked faces by size.
    found: Vec<Group>,
    detections: usize,
    /// Detections that are no marked face of any size.
    unmatched: usize,
    /// Photos without a face, and the faces found in them all the same.
    negatives: usize,
    false_faces: usize,
    ms_per_photo: f64,
}

#[derive(Debug, Serialize)]
struct Group {
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
    let marked = read_boxes(csv)?;
    let folder = Some(images.join("images")).filter(|folder| folder.is_dir());
    let folder = folder.as_deref().unwrap_or(images);
    let mut report = Report { detector: detector.name(), photos: marked.len(), ..Report::default() };
    let mut counts = [(0, 0); SIZES.len()];
    let mut spent = 0.0;
    for (image, boxes) in &marked {
        let frame = photos::read(&folder.join(image))?;
        let started = Instant::now();
        let faces = detector.detect(&frame)?;
        spent += started.elapsed().as_secs_f64();
        report.detections += faces.len();
        report.unmatched += count(&faces, boxes, &mut counts);
    }
    if let Some(folder) = negatives {
        for path in photos::list(&[folder.to_owned()])? {
            report.false_faces += detector.detect(&photos::read(&path)?)?.len();
            report.negatives += 1;
        }
    }
    report.ms_per_photo = (spent * 1e6 / marked.len() as f64).round() / 1e3;
    for ((least, most), (found, faces)) in SIZES.iter().zip(counts) {
        let pixels =
            if most.is_finite() { format!("{least} to {most}") } else { format!("{least} and more") };
        report.found.push(Group { pixels, found, faces });
    }
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

/// Adds to the counts of found and marked faces; answers how many detections are no marked face.
fn count(faces: &[Detection], boxes: &[Rect], counts: &mut [(usize, usize); SIZES.len()]) -> usize {
    let mut taken = vec![false; boxes.len()];
    let mut unmatched = 0;
    for face in faces {
        let overlap = |index: &usize| face.bounds.iou(&boxes[*index]);
        let overlapping: Vec<usize> = (0..boxes.len()).filter(|index| overlap(index) >= MIN_IOU).collect();
        unmatched += usize::from(overlapping.is_empty());
        let free = overlapping.into_iter().filter(|index| !taken[*index]);
        if let Some(best) = free.max_by(|a, b| overlap(a).total_cmp(&overlap(b))) {
            taken[best] = true;
        }
    }
    for (bounds, found) in boxes.iter().zip(taken) {
        if let Some(group) = SIZES.iter().position(|(least, most)| (*least..*most).contains(&bounds.height)) {
            counts[group].0 += usize::from(found);
            counts[group].1 += 1;
        }
    }
    unmatched
}

fn print(report: &Report) {
    println!("{}: {} photos, {:.2} ms each", report.detector, report.photos, report.ms_per_photo);
    for group in &report.found {
        println!("faces of {:>11} px: {:>4} of {:>4} found", group.pixels, group.found, group.faces);
    }
    println!("{} of {} detections are no marked face", report.unmatched, report.detections);
    if report.negatives > 0 {
        println!("{} false faces in {} photos without a face", report.false_faces, report.negatives);
    }
}
