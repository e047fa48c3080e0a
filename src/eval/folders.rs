//! A folder of class folders, as CK+48 comes: `anger/x.png`, `happy/y.png`, …

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::dataset::{Dataset, DatasetError, Format, Picture, Sample};
use crate::media::photo::has_photo_name;
use crate::vocabulary::emotion::Emotion;

/// A folder a class, as CK+ and its like come.
pub const FORMAT: Format = Format { name: "class folders", holds_crops: true };

/// Reads the class folders in `root`, or in its folder `split`. Each may have folders of its own.
pub fn read(root: &Path, split: Option<&str>) -> Result<Dataset, DatasetError> {
    let root = match split {
        None => root.to_owned(),
        Some(split) => folder_of_split(root, split)?,
    };
    let mut classes: BTreeMap<Emotion, Vec<PathBuf>> = BTreeMap::new();
    let mut others = Vec::new();
    for (name, folder) in subfolders(&root)? {
        match Emotion::from_alias(&name) {
            Some(label) => classes.entry(label).or_default().push(folder),
            None => others.push((name, folder)),
        }
    }
    if classes.is_empty() {
        return Err(DatasetError::File { path: root, reason: no_classes(&others) });
    }
    let mut data = Dataset::new(FORMAT);
    for (name, folder) in others {
        let count = pictures(&folder, &mut Vec::new())?.len();
        data.unknown += count;
        data.notes
            .push(format!("left out, because no emotion is called so: folder {name} ({count} pictures)"));
    }
    for (label, folders) in classes {
        data.labels.insert(label);
        let before = data.samples.len();
        for folder in &folders {
            let found = pictures(folder, &mut data.unreadable)?;
            data.samples.extend(found.into_iter().map(|path| Sample::new(label, Picture::File(path))));
        }
        if data.samples.len() == before {
            data.notes.push(format!("class {label} is empty: {} holds no picture", folders[0].display()));
        }
    }
    Ok(data)
}

fn folder_of_split(root: &Path, split: &str) -> Result<PathBuf, DatasetError> {
    let folders = subfolders(root)?;
    if let Some((_, folder)) = folders.iter().find(|(name, _)| name == split) {
        return Ok(folder.clone());
    }
    let known: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).collect();
    let reason = format!("it has no folder of split {split:?} (it holds {})", known.join(", "));
    Err(DatasetError::File { path: root.to_owned(), reason })
}

/// Name and path of each folder in `root`, sorted; links to folders count.
fn subfolders(root: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    let failed = |source| DatasetError::Read { path: root.to_owned(), source };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_dir() && !entry.file_name().to_string_lossy().starts_with('.') {
            folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

fn no_classes(others: &[(String, PathBuf)]) -> String {
    let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).take(8).collect();
    let known: Vec<&str> = Emotion::ALL.iter().map(|emotion| emotion.name()).collect();
    let found = if names.is_empty() { "no folder".to_owned() } else { format!("only {}", names.join(", ")) };
    format!(
        "it holds neither labels.csv nor class folders ({}), {found}; folders of splits are chosen with --split",
        known.join(", ")
    )
}

/// The pictures below `folder`, sorted. What cannot be followed, as a link to nothing or to a folder
/// above itself, goes to `unreadable`; a folder that cannot be read is an error, because a class
/// without some of its pictures gives other figures.
fn pictures(folder: &Path, unreadable: &mut Vec<String>) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && has_photo_name(entry.path()) => {
                found.push(entry.into_path());
            }
            Ok(_) => (),
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                if let Some(above) = error.loop_ancestor() {
                    let above = above.display();
                    unreadable.push(format!("left out {}: a link back to {above}", path.display()));
                    continue;
                }
                let is_link = path.is_symlink();
                let source: std::io::Error = error.into();
                if !is_link {
                    return Err(DatasetError::Read { path, source });
                }
                unreadable.push(format!("left out {}: a broken link ({source})", path.display()));
            }
        }
    }
    Ok(found)
}
