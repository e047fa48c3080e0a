//! Files that are whole or absent: written beside their place under another name, then moved there.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::NamedTempFile;

use crate::base::mutex::lock;

/// Bytes of a file's name that its unfinished one keeps: with what is added it stays below the 255 that
/// file systems take.
const KEPT_NAME: usize = 200;

/// Files that are being written.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes what is being written, before the program ends without dropping it.
pub fn remove_unfinished() {
    for path in std::mem::take(&mut *lock(&UNFINISHED)) {
        // One that is gone was moved to its place just now.
        let _ = fs::remove_file(path);
    }
}

/// A path in [`UNFINISHED`] until this is dropped.
#[derive(Debug)]
struct Registered(PathBuf);

impl Registered {
    fn new(path: &Path) -> Self {
        lock(&UNFINISHED).insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&UNFINISHED).remove(&self.0);
    }
}

/// How the name of a file ends that is not at its place yet.
const SUFFIX: &str = ".part";

/// A file that is being written. Dropped before [`Part::commit`] it leaves nothing.
#[derive(Debug)]
pub struct Part {
    target: Target,
    path: PathBuf,
    replace: bool,
}

#[derive(Debug)]
enum Target {
    Beside(NamedTempFile, Registered),
    /// A pipe or device, which cannot be replaced.
    Itself(File),
}

impl Part {
    /// Begins the file at `path`, whose folder exists; `replace` allows a file there already.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is one that may not be replaced.
    pub fn create(path: &Path, replace: bool) -> io::Result<Self> {
        // As any other program's files, not as secret ones.
        Self::create_with(path, replace, 0o666)
    }

    /// Like [`Self::create`], readable and writable by the owner only.
    pub fn create_private(path: &Path, replace: bool) -> io::Result<Self> {
        Self::create_with(path, replace, 0o600)
    }

    fn create_with(path: &Path, replace: bool, mode: u32) -> io::Result<Self> {
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => Target::Itself(OpenOptions::new().write(true).open(path)?),
            Ok(_) if !replace => return Err(io::ErrorKind::AlreadyExists.into()),
            _ => {
                let mut builder = tempfile::Builder::new();
                let prefix = prefix(path)?;
                builder.prefix(&prefix).suffix(SUFFIX).permissions(fs::Permissions::from_mode(mode));
                let file = builder.tempfile_in(folder(path))?;
                let registered = Registered::new(file.path());
                Target::Beside(file, registered)
            }
        };
        Ok(Self { target, path: path.to_owned(), replace })
    }

    /// Where the content is written to by another program.
    pub fn path(&self) -> &Path {
        match &self.target {
            Target::Beside(file, _) => file.path(),
            Target::Itself(_) => &self.path,
        }
    }

    /// Moves the file to its place.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when another one has come there meanwhile.
    pub fn commit(self) -> io::Result<()> {
        let Target::Beside(file, _registered) = self.target else { return Ok(()) };
        let moved = if self.replace { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
        moved.map(drop).map_err(|error| error.error)
    }

    /// Like [`Self::commit`]; after it the file outlives a power cut, too. File and folder are
    /// flushed, or the move may reach the disk before the content does.
    pub fn commit_durably(self) -> io::Result<()> {
        if let Target::Beside(file, _) = &self.target {
            file.as_file().sync_all()?;
        }
        let folder = folder(&self.path).to_owned();
        self.commit()?;
        File::open(folder)?.sync_all()
    }

    fn file(&mut self) -> &mut File {
        match &mut self.target {
            Target::Beside(file, _) => file.as_file_mut(),
            Target::Itself(file) => file,
        }
    }
}

/// Deletes what programs that were killed while they wrote the file at `path` have left beside it. No other
/// program may be writing that file.
///
/// # Errors
/// When the folder cannot be read or a file not be deleted.
pub fn sweep(path: &Path) -> io::Result<()> {
    let prefix = prefix(path)?;
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(prefix.as_encoded_bytes()) && name.ends_with(SUFFIX.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// How the name of a file begins that will be the one at `path`.
fn prefix(path: &Path) -> io::Result<OsString> {
    let mut prefix = OsString::from(".");
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.as_bytes();
    prefix.push(OsStr::from_bytes(&name[..name.len().min(KEPT_NAME)]));
    prefix.push(".");
    Ok(prefix)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl io::Seek for Part {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file().seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_absent() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.txt");
        let mut part = Part::create(&path, false).expect("begins");
        part.write_all(b"one").expect("writes");
        drop(part);
        assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 0);

        let mut part = Part::create(&path, false).expect("begins");
        part.write_all(b"two").expect("writes");
        assert!(!path.exists());
        part.commit().expect("moves");
        assert_eq!(fs::read(&path).expect("reads"), b"two");
        assert_ne!(fs::metadata(&path).expect("stats").permissions().mode() & 0o044, 0, "others may read");

        let refused = Part::create(&path, false).expect_err("exists");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        Part::create(&path, true).expect("begins").commit_durably().expect("replaces");
        assert_eq!(fs::read(&path).expect("reads"), b"");
    }

    #[test]
    fn long_names_have_room() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("n".repeat(250) + ".txt");
        Part::create(&path, false).expect("begins").commit().expect("moves");
        assert!(path.exists());
    }

    #[test]
    fn what_a_killed_program_leaves_is_swept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.txt");
        let part = Part::create(&path, true).expect("begins");
        let Target::Beside(file, _) = part.target else { panic!("a file") };
        file.keep().expect("left behind");
        let other = folder.path().join(".b.txt.x.part");
        fs::write(&other, "theirs").expect("writes");
        sweep(&path).expect("swept");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("lists").filter_map(Result::ok).collect();
        assert_eq!(left.iter().map(|entry| entry.path()).collect::<Vec<_>>(), [other]);
    }

    #[test]
    fn what_came_meanwhile_is_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.txt");
        let part = Part::create(&path, false).expect("begins");
        fs::write(&path, "theirs").expect("writes");
        assert_eq!(part.commit().expect_err("exists").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("reads"), b"theirs");
    }

    #[test]
    fn a_device_is_written_to_itself() {
        let mut part = Part::create(Path::new("/dev/null"), false).expect("opens");
        part.write_all(b"gone").and_then(|()| part.commit()).expect("writes");
        let mut full = Part::create(Path::new("/dev/full"), false).expect("opens");
        assert_eq!(full.write_all(b"a").expect_err("full").kind(), io::ErrorKind::StorageFull);
    }
}
