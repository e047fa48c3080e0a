//! A film's emotions over time as a plot: what each face was said to feel, and the main face's
//! probabilities, a row an emotion, so that colours are never needed to read it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{anyhow, bail};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::copies;
use crate::overlay;
use crate::vocabulary::emotion::{Emotion, Scores, State};
use crate::vocabulary::wire;

const WIDTH: u32 = 1600;
const MARGIN: i32 = 24;
/// Names at the left.
const NAMES: i32 = 150;
const TITLE: i32 = 64;
const LANE: i32 = 34;
const HEADING: i32 = 44;
const ROW: i32 = 62;
const AXIS: i32 = 44;

/// Faces with a lane of their own; the others are counted.
const MOST_LANES: usize = 8;

/// Points of a curve: narrower than that shows nothing more.
const BINS: usize = 700;

const FONT: &str = "overlay";
const BACKGROUND: RGBColor = RGBColor(22, 24, 29);
const PANEL: RGBColor = RGBColor(34, 37, 44);
const GRID: RGBColor = RGBColor(70, 75, 84);
const TEXT: RGBColor = RGBColor(232, 235, 239);
const DIM: RGBColor = RGBColor(168, 174, 182);
const DARK: RGBColor = RGBColor(16, 18, 22);

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

/// What was seen of one face in one frame.
struct Sample {
    time: f64,
    state: State,
    scores: Scores,
}

/// The faces of one film.
#[derive(Default)]
pub struct Timeline {
    source: String,
    faces: BTreeMap<u64, Vec<Sample>>,
    /// Of the frames that were looked at.
    first: Option<f64>,
    last: f64,
    frames: u64,
}

/// Whether the plot can be written, before the film is read.
pub fn check(path: &Path, force: bool) -> anyhow::Result<()> {
    let png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if !png && path.metadata().map_or(true, |metadata| metadata.is_file()) {
        bail!("unable to write {}: the plot is a PNG (end its name with .png)", path.display());
    }
    copies::begin(path, force).map(drop)
}

impl Timeline {
    /// Whether no frame was looked at.
    pub const fn is_empty(&self) -> bool {
        self.frames == 0
    }

    pub fn add(&mut self, picture: &wire::Picture) {
        if self.source.is_empty() {
            self.source.clone_from(&picture.source);
        }
        let time = picture.time_s;
        self.first.get_or_insert(time);
        self.last = time;
        self.frames += 1;
        for face in &picture.faces {
            let state = face.emotion.parse().map_or(State::Uncertain, State::Emotion);
            self.faces.entry(face.id).or_default().push(Sample { time, state, scores: face.scores.0 });
        }
    }

    /// Draws and writes the plot.
    pub fn save(&self, path: &Path, force: bool) -> anyhow::Result<()> {
        let mut part = copies::begin(path, force)?;
        let failed = |error: &dyn std::fmt::Display| anyhow!("unable to write {}: {error}", path.display());
        let picture = self.draw().map_err(|error| failed(&error))?;
        picture.write_to(&mut part, ImageFormat::Png).map_err(|error| failed(&error))?;
        part.commit().map_err(|error| copies::unwritable(path, &error))
    }

    /// Seconds from one look to the next, and to the film's end after the last.
    fn step(&self) -> f64 {
        let span = self.last - self.first.unwrap_or(0.0);
        if self.frames > 1 { span / (self.frames - 1) as f64 } else { 0.04 }
    }

    /// Without a face for longer than this, a curve breaks.
    fn gap(&self) -> f64 {
        (2.5 * self.step()).max(0.25)
    }

    /// The face that was seen most.
    fn main_face(&self) -> Option<(u64, &[Sample])> {
        let main = self.faces.iter().max_by_key(|(id, samples)| (samples.len(), u64::MAX - **id));
        main.map(|(id, samples)| (*id, samples.as_slice()))
    }

    /// The faces that get a lane, by id, and how many do not.
    fn lanes(&self) -> (Vec<(u64, &[Sample])>, usize) {
        let mut faces: Vec<(u64, &[Sample])> =
            self.faces.iter().map(|(id, samples)| (*id, samples.as_slice())).collect();
        faces.sort_by_key(|(_, samples)| std::cmp::Reverse(samples.len()));
        let others = faces.len().saturating_sub(MOST_LANES);
        faces.truncate(MOST_LANES);
        faces.sort_by_key(|(id, _)| *id);
        (faces, others)
    }

    fn draw(&self) -> anyhow::Result<RgbImage> {
        register_font(FONT, FontStyle::Normal, overlay::font()).map_err(|_| anyhow!("the font"))?;
        let (lanes, others) = self.lanes();
        let rows = self.main_face().map_or(0, |(_, samples)| samples[0].scores.iter().count()) as i32;
        let lanes_height = LANE * lanes.len().max(1) as i32;
        let height = TITLE + lanes_height + HEADING + ROW * rows + AXIS + MARGIN;
        let mut pixels = vec![0; WIDTH as usize * height as usize * 3];
        {
            let root = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height as u32)).into_drawing_area();
            self.draw_all(&root, &lanes, others).map_err(|error| anyhow!("unable to draw: {error:?}"))?;
        }
        RgbImage::from_raw(WIDTH, height as u32, pixels).ok_or_else(|| anyhow!("pixels"))
    }

    fn draw_all(&self, root: &Area<'_>, lanes: &[(u64, &[Sample])], others: usize) -> Drawn {
        let end = (self.last + self.step()).max(1e-3);
        let scale = Scale { seconds: 0.0..end, pixels: MARGIN + NAMES..WIDTH as i32 - MARGIN };
        root.fill(&BACKGROUND)?;
        let name = Path::new(&self.source).file_name().unwrap_or_default().to_string_lossy();
        root.draw(&label(&name, (MARGIN, TITLE / 2 - 2), 26, &TEXT, HPos::Left))?;
        let seen = match (lanes.len(), others) {
            (0, _) => "no face was found".to_owned(),
            (_, 0) => "each face's emotion, smoothed over time".to_owned(),
            (_, 1) => {
                "each face's emotion, smoothed over time; 1 more face was seen for less long".to_owned()
            }
            _ => format!(
                "each face's emotion, smoothed over time; {others} more faces were seen for less long"
            ),
        };
        root.draw(&label(&seen, (WIDTH as i32 - MARGIN, TITLE / 2), 19, &DIM, HPos::Right))?;
        let mut top = TITLE;
        for (id, samples) in lanes {
            root.draw(&label(&format!("face {id}"), (MARGIN, top + LANE / 2), 20, &TEXT, HPos::Left))?;
            self.draw_lane(root, &scale, top, samples)?;
            top += LANE;
        }
        if lanes.is_empty() {
            root.draw(&Rectangle::new(
                [(scale.pixels.start, top), (scale.pixels.end, top + LANE - 6)],
                PANEL.filled(),
            ))?;
            top += LANE;
        }
        if let Some((id, samples)) = self.main_face() {
            let heading = format!("probability of each emotion, frame by frame, face {id}");
            root.draw(&label(&heading, (scale.pixels.start, top + HEADING / 2), 19, &DIM, HPos::Left))?;
            top += HEADING;
            for (emotion, _) in samples[0].scores.iter() {
                self.draw_row(root, &scale, top, emotion, samples)?;
                top += ROW;
            }
        }
        draw_axis(root, &scale, top)?;
        root.present()
    }

    /// What the face was said to feel, named where there is room.
    fn draw_lane(&self, root: &Area<'_>, scale: &Scale, top: i32, samples: &[Sample]) -> Drawn {
        let bottom = top + LANE - 6;
        root.draw(&Rectangle::new([(scale.pixels.start, top), (scale.pixels.end, bottom)], PANEL.filled()))?;
        let runs = samples.chunk_by(|a, b| a.state == b.state && b.time - a.time <= self.gap());
        for run in runs {
            let (first, last) = (&run[0], &run[run.len() - 1]);
            let (left, right) =
                (scale.x(first.time), scale.x(last.time + self.step()).max(scale.x(first.time) + 1));
            let [red, green, blue] = overlay::look(first.state).color;
            root.draw(&Rectangle::new([(left, top), (right, bottom)], RGBColor(red, green, blue).filled()))?;
            let name = first.state.name();
            let short = &name[..3];
            // The library centres capitals, these are small letters.
            let middle = ((left + right) / 2, (top + bottom) / 2 + 2);
            let fits = |text: &str| {
                root.estimate_text_size(text, &style(18, &DARK))
                    .map(|(width, _)| width as i32 + 8 <= right - left)
            };
            for text in [name, short] {
                if fits(text)? {
                    root.draw(&label(text, middle, 18, &DARK, HPos::Center))?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn draw_row(
        &self,
        root: &Area<'_>,
        scale: &Scale,
        top: i32,
        emotion: Emotion,
        samples: &[Sample],
    ) -> Drawn {
        let bottom = top + ROW - 10;
        let y = |score: f64| bottom - (score * f64::from(bottom - top)).round() as i32;
        root.draw(&label(emotion.name(), (MARGIN, (top + bottom) / 2), 22, &TEXT, HPos::Left))?;
        root.draw(&Rectangle::new([(scale.pixels.start, top), (scale.pixels.end, bottom)], PANEL.filled()))?;
        for (score, text) in [(0.0, "0"), (0.5, ""), (1.0, "1")] {
            let line = [(scale.pixels.start, y(score)), (scale.pixels.end, y(score))];
            root.draw(&PathElement::new(line, GRID))?;
            let at = y(score) + if score > 0.5 { 6 } else { -6 };
            root.draw(&label(text, (scale.pixels.start - 8, at), 15, &DIM, HPos::Right))?;
        }
        let [red, green, blue] = overlay::look(State::Emotion(emotion)).color;
        let color = RGBColor(red, green, blue);
        let bin = ((self.last + self.step()) / BINS as f64).max(self.step());
        for run in samples.chunk_by(|a, b| b.time - a.time <= self.gap()) {
            let points: Vec<(i32, i32)> = averages(run, emotion, bin)
                .into_iter()
                .map(|(time, score)| (scale.x(time), y(score)))
                .collect();
            let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
            // A face seen in a single frame is a line, too.
            let end = (last.0.max(first.0 + 1), last.1);
            let curve: Vec<_> = points.iter().copied().chain([end]).collect();
            let shape: Vec<_> =
                [(first.0, bottom)].into_iter().chain(curve.clone()).chain([(end.0, bottom)]).collect();
            root.draw(&Polygon::new(shape, color.mix(0.45)))?;
            root.draw(&PathElement::new(curve, color.stroke_width(2)))?;
        }
        Ok(())
    }
}

/// Mean probabilities over stretches of `bin` seconds, each at its middle.
fn averages(run: &[Sample], emotion: Emotion, bin: f64) -> Vec<(f64, f64)> {
    let number = |sample: &Sample| (sample.time / bin + 1e-6) as u64;
    run.chunk_by(|a, b| number(a) == number(b))
        .map(|samples| {
            let count = samples.len() as f64;
            let score = |sample: &Sample| f64::from(sample.scores.get(emotion).unwrap_or(0.0));
            let time = samples.iter().map(|sample| sample.time).sum::<f64>() / count;
            (time, samples.iter().map(score).sum::<f64>() / count)
        })
        .collect()
}

/// From the film's time to the plot's columns.
struct Scale {
    seconds: Range<f64>,
    pixels: Range<i32>,
}

impl Scale {
    fn x(&self, time: f64) -> i32 {
        let part = (time - self.seconds.start) / (self.seconds.end - self.seconds.start);
        let x = f64::from(self.pixels.start) + part * f64::from(self.pixels.end - self.pixels.start);
        (x.round() as i32).clamp(self.pixels.start, self.pixels.end)
    }

    /// Round times, about ten of them.
    fn ticks(&self) -> (f64, Vec<f64>) {
        const STEPS: [f64; 17] = [
            0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
            3600.0,
        ];
        let end = self.seconds.end;
        let step = STEPS.into_iter().find(|step| end / step <= 14.0).unwrap_or_else(|| (end / 14.0).ceil());
        (step, (0..=(end / step) as u32).map(|tick| f64::from(tick) * step).collect())
    }
}

fn draw_axis(root: &Area<'_>, scale: &Scale, top: i32) -> Drawn {
    let (step, ticks) = scale.ticks();
    for time in ticks {
        let x = scale.x(time);
        root.draw(&PathElement::new([(x, top), (x, top + 6)], DIM))?;
        root.draw(&label(&clock(time, step), (x, top + 20), 18, &DIM, HPos::Center))?;
    }
    Ok(())
}

/// `1:05`, with tenths or hundredths where the steps are shorter than a second.
fn clock(time: f64, step: f64) -> String {
    let decimals = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
    let width = if decimals > 0 { 3 + decimals } else { 2 };
    let factor = 10_f64.powi(decimals as i32);
    let time = (time * factor).round() / factor;
    let (minutes, seconds) = ((time / 60.0) as u64, time % 60.0);
    if minutes < 60 {
        return format!("{minutes}:{seconds:0width$.decimals$}");
    }
    format!("{}:{:02}:{seconds:0width$.decimals$}", minutes / 60, minutes % 60)
}

fn style(size: i32, color: &'static RGBColor) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font()).color(color)
}

fn label(
    text: &str,
    at: (i32, i32),
    size: i32,
    color: &'static RGBColor,
    align: HPos,
) -> Text<'static, (i32, i32), String> {
    Text::new(text.to_owned(), at, style(size, color).pos(Pos::new(align, VPos::Center)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_on_a_clock() {
        assert_eq!(clock(65.0, 5.0), "1:05");
        assert_eq!(clock(0.25, 0.05), "0:00.25");
        assert_eq!(clock(59.999, 0.5), "1:00.0");
        assert_eq!(clock(3_725.0, 300.0), "1:02:05");
    }

    /// Two faces: one that becomes happy and goes away for a while, one that is seen briefly.
    #[test]
    fn the_plot_is_as_the_golden_picture() {
        let mut timeline = Timeline::default();
        for frame in 0..500_u64 {
            let time_s = frame as f64 / 25.0;
            let mut faces = Vec::new();
            if !(300..360).contains(&frame) {
                let happy = (0.5 + 0.5 * (time_s * 0.6).sin()) as f32 * 0.9;
                let emotion = if happy > 0.45 { "happy" } else { "neutral" };
                faces.push(face(1, emotion, happy));
            }
            if (100..140).contains(&frame) {
                faces.push(face(7, "uncertain", 0.3));
            }
            let source = "films/garden.mp4".to_owned();
            timeline.add(&wire::Picture {
                source,
                frame,
                time_s,
                width: 640,
                height: 480,
                faces,
                faces_left_out: 0,
            });
        }
        let plot = timeline.draw().expect("drawn");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/timeline.png");
        if std::env::var_os("EMOTIOND_BLESS").is_some() {
            plot.save(&path).expect("written");
        }
        assert!(image::open(&path).expect("golden picture").to_rgb8() == plot, "the plot differs");
    }

    fn face(id: u64, emotion: &'static str, happy: f32) -> wire::Face {
        let rest = (0.9 - happy) / 6.0;
        let scores = Emotion::ALL.map(|emotion| match emotion {
            Emotion::Happy => (emotion, happy),
            Emotion::Neutral => (emotion, 0.1 + rest),
            _ => (emotion, rest),
        });
        let bounds = wire::Box { x: 10.0, y: 10.0, width: 90.0, height: 90.0 };
        let scores = wire::Scores(Scores::from_pairs(scores));
        wire::Face { id, bounds, score: 0.9, emotion, confidence: 0.9, scores, person: None }
    }

    #[test]
    fn averages_are_over_stretches() {
        let sample = |time, happy| Sample {
            time,
            state: State::Uncertain,
            scores: Scores::from_pairs([(Emotion::Happy, happy)]),
        };
        let run = [sample(0.0, 0.0), sample(0.5, 1.0), sample(1.0, 0.5)];
        assert_eq!(averages(&run, Emotion::Happy, 1.0), [(0.25, 0.5), (1.0, 0.5)]);
    }
}
