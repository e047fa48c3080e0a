//! The thread between camera and sinks: takes the newest frame, steps the pipeline, passes on what
//! it says.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::face_image::FaceImage;
use super::shown::Mirror;
use crate::base::latest::Latest;
use crate::base::shutdown::Shutdown;
use crate::camera::thread::{State as CameraState, Status as CameraStatus};
use crate::config::Smoothing;
use crate::display::{BrokerMark, CameraMark, Caption, View};
use crate::mqtt::Mqtt;
use crate::people::gallery::Gallery;
use crate::pipeline::Pipeline;
use crate::rules::Rules;
use crate::tell::report::{Moment, Report, Reporter};
use crate::tell::stats::Meter;
use crate::vocabulary::emotion::Observation;
use crate::vocabulary::frame::Frame;
use crate::vocabulary::wire::{self, Latency};
use crate::web::Web;

/// How long a frame is waited for before the camera's state is looked at.
const WAIT: Duration = Duration::from_millis(100);

/// What the main thread and this one share.
pub struct Shared {
    beats: AtomicU64,
    errors: AtomicU64,
    /// The newest frame could not be analysed.
    failing: AtomicBool,
    /// The replay is over and its last frame has been told of.
    drained: AtomicBool,
    frames_dropped: AtomicU64,
    meter: Mutex<Meter>,
    /// What the emotion net runs on.
    delegate: Mutex<String>,
    /// Settings to take over before the next frame.
    settings: Mutex<Option<(Smoothing, f32)>>,
    min_confidence: Mutex<f32>,
    /// Who is enrolled from the next frame on.
    people: Mutex<Option<Gallery>>,
}

impl Shared {
    pub fn new(delegate: &str, min_confidence: f32) -> Self {
        Self {
            beats: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            frames_dropped: AtomicU64::new(0),
            meter: Mutex::new(Meter::new(Instant::now())),
            delegate: Mutex::new(delegate.to_owned()),
            settings: Mutex::new(None),
            min_confidence: Mutex::new(min_confidence),
            people: Mutex::new(None),
        }
    }

    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The nets fail, so that nothing is seen though pictures come.
    pub fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Probability below which a face is `uncertain`, as configured last.
    pub fn min_confidence(&self) -> f32 {
        *lock(&self.min_confidence)
    }

    pub fn frames_dropped(&self) -> u64 {
        self.frames_dropped.load(Ordering::Relaxed)
    }

    pub fn drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    pub fn delegate(&self) -> String {
        lock(&self.delegate).clone()
    }

    fn runs_on(&self, delegate: &str) {
        let mut known = lock(&self.delegate);
        if *known != delegate {
            delegate.clone_into(&mut known);
        }
    }

    /// Frames a second and latencies since the last call.
    pub fn take_meter(&self) -> (f64, Latency) {
        lock(&self.meter).take(Instant::now())
    }

    /// Who is enrolled from the next frame on.
    pub fn enrol(&self, people: Gallery) {
        *lock(&self.people) = Some(people);
    }

    /// Smoothing and least confidence from the next frame on.
    pub fn configure(&self, smoothing: Smoothing, min_confidence: f32) {
        *lock(&self.min_confidence) = min_confidence;
        *lock(&self.settings) = Some((smoothing, min_confidence));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where observations go.
pub struct Sinks {
    pub mqtt: Option<Mqtt>,
    pub web: Option<Web>,
    pub rules: Rules,
    pub views: Latest<View>,
    pub mirror: Mirror,
}

pub struct PipelineThread {
    pub pipeline: Pipeline,
    pub frames: Latest<Frame>,
    pub reporter: Reporter,
    pub camera: Arc<CameraStatus>,
    pub sinks: Sinks,
    pub shared: Arc<Shared>,
    /// Where the picture of the last face is wanted.
    pub face_image: Option<FaceImage>,
    pub shutdown: Shutdown,
    /// When the newest frame was taken, on the frames' clock: a replay that runs flat out is ahead
    /// of time.
    pub last: Instant,
}

impl PipelineThread {
    /// Runs until shutdown.
    pub fn run(mut self) {
        let mut seen: Option<Observation> = None;
        while !self.shutdown.requested() {
            self.shared.beats.fetch_add(1, Ordering::Relaxed);
            if let Some((smoothing, confidence)) = lock(&self.shared.settings).take() {
                self.pipeline.configure(&smoothing, confidence);
            }
            if let Some(people) = lock(&self.shared.people).take() {
                self.pipeline.enrol(people, self.last);
            }
            // Before the slot is looked into: a frame that comes with the end is still taken.
            let camera = self.camera.state();
            match self.frames.take(WAIT) {
                Some(frame) => seen = self.step(&frame).or(seen),
                None if camera != CameraState::Streaming => {
                    if seen.take().is_some() {
                        self.pipeline.reset();
                    }
                    let now = self.moment();
                    let report = self.reporter.nothing(now);
                    self.tell(report, None, now);
                    if let Some(web) = &self.sinks.web {
                        web.feed.nothing(self.reporter.state(None, now));
                    }
                    self.shared.drained.store(camera == CameraState::Ended, Ordering::Relaxed);
                }
                None => {}
            }
            self.tell_camera(camera);
            self.shared.frames_dropped.store(self.frames.dropped(), Ordering::Relaxed);
            let view = self.view(seen.as_ref(), camera);
            self.sinks.mirror.set(view);
            self.sinks.views.put(view);
        }
    }

    fn step(&mut self, frame: &Frame) -> Option<Observation> {
        let found = self.pipeline.step(frame, frame.captured);
        self.shared.runs_on(self.pipeline.classifier().delegate());
        match found {
            Ok(observation) => {
                // A replay that is faster than time has captured its frames in the future.
                let latency = Instant::now().saturating_duration_since(frame.captured);
                lock(&self.shared.meter).add(latency);
                let moment = Moment { instant: frame.captured, wall: Timestamp::now() };
                self.last = frame.captured;
                let report = self.reporter.observe(&observation, moment);
                self.tell_face(frame, &observation, &report);
                self.tell(report, Some(&observation), moment);
                self.shared.failing.store(false, Ordering::Relaxed);
                if let Some(web) = &self.sinks.web {
                    web.feed.observe(frame, self.reporter.state(Some(&observation), moment), latency);
                }
                Some(observation)
            }
            Err(error) => {
                self.shared.failing.store(true, Ordering::Relaxed);
                if self.shared.errors.fetch_add(1, Ordering::Relaxed) == 0 {
                    log::error!("{error}; further errors of the models are only counted");
                }
                None
            }
        }
    }

    fn tell(&self, report: Report, seen: Option<&Observation>, now: Moment) {
        self.sinks.rules.observe(seen, now.instant, || self.reporter.state(seen, now));
        if let (Some(mqtt), Some(state)) = (&self.sinks.mqtt, &report.state) {
            mqtt.set_state(state);
        }
        report.events.iter().for_each(|event| self.tell_event(event));
    }

    fn tell_event(&self, event: &wire::Event) {
        if let Some(mqtt) = &self.sinks.mqtt {
            mqtt.event(event);
        }
        if let Some(web) = &self.sinks.web {
            web.feed.event(event.clone());
        }
    }

    fn tell_face(&mut self, frame: &Frame, seen: &Observation, report: &Report) {
        let (Some(mqtt), Some(face_image)) = (&self.sinks.mqtt, &mut self.face_image) else { return };
        if let Some(jpeg) = face_image.picture(frame, seen, &report.events) {
            mqtt.face_image(jpeg);
        }
    }

    /// The first word on the camera waits until it is known.
    fn tell_camera(&mut self, camera: CameraState) {
        if camera == CameraState::Starting {
            return;
        }
        let online = camera == CameraState::Streaming;
        let event = self.reporter.camera(online, self.moment());
        if let Some(mqtt) = &self.sinks.mqtt {
            mqtt.set_camera(online);
        }
        // Switching off is no loss, and the end of a replay is none either.
        if let Some(event) = event.filter(|_| online || camera == CameraState::Lost) {
            self.tell_event(&event);
        }
    }

    /// Now, but never before the newest frame.
    fn moment(&self) -> Moment {
        Moment { instant: Instant::now().max(self.last), wall: Timestamp::now() }
    }

    fn view(&self, seen: Option<&Observation>, camera: CameraState) -> View {
        View {
            state: seen.map_or_else(Default::default, |observation| observation.state),
            confidence: seen.map_or(0.0, |observation| observation.confidence),
            faces: seen.map_or(0, |observation| observation.faces.len()),
            person: seen
                .and_then(Observation::primary)
                .and_then(|face| face.person.as_ref())
                .map(|person| Caption::new(person.name.as_str())),
            camera: match camera {
                CameraState::Starting => CameraMark::Starting,
                CameraState::Streaming => CameraMark::Reading,
                CameraState::Lost | CameraState::Ended => CameraMark::Lost,
                CameraState::Off => CameraMark::Off,
            },
            broker: match &self.sinks.mqtt {
                None => BrokerMark::Off,
                Some(mqtt) if mqtt.status().connected => BrokerMark::Connected,
                Some(_) => BrokerMark::Away,
            },
        }
    }
}
