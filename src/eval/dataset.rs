//! Labelled pictures, whatever form they come in.

use std::collections::BTreeSet;
use std::io::{Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use super::delimiter;
use crate::vocabulary::emotion::Emotion;

#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("unable to read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}, row {row}: {reason}", path.display())]
    Row { path: PathBuf, row: usize, reason: String },
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
}

/// A form of datasets; its reader says which one it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// What people are told: `FER2013 CSV`.
    pub name: &'static str,
    /// Its pictures are faces already, and not photos with faces in them.
    pub holds_crops: bool,
}

/// A labelled picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub label: Emotion,
    pub picture: Picture,
    /// Its values of the columns that [`Selection::by`] names.
    pub groups: Vec<String>,
    /// Who it is, where the data tells, else empty.
    pub person: String,
}

impl Sample {
    /// Of nobody who is known, in no group.
    pub(super) fn new(label: Emotion, picture: Picture) -> Self {
        Self { label, picture, groups: Vec::new(), person: String::new() }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// Grey pixels of a FER2013 face, and the row that holds them.
    Row {
        row: usize,
        pixels: Vec<u8>,
    },
    File(PathBuf),
}

impl Picture {
    /// What people are told of it.
    pub fn name(&self) -> String {
        match self {
            Self::Row { row, .. } => format!("row {row}"),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub format: Format,
    /// The labels that it can have, whether or not a sample has them.
    pub labels: BTreeSet<Emotion>,
    pub samples: Vec<Sample>,
    /// What was left out by the rules, and what is odd, for people.
    pub notes: Vec<String>,
    /// Samples that were left out because their label is no emotion.
    pub unknown: usize,
    /// What could not be read, a message each.
    pub unreadable: Vec<String>,
}

impl Dataset {
    /// Without samples yet.
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            labels: BTreeSet::new(),
            samples: Vec::new(),
            notes: Vec::new(),
            unknown: 0,
            unreadable: Vec::new(),
        }
    }
}

/// What is wanted of a dataset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// FER2013: `Training`, `PublicTest`, `PrivateTest`; lists: the value of column `split` or
    /// `usage`; class folders: a folder above them, as `train` and `test`.
    pub split: Option<&'a str>,
    /// FER+ votes for FER2013's rows.
    pub votes: Option<&'a Path>,
    /// Columns of a list of pictures whose values are groups.
    pub by: &'a [String],
}

/// A CSV with a header, whose errors name file and row.
pub(super) struct Table<'a> {
    pub path: &'a Path,
    pub header: csv::StringRecord,
    reader: csv::Reader<Chain<Cursor<Vec<u8>>, &'a mut dyn Read>>,
    /// Number of the row read last, counted from 1 below the header.
    pub row: usize,
}

impl<'a> Table<'a> {
    pub fn new(path: &'a Path, reader: &'a mut dyn Read) -> Result<Self, DatasetError> {
        // Rows of another length get a message of ours.
        let (first, reader) = first_row(path, reader)?;
        let delimiter = delimiter::of(&first);
        let reader = Cursor::new(first).chain(reader);
        let mut reader = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(reader);
        let header = reader.headers().map_err(|error| failed(path, 0, error))?.clone();
        Ok(Self { path, header, reader, row: 0 })
    }

    /// Position of the column `name`, without regard to case and surrounding spaces.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column.trim().eq_ignore_ascii_case(name))
    }

    /// As [`Self::column`], and an error where there is none.
    pub fn require(&self, name: &str) -> Result<usize, DatasetError> {
        self.column(name).ok_or_else(|| DatasetError::File {
            path: self.path.to_owned(),
            reason: format!("the first row names no column {name:?}"),
        })
    }

    /// Reads the next row into `record`; `false` after the last.
    pub fn next(&mut self, record: &mut csv::StringRecord) -> Result<bool, DatasetError> {
        let more = self.reader.read_record(record).map_err(|error| failed(self.path, self.row + 1, error))?;
        if more {
            self.row += 1;
            if record.len() != self.header.len() {
                let (found, expected) = (record.len(), self.header.len());
                let reason = format!("{found} fields instead of {expected} (is the file cut short?)");
                return Err(self.bad(reason));
            }
        }
        Ok(more)
    }

    /// An error about the row read last.
    pub fn bad(&self, reason: String) -> DatasetError {
        DatasetError::Row { path: self.path.to_owned(), row: self.row, reason }
    }
}

/// The bytes of the first row, with which the reader goes on.
fn first_row<'a>(path: &Path, reader: &'a mut dyn Read) -> Result<(Vec<u8>, &'a mut dyn Read), DatasetError> {
    let (mut first, mut byte) = (Vec::new(), [0]);
    while reader.read(&mut byte).map_err(|error| failed(path, 0, error.into()))? == 1 {
        first.extend(byte);
        if byte[0] == b'\n' || first.len() > 4096 {
            break;
        }
    }
    Ok((first, reader))
}

fn failed(path: &Path, row: usize, error: csv::Error) -> DatasetError {
    match error.into_kind() {
        // The decompressor's complaint.
        csv::ErrorKind::Io(source) => {
            let reason = format!("damaged or cut short there: {source} (copy it again)");
            DatasetError::Row { path: path.to_owned(), row, reason }
        }
        csv::ErrorKind::Utf8 { .. } => {
            DatasetError::Row { path: path.to_owned(), row, reason: "it is no text in UTF-8".to_owned() }
        }
        kind => DatasetError::Row { path: path.to_owned(), row, reason: format!("{kind:?}") },
    }
}

/// No row was left; `splits` are those that the file has.
pub(super) fn no_rows(path: &Path, split: Option<&str>, splits: BTreeSet<String>) -> DatasetError {
    let reason = match split {
        Some(split) => {
            let known = splits.into_iter().collect::<Vec<_>>().join(", ");
            format!("no rows of split {split:?} (it holds {known})")
        }
        None => "no rows".to_owned(),
    };
    DatasetError::File { path: path.to_owned(), reason }
}
