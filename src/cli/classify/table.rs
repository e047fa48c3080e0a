//! Results as CSV.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::copies;
use crate::base::atomic_file::Part;
use crate::vocabulary::emotion::Emotion;
use crate::vocabulary::wire;

const COLUMNS: [&str; 13] = [
    "source",
    "frame",
    "time_s",
    "picture_width",
    "picture_height",
    "face",
    "x",
    "y",
    "width",
    "height",
    "score",
    "emotion",
    "confidence",
];

/// A row a face, and one with empty columns for a picture without a face.
pub struct Table {
    writer: csv::Writer<BufWriter<Part>>,
    path: PathBuf,
}

impl Table {
    pub fn create(path: &Path, force: bool) -> anyhow::Result<Self> {
        let part = copies::begin(path, force)?;
        let mut table =
            Self { writer: csv::Writer::from_writer(BufWriter::new(part)), path: path.to_owned() };
        let emotions = Emotion::ALL.map(Emotion::name);
        table.write(COLUMNS.into_iter().chain(emotions).map(ToOwned::to_owned).collect())?;
        Ok(table)
    }

    pub fn add(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        let start = || {
            let wire::Picture { source, frame, time_s, width, height, .. } = picture;
            vec![source.clone(), frame.to_string(), time_s.to_string(), width.to_string(), height.to_string()]
        };
        if picture.faces.is_empty() {
            let mut row = start();
            row.resize(COLUMNS.len() + Emotion::COUNT, String::new());
            return self.write(row);
        }
        for face in &picture.faces {
            let wire::Box { x, y, width, height } = face.bounds;
            let mut row = start();
            row.push(face.id.to_string());
            row.extend([x, y, width, height, face.score].map(|value| value.to_string()));
            row.extend([face.emotion.to_owned(), face.confidence.to_string()]);
            let score = |emotion| face.scores.0.get(emotion).map(|score| wire::rounded(score, 4).to_string());
            row.extend(Emotion::ALL.map(|emotion| score(emotion).unwrap_or_default()));
            self.write(row)?;
        }
        Ok(())
    }

    /// Moves the file to its place.
    pub fn finish(self) -> anyhow::Result<()> {
        let Self { writer, path } = self;
        let writer = writer.into_inner().map_err(|error| copies::unwritable(&path, error.error()))?;
        let part = writer.into_inner().map_err(|error| copies::unwritable(&path, error.error()))?;
        part.commit().map_err(|error| copies::unwritable(&path, &error))
    }

    fn write(&mut self, row: Vec<String>) -> anyhow::Result<()> {
        self.writer.write_record(row).with_context(|| format!("unable to write {}", self.path.display()))
    }
}
