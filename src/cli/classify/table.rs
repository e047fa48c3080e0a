//! Results as CSV.

use std::io::{self, Stdout, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use csv::StringRecord;

use super::copies;
use crate::base::atomic_file::Part;
use crate::cli::status::OutputClosed;
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

/// What an earlier run has written.
#[derive(Debug, Default)]
pub struct Earlier(Vec<StringRecord>);

impl Earlier {
    /// The rows at `path`; none where there is no file yet.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let failed = || format!("unable to go on with {}", path.display());
        let mut reader = csv::Reader::from_path(path).with_context(failed)?;
        if reader.headers().with_context(failed)?.iter().ne(columns()) {
            bail!("unable to go on with {}: it has other columns (name another --csv)", path.display());
        }
        Ok(Self(reader.records().collect::<Result<_, _>>().with_context(failed)?))
    }

    /// Whether there is a row of the source.
    pub fn holds(&self, source: &str) -> bool {
        self.0.iter().any(|row| row.get(0) == Some(source))
    }

    /// The source that was worked on last, which may be a film that was not finished.
    pub fn last(&self) -> Option<&str> {
        self.0.last().and_then(|row| row.get(0))
    }

    /// Forgets what is done again.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|row| row.get(0).is_some_and(&keep));
    }
}

fn columns() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter().chain(Emotion::ALL.map(Emotion::name))
}

/// A row a face, and one with empty columns for a picture without a face.
pub struct Table {
    writer: csv::Writer<Box<dyn Output>>,
    path: PathBuf,
    any: bool,
}

/// Where rows go.
trait Output: Write + Send {
    fn commit(self: Box<Self>) -> io::Result<()>;
}

impl Output for Stdout {
    fn commit(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Part {
    fn commit(self: Box<Self>) -> io::Result<()> {
        Part::commit(*self)
    }
}

impl Table {
    /// Begins with the rows of `earlier`; `-` is standard output.
    pub fn create(path: &Path, force: bool, earlier: &Earlier) -> anyhow::Result<Self> {
        let output: Box<dyn Output> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(copies::begin(path, force)?)
        };
        let mut table = Self { writer: csv::Writer::from_writer(output), path: path.to_owned(), any: false };
        table.write(columns().map(ToOwned::to_owned).collect())?;
        for row in &earlier.0 {
            table.write(row.iter().map(ToOwned::to_owned).collect())?;
        }
        table.any = !earlier.0.is_empty();
        Ok(table)
    }

    pub fn add(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        self.any = true;
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

    /// Moves the file to its place; what has no row leaves none.
    pub fn finish(self) -> anyhow::Result<()> {
        let Self { writer, path, any } = self;
        let output = writer.into_inner().map_err(|error| copies::unwritable(&path, error.error()))?;
        if !any {
            return Ok(());
        }
        output.commit().map_err(|error| copies::unwritable(&path, &error))
    }

    fn write(&mut self, row: Vec<String>) -> anyhow::Result<()> {
        match self.writer.write_record(row) {
            Ok(()) => Ok(()),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    Err(OutputClosed.into())
                }
                csv::ErrorKind::Io(error) => Err(copies::unwritable(&self.path, &error)),
                kind => bail!("unable to write {}: {kind:?}", self.path.display()),
            },
        }
    }
}
