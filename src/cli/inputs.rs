//! From the paths on a command line to photos and films.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, IsTerminal, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use walkdir::{DirEntry, WalkDir};

use super::names;
use crate::base::printable::printable;
use crate::media::film::{self, HEAD};
use crate::media::photo;

/// Standard input.
const STDIN: &str = "-";

/// Names of films' files end so, in lower or upper case.
const FILM_EXTENSIONS: [&str; 24] = [
    "3g2", "3gp", "asf", "avi", "dv", "flv", "m2ts", "m4v", "mjpeg", "mjpg", "mkv", "mov", "mp4", "mpeg",
    "mpg", "mts", "mxf", "ogv", "qt", "ts", "vob", "webm", "wmv", "y4m",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Standard input or a named pipe; what it holds is known when it is read.
    Pipe,
    Photo,
    Film,
}

/// Files in folders that are neither photo nor film, by what their names end with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<String, usize>);

impl LeftOut {
    fn add(&mut self, path: &Path) {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let end = extension.map_or("without an extension".to_owned(), |extension| format!(".{extension}"));
        *self.0.entry(end).or_default() += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says it on standard error.
    pub fn tell(&self) {
        if !self.is_empty() {
            eprintln!("{}", printable(&self.to_string()));
        }
    }
}

impl fmt::Display for LeftOut {
    /// `12 files left out: 11 .heic, 1 .xyz`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.0.values().sum();
        let mut kinds: Vec<(&String, &usize)> = self.0.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let kinds: Vec<String> = kinds.into_iter().map(|(end, count)| format!("{count} {end}")).collect();
        match total {
            0 => Ok(()),
            1 => write!(f, "1 file left out: {}", kinds.join(", ")),
            _ => write!(f, "{total} files left out: {}", kinds.join(", ")),
        }
    }
}

/// What is looked for in folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Photos,
    PhotosAndFilms,
}

/// A photo or film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub path: PathBuf,
    pub kind: Kind,
    /// Its path below the folder in which it was found, its name where it was itself named.
    pub below: PathBuf,
}

impl Input {
    /// What results call it.
    pub fn source(&self) -> String {
        names::source(&self.path)
    }
}

/// An input, or why there is none at its place.
pub type Found = anyhow::Result<Input>;

/// What `paths` name, in their order; a folder is replaced by what is in it and below, sorted by
/// name. Links are followed; what has a name that begins with a dot is passed over, and so is the
/// folder `except`; other files are counted.
pub fn find(paths: &[PathBuf], media: Media, except: Option<&Path>) -> (Vec<Found>, LeftOut) {
    let except = except.and_then(|folder| folder.metadata().ok()).map(|metadata| identity(&metadata));
    let (mut found, mut left_out) = (Vec::new(), LeftOut::default());
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            walk(path, media, except, &mut found, &mut left_out);
            if found.len() == before {
                let wanted = if media == Media::Photos { "photo" } else { "photo or film" };
                found.push(Err(anyhow!(
                    "there is no {wanted} in {} (name a folder with some)",
                    path.display()
                )));
            }
        } else if is_address(path) {
            found.push(Err(anyhow!(
                "unable to read {0}: it is an address, not a file (curl -s {0} | emotiond classify -)",
                path.display()
            )));
        } else {
            let name = if path == Path::new(STDIN) { Path::new("stdin") } else { path.as_path() };
            let below = PathBuf::from(name.file_name().unwrap_or(name.as_os_str()));
            found.push(Ok(Input { path: path.clone(), kind: kind(path, media), below }));
        }
    }
    (found, left_out)
}

fn is_address(path: &Path) -> bool {
    let scheme = path.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())) && !path.exists()
}

/// What messages call standard input.
const STDIN_NAME: &str = "standard input";

/// The content of a photo's file, and what messages call it.
pub fn load(path: &Path, kind: Kind) -> anyhow::Result<(Vec<u8>, String)> {
    if kind != Kind::Pipe {
        return Ok((photo::load(path)?, path.display().to_string()));
    }
    let (mut pipe, name) = open_pipe(path)?;
    Ok((photo::load_from(&mut *pipe, &name)?, name))
}

/// What comes through a pipe.
pub enum Piped {
    /// All of it.
    Photo(Vec<u8>),
    /// The first [`HEAD`] bytes, and the rest.
    Film(Vec<u8>, Box<dyn Read + Send>),
}

/// Finds out what comes through a pipe, and what messages call it.
pub fn load_piped(path: &Path) -> anyhow::Result<(Piped, String)> {
    let (mut pipe, name) = open_pipe(path)?;
    let mut head = Vec::new();
    let read = (&mut pipe).take(HEAD).read_to_end(&mut head);
    read.with_context(|| format!("unable to read {name}"))?;
    if !photo::is_photo(&head) {
        return Ok((Piped::Film(head, pipe), name));
    }
    let rest = photo::load_from(&mut *pipe, &name)?;
    Ok((Piped::Photo([head, rest].concat()), name))
}

fn open_pipe(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, String)> {
    if path != Path::new(STDIN) {
        let file = File::open(path).with_context(|| format!("unable to read {}", path.display()))?;
        return Ok((Box::new(file), path.display().to_string()));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("unable to read {STDIN_NAME}: it is a terminal (pipe a photo or film into it)");
    }
    Ok((Box::new(stdin), STDIN_NAME.to_owned()))
}

/// What makes two paths one file.
pub fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Places that are written to, and for what, so that nothing is written twice.
#[derive(Debug, Default)]
pub struct Claims(HashMap<PathBuf, PathBuf>);

impl Claims {
    /// # Errors
    /// When another input's output goes to `target`.
    pub fn claim(&mut self, target: PathBuf, input: &Path) -> anyhow::Result<PathBuf> {
        match self.0.entry(target.clone()) {
            Entry::Vacant(free) => {
                free.insert(input.to_owned());
                Ok(target)
            }
            Entry::Occupied(taken) => Err(anyhow!(
                "unable to write {} for {}: it is that of {} (give each its own --out)",
                target.display(),
                input.display(),
                taken.get().display()
            )),
        }
    }
}

fn walk(
    root: &Path,
    media: Media,
    except: Option<(u64, u64)>,
    found: &mut Vec<Found>,
    left_out: &mut LeftOut,
) {
    let entries = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| !is_passed_over(entry, except)) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) => {
                let below = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned();
                match kind_by_name(entry.path(), media) {
                    Some(kind) => found.push(Ok(Input { path: entry.into_path(), kind, below })),
                    None => left_out.add(entry.path()),
                }
            }
            Err(error) => found.extend(problem(&error, media).map(Err)),
        }
    }
}

fn is_passed_over(entry: &DirEntry, except: Option<(u64, u64)>) -> bool {
    let hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let is_exception = || {
        entry.file_type().is_dir()
            && except.is_some()
            && entry.metadata().ok().map(|metadata| identity(&metadata)) == except
    };
    hidden || is_exception()
}

/// What there is to say of a place that cannot be looked at; nothing of a broken link to what is
/// neither photo nor film.
fn problem(error: &walkdir::Error, media: Media) -> Option<anyhow::Error> {
    let place = error.path().unwrap_or(Path::new(""));
    if let Some(ancestor) = error.loop_ancestor() {
        return Some(anyhow!(
            "unable to follow {}: it is a link back to {}, which it stands in",
            place.display(),
            ancestor.display()
        ));
    }
    let cause = error.io_error()?;
    if cause.kind() == ErrorKind::NotFound && kind_by_name(place, media).is_none() {
        return None;
    }
    Some(anyhow!("unable to read {}: {cause}", place.display()))
}

fn kind_by_name(path: &Path, media: Media) -> Option<Kind> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if photo::has_photo_name(path) {
        let moves = || media == Media::PhotosAndFilms && film::is_animation(path).unwrap_or(false);
        Some(if moves() { Kind::Film } else { Kind::Photo })
    } else if FILM_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) {
        (media == Media::PhotosAndFilms).then_some(Kind::Film)
    } else {
        None
    }
}

/// What a file that was named itself is: by its name, else by its first bytes.
fn kind(path: &Path, media: Media) -> Kind {
    let is_pipe = || path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
    if path == Path::new(STDIN) || is_pipe() {
        return Kind::Pipe;
    }
    kind_by_name(path, media).unwrap_or_else(|| match photo::begins_as_photo(path) {
        Ok(true) if media == Media::PhotosAndFilms && film::is_animation(path).unwrap_or(false) => Kind::Film,
        Ok(false) if media == Media::PhotosAndFilms => Kind::Film,
        // Reading it as a photo says what is wrong.
        _ => Kind::Photo,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(found: &[Found]) -> Vec<String> {
        let name = |input: &Input| format!("{:?} {}", input.kind, input.below.display());
        found.iter().map(|found| found.as_ref().map_or_else(ToString::to_string, name)).collect()
    }

    #[test]
    fn folders_are_walked_in_order_and_loops_are_said() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path();
        fs::create_dir_all(root.join("b/deep")).expect("folders");
        fs::create_dir_all(root.join(".thumbnails")).expect("folders");
        fs::create_dir_all(root.join("out")).expect("folders");
        for file in
            ["c.JPG", "a.png", "b/deep/z.webp", "b/clip.MP4", "b/notes.txt", ".thumbnails/a.png", "out/a.png"]
        {
            fs::write(root.join(file), "x").expect("writes");
        }
        symlink("..", root.join("b/deep/up")).expect("links");
        symlink("nowhere.jpg", root.join("d.jpg")).expect("links");
        symlink("nowhere", root.join("e")).expect("links");

        let (found, left_out) = find(&[root.to_owned()], Media::PhotosAndFilms, Some(&root.join("out")));
        assert_eq!(left_out.to_string(), "1 file left out: 1 .txt");
        let expected = [
            "Photo a.png",
            "Film b/clip.MP4",
            &format!(
                "unable to follow {0}/b/deep/up: it is a link back to {0}/b, which it stands in",
                root.display()
            ),
            "Photo b/deep/z.webp",
            "Photo c.JPG",
            &format!("unable to read {}/d.jpg: No such file or directory (os error 2)", root.display()),
        ];
        assert_eq!(names(&found), expected);

        let (photos, left_out) = find(&[root.join("b"), "-".into()], Media::Photos, None);
        assert_eq!(names(&photos)[1..], ["Photo deep/z.webp", "Pipe stdin"]);
        assert_eq!(left_out.to_string(), "2 files left out: 1 .mp4, 1 .txt");
        let (nothing, _) =
            find(&[root.join(".thumbnails"), root.join("out")], Media::Photos, Some(&root.join("out")));
        assert_eq!(names(&nothing)[0], "Photo a.png", "a hidden folder that was named itself");
        assert!(names(&nothing)[1].starts_with("there is no photo in "));
    }

    #[test]
    fn a_place_is_claimed_once() {
        let mut claims = Claims::default();
        claims.claim("out/a.png".into(), Path::new("one/a.png")).expect("free");
        let error = claims.claim("out/a.png".into(), Path::new("two/a.png")).expect_err("taken").to_string();
        assert_eq!(
            error,
            "unable to write out/a.png for two/a.png: it is that of one/a.png (give each its own --out)"
        );
    }
}
