//! Photos and films as a camera.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::source::{Camera, CameraError};
use crate::config::{self, Pace};
use crate::media::film::{Film, FilmError, Rate};
use crate::media::photo;
use crate::vocabulary::frame::{Frame, PixelFormat};

/// Longest wait in one call of [`Camera::next`].
const WAIT: Duration = Duration::from_millis(200);

/// A photo, a folder of photos or a film.
#[derive(Debug)]
pub struct Replay {
    description: String,
    material: Material,
    rate: Rate,
    pace: Pace,
    repeat: bool,
    /// Without a frame of a film for this long it counts as stalled.
    timeout: Duration,
    /// When the first frame was due.
    start: Option<Instant>,
    /// Frames so far, damaged ones included.
    sequence: u64,
    /// When the last frame was handed out, or the film was opened.
    last: Instant,
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
    Film {
        path: PathBuf,
        film: Film,
        over: bool,
    },
}

impl Replay {
    /// Opens what is at `path`: a folder, a photo, or, with `ffmpeg`, a film.
    ///
    /// # Errors
    /// [`CameraError::Open`] with the cause.
    pub fn open(path: &Path, config: &config::Camera) -> Result<Self, CameraError> {
        let failed =
            |reason: String| CameraError::Open { source_name: format!("replay {}", path.display()), reason };
        let mut rate = Rate { frames: config.fps, seconds: 1 };
        let now = Instant::now();
        let (material, contents) = if path.is_dir() {
            let photos = photos_in(path).map_err(|error| failed(error.to_string()))?;
            if photos.is_empty() {
                return Err(failed("there is no photo in this folder (name one with some)".to_owned()));
            }
            let contents = format!("{} photos at {}/s", photos.len(), config.fps);
            let folder = path.to_owned();
            (Material::Folder { folder, photos, next: 0, good: false }, contents)
        } else if photo::begins_as_photo(path).map_err(|error| failed(error.to_string()))? {
            let photo = photo::read(path).map_err(|error| failed(error.to_string()))?;
            let frame = photo::to_frame(photo, now, 0);
            let contents = format!("photo {}x{} at {}/s", frame.width, frame.height, config.fps);
            (Material::Still { frame }, contents)
        } else {
            let film = Film::open(path).map_err(|error| failed(error.to_string()))?;
            rate = film.rate();
            let contents = format!("film {}x{} at {:.3}/s", film.width(), film.height(), film.fps());
            (Material::Film { path: path.to_owned(), film, over: false }, contents)
        };
        Ok(Self {
            description: format!("replay {} ({contents})", path.display()),
            material,
            rate,
            pace: config.pace,
            repeat: config.repeat,
            timeout: config.timeout,
            start: None,
            sequence: 0,
            last: now,
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
                let reason = format!("none of the {} photos in {} is whole", photos.len(), folder.display());
                return Err(CameraError::Lost(reason));
            }
            (*next, *good) = (0, false);
        }
        let path = &photos[*next];
        *next += 1;
        let sequence = self.sequence;
        self.sequence += 1;
        let photo = photo::read(path).map_err(|error| CameraError::Damaged(error.to_string()))?;
        *good = true;
        Ok(photo::to_frame(photo, due, sequence))
    }

    fn next_of_film(&mut self, due: Instant) -> Result<Frame, CameraError> {
        let Material::Film { path, film, over } = &mut self.material else {
            return Err(CameraError::Ended);
        };
        if *over {
            if !self.repeat {
                return Err(CameraError::Ended);
            }
            *film = Film::open(path).map_err(|error| CameraError::Lost(error.to_string()))?;
            *over = false;
        }
        if !film.ready(WAIT) {
            return Err(if self.last.elapsed() > self.timeout {
                CameraError::Lost(format!("ffmpeg delivered no frame for {:?}", self.timeout))
            } else {
                CameraError::Waiting
            });
        }
        match film.next_frame() {
            Ok(Some(picture)) => {
                let sequence = self.sequence;
                self.sequence += 1;
                let (width, height) = (film.width(), film.height());
                Ok(Frame::new(width, height, PixelFormat::Rgb8, picture.rgb, due, sequence))
            }
            Ok(None) => {
                *over = true;
                Err(CameraError::Waiting)
            }
            Err(error @ FilmError::Damaged { frames: 1.., .. }) => {
                *over = true;
                Err(CameraError::Damaged(format!("{}: {error}", path.display())))
            }
            Err(error) => Err(CameraError::Lost(format!("{}: {error}", path.display()))),
        }
    }
}

impl Camera for Replay {
    fn description(&self) -> &str {
        &self.description
    }

    fn next(&mut self) -> Result<Frame, CameraError> {
        let start = *self.start.get_or_insert_with(Instant::now);
        let due = start + self.rate.time(self.sequence);
        if self.pace == Pace::RealTime {
            let left = due.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(WAIT));
            if left > WAIT {
                self.last = Instant::now();
                return Err(CameraError::Waiting);
            }
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
            Material::Film { .. } => self.next_of_film(due),
        };
        if result.is_ok() {
            self.last = Instant::now();
        }
        result
    }
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
