//! Photos and films as a camera.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{CameraError, Damage, Loss, Unopened};
use super::source::Camera;
use super::stall::Stall;
use crate::config::{self, Pace};
use crate::media::film::{self, Film, FilmError, FilmFrame, FilmOptions};
use crate::media::photo;
use crate::vocabulary::frame::{Frame, PixelFormat};

/// Longest wait in one call of [`Camera::next`].
const WAIT: Duration = Duration::from_millis(200);

/// A photo, a folder of photos or a film.
#[derive(Debug)]
pub struct Replay {
    description: String,
    material: Material,
    /// Photos a second.
    fps: u32,
    pace: Pace,
    repeat: bool,
    /// Of a film.
    stall: Stall,
    /// When the first frame was due.
    start: Option<Instant>,
    /// Frames so far, damaged ones included.
    sequence: u64,
}

#[derive(Debug)]
enum Material {
    Still {
        frame: Frame,
    },
    /// `good`: one was whole since the first.
    Folder {
        folder: PathBuf,
        photos: Vec<PathBuf>,
        next: usize,
        good: bool,
    },
    Film(Box<Reel>),
}

/// A film in its projector.
#[derive(Debug)]
struct Reel {
    path: PathBuf,
    film: Film,
    over: bool,
    /// Read, but not due yet.
    next: Option<FilmFrame>,
    /// The film's time when this round began.
    first: Option<Duration>,
    /// How long all rounds before this one took.
    before: Duration,
    /// When the last frame was due, from the first round on.
    shown: Duration,
}

impl Replay {
    /// Opens what is at `path`: a folder, a photo, or, with `ffmpeg`, a film.
    ///
    /// # Errors
    /// [`CameraError::Open`] with the cause.
    pub fn open(path: &Path, config: &config::Camera) -> Result<Self, CameraError> {
        Self::open_any(path, config).map_err(|reason| {
            let source_name = format!("replay {}", path.display());
            CameraError::Open { source_name, reason }
        })
    }

    fn open_any(path: &Path, config: &config::Camera) -> Result<Self, Unopened> {
        let now = Instant::now();
        let (material, contents) = if path.is_dir() {
            let photos = photos_in(path)?;
            if photos.is_empty() {
                return Err(Unopened::NoPhotos);
            }
            let contents = format!("{} photos at {}/s", photos.len(), config.fps);
            let folder = path.to_owned();
            (Material::Folder { folder, photos, next: 0, good: false }, contents)
        } else if is_photo(path)? {
            let photo = photo::read(path)?;
            let frame = photo::to_frame(photo, now, 0);
            let contents = format!("photo {}x{} at {}/s", frame.width, frame.height, config.fps);
            (Material::Still { frame }, contents)
        } else {
            let reel = Reel::open(path)?;
            let film = &reel.film;
            let contents = format!("film {}x{} at {:.3}/s", film.width(), film.height(), film.fps());
            (Material::Film(Box::new(reel)), contents)
        };
        Ok(Self {
            description: format!("replay {} ({contents})", path.display()),
            material,
            fps: config.fps,
            pace: config.pace,
            repeat: config.repeat,
            stall: Stall::new(config.timeout),
            start: None,
            sequence: 0,
        })
    }

    fn next_photo(&mut self, due: Instant) -> Result<Frame, CameraError> {
        let Material::Folder { folder, photos, next, good, .. } = &mut self.material else {
            return Err(CameraError::Ended);
        };
        if *next == photos.len() {
            if !self.repeat {
                return Err(CameraError::Ended);
            }
            if !*good {
                let damage = Damage::Folder { folder: folder.clone(), photos: photos.len() };
                return Err(CameraError::OnlyDamaged(damage));
            }
            (*next, *good) = (0, false);
        }
        let path = &photos[*next];
        *next += 1;
        let sequence = self.sequence;
        self.sequence += 1;
        let photo = photo::read(path).map_err(|error| CameraError::Damaged(error.into()))?;
        *good = true;
        Ok(photo::to_frame(photo, due, sequence))
    }

    fn next_of_film(&mut self, start: Instant) -> Result<Frame, CameraError> {
        let Material::Film(reel) = &mut self.material else { return Err(CameraError::Ended) };
        if reel.over && !self.repeat {
            return Err(CameraError::Ended);
        }
        let Some(time) = reel.load()? else {
            return Err(self.stall.waiting());
        };
        let due = start + time;
        if self.pace == Pace::RealTime && !is_due(due) {
            self.stall.fed();
            return Err(CameraError::Waiting);
        }
        let picture = reel.next.take().ok_or(CameraError::Waiting)?;
        reel.shown = time;
        let sequence = self.sequence;
        self.sequence += 1;
        let (width, height) = (reel.film.width(), reel.film.height());
        Ok(Frame::new(width, height, PixelFormat::Rgb8, picture.rgb, due, sequence))
    }
}

impl Reel {
    fn open(path: &Path) -> Result<Self, FilmError> {
        let film = Film::open(path, FilmOptions::default())?;
        let (before, shown) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { path: path.to_owned(), film, over: false, next: None, first: None, before, shown })
    }

    /// Has the next frame ready and answers when it is due, since the first round's start; `None` when
    /// there is none yet.
    fn load(&mut self) -> Result<Option<Duration>, CameraError> {
        let lost = |path: &Path, source| Loss::Film { path: path.to_owned(), source };
        if self.next.is_none() {
            if std::mem::take(&mut self.over) {
                let film = Film::open(&self.path, FilmOptions::default());
                self.film = film.map_err(|error| lost(&self.path, error))?;
                self.first = None;
                self.before = self.shown + Duration::from_secs_f64(1.0 / self.film.fps());
            }
            if !self.film.ready(WAIT) {
                return Ok(None);
            }
            match self.film.next_frame() {
                Ok(Some(picture)) => self.next = Some(picture),
                Ok(None) => {
                    self.over = true;
                    return Ok(None);
                }
                Err(error) if self.first.is_some() => {
                    self.over = true;
                    return Err(CameraError::Damaged(Damage::Film {
                        path: self.path.clone(),
                        source: error,
                    }));
                }
                Err(error) => return Err(lost(&self.path, error).into()),
            }
        }
        let Some(picture) = &self.next else { return Ok(None) };
        let first = *self.first.get_or_insert(picture.time);
        Ok(Some(self.before + picture.time.saturating_sub(first)))
    }
}

/// Waits for `due`, but not for long; `false` when it has not come.
fn is_due(due: Instant) -> bool {
    let left = due.saturating_duration_since(Instant::now());
    std::thread::sleep(left.min(WAIT));
    left <= WAIT
}

impl Camera for Replay {
    fn description(&self) -> &str {
        &self.description
    }

    fn next(&mut self) -> Result<Frame, CameraError> {
        let start = *self.start.get_or_insert_with(Instant::now);
        let due = start + Duration::from_nanos(self.sequence * 1_000_000_000 / u64::from(self.fps));
        let photos = !matches!(self.material, Material::Film(_));
        if photos && self.pace == Pace::RealTime && !is_due(due) {
            self.stall.fed();
            return Err(CameraError::Waiting);
        }
        let result = match &self.material {
            Material::Still { .. } if !self.repeat && self.sequence > 0 => Err(CameraError::Ended),
            Material::Still { frame } => {
                let frame =
                    Frame { captured: due, sequence: self.sequence, data: Arc::clone(&frame.data), ..*frame };
                self.sequence += 1;
                Ok(frame)
            }
            Material::Folder { .. } => self.next_photo(due),
            Material::Film(_) => self.next_of_film(start),
        };
        if result.is_ok() {
            self.stall.fed();
        }
        result
    }
}

/// By its first bytes, else by its name: reading it as a photo says what is wrong with it.
fn is_photo(path: &Path) -> std::io::Result<bool> {
    if film::is_animation(path).unwrap_or(false) {
        return Ok(false);
    }
    Ok(photo::begins_as_photo(path)? || photo::has_photo_name(path))
}

/// The folder's photos, sorted by name.
pub fn photos_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut photos = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if photo::has_photo_name(&path) && path.is_file() {
            photos.push(path);
        }
    }
    photos.sort();
    Ok(photos)
}
