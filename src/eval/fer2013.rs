//! FER2013 in its own CSV form (Goodfellow et al. 2013, arXiv:1307.0414) and the FER+ votes for the same
//! rows (Barsoum et al. 2016, arXiv:1608.01041).

use std::collections::BTreeSet;
use std::path::Path;

use super::archive;
use super::dataset::{self, Dataset, DatasetError, Format, Picture, Sample, Selection, Table};
use crate::vocabulary::emotion::Emotion;

/// FER2013's CSV, the pixels in it.
pub const FORMAT: Format = Format { name: "FER2013 CSV", holds_crops: true };

/// Side of a FER2013 picture in pixels.
pub const SIDE: u32 = 48;

/// Values of the column `Usage`.
const SPLITS: [&str; 3] = ["Training", "PublicTest", "PrivateTest"];

/// Order of the column `emotion`.
pub const LABELS: [Emotion; 7] = [
    Emotion::Angry,
    Emotion::Disgust,
    Emotion::Fear,
    Emotion::Happy,
    Emotion::Sad,
    Emotion::Surprise,
    Emotion::Neutral,
];

/// Order of the vote columns; `unknown` and `NF` (no face) follow.
pub const VOTE_LABELS: [Emotion; 8] = [
    Emotion::Neutral,
    Emotion::Happy,
    Emotion::Surprise,
    Emotion::Sad,
    Emotion::Angry,
    Emotion::Disgust,
    Emotion::Fear,
    Emotion::Contempt,
];

/// Columns of votes: eight emotions, unknown, no face.
const VOTE_COLUMNS: usize = 10;

/// Reads the faces of the split, all without one. With votes, labels are FERPlus's majority and faces
/// without one are left out.
pub(super) fn read(mut table: Table<'_>, selection: Selection<'_>) -> Result<Dataset, DatasetError> {
    let columns = [table.require("emotion")?, table.require("pixels")?, table.require("Usage")?];
    let votes = selection.votes.map(read_votes).transpose()?;
    let mut data = Dataset::new(FORMAT);
    data.labels.extend(if votes.is_some() { VOTE_LABELS.as_slice() } else { LABELS.as_slice() });
    let mut splits = BTreeSet::new();
    let mut undecided = 0;
    let mut last = String::new();
    let mut record = csv::StringRecord::new();
    while table.next(&mut record)? {
        let [emotion, face, usage] = columns.map(|column| record[column].trim());
        let vote = match &votes {
            None => None,
            Some(votes) => Some(votes.of_row(table.row, usage)?),
        };
        if last != usage {
            usage.clone_into(&mut last);
            splits.insert(usage.to_owned());
        }
        if selection.split.is_some_and(|split| split != usage) {
            continue;
        }
        let own = label(emotion).map_err(|error| table.bad(error.to_string()))?;
        let pixels = pixels(face).map_err(|error| table.bad(error.to_string()))?;
        match vote.unwrap_or(Some(own)) {
            Some(label) => data.samples.push(Sample::new(label, Picture::Row { row: table.row, pixels })),
            None => undecided += 1,
        }
    }
    check_end(&table, &last, &splits)?;
    if let Some(votes) = &votes {
        votes.check_length(table.row)?;
    }
    if data.samples.is_empty() && undecided == 0 {
        return Err(dataset::no_rows(table.path, selection.split, splits));
    }
    if undecided > 0 {
        data.notes.push(format!("left out, because their votes have no majority: {undecided} faces"));
    }
    Ok(data)
}

/// A file that was cut within its last word still has all fields there.
fn check_end(table: &Table<'_>, last: &str, splits: &BTreeSet<String>) -> Result<(), DatasetError> {
    let mut whole = SPLITS.into_iter().chain(splits.iter().map(String::as_str));
    match whole.find(|split| table.row > 0 && split.len() > last.len() && split.starts_with(last)) {
        Some(split) => Err(table.bad(format!("usage {last:?} is {split:?} cut short (copy the file again)"))),
        None => Ok(()),
    }
}

/// FERPlus's majority rule: single votes are noise and become 0; a face counts when its strongest
/// column of all ten holds more than half of the votes that are left and is an emotion.
pub fn majority(votes: &[u32; VOTE_COLUMNS]) -> Option<Emotion> {
    let kept = votes.map(|count| if count <= 1 { 0 } else { count });
    let total: u32 = kept.iter().sum();
    let (column, strongest) = kept
        .iter()
        .enumerate()
        .fold((0, 0), |best, (i, &count)| if count > best.1 { (i, count) } else { best });
    if 2 * strongest > total { VOTE_LABELS.get(column).copied() } else { None }
}

/// FER+'s file, a row a face in the order of FER2013's.
struct Votes<'a> {
    path: &'a Path,
    /// Majority and usage.
    rows: Vec<(Option<Emotion>, String)>,
}

fn read_votes(path: &Path) -> Result<Votes<'_>, DatasetError> {
    archive::with_reader(path, |reader| {
        let mut table = Table::new(path, reader)?;
        let (first, last) = (table.require("neutral")?, table.require("NF")?);
        if last + 1 != first + VOTE_COLUMNS {
            let reason = "the ten vote columns are not neutral to NF in FER+'s order".to_owned();
            return Err(DatasetError::File { path: path.to_owned(), reason });
        }
        let usage = table.column("Usage");
        let mut rows = Vec::new();
        let mut record = csv::StringRecord::new();
        while table.next(&mut record)? {
            let mut votes = [0; VOTE_COLUMNS];
            for (column, votes) in votes.iter_mut().enumerate() {
                let text = record[first + column].trim();
                *votes = text.parse().map_err(|_| table.bad(format!("{text:?} is no number of votes")))?;
            }
            let usage = usage.map_or("", |column| record[column].trim());
            rows.push((majority(&votes), usage.to_owned()));
        }
        Ok(Votes { path, rows })
    })
}

impl Votes<'_> {
    /// The majority of row `row`, counted from 1, of a face that is of split `usage`.
    fn of_row(&self, row: usize, usage: &str) -> Result<Option<Emotion>, DatasetError> {
        let bad = |row, reason| DatasetError::Row { path: self.path.to_owned(), row, reason };
        match self.rows.get(row - 1) {
            None => Err(bad(row, "the file ends before the faces do".to_owned())),
            Some((_, own)) if !own.is_empty() && own != usage => {
                Err(bad(row, format!("votes for a face of {own}, where the faces have one of {usage}")))
            }
            Some((label, _)) => Ok(*label),
        }
    }

    /// Files of another length are not about the same faces.
    fn check_length(&self, faces: usize) -> Result<(), DatasetError> {
        if self.rows.len() == faces {
            return Ok(());
        }
        let reason = format!("it has {} rows, more than the {faces} of the faces", self.rows.len());
        Err(DatasetError::File { path: self.path.to_owned(), reason })
    }
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("emotion {0:?} is no number")]
    NoNumber(String),
    #[error("emotion {0} is none of 0 to 6")]
    NoLabel(usize),
    #[error("pixel {0:?} is none of 0 to 255")]
    NoPixel(String),
    #[error("{found} pixels instead of {expected}")]
    Pixels { found: usize, expected: usize },
}

fn label(text: &str) -> Result<Emotion, RowError> {
    let number: usize = text.parse().map_err(|_| RowError::NoNumber(text.to_owned()))?;
    LABELS.get(number).copied().ok_or(RowError::NoLabel(number))
}

fn pixels(text: &str) -> Result<Vec<u8>, RowError> {
    let pixels: Vec<u8> = text
        .split_ascii_whitespace()
        .map(|value| value.parse().map_err(|_| RowError::NoPixel(value.to_owned())))
        .collect::<Result<_, _>>()?;
    let expected = (SIDE * SIDE) as usize;
    let found = pixels.len();
    if found == expected { Ok(pixels) } else { Err(RowError::Pixels { found, expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_rule() {
        // Worked by hand from FERPlus's rule.
        assert_eq!(majority(&[4, 0, 0, 1, 3, 2, 0, 0, 0, 0]), None, "4 of 9");
        assert_eq!(majority(&[6, 0, 0, 1, 1, 1, 1, 0, 0, 0]), Some(Emotion::Neutral), "6 of 6");
        assert_eq!(majority(&[0, 5, 0, 0, 0, 0, 0, 5, 0, 0]), None, "a tie is no majority");
        assert_eq!(majority(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 10]), None, "no face");
        assert_eq!(majority(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None, "nothing left");
        assert_eq!(majority(&[0, 0, 0, 0, 0, 2, 0, 6, 2, 0]), Some(Emotion::Contempt), "6 of 10");
    }
}
