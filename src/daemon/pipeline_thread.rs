//! The thread between camera and sinks: takes the newest frame, steps the pipeline, passes on what
//! it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::face_image::FaceImage;
use super::mirror::Mirror;
use super::shared::Shared;
use crate::base::latest::Latest;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;
use crate::camera::thread::{State as CameraState, Status as CameraStatus};
use crate::display::{BrokerMark, CameraMark, Caption, View};
use crate::mqtt::Mqtt;
use crate::pipeline::Pipeline;
use crate::rules::Rules;
use crate::tell::report::{Moment, Report, Reporter};
use crate::vocabulary::emotion::Observation;
use crate::vocabulary::frame::Frame;
use crate::vocabulary::wire::{self};
use crate::web::Web;

/// How long a frame is waited for before the camera's state is looked at.
const WAIT: Duration = Duration::from_millis(100);

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
    pub fn run(mut self, pulse: &Pulse) {
        let mut seen: Option<Observation> = None;
        while !self.shutdown.requested() {
            pulse.beat();
            if let Some((smoothing, confidence)) = self.shared.take_settings() {
                self.pipeline.configure(&smoothing, confidence);
            }
            if let Some(people) = self.shared.take_people() {
                self.pipeline.enrol(people, self.last);
            }
            // Before the slot is looked into: a frame that comes with the end is still taken.
            let camera = self.camera.state();
            let returns = self.camera.reopened();
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
                    self.shared.set_drained(camera == CameraState::Ended);
                }
                None => {}
            }
            self.tell_camera(camera, returns);
            self.shared.set_frames_dropped(self.frames.dropped());
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
                self.shared.measure(latency);
                let moment = Moment { instant: frame.captured, wall: Timestamp::now() };
                self.last = frame.captured;
                let report = self.reporter.observe(&observation, moment);
                self.tell_face(frame, &observation, &report);
                self.tell(report, Some(&observation), moment);
                self.shared.set_failing(false);
                if let Some(web) = &self.sinks.web {
                    web.feed.observe(frame, self.reporter.state(Some(&observation), moment), latency);
                }
                Some(observation)
            }
            Err(error) => {
                self.shared.set_failing(true);
                if self.shared.count_error() == 0 {
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
    fn tell_camera(&mut self, camera: CameraState, returns: u64) {
        if camera == CameraState::Starting {
            return;
        }
        let online = camera == CameraState::Streaming;
        let events = self.reporter.camera(online, returns, self.moment());
        if let Some(mqtt) = &self.sinks.mqtt {
            mqtt.set_camera(online);
        }
        // Switching off is no loss, and the end of a replay is none either.
        if online || matches!(camera, CameraState::Lost | CameraState::Damaged) {
            events.iter().for_each(|event| self.tell_event(event));
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
                CameraState::Damaged => CameraMark::Damaged,
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
