//! Results for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::base::printable::printable;
use crate::vocabulary::wire;

/// A line a face.
pub fn photo(picture: &wire::Picture) -> String {
    let source = printable(&picture.source);
    if picture.faces.is_empty() {
        return format!("{source}: no face\n");
    }
    picture.faces.iter().map(|face| format!("{source}: {}\n", described(face))).collect()
}

fn described(face: &wire::Face) -> String {
    let wire::Box { x, y, width, height } = face.bounds;
    let percent = 100.0 * face.confidence;
    let name = face.person.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    format!("{name}{} {percent:.0} % at {x:.0},{y:.0} {width:.0}x{height:.0}", face.emotion)
}

/// Faces of a film whose times are told; the others are counted.
const MOST_FACES: usize = 8;

/// The lines of a film: what changes, and how long each face had which emotion.
#[derive(Debug, Default)]
pub struct Lines {
    /// The last emotion that was told of each face.
    told: BTreeMap<u64, &'static str>,
    frames: u64,
    /// When the last look was, and who was seen.
    last: Option<(f64, Vec<(u64, &'static str)>)>,
    /// Seconds of each emotion, by face.
    seconds: BTreeMap<u64, BTreeMap<&'static str, f64>>,
}

impl Lines {
    /// A line for each face that is new or whose emotion has changed.
    pub fn frame(&mut self, picture: &wire::Picture) -> String {
        self.frames += 1;
        self.count(picture);
        let mut text = String::new();
        for face in &picture.faces {
            if self.told.insert(face.id, face.emotion) != Some(face.emotion) {
                let wire::Picture { source, time_s, .. } = picture;
                let face = format_args!("face {} {}", face.id, described(face));
                let source = printable(source);
                writeln!(text, "{source}: {time_s:.2} s, {face}").expect("memory takes all that is written");
            }
        }
        text
    }

    /// What was seen stays until the next look; the time after the last one is as long as looks are apart.
    fn count(&mut self, picture: &wire::Picture) {
        let seen: Vec<_> = picture.faces.iter().map(|face| (face.id, face.emotion)).collect();
        for (face, emotion) in &seen {
            self.seconds.entry(*face).or_default().entry(emotion).or_default();
        }
        if let Some((time, before)) = self.last.replace((picture.time_s, seen)) {
            self.add(&before, picture.time_s - time);
        }
    }

    fn add(&mut self, seen: &[(u64, &'static str)], seconds: f64) {
        for (face, emotion) in seen {
            *self.seconds.entry(*face).or_default().entry(emotion).or_default() += seconds;
        }
    }

    /// The film's last lines; the next frame is another film's.
    pub fn film_over(&mut self, source: &str) -> String {
        if let Some((time, seen)) = self.last.take()
            && self.frames > 1
        {
            self.add(&seen, time / (self.frames - 1) as f64);
        }
        let Self { told, frames, seconds, .. } = std::mem::take(self);
        let source = printable(source);
        let mut faces: Vec<_> = seconds.into_iter().collect();
        let whole = |emotions: &BTreeMap<&str, f64>| emotions.values().sum::<f64>();
        faces.sort_by(|(_, a), (_, b)| whole(b).total_cmp(&whole(a)));
        let mut text = String::new();
        for (face, emotions) in faces.into_iter().take(MOST_FACES) {
            let mut emotions: Vec<_> = emotions.into_iter().collect();
            emotions.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            let emotions: Vec<String> =
                emotions.into_iter().map(|(emotion, seconds)| format!("{emotion} {seconds:.1} s")).collect();
            text += &format!("{source}: face {face}: {}\n", emotions.join(", "));
        }
        let faces = match told.len() {
            0 => "no face".to_owned(),
            1 => "1 face".to_owned(),
            count => format!("{count} faces"),
        };
        text + &format!("{source}: {faces} in {frames} frames\n")
    }
}
