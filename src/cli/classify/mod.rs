//! `emotiond classify`: the emotion of the faces in photos, folders and films.

mod args;
mod choice;
mod copies;
mod encode;
mod film;
mod sink;
mod still;
mod subtitles;
mod summary;
mod table;
mod text;
mod timeline;
mod when;

use anyhow::Context;

use crate::base::caught::caught;
use crate::base::printable::printable;
use crate::cli::inputs::{self, Found, Kind, Media, Piped};
use crate::cli::progress::{Progress, Stop};
use crate::cli::status::{OutputClosed, Status, Stopped, one_line};
use crate::cli::workers::{self, Budget};
use crate::config::Config;
use crate::media::film::Film;
use crate::media::photo;
use crate::pipeline::{Pipeline, load};
use crate::vocabulary::wire;
pub use args::ClassifyArgs;
use choice::Choice;
use copies::{Copies, Job};
use sink::Sink;
use still::Stills;
use table::Earlier;

/// Reads all inputs; one that cannot be read is named on standard error and skipped.
pub fn run(args: &ClassifyArgs, config: &mut Config) -> anyhow::Result<Status> {
    args.model.apply(config);
    let stop = Stop::on_signals()?;
    let (found, left_out) = inputs::find(&args.paths, Media::PhotosAndFilms, args.out.as_deref());
    let count = |kind| found.iter().flatten().filter(|input| input.kind == kind).count();
    let stdin = found.iter().flatten().filter(|input| input.path.as_os_str() == "-").count();
    args.check(stdin, count(Kind::Film), count(Kind::Pipe))?;
    let photos = count(Kind::Photo);
    let mut pipelines: Vec<Pipeline> =
        (0..workers::count(photos)).map(|_| load::pipeline(config)).collect::<Result<_, _>>()?;
    let originals = copies::originals(&found);
    let (jobs, earlier) = plan(args, found, &originals)?;
    let mut sink = Sink::open(args, &originals, &earlier)?;
    sink.summary.left_out = left_out;
    let mut run = Run { jobs, sink, args, choice: Choice::of(args), stop, status: Status::Done };
    let done = run.all(&mut pipelines);
    let done = match done {
        Ok(()) => run.sink.finish(),
        Err(error) if error.is::<Stopped>() || error.is::<OutputClosed>() => {
            run.sink.finish_table().and(Err(error))
        }
        Err(error) => Err(error),
    };
    if run.sink.summary.is_worth_it() {
        eprintln!("{}", printable(&run.sink.summary.to_string()));
    }
    match done {
        Ok(()) => Ok(run.status),
        // Who reads the output has seen enough.
        Err(error) if error.is::<OutputClosed>() => Ok(run.status),
        Err(error) => Err(error),
    }
}

/// What is to be done, and the table's rows of what was done by an earlier run.
fn plan(
    args: &ClassifyArgs,
    found: Vec<Found>,
    originals: &copies::Originals,
) -> anyhow::Result<(Vec<anyhow::Result<Job>>, Earlier)> {
    let copies = Copies { folder: args.out.as_deref(), force: args.force, resume: args.resume };
    let mut jobs = copies.plan(found, originals);
    if !args.resume {
        return Ok((jobs, Earlier::default()));
    }
    let mut earlier = args.csv.as_deref().map(Earlier::read).transpose()?.unwrap_or_default();
    let is_done = |job: &Job| {
        let source = job.input.source();
        // A film whose rows are the last may have been interrupted; its copy is there when it is whole.
        let unfinished =
            job.input.kind != Kind::Photo && earlier.last() == Some(source.as_str()) && !job.copied;
        let tabled = args.csv.is_none() || (earlier.holds(&source) && !unfinished);
        tabled && (args.out.is_none() || job.copied)
    };
    jobs.retain(|job| !job.as_ref().is_ok_and(is_done));
    let again: Vec<String> = jobs.iter().flatten().map(|job| job.input.source()).collect();
    earlier.retain(|source| !again.iter().any(|again| again == source));
    Ok((jobs, earlier))
}

/// The inputs on their way to the output.
struct Run<'a> {
    args: &'a ClassifyArgs,
    jobs: Vec<anyhow::Result<Job>>,
    sink: Sink<'a>,
    choice: Choice,
    stop: Stop,
    status: Status,
}

impl Run<'_> {
    /// Stretches of photos on all cores, each film by itself, so that the output keeps its order.
    fn all(&mut self, pipelines: &mut [Pipeline]) -> anyhow::Result<()> {
        let alone = |job: &anyhow::Result<Job>| job.as_ref().is_ok_and(|job| job.input.kind != Kind::Photo);
        let jobs = std::mem::take(&mut self.jobs);
        let choice = self.choice.clone();
        let budget = Budget::new(photo::MAX_PIXELS);
        let stills = Stills { budget, choice: &choice, force: self.args.force };
        for stretch in jobs.chunk_by(|a, b| !alone(a) && !alone(b)) {
            match stretch {
                [Ok(job)] if job.input.kind == Kind::Film => {
                    let film = film::open(&job.input, self.args.film_options());
                    self.film(job, film, &mut pipelines[0])?;
                }
                [Ok(job)] if job.input.kind == Kind::Pipe => self.pipe(job, &stills, &mut pipelines[0])?,
                _ => self.photos(stretch, &stills, pipelines)?,
            }
        }
        Ok(())
    }

    fn photos(
        &mut self,
        jobs: &[anyhow::Result<Job>],
        stills: &Stills<'_>,
        pipelines: &mut [Pipeline],
    ) -> anyhow::Result<()> {
        let progress = match jobs.len() {
            1 => Progress::none(),
            count => Progress::of_lines(Some(count as u64), "photos", ""),
        };
        let work = |pipeline: &mut Pipeline, index: usize| match &jobs[index] {
            Ok(job) => caught(|| stills.classify(job, pipeline)).unwrap_or_else(|panic| {
                Err(panic).with_context(|| format!("unable to read {}", job.input.path.display()))
            }),
            Err(problem) => Err(anyhow::anyhow!("{problem:#}")),
        };
        let workers = pipelines.len().min(jobs.len());
        workers::in_order(&mut pipelines[..workers], jobs.len(), work, |_, result| {
            self.stop.check()?;
            match result.is_ok() {
                true => progress.beside(|| self.photo(result))?,
                false => progress.aside(|| self.photo(result))?,
            }
            progress.step();
            Ok(())
        })
    }

    fn photo(&mut self, result: anyhow::Result<Option<wire::Picture>>) -> anyhow::Result<()> {
        match result {
            Ok(picture) => picture.map_or(Ok(()), |picture| self.sink.photo(&picture)),
            Err(problem) => {
                self.skipped(&problem);
                Ok(())
            }
        }
    }

    fn film(&mut self, job: &Job, film: anyhow::Result<Film>, pipeline: &mut Pipeline) -> anyhow::Result<()> {
        let problems = match film {
            Ok(film) => film::classify(job, film, pipeline, self.args, &mut self.sink, &self.stop)?,
            Err(problem) => vec![problem],
        };
        for problem in problems {
            self.skipped(&problem);
        }
        Ok(())
    }

    fn pipe(&mut self, job: &Job, stills: &Stills<'_>, pipeline: &mut Pipeline) -> anyhow::Result<()> {
        match inputs::load_piped(&job.input.path) {
            Ok((Piped::Photo(bytes), name)) => {
                let picture = caught(|| stills.classify_bytes(job, bytes, &name, pipeline));
                let picture = picture
                    .unwrap_or_else(|panic| Err(panic).with_context(|| format!("unable to read {name}")));
                self.photo(picture)
            }
            Ok((Piped::Film(head, rest), name)) => {
                let film = Film::open_pipe(head, rest, self.args.film_options())
                    .with_context(|| format!("unable to decode {name}"));
                self.film(job, film, pipeline)
            }
            Err(problem) => {
                self.skipped(&problem);
                Ok(())
            }
        }
    }

    fn skipped(&mut self, problem: &anyhow::Error) {
        eprintln!("emotiond: {}", one_line(problem));
        self.sink.summary.unread += 1;
        self.status = Status::Failed;
    }
}
