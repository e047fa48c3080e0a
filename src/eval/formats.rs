//! Which form a dataset has, and reading it.

use std::io::Read;
use std::path::Path;

use super::dataset::{Dataset, DatasetError, Selection, Table};
use super::{archive, fer2013, folders, image_list};

/// Reads what is at `path`: FER2013's CSV, a CSV of pictures or a folder with one, or class folders.
/// CSVs may be compressed (gzip, xz, zip).
pub fn open(path: &Path, selection: Selection<'_>) -> Result<Dataset, DatasetError> {
    let data = read(path, selection)?;
    if let Some(column) = selection.by.first()
        && data.format != image_list::FORMAT
    {
        return Err(DatasetError::File {
            path: path.to_owned(),
            reason: format!("groups by {column} need a CSV of pictures, this is {}", data.format.name),
        });
    }
    match (selection.votes, data.format) {
        (None, _) | (_, fer2013::FORMAT) => Ok(data),
        (Some(votes), format) => Err(DatasetError::File {
            path: votes.to_owned(),
            reason: format!("votes go with FER2013's CSV, {} is {}", path.display(), format.name),
        }),
    }
}

fn read(path: &Path, selection: Selection<'_>) -> Result<Dataset, DatasetError> {
    if !path.is_dir() {
        return archive::with_reader(path, |reader| read_csv(path, reader, selection));
    }
    match image_list::list_in(path)? {
        Some(list) => archive::with_reader(&list, |reader| read_csv(&list, reader, selection)),
        None => folders::read(path, selection.split),
    }
}

fn read_csv(path: &Path, reader: &mut dyn Read, selection: Selection<'_>) -> Result<Dataset, DatasetError> {
    let table = Table::new(path, reader)?;
    if table.column("pixels").is_some() {
        fer2013::read(table, selection)
    } else if table.column("image").is_some() {
        image_list::read(table, selection)
    } else {
        let reason = format!(
            "its first row is {:?}, neither FER2013's (emotion,pixels,Usage) nor that of a list (image,emotion)",
            table.header.iter().take(6).collect::<Vec<_>>().join(",").chars().take(80).collect::<String>()
        );
        Err(DatasetError::File { path: path.to_owned(), reason })
    }
}
