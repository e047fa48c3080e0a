//! Uploaded photos: a bounded queue, and a thread with nets of its own that answers them in turn.

use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use data_url::{DataUrl, forgiving_base64};
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::body;
use super::problem::Problem;
use crate::base::caught::caught;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;
use crate::media::photo::{self, PhotoError, PhotoFault};
use crate::media::{encode, resample};
use crate::overlay::{self, Mark};
use crate::vocabulary::emotion::{Face, Still};
use crate::vocabulary::frame::Frame;
use crate::vocabulary::wire;

/// How often the waiting thread looks for shutdown.
const TICK: Duration = Duration::from_millis(200);

/// Of annotated pictures, 1 to 100: to be kept, so that small print stays sharp.
const QUALITY: u8 = 92;

/// Most pixels a side of what is sent back to be looked at.
const SHOWN: u32 = 2048;

/// Tells the faces of a photo, or why it could not.
pub type Classify = Box<dyn FnMut(&Frame) -> Result<Still, Box<dyn Error + Send + Sync>> + Send>;

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

/// What is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Faces,
    /// The picture with the faces drawn, as JPEG.
    Annotated,
    /// The picture as PNG, of at most `SHOWN` pixels a side: browsers do not show all that is taken.
    Shown,
}

/// What becomes of it.
pub enum Answer {
    Faces(wire::Picture),
    /// A JPEG or PNG, and its media type.
    Picture(&'static str, Vec<u8>),
}

struct Job {
    upload: Upload,
    wish: Wish,
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
        wish: Wish,
    ) -> Result<Answer, Problem> {
        let (answer, wait) = oneshot::channel();
        let job = Job { upload, wish, answer, place };
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
                Ok(Job { upload, wish, answer, place }) => {
                    let found = self.answer(upload, wish);
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
    fn answer(&mut self, upload: Upload, wish: Wish) -> Result<Answer, Problem> {
        caught(|| self.read(upload, wish)).unwrap_or_else(|panic| {
            log::error!("unable to answer an upload: {panic}");
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the picture could not be decoded",
                "convert it to a plain PNG or JPEG",
            ))
        })
    }

    fn read(&mut self, upload: Upload, wish: Wish) -> Result<Answer, Problem> {
        let (bytes, name) = match upload {
            Upload::File { bytes, name } => (bytes, name),
            Upload::Json(json) => (decode_json(&json)?, None),
        };
        let name = name.unwrap_or_else(|| "upload".to_owned());
        let picture =
            photo::decode_within(&bytes, &name, self.max_pixels).map_err(|error| undecodable(&error))?;
        drop(bytes);
        let frame = photo::to_frame(picture, Instant::now(), 0);
        if wish == Wish::Shown {
            return shown(frame).map(|png| Answer::Picture("image/png", png));
        }
        let seen = (self.classify)(&frame).map_err(|error| {
            log::error!("unable to classify an uploaded photo: {error}");
            internal(error)
        })?;
        if wish == Wish::Annotated {
            return annotate(frame, &seen.faces).map(|jpeg| Answer::Picture("image/jpeg", jpeg));
        }
        Ok(Answer::Faces(wire::Picture::of_photo(name, (frame.width, frame.height), &seen)))
    }
}

fn decode_json(json: &[u8]) -> Result<Bytes, Problem> {
    let remedy = "send {\"image\": \"<base64 of a JPEG or PNG, or a data URL>\"}";
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail, remedy);
    let encoded: Encoded = body::object(json, remedy)?;
    let text = encoded.image.trim();
    let found = match text.split_once(',') {
        Some((head, data)) if head.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) => {
            of_data_url(head, data)
        }
        _ => forgiving_base64::decode_to_vec(standard(text).as_bytes()).ok(),
    };
    found.map(Bytes::from).ok_or_else(|| bad("the image is neither base64 nor a data URL".to_owned()))
}

/// The content of `HEAD,DATA`, with whatever parameters.
fn of_data_url(head: &str, data: &str) -> Option<Vec<u8>> {
    let text = head.trim_end().to_ascii_lowercase().ends_with("base64");
    let data = if text { standard(data) } else { data.to_owned() };
    DataUrl::process(&format!("{head},{data}")).ok()?.decode_to_vec().ok().map(|(bytes, _)| bytes)
}

/// In the standard alphabet what may be in the one for URLs (RFC 4648, 5).
fn standard(text: &str) -> String {
    text.replace('-', "+").replace('_', "/")
}

fn undecodable(error: &PhotoError) -> Problem {
    let status = match error.fault() {
        PhotoFault::Empty => StatusCode::BAD_REQUEST,
        PhotoFault::NotAPicture => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        PhotoFault::TooLarge { .. } | PhotoFault::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, error.detail(), error.fault().remedy().unwrap_or("send another picture"))
}

/// The picture as PNG, quickly made rather than small.
fn shown(frame: Frame) -> Result<Vec<u8>, Problem> {
    let frame = resample::fitted(frame, SHOWN);
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Up)
        .write_image(&frame.data, frame.width, frame.height, ExtendedColorType::Rgb8)
        .map_err(|error| internal(format_args!("unable to encode the picture: {error}")))?;
    Ok(png)
}

/// The picture with the faces drawn, as JPEG.
fn annotate(frame: Frame, faces: &[Face]) -> Result<Vec<u8>, Problem> {
    let (captured, sequence) = (frame.captured, frame.sequence);
    let picture = RgbImage::from_raw(frame.width, frame.height, frame.data.to_vec())
        .ok_or_else(|| internal("a photo without three channels"))?;
    let marks: Vec<Mark> = faces.iter().map(Mark::from).collect();
    let annotated = photo::to_frame(overlay::annotate(picture, &marks), captured, sequence);
    encode::jpeg(&annotated, QUALITY)
        .map_err(|error| internal(format_args!("unable to encode the annotated picture: {error}")))
}

/// A defect of the daemon or its device.
fn internal(error: impl Display) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "see the daemon's log")
}
