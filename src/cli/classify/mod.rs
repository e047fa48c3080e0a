//! `emotiond classify`: the emotion of the faces in photos, folders and films.

mod args;
mod copies;
mod encode;
mod film;
mod sink;
mod still;
mod table;
mod text;
mod timeline;

use crate::cli::inputs::{self, Kind, Media};
use crate::cli::progress::{Progress, Stop};
use crate::cli::status::{Status, one_line};
use crate::cli::workers::{self, Budget};
use crate::config::Config;
use crate::media::photo;
use crate::pipeline::{Pipeline, load};
pub use args::ClassifyArgs;
use copies::{Copies, Job};
use sink::{OutputClosed, Sink};

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
    eprintln!("emotiond: {}", one_line(problem));
    *status = Status::Failed;
}
