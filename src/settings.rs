//! What was changed while running and survives a restart and a power cut.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::whole::Part;

const FILE: &str = "settings.json";

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The camera may be read.
    pub enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Why settings could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("unable to {action} {}: {source}", path.display())]
pub struct SettingsError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Reads the settings in `folder`; the defaults where none were kept.
///
/// # Errors
/// When the file cannot be read or understood. It is then kept aside under `settings.json.damaged`.
pub fn load(folder: &Path) -> Result<Settings, SettingsError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(source) => return Err(SettingsError { action: "read", path, source }),
    };
    serde_json::from_str(&text).map_err(|error| {
        // Failing to keep it aside is not worth more words than the damage itself.
        let _ = fs::rename(&path, path.with_extension("json.damaged"));
        SettingsError { action: "understand", path, source: error.into() }
    })
}

/// Writes the settings so that a power cut leaves the old ones or the new ones.
pub fn save(folder: &Path, settings: Settings) -> Result<(), SettingsError> {
    let path = folder.join(FILE);
    let write = || {
        fs::create_dir_all(folder)?;
        let mut part = Part::create(&path, true)?;
        writeln!(part, "{}", serde_json::json!(settings))?;
        part.commit_durably()
    };
    write().map_err(|source| SettingsError { action: "write", path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_and_damage_is_kept_aside() {
        let folder = tempfile::tempdir().expect("folder");
        let folder = folder.path().join("not/yet/there");
        assert_eq!(load(&folder).expect("none kept"), Settings { enabled: true });
        save(&folder, Settings { enabled: false }).expect("saves");
        assert_eq!(load(&folder).expect("kept"), Settings { enabled: false });

        fs::write(folder.join(FILE), "{\"enab").expect("writes");
        let error = load(&folder).expect_err("damaged").to_string();
        assert!(error.starts_with("unable to understand ") && error.contains(FILE), "{error}");
        assert!(folder.join("settings.json.damaged").exists());
        assert_eq!(load(&folder).expect("fresh"), Settings { enabled: true });
    }
}
