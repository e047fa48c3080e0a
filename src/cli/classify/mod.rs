//! `emotiond classify`: the emotion of the faces in photos, folders and films.

mod copies;
mod encode;
mod film;
mod still;
mod table;
mod text;
mod timeline;

use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::inputs::{self, Kind, Media};
use crate::cli::progress::{Progress, Stop};
use crate::cli::workers::{self, Budget};
use crate::cli::{ModelArg, Status, UsageError};
use crate::config::Config;
use crate::media::photo;
use crate::pipeline::{Pipeline, load};
use crate::vocabulary::wire;
use copies::{Copies, Job};
use table::Table;
use timeline::Timeline;

const DETAILS: &str = "\
Photos are JPEG, PNG, WebP, BMP, TIFF and the first picture of a GIF, upright as their Exif data say, up to 100 \
megapixels. Films are whatever ffmpeg decodes. Folders are searched with all folders below them, in the order of \
their names; links are followed, names that begin with a dot are left out. A film's faces keep their numbers while \
they are followed and their emotions are smoothed over the film's time, as the daemon does it; a photo's emotion is \
the strongest, or \"uncertain\" below classifier.min_confidence.

Output: a line a face (photos) or a line whenever a face's emotion changes (films); with --json a line of JSON a photo \
or film frame:
  {\"source\":\"a.jpg\",\"frame\":0,\"time_s\":0.0,\"width\":640,\"height\":480,\"faces\":[{\"id\":1,
   \"box\":{\"x\":10.0,\"y\":20.0,\"width\":90.0,\"height\":90.0},\"score\":0.98,\"emotion\":\"happy\",
   \"confidence\":0.93,\"scores\":{\"angry\":0.01,...}}]}
Boxes are in pixels of the upright picture. score is the detector's certainty, confidence the emotion's (smoothed in \
films), scores the calibrated probabilities in this very picture. Messages go to standard error.

A file that cannot be read is named and skipped. A damaged film is read as far as it can be decoded. Files that are \
written appear under their names when they are whole, and never replace others without --force. Interrupted, the \
command leaves no half-written file.

Examples:
  emotiond classify holiday/ --out marked/
  emotiond classify clip.mp4 --json --every 5 >clip.jsonl
  emotiond classify interview.mkv --timeline interview.png --csv interview.csv --out marked/
  curl -s https://example.org/face.jpg | emotiond classify -

Exit status: 0 done, 1 something was skipped or failed, 2 wrong usage, 78 bad configuration or model.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = DETAILS)]
pub struct ClassifyArgs {
    /// Photos, films, folders of them, and - for a photo on standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Prints one JSON object a photo or film frame, and nothing else on standard output
    #[arg(long)]
    json: bool,

    /// Writes one row a face, and one for a picture without a face
    ///
    /// Columns: source, frame, time_s, picture_width, picture_height, face, x, y, width, height, score, emotion,
    /// confidence and a column for each emotion's probability.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Writes copies with the faces marked: box, emotion, confidence and a bar for each emotion
    ///
    /// Copies keep their names and their place below PATH. Photos keep their format; a.gif becomes a.gif.png.
    /// Films come back as H.264 with their sound, which is copied. MP4, MOV and Matroska stay such; of others, a.webm
    /// becomes a.webm.mkv. Pictures smaller than 256 pixels are enlarged. Originals are never written to.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Looks at every N-th frame of a film only; marks in its copy stay until the next look
    #[arg(long, value_name = "N", default_value = "1")]
    every: NonZeroU64,

    /// Plots the emotions of a film's faces over time, as PNG; takes one film
    #[arg(long, value_name = "FILE.png")]
    timeline: Option<PathBuf>,

    /// Replaces files that are there already
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    model: ModelArg,
}

/// Reads all inputs; one that cannot be read is named on standard error and skipped.
pub fn run(args: &ClassifyArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    let stop = Stop::on_signals()?;
    let found = inputs::find(&args.paths, Media::PhotosAndFilms, args.out.as_deref());
    let kinds = || found.iter().flatten().map(|input| input.kind);
    args.check(
        kinds().filter(|kind| *kind == Kind::Stdin).count(),
        kinds().filter(|kind| *kind == Kind::Film).count(),
    )?;
    let photos = kinds().filter(|kind| *kind != Kind::Film).count();
    let mut pipelines: Vec<Pipeline> =
        (0..workers::count(photos)).map(|_| load::pipeline(config)).collect::<Result<_, _>>()?;
    let mut run = Run {
        jobs: Copies { folder: args.out.as_deref(), force: args.force }.plan(found),
        sink: Sink::open(args)?,
        args,
        stop,
        status: Status::Done,
    };
    let done = run.all(&mut pipelines).and_then(|()| run.sink.finish());
    match done {
        Ok(()) => Ok(run.status),
        // Who reads the output has seen enough.
        Err(error) if error.is::<OutputClosed>() => Ok(run.status),
        Err(error) => Err(error),
    }
}

impl ClassifyArgs {
    fn check(&self, stdin: usize, films: usize) -> Result<(), UsageError> {
        if stdin > 1 {
            return Err(UsageError("standard input (-) holds one photo and can be named once".to_owned()));
        }
        if self.timeline.is_some() && films != 1 {
            return Err(UsageError(format!(
                "--timeline plots one film, and {films} are named (run it for each)"
            )));
        }
        Ok(())
    }
}

/// The inputs on their way to the output.
struct Run<'a> {
    args: &'a ClassifyArgs,
    jobs: Vec<anyhow::Result<Job>>,
    sink: Sink<'a>,
    stop: Stop,
    status: Status,
}

impl Run<'_> {
    /// Stretches of photos on all cores, each film by itself, so that the output keeps its order.
    fn all(&mut self, pipelines: &mut [Pipeline]) -> anyhow::Result<()> {
        let is_film = |job: &anyhow::Result<Job>| job.as_ref().is_ok_and(|job| job.input.kind == Kind::Film);
        let jobs = std::mem::take(&mut self.jobs);
        for stretch in jobs.chunk_by(|a, b| !is_film(a) && !is_film(b)) {
            match stretch {
                [Ok(job)] if job.input.kind == Kind::Film => self.film(job, &mut pipelines[0])?,
                _ => self.photos(stretch, pipelines)?,
            }
        }
        Ok(())
    }

    fn photos(&mut self, jobs: &[anyhow::Result<Job>], pipelines: &mut [Pipeline]) -> anyhow::Result<()> {
        let progress = match jobs.len() {
            1 => Progress::none(),
            count => Progress::new(Some(count as u64), "photos", ""),
        };
        let budget = Budget::new(photo::MAX_PIXELS);
        let force = self.args.force;
        let work = |pipeline: &mut Pipeline, index: usize| match &jobs[index] {
            Ok(job) => still::classify(job, pipeline, &budget, force),
            Err(problem) => Err(anyhow::anyhow!("{problem:#}")),
        };
        let workers = pipelines.len().min(jobs.len());
        workers::in_order(&mut pipelines[..workers], jobs.len(), work, |_, result| {
            self.stop.check()?;
            match result {
                Ok(picture) => progress.aside(|| self.sink.photo(&picture))?,
                Err(problem) => progress.aside(|| skipped(&problem, &mut self.status)),
            }
            progress.step();
            Ok(())
        })
    }

    fn film(&mut self, job: &Job, pipeline: &mut Pipeline) -> anyhow::Result<()> {
        let problems = film::classify(job, pipeline, self.args, &mut self.sink, &self.stop)?;
        for problem in problems {
            skipped(&problem, &mut self.status);
        }
        Ok(())
    }
}

fn skipped(problem: &anyhow::Error, status: &mut Status) {
    eprintln!("emotiond: {}", super::one_line(problem));
    *status = Status::Failed;
}

/// Standard output was closed by who reads it.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
struct OutputClosed;

/// Where results go.
struct Sink<'a> {
    json: bool,
    lines: text::Lines,
    table: Option<Table>,
    timeline: Option<(Timeline, &'a ClassifyArgs)>,
}

impl<'a> Sink<'a> {
    /// Makes sure that files can be written before any work is done.
    fn open(args: &'a ClassifyArgs) -> anyhow::Result<Self> {
        let table = args.csv.as_deref().map(|path| Table::create(path, args.force)).transpose()?;
        if let Some(path) = args.timeline.as_deref() {
            timeline::check(path, args.force)?;
        }
        let timeline = args.timeline.is_some().then(|| (Timeline::default(), args));
        Ok(Self { json: args.json, lines: text::Lines::default(), table, timeline })
    }

    fn photo(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        let text = if self.json { json(picture)? } else { text::photo(picture) };
        self.put(&text, picture)
    }

    /// A frame of a film that was looked at.
    fn frame(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        if let Some((timeline, _)) = &mut self.timeline {
            timeline.add(picture);
        }
        let text = if self.json { json(picture)? } else { self.lines.frame(picture) };
        self.put(&text, picture)
    }

    /// After a film's last frame.
    fn film_over(&mut self, source: &str) -> anyhow::Result<()> {
        let text = self.lines.film_over(source);
        if self.json { Ok(()) } else { print(&text) }
    }

    fn put(&mut self, text: &str, picture: &wire::Picture) -> anyhow::Result<()> {
        if let Some(table) = &mut self.table {
            table.add(picture)?;
        }
        print(text)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if let Some((timeline, args)) = self.timeline.take()
            && let Some(path) = &args.timeline
        {
            timeline.save(path, args.force)?;
        }
        self.table.take().map_or(Ok(()), Table::finish)
    }
}

fn json(picture: &wire::Picture) -> anyhow::Result<String> {
    Ok(serde_json::to_string(picture)? + "\n")
}

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        result => result.context("unable to write to standard output"),
    }
}
