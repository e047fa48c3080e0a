//! One film: its frames through the same pipeline as the daemon's, on the film's clock.

use std::time::Instant;

use anyhow::{Context, anyhow};
use image::RgbImage;

use super::args::ClassifyArgs;
use super::choice::Choice;
use super::copies::Job;
use super::encode::Encoder;
use super::sink::Sink;
use super::when::Turns;
use crate::cli::inputs::{Input, Kind};
use crate::cli::progress::{Progress, Stop};
use crate::media::film::{Film, FilmError, FilmFrame, FilmOptions};
use crate::overlay::{self, Mark};
use crate::pipeline::Pipeline;
use crate::vocabulary::frame::{Frame, PixelFormat};
use crate::vocabulary::wire;

/// Reads the film to its end, as far as it can be decoded. Answers what was wrong with it.
///
/// # Errors
/// When a net, the output or a signal ends it all.
pub fn classify(
    job: &Job,
    film: Film,
    pipeline: &mut Pipeline,
    args: &ClassifyArgs,
    sink: &mut Sink<'_>,
    stop: &Stop,
) -> anyhow::Result<Vec<anyhow::Error>> {
    let source = job.input.source();
    // A pipe cannot be read again.
    let sound = Some(job.input.path.as_path()).filter(|_| job.input.kind != Kind::Pipe);
    let range = args.film_options().range;
    let (encoder, failed) =
        match job.target.as_deref().map(|to| Encoder::start(&film, sound, range, to, args.force)) {
            Some(Err(error)) => (None, Some(error)),
            encoder => (encoder.and_then(Result::ok), None),
        };
    pipeline.restart();
    let expected = film.expected_frames().filter(|_| range.is_all());
    let progress = match args.json || args.csv_on_stdout() {
        true => Progress::of_lines(expected, "frames", &source),
        false => Progress::new(expected, "frames", &source),
    };
    let choice = Choice::of(args);
    let problems = failed.into_iter().collect();
    let mut show = Show { source, film, encoder, problems, choice, marks: Vec::new() };
    let mut turns = Turns::new(args.every);
    let start = Instant::now();
    while let Some(frame) = show.next_frame() {
        stop.check()?;
        let its_turn = turns.is_due(&frame);
        let picture = show.look(frame, its_turn, pipeline, start)?;
        if let Some(picture) = picture {
            progress.beside(|| sink.frame(&picture))?;
        }
        progress.step();
    }
    // A terminal's Ctrl-C also ends ffmpeg, whose complaint is none of the film's.
    stop.check()?;
    drop(progress);
    sink.film_over(&show.source)?;
    Ok(show.end())
}

/// Begins to decode what is a film.
pub fn open(input: &Input, options: FilmOptions) -> anyhow::Result<Film> {
    let path = &input.path;
    let metadata = path.metadata().with_context(|| format!("unable to read {}", path.display()))?;
    if metadata.is_file() && metadata.len() == 0 {
        return Err(anyhow!("unable to decode {}: the file is empty (copy it again)", path.display()));
    }
    Film::open(path, options).with_context(|| format!("unable to decode {}", path.display()))
}

struct Show {
    source: String,
    film: Film,
    encoder: Option<Encoder>,
    problems: Vec<anyhow::Error>,
    choice: Choice,
    /// Of the last frame that was looked at.
    marks: Vec<Mark>,
}

impl Show {
    /// `None` at the end, whether the film's or that of what can be decoded.
    fn next_frame(&mut self) -> Option<FilmFrame> {
        self.film.next_frame().unwrap_or_else(|error: FilmError| {
            self.problems
                .push(anyhow::Error::new(error).context(format!("unable to decode all of {}", self.source)));
            None
        })
    }

    /// Finds the frame's faces if it is its turn, and hands it on with the marks.
    fn look(
        &mut self,
        frame: FilmFrame,
        its_turn: bool,
        pipeline: &mut Pipeline,
        start: Instant,
    ) -> anyhow::Result<Option<wire::Picture>> {
        let (width, height) = (self.film.width(), self.film.height());
        let now = start + frame.time;
        let pixels = Frame::new(width, height, PixelFormat::Rgb8, frame.rgb, now, frame.index);
        let picture = if its_turn {
            let observation = pipeline.step(&pixels, now)?;
            // A face that is only remembered has no scores of this frame.
            let seen = observation.faces.iter().filter(|face| face.visible);
            let faces = self.choice.faces(seen);
            self.marks = faces.iter().flatten().copied().map(Mark::from).collect();
            faces.map(|faces| wire::Picture {
                source: self.source.clone(),
                frame: frame.index,
                time_s: (frame.time.as_secs_f64() * 1e3).round() / 1e3,
                width,
                height,
                faces: faces.into_iter().map(wire::Face::from).collect(),
                faces_left_out: 0,
            })
        } else {
            None
        };
        if let Some(encoder) = &mut self.encoder {
            let rgb = RgbImage::from_raw(width, height, pixels.data.to_vec()).context("pixels")?;
            if let Err(error) = encoder.write(frame.time, &overlay::annotate(rgb, &self.marks)) {
                self.problems.push(error);
                self.encoder = None;
            }
        }
        Ok(picture)
    }

    /// What was wrong, after the copy is in its place.
    fn end(mut self) -> Vec<anyhow::Error> {
        self.problems.extend(self.encoder.and_then(|encoder| encoder.finish().err()));
        self.problems
    }
}
