//! A film's emotions as subtitles (WebVTT, W3C 2019), which players show below the picture.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::copies;
use crate::vocabulary::wire;

#[derive(Debug)]
struct Cue {
    start: f64,
    end: f64,
    text: String,
}

/// One cue for as long as every face's emotion stays.
#[derive(Debug, Default)]
pub struct Subtitles {
    cues: Vec<Cue>,
    /// Of the frames that were looked at.
    first: Option<f64>,
    last: f64,
    frames: u64,
}

impl Subtitles {
    /// Whether no frame was looked at.
    pub const fn is_empty(&self) -> bool {
        self.frames == 0
    }

    pub fn add(&mut self, picture: &wire::Picture) {
        let time = picture.time_s;
        self.first.get_or_insert(time);
        self.last = time;
        self.frames += 1;
        let text = text(picture);
        if let Some(cue) = self.cues.last_mut() {
            cue.end = time;
            if cue.text == text {
                return;
            }
        }
        self.cues.push(Cue { start: time, end: time, text });
    }

    /// The file's content. The last cue stays as long as looks are apart.
    fn vtt(&self) -> String {
        let span = self.last - self.first.unwrap_or(0.0);
        let step = if self.frames > 1 { span / (self.frames - 1) as f64 } else { 0.04 };
        let mut file = "WEBVTT\n".to_owned();
        for (number, cue) in self.cues.iter().enumerate().filter(|(_, cue)| !cue.text.is_empty()) {
            let end = if number + 1 == self.cues.len() { cue.end + step } else { cue.end };
            let times = format!("{} --> {}", clock(cue.start), clock(end));
            write!(file, "\n{times}\n{}\n", cue.text).expect("memory takes all that is written");
        }
        file
    }

    pub fn save(&self, path: &Path, force: bool) -> anyhow::Result<()> {
        let mut part = copies::begin(path, force)?;
        let written = part.write_all(self.vtt().as_bytes()).and_then(|()| part.commit());
        written.map_err(|error| copies::unwritable(path, &error))
    }
}

/// A line a face; several faces have their numbers.
fn text(picture: &wire::Picture) -> String {
    let several = picture.faces.len() > 1;
    let lines = picture.faces.iter().map(|face| match &face.person {
        Some(person) => format!("{}: {}", escaped(person), face.emotion),
        None if several => format!("{}: {}", face.id, face.emotion),
        None => face.emotion.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `&` and `<` begin something else in WebVTT.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn clock(seconds: f64) -> String {
    let ms = (seconds * 1e3).round() as u64;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cue_lasts_until_something_changes() {
        let mut subtitles = Subtitles::default();
        let states: [&[&'static str]; 6] =
            [&["neutral"], &["neutral"], &[], &["happy"], &["happy", "sad"], &["happy", "sad"]];
        for (n, emotions) in states.iter().enumerate() {
            let faces = (1..).zip(*emotions).map(|(id, emotion)| face(id, emotion)).collect();
            let time_s = n as f64 * 1000.5;
            subtitles.add(&wire::Picture {
                source: String::new(),
                frame: 0,
                time_s,
                width: 9,
                height: 9,
                faces,
                faces_left_out: 0,
            });
        }
        assert_eq!(
            subtitles.vtt(),
            "WEBVTT\n\n00:00:00.000 --> 00:33:21.000\nneutral\n\n00:50:01.500 --> 01:06:42.000\nhappy\n\n\
             01:06:42.000 --> 01:40:03.000\n1: happy\n2: sad\n"
        );
    }

    fn face(id: u64, emotion: &'static str) -> wire::Face {
        wire::Face {
            id,
            bounds: wire::Box { x: 0.0, y: 0.0, width: 1.0, height: 1.0 },
            score: 1.0,
            emotion,
            confidence: 1.0,
            scores: wire::Scores::default(),
            person: None,
        }
    }
}
