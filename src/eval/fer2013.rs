//! FER2013 in its own CSV form (Goodfellow et al. 2013, arXiv:1307.0414) and the FER+ votes for the same
//! rows (Barsoum et al. 2016, arXiv:1608.01041).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::emotion::Emotion;

/// Side of a FER2013 picture in pixels.
pub const SIDE: u32 = 48;

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

#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("unable to read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}, row {row}: {reason}", path.display())]
    Row { path: PathBuf, row: usize, reason: String },
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
}

/// A labelled face, 48×48 grey.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub pixels: Vec<u8>,
    pub label: Emotion,
}

/// Reads the faces of `split` (`Training`, `PublicTest`, `PrivateTest`; all without one). With
/// `votes`, labels are FERPlus's majority and faces without one are left out.
///
/// The CSV may be plain, gzip (`.gz`) or xz (`.xz`).
pub fn read(csv: &Path, split: Option<&str>, votes: Option<&Path>) -> Result<Vec<Sample>, DatasetError> {
    let mut faces = reader(csv)?;
    let columns = columns(csv, &mut faces, ["emotion", "pixels", "Usage"])?;
    let mut votes = votes.map(Votes::open).transpose()?;
    let mut samples = Vec::new();
    let mut splits = std::collections::BTreeSet::new();
    let mut rows = 0;
    for (index, record) in faces.records().enumerate() {
        let failed = |reason: String| DatasetError::Row { path: csv.to_owned(), row: index + 1, reason };
        let record = record.map_err(|error| failed(error.to_string()))?;
        let field = |column: usize| record.get(column).unwrap_or_default().trim();
        let vote = votes.as_mut().map(|votes| votes.next(index + 1)).transpose()?;
        rows = index + 1;
        splits.insert(field(columns[2]).to_owned());
        if split.is_some_and(|split| split != field(columns[2])) {
            continue;
        }
        let own = label(field(columns[0])).map_err(failed)?;
        let pixels = pixels(field(columns[1])).map_err(failed)?;
        if let Some(label) = vote.unwrap_or(Some(own)) {
            samples.push(Sample { pixels, label });
        }
    }
    if let Some(votes) = &mut votes {
        votes.finish(rows)?;
    }
    if samples.is_empty() {
        let reason = match split {
            Some(split) => format!(
                "no rows of split {split:?} (it holds {})",
                splits.into_iter().collect::<Vec<_>>().join(", ")
            ),
            None => "no rows".to_owned(),
        };
        return Err(DatasetError::File { path: csv.to_owned(), reason });
    }
    Ok(samples)
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

struct Votes {
    path: PathBuf,
    records: csv::StringRecordsIntoIter<Box<dyn Read>>,
    /// Position of the first vote column.
    first: usize,
}

impl Votes {
    fn open(path: &Path) -> Result<Self, DatasetError> {
        let mut reader = reader(path)?;
        let [first, last] = columns(path, &mut reader, ["neutral", "NF"])?;
        if last + 1 != first + VOTE_COLUMNS {
            let reason = "the ten vote columns are not neutral to NF in FER+'s order".to_owned();
            return Err(DatasetError::File { path: path.to_owned(), reason });
        }
        Ok(Self { path: path.to_owned(), records: reader.into_records(), first })
    }

    /// The majority of row `row`.
    fn next(&mut self, row: usize) -> Result<Option<Emotion>, DatasetError> {
        let failed = |reason: String| DatasetError::Row { path: self.path.clone(), row, reason };
        let record = match self.records.next() {
            None => return Err(failed("the file ends before the faces do".to_owned())),
            Some(record) => record.map_err(|error| failed(error.to_string()))?,
        };
        let mut votes = [0; VOTE_COLUMNS];
        for (column, votes) in votes.iter_mut().enumerate() {
            let text = record.get(self.first + column).unwrap_or_default().trim();
            *votes = text.parse().map_err(|_| failed(format!("{text:?} is no number of votes")))?;
        }
        Ok(majority(&votes))
    }

    /// Files of another length are not about the same faces.
    fn finish(&mut self, rows: usize) -> Result<(), DatasetError> {
        match self.records.next() {
            None => Ok(()),
            Some(_) => Err(DatasetError::File {
                path: self.path.clone(),
                reason: format!("it has more than the {rows} rows of the faces"),
            }),
        }
    }
}

fn reader(path: &Path) -> Result<csv::Reader<Box<dyn Read>>, DatasetError> {
    let failed = |source| DatasetError::Read { path: path.to_owned(), source };
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let plain: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("xz") => Box::new(liblzma::read::XzDecoder::new_multi_decoder(file)),
        _ => Box::new(file),
    };
    Ok(csv::ReaderBuilder::new().has_headers(true).from_reader(plain))
}

/// Positions of the named columns.
fn columns<const N: usize>(
    path: &Path,
    reader: &mut csv::Reader<Box<dyn Read>>,
    names: [&str; N],
) -> Result<[usize; N], DatasetError> {
    let failed = |reason: String| DatasetError::File { path: path.to_owned(), reason };
    let header = reader.headers().map_err(|error| failed(error.to_string()))?.clone();
    let mut positions = [0; N];
    for (position, name) in positions.iter_mut().zip(names) {
        *position = header
            .iter()
            .position(|column| column.trim() == name)
            .ok_or_else(|| failed(format!("the first row names no column {name:?}")))?;
    }
    Ok(positions)
}

fn label(text: &str) -> Result<Emotion, String> {
    let number: usize = text.parse().map_err(|_| format!("emotion {text:?} is no number"))?;
    LABELS.get(number).copied().ok_or_else(|| format!("emotion {number} is none of 0 to 6"))
}

fn pixels(text: &str) -> Result<Vec<u8>, String> {
    let pixels: Vec<u8> = text
        .split_ascii_whitespace()
        .map(|value| value.parse().map_err(|_| format!("pixel {value:?} is none of 0 to 255")))
        .collect::<Result<_, _>>()?;
    let expected = (SIDE * SIDE) as usize;
    if pixels.len() == expected {
        Ok(pixels)
    } else {
        Err(format!("{} pixels instead of {expected}", pixels.len()))
    }
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
