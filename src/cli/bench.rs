//! `emotiond bench`: the pipeline against its bare inferences, measured side by side in one run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use crate::cli::model_arg::ModelArg;
use crate::cli::photos;
use crate::cli::status::Status;
use crate::config::Config;
use crate::pipeline::load;
use crate::tell::stats;
use crate::vocabulary::frame::{Frame, PixelFormat};

/// Rounds that are not counted: caches and the runtime's buffers fill.
const WARM_UP: usize = 20;

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// A photo with one face, shown as a 640×480 frame [default: a grey picture, so without a face]
    #[arg(value_name = "PHOTO")]
    photo: Option<PathBuf>,

    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 300)]
    rounds: usize,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model: ModelArg,
}

#[derive(Serialize)]
struct Report {
    faces: usize,
    /// Medians in milliseconds.
    pipeline_ms: f64,
    detector_ms: f64,
    classifier_ms: f64,
    /// The pipeline as a multiple of the inferences that it ran.
    multiple: f64,
    delegate: String,
    memory_bytes: u64,
}

/// Measures and prints.
pub fn run(args: &BenchArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    let frame = frame(args)?;
    let mut pipeline = load::pipeline(config)?;
    let mut detector = load::bare_detector(&config.detector)?;
    let mut classifier = load::bare_classifier(&config.classifier)?;
    let inputs = [&detector, &classifier].map(|engine| vec![0; engine.inputs()[0].bytes()]);
    let start = Instant::now();
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut faces = 0;
    // Interleaved, so that a busy machine slows all three alike.
    for round in 0..args.rounds + WARM_UP {
        let now = start + Duration::from_millis(33) * round as u32;
        let began = Instant::now();
        faces = pipeline.step(&frame, now)?.faces.len();
        let stepped = Instant::now();
        detector.run(&inputs[0])?;
        let detected = Instant::now();
        classifier.run(&inputs[1])?;
        let classified = Instant::now();
        if round >= WARM_UP {
            times[0].push(stepped - began);
            times[1].push(detected - stepped);
            times[2].push(classified - detected);
        }
    }
    let [pipeline_ms, detector_ms, classifier_ms] = times.map(median_ms);
    let bare = detector_ms + faces as f64 * classifier_ms;
    let report = Report {
        faces,
        pipeline_ms,
        detector_ms,
        classifier_ms,
        multiple: (pipeline_ms / bare * 1000.0).round() / 1000.0,
        delegate: pipeline.classifier().delegate().to_owned(),
        memory_bytes: stats::resident_memory(),
    };
    if args.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        say!("pipeline    {pipeline_ms:.3} ms a 640x480 frame, {faces} faces");
        say!("detector    {detector_ms:.3} ms, bare");
        say!("classifier  {classifier_ms:.3} ms, bare, a face ({})", report.delegate);
        say!("multiple    {:.3} of the bare inferences", report.multiple);
        say!("memory      {:.1} MB resident", report.memory_bytes as f64 / 1e6);
    }
    Ok(Status::Done)
}

/// The photo in the middle of a 640×480 frame.
fn frame(args: &BenchArgs) -> anyhow::Result<Frame> {
    const SIZE: (u32, u32) = (640, 480);
    let mut canvas = image::RgbImage::from_pixel(SIZE.0, SIZE.1, image::Rgb([128; 3]));
    if let Some(path) = &args.photo {
        let photo = photos::read(path)?;
        let rgb = match photo.format {
            PixelFormat::Rgb8 => photo.data.to_vec(),
            PixelFormat::Gray8 => photo.data.iter().flat_map(|value| [*value; 3]).collect(),
        };
        let photo = image::RgbImage::from_raw(photo.width, photo.height, rgb).context("pixels")?;
        let scale =
            (f64::from(SIZE.0) / f64::from(photo.width())).min(f64::from(SIZE.1) / f64::from(photo.height()));
        let size = [photo.width(), photo.height()].map(|side| (f64::from(side) * scale).max(1.0) as u32);
        let small = image::imageops::thumbnail(&photo, size[0], size[1]);
        let at = [(SIZE.0 - size[0]) / 2, (SIZE.1 - size[1]) / 2].map(i64::from);
        image::imageops::overlay(&mut canvas, &small, at[0], at[1]);
    }
    Ok(Frame::new(SIZE.0, SIZE.1, PixelFormat::Rgb8, canvas.into_raw(), Instant::now(), 0))
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    (median.as_secs_f64() * 1e6).round() / 1e3
}
