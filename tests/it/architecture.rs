//! What the modules may know of each other.

use std::fs;
use std::path::{Path, PathBuf};

/// The Rust files of a module: `src/NAME.rs` and all below `src/NAME/`.
fn files(module: &str) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join(format!("{module}.rs"))];
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs") && file.is_file());
    assert!(!files.is_empty(), "module {module} is gone");
    files
}

/// The file's code without its tests, which stand last and may do what they like, and comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("reads");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn assert_absent(modules: &[&str], words: &[&str]) {
    for file in modules.iter().flat_map(|module| files(module)) {
        let code = code(&file);
        for word in words {
            assert!(!code.contains(word), "{} knows {word}", file.display());
        }
    }
}

#[test]
fn sinks_know_nothing_of_each_other_and_of_where_pictures_come_from() {
    assert_absent(
        &["display"],
        &[
            "crate::mqtt",
            "crate::rules",
            "crate::camera",
            "crate::nets::engine",
            "crate::see::search",
            "crate::see::classify",
        ],
    );
    assert_absent(
        &["mqtt"],
        &[
            "crate::display",
            "crate::rules",
            "crate::camera",
            "crate::nets::engine",
            "crate::see::search",
            "crate::see::classify",
        ],
    );
    assert_absent(
        &["rules"],
        &[
            "crate::display",
            "crate::mqtt",
            "crate::camera",
            "crate::nets::engine",
            "crate::see::search",
            "crate::see::classify",
        ],
    );
}

#[test]
fn overlays_are_drawn_from_pictures_and_emotions_alone() {
    assert_absent(
        &["overlay"],
        &[
            "crate::cli",
            "crate::config",
            "crate::daemon",
            "crate::camera",
            "crate::nets::engine",
            "crate::web",
        ],
    );
}

#[test]
fn the_pure_core_does_no_io_and_reads_no_clock() {
    let core = [
        "vocabulary/frame",
        "vocabulary/emotion",
        "see/track",
        "see/smooth",
        "pipeline/mod",
        "tell/history",
        "rules/trigger",
        "people/align",
        "people/gallery",
        "people/quality",
        "people/verify",
        "people/watch",
    ];
    assert_absent(
        &core,
        &["Instant::now", "SystemTime", "std::fs", "std::io", "std::net", "std::thread", "std::process"],
    );
    assert_absent(&["vocabulary/frame", "vocabulary/emotion"], &["serde"]);
}

#[test]
fn unsafe_code_is_in_device_and_ffi_files_only() {
    let modules = [
        "base",
        "cli",
        "config",
        "daemon",
        "display",
        "eval",
        "mcp",
        "mqtt",
        "nets/assets",
        "nets/sidecar",
        "overlay",
        "media",
        "people",
        "pipeline",
        "rules",
        "see",
        "tell",
        "vocabulary",
    ];
    assert_absent(&modules, &["unsafe "]);
}
