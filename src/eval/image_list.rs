//! A CSV that names pictures: columns `image` and `emotion`, and any others. The pictures lie in the
//! folder `images` beside it, or beside it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::dataset::{Dataset, DatasetError, Format, Picture, Sample, Selection, Table};
use crate::vocabulary::emotion::Emotion;

/// A CSV that names pictures.
pub const FORMAT: Format = Format { name: "CSV of pictures", holds_crops: false };

/// What a folder's list is called where there are several CSVs.
const LIST: &str = "labels.csv";

/// The list in `folder`: `labels.csv`, or the only CSV.
pub fn list_in(folder: &Path) -> Result<Option<PathBuf>, DatasetError> {
    let failed = |source| DatasetError::Read { path: folder.to_owned(), source };
    let mut lists = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            lists.push(path);
        }
    }
    if lists.len() > 1 {
        lists.retain(|path| path.file_name().is_some_and(|name| name == LIST));
    }
    Ok(lists.pop())
}

/// Reads the rows, of the selection's split where one is named.
pub(super) fn read(mut table: Table<'_>, selection: Selection<'_>) -> Result<Dataset, DatasetError> {
    let split = selection.split;
    let (image, emotion) = (table.require("image")?, table.require("emotion")?);
    let split_column = match split {
        None => None,
        Some(_) => Some(table.column("split").map_or_else(|| table.require("usage"), Ok)?),
    };
    let groups: Vec<usize> = selection.by.iter().map(|name| table.require(name)).collect::<Result<_, _>>()?;
    let person = table.column("person").or_else(|| table.column("subject"));
    let folder = table.path.parent().unwrap_or(Path::new(""));
    let folder = Some(folder.join("images")).filter(|images| images.is_dir()).unwrap_or(folder.to_owned());
    let mut data = Dataset::new(FORMAT);
    let mut splits = BTreeSet::new();
    let mut record = csv::StringRecord::new();
    while table.next(&mut record)? {
        let name = record[image].trim();
        if name.is_empty() {
            return Err(table.bad("it names no picture".to_owned()));
        }
        let label: Emotion =
            record[emotion].parse().map_err(|unknown| table.bad(format!("{name}: {unknown}")))?;
        if let Some(column) = split_column {
            splits.insert(record[column].trim().to_owned());
            if split != Some(record[column].trim()) {
                continue;
            }
        }
        data.labels.insert(label);
        let cell = |column: usize| record[column].trim().to_owned();
        data.samples.push(Sample {
            label,
            picture: Picture::File(folder.join(name)),
            groups: groups.iter().copied().map(cell).collect(),
            person: person.map(cell).unwrap_or_default(),
        });
    }
    if data.samples.is_empty() {
        return Err(super::dataset::no_rows(table.path, split, splits));
    }
    Ok(data)
}
