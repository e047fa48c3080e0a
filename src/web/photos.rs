//! Uploaded photos: a bounded queue, and a thread with nets of its own that answers them in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use base64::Engine as _;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::body;
use super::problem::Problem;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;
use crate::media::photo::{self, PhotoError};
use crate::overlay::{self, Mark};
use crate::vocabulary::emotion::Face;
use crate::vocabulary::frame::Frame;
use crate::vocabulary::wire;

/// How often the waiting thread looks for shutdown.
const TICK: Duration = Duration::from_millis(200);

/// Of annotated pictures, 1 to 100: to be kept, so that small print stays sharp.
const QUALITY: u8 = 92;

/// Tells the faces of a photo, or why it could not.
pub type Classify = Box<dyn FnMut(&Frame) -> Result<Vec<Face>, String> + Send>;

/// An upload as it came.
pub enum Upload {
    /// The file's bytes, and its name where one was told.
    File { bytes: Bytes, name: Option<String> },
    /// `{"image": "<base64 or data URL>"}`.
    Json(Bytes),
}

#[derive(Deserialize)]
struct Encoded {
    image: String,
}

/// What becomes of it.
pub enum Answer {
    Faces(wire::Picture),
    /// The picture with the faces drawn, as JPEG.
    Annotated(Vec<u8>),
}

struct Job {
    upload: Upload,
    overlay: bool,
    answer: oneshot::Sender<Result<Answer, Problem>>,
    /// Its place, free again when the answer is there.
    place: OwnedSemaphorePermit,
}

/// The end of the queue where uploads are put in.
pub struct Photos {
    jobs: SyncSender<Job>,
    places: Arc<Semaphore>,
}

/// The other end.
pub struct Worker {
    jobs: Receiver<Job>,
    classify: Classify,
    max_pixels: u64,
}

/// A queue for `places` uploads and its worker.
pub fn queue(places: usize, max_pixels: u64, classify: Classify) -> (Photos, Worker) {
    let (sender, jobs) = mpsc::sync_channel(places);
    let photos = Photos { jobs: sender, places: Arc::new(Semaphore::new(places)) };
    (photos, Worker { jobs, classify, max_pixels })
}

impl Photos {
    /// A place, before the body is read, so that memory is bounded, too.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Problem::busy("too many photos are waiting already (web.max_uploads)"))
    }

    /// Waits for the answer.
    pub async fn classify(
        &self,
        place: OwnedSemaphorePermit,
        upload: Upload,
        overlay: bool,
    ) -> Result<Answer, Problem> {
        let (answer, wait) = oneshot::channel();
        let job = Job { upload, overlay, answer, place };
        let stopping = || Problem::busy("the daemon is stopping");
        // There is room: as many jobs as places.
        self.jobs.try_send(job).map_err(|_| stopping())?;
        wait.await.map_err(|_| stopping())?
    }
}

impl Worker {
    /// Answers until shutdown; `pulse` is fed at least every `TICK` but while a photo is worked on.
    pub fn run(mut self, shutdown: &Shutdown, pulse: &Pulse) {
        while !shutdown.requested() {
            pulse.beat();
            match self.jobs.recv_timeout(TICK) {
                // Who has left needs no answer.
                Ok(job) if job.answer.is_closed() => {}
                Ok(Job { upload, overlay, answer, place }) => {
                    let found = self.answer(upload, overlay);
                    // Who has the answer may ask again at once.
                    drop(place);
                    let _ = answer.send(found);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A decoder that panics on a hostile picture must not end the daemon.
    fn answer(&mut self, upload: Upload, overlay: bool) -> Result<Answer, Problem> {
        catch_unwind(AssertUnwindSafe(|| self.read(upload, overlay))).unwrap_or_else(|_| {
            log::error!("a decoder panicked on an uploaded picture");
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the picture could not be decoded",
                "convert it to a plain PNG or JPEG",
            ))
        })
    }

    fn read(&mut self, upload: Upload, overlay: bool) -> Result<Answer, Problem> {
        let (bytes, name) = match upload {
            Upload::File { bytes, name } => (bytes, name),
            Upload::Json(json) => (decode_json(&json)?, None),
        };
        let name = name.unwrap_or_else(|| "upload".to_owned());
        let picture =
            photo::decode_within(&bytes, &name, self.max_pixels).map_err(|error| undecodable(&error))?;
        drop(bytes);
        let frame = photo::to_frame(picture, Instant::now(), 0);
        let faces = (self.classify)(&frame).map_err(|error| {
            log::error!("unable to classify an uploaded photo: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error, "see the daemon's log")
        })?;
        if overlay {
            return annotate(frame, &faces).map(Answer::Annotated);
        }
        Ok(Answer::Faces(wire::Picture {
            source: name,
            frame: 0,
            time_s: 0.0,
            width: frame.width,
            height: frame.height,
            faces: faces.iter().map(wire::Face::from).collect(),
        }))
    }
}

fn decode_json(json: &[u8]) -> Result<Bytes, Problem> {
    let remedy = "send {\"image\": \"<base64 of a JPEG or PNG, or a data URL>\"}";
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail, remedy);
    let encoded: Encoded = body::object(json, remedy)?;
    let text = match encoded.image.strip_prefix("data:") {
        Some(url) => match url.split_once(";base64,") {
            Some((_, text)) => text,
            None => return Err(bad("the data URL is not base64".to_owned())),
        },
        None => &encoded.image,
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text.trim())
        .map_err(|error| bad(format!("the image is no base64: {error}")))?;
    Ok(bytes.into())
}

fn undecodable(error: &PhotoError) -> Problem {
    let status = match error {
        PhotoError::Empty { .. } => StatusCode::BAD_REQUEST,
        PhotoError::NotAPicture { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        PhotoError::TooLarge { .. } | PhotoError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    // The remedy stands in brackets at the end.
    let text = error.to_string();
    let (detail, remedy) = match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
        Some((detail, remedy)) => (detail.to_owned(), remedy.to_owned()),
        None => (text, "send another picture".to_owned()),
    };
    Problem::new(status, detail, remedy)
}

/// The picture with the faces drawn, as JPEG.
fn annotate(frame: Frame, faces: &[Face]) -> Result<Vec<u8>, Problem> {
    let failed =
        |error: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error, "see the daemon's log");
    let picture = RgbImage::from_raw(frame.width, frame.height, frame.data.to_vec())
        .ok_or_else(|| failed("a photo without three channels".to_owned()))?;
    let marks: Vec<Mark> = faces.iter().map(Mark::from).collect();
    let picture = overlay::annotate(picture, &marks);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&picture)
        .map_err(|error| failed(format!("unable to encode the annotated picture: {error}")))?;
    Ok(jpeg)
}
