//! The file of enrolled people: descriptors alone, no pictures; readable by its owner only.
//!
//! Every descriptor names the model that made it, so that another model neither compares with it nor
//! loses it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::descriptor::Descriptor;
use super::gallery::Gallery;
use crate::base::atomic_file::{self, Part};
use crate::vocabulary::name::{Name, NoName};

const FILE: &str = "people.json";

/// Held by the one program that changes the file.
const LOCK: &str = ".people.lock";

/// Of the file's form; one that is greater was written by a later version of the program.
const FORM: u32 = 1;

/// Most people and most descriptors of each; a bound for files that come from elsewhere.
const MOST_PEOPLE: usize = 10_000;
const MOST_SAMPLES: usize = 100;

/// Most numbers of a descriptor.
const LONGEST: usize = 4096;

/// One photo's descriptor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// RFC 3339.
    pub added: String,
    /// The model's space of descriptors.
    pub space: String,
    pub values: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    form: u32,
    people: BTreeMap<String, Vec<Sample>>,
}

/// Everybody who is enrolled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct People(BTreeMap<Name, Vec<Sample>>);

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("unable to {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "unable to understand {}: {reason} (`emotiond people add` and `import` keep it aside and begin anew)",
        path.display()
    )]
    Damaged { path: PathBuf, reason: Unsound },
    #[error("unable to understand {}: {reason} (name a file that `emotiond people export` wrote)", path.display())]
    NoExport { path: PathBuf, reason: Unsound },
    #[error("unable to use {}: a later version of emotiond wrote it (form {form} instead of {FORM})", path.display())]
    Later { path: PathBuf, form: u32 },
}

/// What is wrong with a file's content.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    #[error("it is no text")]
    NoText,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Name(#[from] NoName),
    #[error("it holds more than {MOST_PEOPLE} people")]
    TooMany,
    #[error("{name} has {found} descriptors instead of 1 to {MOST_SAMPLES}")]
    Samples { name: Name, found: usize },
    #[error("a descriptor of {0} is none")]
    Values(Name),
}

/// There is no room for more.
#[derive(Debug, thiserror::Error)]
pub enum Full {
    #[error("there are {MOST_PEOPLE} people already")]
    People,
    #[error("{0} has {MOST_SAMPLES} descriptors already (remove {0} first)")]
    Samples(Name),
}

impl People {
    /// Parses what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// What is wrong, without the file's name.
    pub fn from_json(text: &str) -> Result<Self, Unsound> {
        let written: Written = serde_json::from_str(text)?;
        if written.people.len() > MOST_PEOPLE {
            return Err(Unsound::TooMany);
        }
        let mut people = BTreeMap::new();
        for (name, samples) in written.people {
            let name: Name = name.parse()?;
            if samples.is_empty() || samples.len() > MOST_SAMPLES {
                return Err(Unsound::Samples { name, found: samples.len() });
            }
            let sound = |sample: &Sample| {
                (1..=LONGEST).contains(&sample.values.len())
                    && sample.values.iter().all(|value| value.is_finite())
            };
            if !samples.iter().all(sound) {
                return Err(Unsound::Values(name));
            }
            // A file of an earlier version may hold two that are one by now.
            people.entry(name).or_insert_with(Vec::new).extend(samples);
        }
        Ok(Self(people))
    }

    pub fn to_json(&self) -> String {
        let people = self.0.iter().map(|(name, samples)| (name.to_string(), samples.clone())).collect();
        serde_json::to_string(&Written { form: FORM, people }).expect("plain data serialises") + "\n"
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.keys()
    }

    pub fn samples(&self, name: &Name) -> Option<&[Sample]> {
        self.0.get(name).map(Vec::as_slice)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a descriptor; `false` where the person has just this one already.
    ///
    /// # Errors
    /// When there is no room for more.
    pub fn add(&mut self, name: &Name, sample: Sample) -> Result<bool, Full> {
        if !self.0.contains_key(name) && self.0.len() == MOST_PEOPLE {
            return Err(Full::People);
        }
        let samples = self.0.entry(name.clone()).or_default();
        if samples.iter().any(|known| (&known.space, &known.values) == (&sample.space, &sample.values)) {
            return Ok(false);
        }
        if samples.len() == MOST_SAMPLES {
            return Err(Full::Samples(name.clone()));
        }
        samples.push(sample);
        Ok(true)
    }

    /// Whether there was such a person.
    pub fn remove(&mut self, name: &Name) -> bool {
        self.0.remove(name).is_some()
    }

    /// What can be compared with descriptors of `length` numbers in `space`.
    pub fn gallery(&self, space: &str, length: usize) -> Gallery {
        let mut gallery = Gallery::default();
        for (name, samples) in &self.0 {
            for sample in
                samples.iter().filter(|sample| sample.space == space && sample.values.len() == length)
            {
                if let Some(descriptor) = Descriptor::new(sample.values.as_slice()) {
                    gallery.add(name, descriptor);
                }
            }
        }
        gallery
    }

    /// Descriptors that a net of `space` cannot use, and their models.
    pub fn of_other_models(&self, space: &str) -> (usize, Vec<&str>) {
        let others = self.0.values().flatten().filter(|sample| sample.space != space);
        let mut spaces: Vec<&str> = others.map(|sample| sample.space.as_str()).collect();
        let count = spaces.len();
        spaces.sort_unstable();
        spaces.dedup();
        (count, spaces)
    }
}

/// Where a state folder keeps its people.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Reads the people in `folder`; nobody where none were kept. The file is left as it is, whatever it holds.
pub fn load(folder: &Path) -> Result<People, StoreError> {
    read(&path(folder)).map(Option::unwrap_or_default)
}

/// Reads a file of people; `None` where there is none.
pub fn read(path: &Path) -> Result<Option<People>, StoreError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(StoreError::Damaged { path: path.to_owned(), reason: Unsound::NoText });
        }
        Err(source) => return Err(StoreError::Io { action: "read", path: path.to_owned(), source }),
    };
    // The form first: a later one may hold what this version does not know.
    #[derive(Deserialize)]
    struct Form {
        form: u32,
    }
    if let Ok(Form { form }) = serde_json::from_str(&text)
        && form != FORM
    {
        return Err(StoreError::Later { path: path.to_owned(), form });
    }
    match People::from_json(&text) {
        Ok(people) => Ok(Some(people)),
        Err(reason) => Err(StoreError::Damaged { path: path.to_owned(), reason }),
    }
}

/// Reads what was exported; an error says nothing of what would be done with the store itself.
pub fn read_export(path: &Path) -> Result<Option<People>, StoreError> {
    read(path).map_err(|error| match error {
        StoreError::Damaged { path, reason } => StoreError::NoExport { path, reason },
        error => error,
    })
}

/// Deletes what a program that was killed while it wrote has left in `folder`, for the daemon's start; waits
/// for one that is writing.
///
/// # Errors
/// When the folder cannot be read or a file not be deleted.
pub fn sweep(folder: &Path) -> Result<(), StoreError> {
    if folder.join(LOCK).exists() { lock(folder).map(drop) } else { Ok(()) }
}

/// Waits until no other program changes the people in `folder`, until the answer is dropped, and deletes what
/// one has left that was killed while it wrote.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let failed = |action| {
        let path = path.clone();
        move |source| StoreError::Io { action, path, source }
    };
    let locked = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let locked = locked.map_err(failed("open"))?;
    give(&path, folder).map_err(failed("give away"))?;
    rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| failed("lock")(error.into()))?;
    atomic_file::sweep(&self::path(folder)).map_err(failed("clean up beside"))?;
    Ok(locked)
}

/// Changes the people in `folder`, one program at a time, so that a power cut leaves the old ones or the
/// changed ones. `change` answers whether anything is to be written. Returns where a damaged file was
/// put, if there was one and `anew` allows to begin with nobody.
///
/// # Errors
/// Those of `change`, and when the file cannot be read, kept aside or written.
pub fn update<T, E: From<StoreError>>(
    folder: &Path,
    anew: bool,
    change: impl FnOnce(&mut People) -> Result<T, E>,
) -> Result<(T, Option<PathBuf>), E> {
    let path = path(folder);
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    };
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let _alone = lock(folder)?;
    let (mut people, aside) = match load(folder) {
        Ok(people) => (people, None),
        Err(StoreError::Damaged { .. }) if anew => {
            (People::default(), Some(keep_aside(&path).map_err(failed("keep aside", &path))?))
        }
        Err(error) => return Err(error.into()),
    };
    let answer = change(&mut people)?;
    write(&path, &people, true).map_err(failed("write", &path))?;
    Ok((answer, aside))
}

/// Writes a file of people that only its owner can read.
pub fn write(path: &Path, people: &People, replace: bool) -> io::Result<()> {
    let mut part = Part::create_private(path, replace)?;
    part.write_all(people.to_json().as_bytes())?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        give(part.path(), folder)?;
    }
    part.commit_durably()
}

/// Gives what root has written to whom the folder belongs: in the state folder that is the daemon's user, who
/// could not read it otherwise.
fn give(path: &Path, folder: &Path) -> io::Result<()> {
    let (file, owner) = (fs::metadata(path)?, fs::metadata(folder)?);
    if file.uid() == 0 && owner.uid() != 0 && file.is_file() {
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Deletes the damaged files that were kept aside in `folder`: nobody can tell whose descriptors they hold.
///
/// # Returns
/// How many there were.
///
/// # Errors
/// When one cannot be deleted.
pub fn delete_kept_aside(folder: &Path) -> Result<usize, StoreError> {
    let prefix = format!("{FILE}.damaged-");
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    };
    let mut deleted = 0;
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let entry = entry.map_err(failed("list", folder))?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_file(entry.path()).map_err(failed("delete", &entry.path()))?;
            deleted += 1;
        }
    }
    if deleted > 0 {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))?;
    }
    Ok(deleted)
}

/// Gives a damaged file a second name, which nothing has yet; the first goes to what is written next.
fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1.. {
        let aside = path.with_extension(format!("json.damaged-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => {
                File::open(&aside)?.sync_all()?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("numbers do not end")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sample(value: f32) -> Sample {
        Sample { added: "2026-01-31T12:00:00.000Z".to_owned(), space: "a".to_owned(), values: vec![value; 3] }
    }

    fn add(folder: &Path, name: &str, value: f32) -> (bool, Option<PathBuf>) {
        let name: Name = name.parse().expect("name");
        update(folder, true, |people| Ok::<_, StoreError>(people.add(&name, sample(value)).expect("room")))
            .expect("written")
    }

    #[test]
    fn people_are_kept_and_really_removed() {
        let folder = tempfile::tempdir().expect("folder");
        let folder = folder.path().join("not/yet/there");
        assert!(load(&folder).expect("nobody").is_empty());
        assert_eq!(add(&folder, "anna", 0.25), (true, None));
        assert_eq!(add(&folder, "anna", 0.25), (false, None));
        add(&folder, "bert", 7.5);
        let mode = fs::metadata(path(&folder)).expect("stats").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let anna: Name = "anna".parse().expect("name");
        // As a program leaves it that is killed while it writes.
        fs::copy(path(&folder), folder.join(".people.json.aBc123.part")).expect("copied");
        update(&folder, false, |people| Ok::<_, StoreError>(people.remove(&anna))).expect("written");
        let text = fs::read_to_string(path(&folder)).expect("reads");
        assert!(text.contains("bert") && !text.contains("anna") && !text.contains("0.25"), "{text}");
        assert_eq!(fs::read_dir(&folder).expect("lists").count(), 2, "the people and the lock");
    }

    #[test]
    fn a_damaged_file_is_kept_aside_each_time() {
        let folder = tempfile::tempdir().expect("folder");
        let folder = folder.path();
        for (number, damaged) in ["{\"form\":1,", "{\"form\":1,\"people\":{\"a/b\":[]}}"].iter().enumerate() {
            fs::write(path(folder), damaged).expect("writes");
            let error = load(folder).expect_err("damaged").to_string();
            assert!(error.starts_with("unable to understand ") && error.contains(FILE), "{error}");
            let refused = update(folder, false, |_| Ok::<_, StoreError>(()));
            assert!(refused.is_err(), "a removal does not begin anew");
            let aside = add(folder, "anna", 1.0).1.expect("kept aside");
            assert_eq!(fs::read_to_string(&aside).expect("reads"), *damaged);
            assert!(aside.ends_with(format!("people.json.damaged-{}", number + 1)), "{aside:?}");
        }
        assert_eq!(fs::read_to_string(folder.join("people.json.damaged-1")).expect("reads"), "{\"form\":1,");
        assert_eq!(delete_kept_aside(folder).expect("deleted"), 2);
        assert_eq!(delete_kept_aside(folder).expect("none"), 0);
        fs::write(path(folder), "{\"form\":2,\"crowd\":[]}").expect("writes");
        let later = update(folder, true, |_| Ok::<_, StoreError>(())).expect_err("not ours").to_string();
        assert!(later.contains("a later version"), "{later}");
    }

    #[test]
    fn descriptors_of_other_models_are_neither_used_nor_lost() {
        let mut people = People::default();
        let anna: Name = "anna".parse().expect("name");
        people.add(&anna, sample(1.0)).expect("room");
        people.add(&anna, Sample { space: "b".to_owned(), ..sample(2.0) }).expect("room");
        assert_eq!(people.gallery("a", 3).len(), 1);
        assert_eq!(people.of_other_models("a"), (1, vec!["b"]));
        assert_eq!(People::from_json(&people.to_json()).expect("sound"), people);
    }
}
