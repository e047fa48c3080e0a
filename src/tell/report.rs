//! What is worth telling: from observations to the messages `state` and `event`. Pure; both clocks
//! are handed in.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::base::clock;
use crate::vocabulary::emotion::{Face, Observation, State};
use crate::vocabulary::name::Name;
use crate::vocabulary::wire;

/// What to publish after one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub state: Option<wire::State>,
    pub events: Vec<wire::Event>,
}

/// A moment on both clocks: one that never jumps for durations, one for people.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub instant: Instant,
    pub wall: Timestamp,
}

impl Moment {
    /// The wall-clock time of an earlier instant, by the wall clock of this moment.
    pub fn wall_of(&self, earlier: Instant) -> Timestamp {
        let age = self.instant.saturating_duration_since(earlier);
        self.wall.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Compares each observation with what was told last.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// Start of every event's id, unique to device and run.
    prefix: String,
    events: u64,
    interval: Duration,
    told: Option<Told>,
    state: State,
    since: Instant,
    faces: Vec<Followed>,
    camera: Option<bool>,
    camera_returns: u64,
    camera_since: Instant,
}

/// A followed face: when it came, and as whom it was told of.
#[derive(Clone, Debug)]
struct Followed {
    id: u64,
    since: Instant,
    person: Option<Name>,
}

/// What the last `state` message said, as far as a change of it is told at once.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    state: State,
    faces: usize,
    primary: Option<u64>,
    /// Who the faces are.
    people: Vec<Option<Name>>,
    at: Instant,
}

impl Reporter {
    /// `run` names this run of the program among all devices and runs; an unchanged state is told
    /// again every `interval`.
    pub fn new(run: &str, interval: Duration, start: Moment) -> Self {
        Self {
            prefix: run.to_owned(),
            events: 0,
            interval,
            told: None,
            state: State::None,
            since: start.instant,
            faces: Vec::new(),
            camera: None,
            camera_returns: 0,
            camera_since: start.instant,
        }
    }

    /// What to tell of an observation.
    pub fn observe(&mut self, observation: &Observation, now: Moment) -> Report {
        let ids: Vec<u64> = observation.faces.iter().map(|face| face.id).collect();
        let mut events = self.faces_changed(&ids, now);
        events.extend(self.recognised(&observation.faces, now));
        if observation.state != self.state {
            events.push(self.emotion_changed(observation.state, now));
        }
        let told = Told {
            state: observation.state,
            faces: ids.len(),
            primary: ids.first().copied(),
            people: observation.faces.iter().map(|face| name(face).cloned()).collect(),
            at: now.instant,
        };
        let state = self.due(&told).then(|| self.state(Some(observation), now));
        if state.is_some() {
            self.told = Some(told);
        }
        Report { state, events }
    }

    /// What to tell when nothing is seen: the camera is off, lost, or a replay has ended.
    pub fn nothing(&mut self, now: Moment) -> Report {
        let mut events = self.faces_changed(&[], now);
        if self.state != State::None {
            events.push(self.emotion_changed(State::None, now));
        }
        let told = Told { state: State::None, faces: 0, primary: None, people: Vec::new(), at: now.instant };
        let state = self.due(&told).then(|| self.state(None, now));
        if state.is_some() {
            self.told = Some(told);
        }
        Report { state, events }
    }

    /// What to tell of the camera, which came back `returns` times so far; the first word is no event. One that went and
    /// came while a frame was looked at was lost all the same.
    pub fn camera(&mut self, online: bool, returns: u64, now: Moment) -> Vec<wire::Event> {
        let missed = std::mem::replace(&mut self.camera_returns, returns) < returns;
        match self.camera.replace(online) {
            None => {
                self.camera_since = now.instant;
                Vec::new()
            }
            Some(true) if online && missed => {
                vec![self.camera_is(false, now), self.camera_is(true, now)]
            }
            Some(before) if before != online => vec![self.camera_is(online, now)],
            Some(_) => Vec::new(),
        }
    }

    fn camera_is(&mut self, online: bool, now: Moment) -> wire::Event {
        let duration = now.instant.saturating_duration_since(self.camera_since);
        self.camera_since = now.instant;
        let kind = if online { wire::EventType::CameraBack } else { wire::EventType::CameraLost };
        wire::Event { duration_s: Some(seconds(duration)), ..self.event(kind, now) }
    }

    fn due(&self, now: &Told) -> bool {
        self.told.as_ref().is_none_or(|told| {
            (told.state, told.faces, told.primary, &told.people)
                != (now.state, now.faces, now.primary, &now.people)
                || now.at.saturating_duration_since(told.at) >= self.interval
        })
    }

    fn faces_changed(&mut self, ids: &[u64], now: Moment) -> Vec<wire::Event> {
        let (stay, left): (Vec<Followed>, Vec<Followed>) =
            std::mem::take(&mut self.faces).into_iter().partition(|face| ids.contains(&face.id));
        self.faces = stay;
        let came: Vec<u64> =
            ids.iter().filter(|id| self.faces.iter().all(|face| face.id != **id)).copied().collect();
        let mut events = Vec::with_capacity(left.len() + came.len());
        for Followed { id, since, person } in left {
            let duration = seconds(now.instant.saturating_duration_since(since));
            events.push(wire::Event {
                face: Some(id),
                person: person.map(|name| name.to_string()),
                duration_s: Some(duration),
                ..self.event(wire::EventType::FaceLeft, now)
            });
        }
        for id in came {
            events.push(wire::Event { face: Some(id), ..self.event(wire::EventType::FaceAppeared, now) });
            self.faces.push(Followed { id, since: now.instant, person: None });
        }
        events
    }

    /// Each face once for each person that it is, and only once the configured check is passed.
    fn recognised(&mut self, faces: &[Face], now: Moment) -> Vec<wire::Event> {
        let mut events = Vec::new();
        for face in faces {
            let Some(person) = face.person.as_ref().filter(|person| person.checked) else { continue };
            let Some(followed) = self.faces.iter_mut().find(|followed| followed.id == face.id) else {
                continue;
            };
            if followed.person.as_ref() != Some(&person.name) {
                followed.person = Some(person.name.clone());
                events.push(wire::Event {
                    face: Some(face.id),
                    person: Some(person.name.to_string()),
                    ..self.event(wire::EventType::PersonRecognised, now)
                });
            }
        }
        events
    }

    fn emotion_changed(&mut self, to: State, now: Moment) -> wire::Event {
        let from = std::mem::replace(&mut self.state, to);
        let duration = now.instant.saturating_duration_since(std::mem::replace(&mut self.since, now.instant));
        wire::Event {
            from: Some(from.name()),
            to: Some(to.name()),
            duration_s: Some(seconds(duration)),
            ..self.event(wire::EventType::EmotionChanged, now)
        }
    }

    fn event(&mut self, event_type: wire::EventType, now: Moment) -> wire::Event {
        self.events += 1;
        wire::Event {
            id: format!("{}-{}", self.prefix, self.events),
            event_type,
            from: None,
            to: None,
            face: None,
            person: None,
            duration_s: None,
            time: clock::rfc3339(now.wall),
        }
    }

    /// What is seen, whether it is to be told or not; `None` where no picture comes. To be asked
    /// after the observation was told of.
    pub fn state(&self, seen: Option<&Observation>, now: Moment) -> wire::State {
        match seen {
            Some(seen) => self.message(seen.state, seen.confidence, &seen.faces, now),
            None => self.message(State::None, 0.0, &[], now),
        }
    }

    fn message(&self, state: State, confidence: f32, faces: &[Face], now: Moment) -> wire::State {
        let (primary, others) = match faces.split_first() {
            Some((primary, others)) => (Some(primary), others),
            None => (None, faces),
        };
        wire::State {
            time: clock::rfc3339(now.wall),
            emotion: state.name(),
            confidence: wire::rounded(confidence, 4),
            scores: wire::Scores(primary.map(|face| face.scores).unwrap_or_default()),
            faces: faces.len(),
            primary: primary.map(wire::Face::from),
            others: others.iter().map(wire::Face::from).collect(),
            since: clock::rfc3339(now.wall_of(self.since)),
        }
    }
}

/// Whom a face is recognised as.
fn name(face: &Face) -> Option<&Name> {
    face.person.as_ref().map(|person| &person.name)
}

/// Seconds to the millisecond.
fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::{Detection, Emotion, Landmarks, Person, Scores};
    use crate::vocabulary::frame::Rect;

    fn observation(faces: &[(u64, State)]) -> Observation {
        let faces: Vec<Face> = faces
            .iter()
            .map(|&(id, state)| Face {
                id,
                visible: true,
                detection: Detection {
                    bounds: Rect::default(),
                    core: Rect::default(),
                    score: 0.9,
                    landmarks: Landmarks::default(),
                },
                scores: Scores::from_pairs([(Emotion::Happy, 0.8)]),
                state,
                confidence: 0.8,
                person: None,
            })
            .collect();
        let (state, confidence) =
            faces.first().map_or((State::None, 0.0), |face| (face.state, face.confidence));
        Observation { faces, state, confidence }
    }

    fn kinds(report: &Report) -> Vec<wire::EventType> {
        report.events.iter().map(|event| event.event_type).collect()
    }

    #[test]
    fn changes_are_told_at_once_and_the_rest_at_intervals() {
        use wire::EventType::{EmotionChanged, FaceAppeared, FaceLeft};
        let start = Moment { instant: Instant::now(), wall: "2026-01-31T12:00:00Z".parse().expect("time") };
        let at = |ms: u64| Moment {
            instant: start.instant + Duration::from_millis(ms),
            wall: start.wall + Duration::from_millis(ms),
        };
        let happy = State::Emotion(Emotion::Happy);
        let mut reporter = Reporter::new("pi", Duration::from_secs(5), start);

        let first = reporter.nothing(at(0));
        assert_eq!(first.state.expect("told").emotion, "none");
        assert!(first.events.is_empty());
        assert_eq!(reporter.nothing(at(100)), Report::default());

        let came = reporter.observe(&observation(&[(1, happy)]), at(1500));
        assert_eq!(kinds(&came), [FaceAppeared, EmotionChanged]);
        let state = came.state.expect("told");
        assert_eq!(
            (state.emotion, state.faces, state.since.as_str()),
            ("happy", 1, "2026-01-31T12:00:01.500Z")
        );
        let change = &came.events[1];
        assert_eq!((change.from, change.to, change.duration_s), (Some("none"), Some("happy"), Some(1.5)));
        assert_ne!(came.events[0].id, change.id);

        assert_eq!(reporter.observe(&observation(&[(1, happy)]), at(2000)), Report::default());
        let second = reporter.observe(&observation(&[(1, happy), (2, State::Uncertain)]), at(3000));
        assert_eq!(kinds(&second), [FaceAppeared]);
        assert_eq!(second.state.expect("told").others.len(), 1);
        assert!(reporter.observe(&observation(&[(1, happy), (2, happy)]), at(7999)).state.is_none());
        assert!(reporter.observe(&observation(&[(1, happy), (2, happy)]), at(8000)).state.is_some());

        let gone = reporter.nothing(at(9000));
        assert_eq!(kinds(&gone), [FaceLeft, FaceLeft, EmotionChanged]);
        assert_eq!(gone.events[0].duration_s, Some(7.5));
        assert!(gone.state.expect("told").primary.is_none());
    }

    #[test]
    fn a_person_is_told_once_and_only_when_checked() {
        use wire::EventType::{FaceAppeared, FaceLeft, PersonRecognised};
        let start = Moment { instant: Instant::now(), wall: Timestamp::now() };
        let mut reporter = Reporter::new("pi", Duration::from_secs(5), start);
        let seen = |person: Option<(&str, bool)>| {
            let mut seen = observation(&[(1, State::Uncertain)]);
            seen.state = State::None;
            seen.faces[0].person =
                person.map(|(name, checked)| Person { name: name.parse().expect("name"), checked });
            seen
        };
        assert_eq!(kinds(&reporter.observe(&seen(None), start)), [FaceAppeared]);
        let greeted = reporter.observe(&seen(Some(("anna", false))), start);
        assert!(greeted.events.is_empty());
        let state = greeted.state.expect("who it is changes the state");
        assert_eq!(state.primary.expect("a face").person.as_deref(), Some("anna"));
        let checked = reporter.observe(&seen(Some(("anna", true))), start);
        assert_eq!(kinds(&checked), [PersonRecognised]);
        assert_eq!((checked.events[0].face, checked.events[0].person.as_deref()), (Some(1), Some("anna")));
        assert_eq!(reporter.observe(&seen(Some(("anna", true))), start), Report::default());
        let left = reporter.nothing(start);
        assert_eq!(kinds(&left), [FaceLeft]);
        assert_eq!(left.events[0].person.as_deref(), Some("anna"));
    }

    #[test]
    fn the_camera_is_told_when_it_changes() {
        let start = Moment { instant: Instant::now(), wall: Timestamp::now() };
        let mut reporter = Reporter::new("pi", Duration::from_secs(5), start);
        let mut kinds = |online, returns| {
            let events = reporter.camera(online, returns, start);
            events.iter().map(|event| event.event_type).collect::<Vec<_>>()
        };
        let (lost, back) = (wire::EventType::CameraLost, wire::EventType::CameraBack);
        assert!(kinds(true, 1).is_empty());
        assert_eq!(kinds(false, 1), [lost]);
        assert!(kinds(false, 2).is_empty());
        assert_eq!(kinds(true, 2), [back]);
        assert!(kinds(true, 2).is_empty());
        assert_eq!(kinds(true, 3), [lost, back], "so quick that nobody saw it");
        assert!(kinds(true, 3).is_empty());
    }
}
