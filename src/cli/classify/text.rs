//! Results for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::vocabulary::wire;

/// A line a face.
pub fn photo(picture: &wire::Picture) -> String {
    let source = &picture.source;
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

/// The lines of a film: what changes.
#[derive(Debug, Default)]
pub struct Lines {
    /// The last emotion that was told of each face.
    told: BTreeMap<u64, &'static str>,
    frames: u64,
}

impl Lines {
    /// A line for each face that is new or whose emotion has changed.
    pub fn frame(&mut self, picture: &wire::Picture) -> String {
        self.frames += 1;
        let mut text = String::new();
        for face in &picture.faces {
            if self.told.insert(face.id, face.emotion) != Some(face.emotion) {
                let wire::Picture { source, time_s, .. } = picture;
                let face = format_args!("face {} {}", face.id, described(face));
                writeln!(text, "{source}: {time_s:.2} s, {face}").expect("memory takes all that is written");
            }
        }
        text
    }

    /// The film's last line; the next frame is another film's.
    pub fn film_over(&mut self, source: &str) -> String {
        let Self { told, frames } = std::mem::take(self);
        let faces = match told.len() {
            0 => "no face".to_owned(),
            1 => "1 face".to_owned(),
            count => format!("{count} faces"),
        };
        format!("{source}: {faces} in {frames} frames\n")
    }
}
