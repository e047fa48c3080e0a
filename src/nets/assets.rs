//! Where models and the runtime library are looked for: what the configuration names, then
//! `EMOTIOND_MODELS` or `EMOTIOND_RUNTIME`, beside the executable, the repository it was built in
//! (not with the feature `packaged`), and `/usr/lib/emotiond`; never the current folder.

use std::path::{Path, PathBuf};

/// Nothing was found; says where it was looked for.
#[derive(Debug, thiserror::Error)]
#[error("no {what} in {} (in a clone of the repository run `make {step}`, or set {variable})", places.join(", "))]
pub struct NotFound {
    what: String,
    places: Vec<String>,
    /// What brings it.
    step: &'static str,
    variable: &'static str,
}

const RUNTIME_FILE: &str = "libLiteRt.so";
const GPU_FILE: &str = "libLiteRtWebGpuAccelerator.so";
const CLASSIC_FILE: &str = "libtensorflowlite_c.so";

/// The `.tflite` file that `name` stands for: a path where it holds a slash or an extension, else
/// the name of a model in one of the folders.
///
/// # Errors
/// With the folders in which it is not.
pub fn model(name: &Path) -> Result<PathBuf, NotFound> {
    if name.components().count() > 1 || name.extension().is_some() {
        return Ok(name.to_owned());
    }
    let file = name.with_extension("tflite");
    let repository = repository().map(|folder| folder.join("models"));
    let folders = [
        std::env::var_os("EMOTIOND_MODELS").map(PathBuf::from),
        beside_executable(),
        beside_executable().map(|folder| folder.join("models")),
        repository.as_ref().map(|folder| folder.join("detectors")),
        repository.as_ref().map(|folder| folder.join("people")),
        repository,
        Some(PathBuf::from("/usr/lib/emotiond/models")),
    ];
    // Of a model that is fetched on demand, the sidecar is there already.
    let fetched = folders.iter().flatten().any(|folder| folder.join(name.with_extension("json")).is_file());
    let step = if fetched { "detectors" } else { "build" };
    find(folders, &file, format!("model {}", name.display()), (step, "EMOTIOND_MODELS"))
}

/// The TFLite runtime library.
///
/// # Errors
/// With the folders in which it is not.
pub fn runtime() -> Result<PathBuf, NotFound> {
    if let Some(path) = std::env::var_os("EMOTIOND_RUNTIME").map(PathBuf::from).filter(|path| path.is_file())
    {
        return Ok(path);
    }
    library(RUNTIME_FILE, format!("TFLite runtime {RUNTIME_FILE}"))
}

/// The runtime's accelerator for GPUs, which is a package of its own.
///
/// # Errors
/// With the folders in which it is not.
pub fn gpu_accelerator() -> Result<PathBuf, NotFound> {
    library(GPU_FILE, format!("GPU accelerator {GPU_FILE}"))
}

/// The classic TFLite library, where one lies beside the runtime.
pub fn classic_library() -> Option<PathBuf> {
    library(CLASSIC_FILE, String::new()).ok()
}

fn library(file: &str, what: String) -> Result<PathBuf, NotFound> {
    let folders = [
        std::env::var_os("EMOTIOND_RUNTIME").map(PathBuf::from),
        beside_executable(),
        repository().map(|folder| folder.join("third_party").join(std::env::consts::ARCH)),
        Some(PathBuf::from("/usr/lib/emotiond")),
    ];
    find(folders, Path::new(file), what, ("build", "EMOTIOND_RUNTIME"))
}

fn find(
    folders: impl IntoIterator<Item = Option<PathBuf>>,
    file: &Path,
    what: String,
    (step, variable): (&'static str, &'static str),
) -> Result<PathBuf, NotFound> {
    let mut places = Vec::new();
    for folder in folders.into_iter().flatten() {
        let path = folder.join(file);
        if path.is_file() {
            return Ok(path);
        }
        places.push(folder.display().to_string());
    }
    Err(NotFound { what, places, step, variable })
}

fn beside_executable() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

/// The clone that this program was built in. A packaged program has none: on another machine that path
/// does not exist, or is somebody's who could put a library there.
fn repository() -> Option<&'static Path> {
    (!cfg!(feature = "packaged")).then(|| Path::new(env!("CARGO_MANIFEST_DIR")))
}
