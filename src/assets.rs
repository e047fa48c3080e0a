//! Where models and the runtime library are looked for: what the configuration names, then
//! `EMOTIOND_MODELS` or `EMOTIOND_RUNTIME`, beside the executable, the repository it was built in,
//! and `/usr/lib/emotiond`; never the current folder.

use std::path::{Path, PathBuf};

/// Nothing was found; says where it was looked for.
#[derive(Debug, thiserror::Error)]
#[error("no {what} in {} (in a clone of the repository run `make build`, or set {variable})", places.join(", "))]
pub struct NotFound {
    what: String,
    places: Vec<String>,
    variable: &'static str,
}

const RUNTIME_FILE: &str = "libLiteRt.so";

/// The `.tflite` file that `name` stands for: a path where it holds a slash or an extension, else
/// the name of a model in one of the folders.
pub fn model(name: &Path) -> Result<PathBuf, NotFound> {
    if name.components().count() > 1 || name.extension().is_some() {
        return Ok(name.to_owned());
    }
    let file = name.with_extension("tflite");
    let repository = repository().join("models");
    let folders = [
        std::env::var_os("EMOTIOND_MODELS").map(PathBuf::from),
        beside_executable(),
        beside_executable().map(|folder| folder.join("models")),
        Some(repository.join("detectors")),
        Some(repository.join("people")),
        Some(repository),
        Some(PathBuf::from("/usr/lib/emotiond/models")),
    ];
    find(folders, &file, format!("model {}", name.display()), "EMOTIOND_MODELS")
}

/// The TFLite runtime library.
pub fn runtime() -> Result<PathBuf, NotFound> {
    if let Some(path) = std::env::var_os("EMOTIOND_RUNTIME").map(PathBuf::from).filter(|path| path.is_file())
    {
        return Ok(path);
    }
    let folders = [
        std::env::var_os("EMOTIOND_RUNTIME").map(PathBuf::from),
        beside_executable(),
        Some(repository().join("third_party").join(std::env::consts::ARCH)),
        Some(PathBuf::from("/usr/lib/emotiond")),
    ];
    find(folders, Path::new(RUNTIME_FILE), format!("TFLite runtime {RUNTIME_FILE}"), "EMOTIOND_RUNTIME")
}

fn find(
    folders: impl IntoIterator<Item = Option<PathBuf>>,
    file: &Path,
    what: String,
    variable: &'static str,
) -> Result<PathBuf, NotFound> {
    let mut places = Vec::new();
    for folder in folders.into_iter().flatten() {
        let path = folder.join(file);
        if path.is_file() {
            return Ok(path);
        }
        places.push(folder.display().to_string());
    }
    Err(NotFound { what, places, variable })
}

fn beside_executable() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

/// The clone that this program was built in; on another machine it does not exist.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
