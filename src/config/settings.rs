//! What was changed while running and survives a restart and a power cut.

use std::fs;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::mutex::lock;
use crate::config::{DWELL_S, MIN_CONFIDENCE};

use crate::base::atomic_file::{self, Part};

const FILE: &str = "settings.json";

/// Why the camera is off where [`Settings::lost`] says so.
pub const LOST: &str =
    "the settings could not be read, so the camera is off: nobody knows whether it may be read; switch it on";

/// What is kept. What is `None` is as the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The camera may be read. Always written, so that a file without it is a damaged one.
    pub enabled: bool,
    /// These took the place of settings that could not be read, and nobody has switched the camera on since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// In place of `classifier.min_confidence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
    /// In place of `smoothing.dwell_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_s: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, lost: false, min_confidence: None, dwell_s: None }
    }
}

impl Settings {
    /// In place of settings that cannot be read, one of which may have been that the camera is off.
    const LOST: Self = Self { enabled: false, lost: true, min_confidence: None, dwell_s: None };

    /// These settings with what a JSON object such as `{"min_confidence": 0.5}` names changed; `null`
    /// goes back to the configuration's value.
    ///
    /// # Errors
    /// When anything of it cannot be obeyed; then nothing of it is.
    pub fn changed(mut self, json: &str) -> Result<Self, ChangeError> {
        let value: Value = serde_json::from_str(json)?;
        let Value::Object(changes) = value else { return Err(ChangeError::NoObject) };
        if changes.is_empty() {
            return Err(ChangeError::Empty);
        }
        for (key, value) in &changes {
            match key.as_str() {
                "min_confidence" => self.min_confidence = number(key, value, &MIN_CONFIDENCE)?,
                "dwell_s" => self.dwell_s = number(key, value, &DWELL_S)?,
                _ => return Err(ChangeError::Unknown(key.clone())),
            }
        }
        Ok(self)
    }
}

fn number(key: &str, value: &Value, range: &RangeInclusive<f64>) -> Result<Option<f64>, ChangeError> {
    if value.is_null() {
        return Ok(None);
    }
    let key = || key.to_owned();
    let number = value.as_f64().ok_or_else(|| ChangeError::NoNumber { key: key(), value: value.clone() })?;
    if range.contains(&number) {
        Ok(Some(number))
    } else {
        Err(ChangeError::OutOfRange { key: key(), number, range: range.clone() })
    }
}

/// Why settings are not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("no JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    #[error("no JSON object such as {{\"min_confidence\": 0.5}}")]
    NoObject,
    #[error("names no setting (min_confidence, dwell_s)")]
    Empty,
    #[error("{0:?} is no setting (min_confidence, dwell_s)")]
    Unknown(String),
    #[error("{key}: {value} is no number")]
    NoNumber { key: String, value: Value },
    #[error("{key}: {number} is out of range ({} to {})", range.start(), range.end())]
    OutOfRange { key: String, number: f64, range: RangeInclusive<f64> },
}

/// Nobody can switch the camera on.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("camera.enabled is false in the configuration file")]
pub struct Forbidden;

/// Why settings could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("unable to {action} {}: {source}", path.display())]
pub struct SettingsError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The settings and the file that keeps them; clones share both.
#[derive(Clone, Debug)]
pub struct Store(Arc<(PathBuf, Mutex<Settings>)>);

impl Store {
    /// As they were left in `folder`. Where they cannot be read the camera is off until somebody switches it
    /// on, and what could not be read is kept aside as `settings.json.damaged`.
    pub fn open(folder: &Path) -> Self {
        // The daemon alone writes here.
        if let Err(error) = atomic_file::sweep(&folder.join(FILE))
            && error.kind() != io::ErrorKind::NotFound
        {
            log::warn!("unable to clean up {}: {error}", folder.display());
        }
        let settings = load(folder).unwrap_or_else(|error| {
            log::error!("settings are lost: {error}");
            if let Err(error) = replace_lost(folder) {
                log::warn!("the settings stay unreadable: {error}");
            }
            Settings::LOST
        });
        if settings.lost {
            log::warn!("the camera stays off until it is switched on: {LOST}");
        }
        Self(Arc::new((folder.to_owned(), Mutex::new(settings))))
    }

    pub fn get(&self) -> Settings {
        *self.lock()
    }

    /// Changes and keeps them: when this returns they outlive a power cut. A failure to keep them is said,
    /// they are in force all the same.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = self.lock();
        let before = *settings;
        change(&mut settings);
        settings.lost &= !settings.enabled;
        // Memory cards wear: what is kept already is not written again.
        if *settings != before
            && let Err(error) = save(&self.0.0, *settings)
        {
            log::warn!("what was changed will be forgotten at restart: {error}");
        }
        *settings
    }

    /// A panicked holder leaves whole settings.
    fn lock(&self) -> MutexGuard<'_, Settings> {
        lock(&self.0.1)
    }
}

/// Reads the settings in `folder`; the defaults where none were kept.
///
/// # Errors
/// When the file cannot be read or understood.
pub fn load(folder: &Path) -> Result<Settings, SettingsError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(source) => return Err(SettingsError { action: "read", path, source }),
    };
    let understood = serde_json::from_str(&text).and_then(|settings: Settings| {
        // A number that was written by hand must not get past the bounds.
        let in_range =
            |value: Option<f64>, range: &RangeInclusive<f64>| value.is_none_or(|v| range.contains(&v));
        if in_range(settings.min_confidence, &MIN_CONFIDENCE) && in_range(settings.dwell_s, &DWELL_S) {
            Ok(settings)
        } else {
            Err(serde::de::Error::custom("a number is out of range"))
        }
    });
    understood.map_err(|error| SettingsError { action: "understand", path, source: error.into() })
}

/// Writes that the settings are lost. The unreadable file gets a second name before, so that at no moment
/// there is none, which would read as never switched off.
fn replace_lost(folder: &Path) -> Result<(), SettingsError> {
    let path = folder.join(FILE);
    let aside = path.with_extension("json.damaged");
    let kept = match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::hard_link(&path, &aside),
    };
    // What is damaged is worth less than knowing that it was.
    if let Err(error) = kept {
        log::warn!("unable to keep aside {}: {error}", path.display());
    }
    save(folder, Settings::LOST)
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
        assert_eq!(load(&folder).expect("none kept"), Settings::default());
        let store = Store::open(&folder);
        store.update(|settings| settings.enabled = false);
        store.update(|settings| settings.dwell_s = Some(2.0));
        let kept = Settings { enabled: false, dwell_s: Some(2.0), ..Settings::default() };
        assert_eq!(load(&folder).expect("kept"), kept);

        for damaged in ["", "{}", "{\"enab", "\0\0\0", "{\"enabled\": true, \"dwell_s\": -1.0}"] {
            fs::write(folder.join(FILE), damaged).expect("writes");
            let error = load(&folder).expect_err(damaged).to_string();
            assert!(error.starts_with("unable to understand ") && error.contains(FILE), "{error}");
            assert_eq!(Store::open(&folder).get(), Settings::LOST);
            let aside = fs::read_to_string(folder.join("settings.json.damaged"));
            assert_eq!(aside.expect("kept aside"), damaged);
            // Still so after the next start; other settings do not change it.
            let store = Store::open(&folder);
            store.update(|settings| settings.dwell_s = Some(1.0));
            assert_eq!(load(&folder).expect("kept"), Settings { dwell_s: Some(1.0), ..Settings::LOST });
            store.update(|settings| settings.enabled = true);
            assert_eq!(load(&folder).expect("kept"), Settings { dwell_s: Some(1.0), ..Settings::default() });
        }
    }

    #[test]
    fn a_change_is_taken_whole_or_not_at_all() {
        let start = Settings { dwell_s: Some(2.0), ..Settings::default() };
        let changed = start.changed(r#"{"min_confidence": 0.5, "dwell_s": null}"#).expect("good");
        assert_eq!(changed, Settings { min_confidence: Some(0.5), ..Settings::default() });
        for (payload, reason) in [
            ("0.5", "no JSON object"),
            ("{", "no JSON: "),
            ("{}", "names no setting"),
            (r#"{"enabled": true}"#, "\"enabled\" is no setting"),
            (r#"{"min_confidence": 0.5, "dwell_s": 61}"#, "dwell_s: 61 is out of range (0 to 60)"),
            (r#"{"min_confidence": "high"}"#, "min_confidence: \"high\" is no number"),
            (r#"{"min_confidence": 1e999}"#, "no JSON: "),
        ] {
            let error = start.changed(payload).expect_err(payload).to_string();
            assert!(error.starts_with(reason), "{payload}: {error}");
        }
    }
}
