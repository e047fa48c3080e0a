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

use crate::base::atomic_file::Part;

const FILE: &str = "settings.json";

/// What is kept. What is `None` is as the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The camera may be read.
    pub enabled: bool,
    /// In place of `classifier.min_confidence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
    /// In place of `smoothing.dwell_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_s: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, min_confidence: None, dwell_s: None }
    }
}

impl Settings {
    /// These settings with what a JSON object such as `{"min_confidence": 0.5}` names changed; `null`
    /// goes back to the configuration's value.
    ///
    /// # Errors
    /// When anything of it cannot be obeyed; then nothing of it is.
    pub fn changed(mut self, json: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(json).map_err(|error| format!("no JSON: {error}"))?;
        let Value::Object(changes) = value else {
            return Err("no JSON object such as {\"min_confidence\": 0.5}".to_owned());
        };
        if changes.is_empty() {
            return Err("names no setting (min_confidence, dwell_s)".to_owned());
        }
        for (key, value) in &changes {
            match key.as_str() {
                "min_confidence" => self.min_confidence = number(key, value, &MIN_CONFIDENCE)?,
                "dwell_s" => self.dwell_s = number(key, value, &DWELL_S)?,
                _ => return Err(format!("{key:?} is no setting (min_confidence, dwell_s)")),
            }
        }
        Ok(self)
    }
}

fn number(key: &str, value: &Value, range: &RangeInclusive<f64>) -> Result<Option<f64>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_f64().ok_or_else(|| format!("{key}: {value} is no number"))?;
    if range.contains(&number) {
        Ok(Some(number))
    } else {
        Err(format!("{key}: {number} is out of range ({} to {})", range.start(), range.end()))
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

/// The settings and the file that keeps them; clones share both.
#[derive(Clone, Debug)]
pub struct Store(Arc<(PathBuf, Mutex<Settings>)>);

impl Store {
    /// As they were left in `folder`. What is kept but unreadable is said and replaced.
    pub fn open(folder: &Path) -> Self {
        let settings = load(folder).unwrap_or_else(|error| {
            log::warn!("settings are back to their defaults: {error}");
            Settings::default()
        });
        Self(Arc::new((folder.to_owned(), Mutex::new(settings))))
    }

    pub fn get(&self) -> Settings {
        *self.lock()
    }

    /// Changes and keeps them; a failure to keep them is said, they are in force all the same.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = self.lock();
        let before = *settings;
        change(&mut settings);
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
/// When the file cannot be read or understood. It is then kept aside under `settings.json.damaged`.
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
    understood.map_err(|error| {
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
        assert_eq!(load(&folder).expect("none kept"), Settings::default());
        let store = Store::open(&folder);
        store.update(|settings| settings.enabled = false);
        store.update(|settings| settings.dwell_s = Some(2.0));
        let kept = Settings { enabled: false, min_confidence: None, dwell_s: Some(2.0) };
        assert_eq!(load(&folder).expect("kept"), kept);

        for damaged in ["{\"enab", "{\"dwell_s\": -1.0}"] {
            fs::write(folder.join(FILE), damaged).expect("writes");
            let error = load(&folder).expect_err(damaged).to_string();
            assert!(error.starts_with("unable to understand ") && error.contains(FILE), "{error}");
            assert!(folder.join("settings.json.damaged").exists());
            assert_eq!(load(&folder).expect("fresh"), Settings::default());
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
            let error = start.changed(payload).expect_err(payload);
            assert!(error.starts_with(reason), "{payload}: {error}");
        }
    }
}
