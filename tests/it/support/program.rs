//! The real program with arguments, and what it is given.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn portrait() -> PathBuf {
    let path = repository("third_party/portrait.png");
    assert!(path.is_file(), "{} is missing: run `make test`", path.display());
    path
}

pub fn emotiond(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emotiond")).args(args).output().expect("emotiond starts")
}

/// The error message, which must be one line, lower case after the program's name.
pub fn failure(args: &[&str], status: i32) -> String {
    let output = emotiond(args);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("emotiond: ")).collect();
    let [line] = lines[..] else { panic!("{args:?}: {text}") };
    line["emotiond: ".len()..].to_owned()
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The shipped emotion model under another name, its sidecar changed.
pub fn model_with(folder: &TempDir, change: impl FnOnce(&mut Value)) -> PathBuf {
    let model = folder.path().join("mine.tflite");
    fs::copy(repository("models/emotion.tflite"), &model).expect("copies");
    let sidecar = fs::read_to_string(repository("models/emotion.json")).expect("reads");
    let mut sidecar: Value = serde_json::from_str(&sidecar).expect("JSON");
    change(&mut sidecar);
    fs::write(model.with_extension("json"), sidecar.to_string()).expect("writes");
    model
}
