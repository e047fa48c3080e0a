//! The JSON that leaves the program: one definition for the command line, MQTT and HTTP.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::vocabulary::emotion;

/// Probability per label, keys in the order of [`emotion::Emotion::ALL`], four decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, ToSchema)]
#[schema(value_type = BTreeMap<String, f64>, example = json!({"happy": 0.93, "neutral": 0.05}))]
pub struct Scores(pub emotion::Scores);

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(emotion, score)| (emotion.name(), rounded(score, 4))))
    }
}

/// A face's box in pixels of the source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = FaceBox)]
pub struct Box {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// In pixels.
    pub width: f64,
    /// In pixels.
    pub height: f64,
}

/// One face of a photo, a film frame or the live picture.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Face {
    /// Stays while the face is followed.
    pub id: u64,
    /// In pixels of the frame; may reach beyond its edge.
    #[serde(rename = "box")]
    pub bounds: Box,
    /// The detector's confidence, 0 to 1.
    pub score: f64,
    /// What is shown: a label, or `uncertain`.
    pub emotion: &'static str,
    /// Of what is shown, 0 to 1.
    pub confidence: f64,
    /// This frame's.
    pub scores: Scores,
    /// Who it is, where people are recognised and this is one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

impl From<&emotion::Face> for Face {
    fn from(face: &emotion::Face) -> Self {
        let bounds = face.detection.bounds;
        Self {
            id: face.id,
            bounds: Box {
                x: rounded(bounds.x, 1),
                y: rounded(bounds.y, 1),
                width: rounded(bounds.width, 1),
                height: rounded(bounds.height, 1),
            },
            score: rounded(face.detection.score, 4),
            emotion: face.state.name(),
            confidence: rounded(face.confidence, 4),
            scores: Scores(face.scores),
            person: face.person.as_ref().map(|person| person.name.to_string()),
        }
    }
}

/// One line of `classify --json`: a photo, or one frame of a film.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Picture {
    /// File, or what stands for one.
    pub source: String,
    /// Number within the source, from 0.
    pub frame: u64,
    /// Since the source began, in seconds.
    pub time_s: f64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In a photo the most certain one first, in a film the primary one.
    pub faces: Vec<Face>,
    /// How many more faces were found in a photo than are told; left out when none.
    #[serde(skip_serializing_if = "is_zero")]
    pub faces_left_out: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Picture {
    /// A photo of `width`×`height` pixels and what is seen in it.
    pub fn of_photo(source: String, (width, height): (u32, u32), still: &emotion::Still) -> Self {
        let faces = still.faces.iter().map(Face::from).collect();
        Self { source, frame: 0, time_s: 0.0, width, height, faces, faces_left_out: still.left_out }
    }
}

/// The retained `state` message: what the device sees now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct State {
    /// RFC 3339, of the picture.
    pub time: String,
    /// The primary face's label, `uncertain`, or `none` without a face.
    pub emotion: &'static str,
    /// Smoothed, 0 to 1.
    pub confidence: f64,
    /// The primary face's probabilities; empty without a face.
    pub scores: Scores,
    /// How many are followed.
    pub faces: usize,
    /// The one that is told first, if there is any.
    pub primary: Option<Face>,
    /// The others.
    pub others: Vec<Face>,
    /// When `emotion` became what it is.
    pub since: String,
}

/// What happened, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// The primary face's label is another one.
    EmotionChanged,
    /// There is a face that was not there.
    FaceAppeared,
    /// A face is gone.
    FaceLeft,
    /// It is known who a face is.
    PersonRecognised,
    /// No pictures come any more.
    CameraLost,
    /// Pictures come again.
    CameraBack,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EmotionChanged,
        Self::FaceAppeared,
        Self::FaceLeft,
        Self::PersonRecognised,
        Self::CameraLost,
        Self::CameraBack,
    ];
}

/// An `event` message. `id` is unique over devices and restarts, so that a message that QoS 1
/// delivered twice can be told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// No other event has it.
    pub id: String,
    /// What happened.
    pub event_type: EventType,
    /// The label before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'static str>,
    /// The label now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'static str>,
    /// The face that appeared, left or was recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face: Option<u64>,
    /// Who was recognised or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// How long what ended had lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// RFC 3339.
    pub time: String,
}

/// Whether a rule's condition has begun to count or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The condition has been met for long enough.
    Begin,
    /// It is met no more.
    End,
}

impl Phase {
    /// As messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
        }
    }
}

/// What a rule tells: the payload of its message, the body of its request, its command's input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trigger {
    /// The rule's name.
    pub rule: String,
    /// Begin or end.
    pub phase: Phase,
    /// The device's id.
    pub device: String,
    /// For how long the condition has held, or had.
    pub held_s: f64,
    /// What is seen at that moment.
    #[serde(flatten)]
    pub state: State,
}

/// What became of a rule's actions since it was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleCounts {
    /// Beginnings, and ends where they are told.
    pub fired: u64,
    /// Actions that were done; a message counts when it was handed to the MQTT part.
    pub done: u64,
    /// Actions that could not be done.
    pub failed: u64,
    /// Actions given up because too many were waiting.
    pub dropped: u64,
}

/// Latency percentiles in milliseconds, from capture to observation, since the last `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Greatest.
    pub max: f64,
}

/// The `stats` message: counts since start unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// RFC 3339.
    pub time: String,
    /// Seconds since start.
    pub uptime_s: f64,
    /// The program's.
    pub version: &'static str,
    /// What the camera is and delivers, as negotiated; null while there is none.
    pub camera: Option<String>,
    /// Frames that the camera delivered.
    pub frames: u64,
    /// Frames that were replaced by a newer one before the pipeline took them.
    pub frames_dropped: u64,
    /// Frames that were cut short or could not be decoded.
    pub frames_damaged: u64,
    /// Times the camera was opened again.
    pub camera_reopened: u64,
    /// Frames a second through the pipeline since the last `stats`.
    pub fps: f64,
    /// From capture to observation, in milliseconds.
    pub latency_ms: Latency,
    /// Errors by part.
    pub errors: BTreeMap<&'static str, u64>,
    /// Events that were lost because the broker was away for too long.
    pub events_dropped: u64,
    /// By rule; left out where there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, RuleCounts>,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// What the nets run on.
    pub delegate: String,
}

/// The retained `camera/state` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CameraState {
    /// `starting`, `off`, `streaming`, `damaged` (none of its pictures is whole), `lost` or `ended`.
    pub state: &'static str,
    /// What the open camera says of itself.
    pub camera: Option<String>,
    /// Why it is lost or what is wrong with its pictures, or why it is off without anybody having switched it off.
    pub error: Option<String>,
}

/// The retained `settings` message: what can be changed while running, as it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Probability below which a face is `uncertain`, 0 to 1.
    pub min_confidence: f64,
    /// How long another label must lead before it is shown, in seconds.
    pub dwell_s: f64,
}

/// An `error` message: a command that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where the command came in.
    pub topic: String,
    /// What it said, cut to 100 characters.
    pub payload: String,
    /// Why it was not obeyed.
    pub reason: String,
    /// RFC 3339.
    pub time: String,
}

/// How one part of the daemon is, in a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    /// Nothing is to be done about it. What is switched off is well, too.
    pub well: bool,
    /// Camera: `starting`, `off`, `streaming`, `damaged` (none of its pictures is whole), `lost` or `ended`; broker:
    /// `connected`, `away`, `yielding` (another device has the same id) or `off`; display: `shown`, `preview`, `absent` or `off`; pipeline: `running` or `failing`.
    pub state: &'static str,
}

impl Part {
    /// In a state that it should be in.
    pub const fn well(state: &'static str) -> Self {
        Self { well: true, state }
    }

    /// In a state that somebody should look into.
    pub const fn unwell(state: &'static str) -> Self {
        Self { well: false, state }
    }
}

/// How every part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Parts {
    /// Where pictures come from.
    pub camera: Part,
    /// MQTT.
    pub broker: Part,
    /// The panel.
    pub display: Part,
    /// The nets.
    pub pipeline: Part,
}

/// Why a part is not well, or what it is; empty without a word to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Details {
    /// What it is, or why it is lost.
    pub camera: String,
    /// The last failure.
    pub broker: String,
    /// What the panel is, or why there is none.
    pub display: String,
    /// What runs the emotion net.
    pub pipeline: String,
}

/// The frame that a state is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FrameInfo {
    /// Number since the camera was opened.
    pub sequence: u64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// What HTTP says of the device: the `state` message of now, and how the parts are.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// What is seen.
    #[serde(flatten)]
    pub state: State,
    /// The device's id.
    pub device: String,
    /// The program's.
    pub version: &'static str,
    /// Whether the camera may be read.
    pub enabled: bool,
    /// How pictures can leave the device: `mqtt` (`mqtt.face_image`), `network` (the page can be reached from other
    /// machines); empty: they stay.
    pub pictures_leave: Vec<&'static str>,
    /// How each part is.
    pub parts: Parts,
    /// In words.
    pub details: Details,
    /// Null while no picture comes.
    pub frame: Option<FrameInfo>,
    /// Frames a second through the pipeline over the last seconds.
    pub fps: f64,
    /// From capture to observation.
    pub latency_ms: Latency,
}

/// How long each thing was seen, in a minute or in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Tally {
    /// By emotion, `uncertain`, `none` (no face) and `off` (no picture); of the primary face.
    #[schema(value_type = BTreeMap<String, f64>, example = json!({"happy": 41.2, "none": 18.8}))]
    pub seconds: BTreeMap<&'static str, f64>,
    /// Times that what was seen became something else.
    pub changes: u32,
    /// Most faces at once.
    pub max_faces: usize,
}

/// One minute of the history.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Minute {
    /// Its start.
    pub time: String,
    /// What the minute was made of.
    #[serde(flatten)]
    pub tally: Tally,
}

/// The last minutes.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct History {
    /// Up to when.
    pub time: String,
    /// How many minutes were asked for, the running one included.
    pub span_min: usize,
    /// Of all minutes.
    pub total: Tally,
    /// Those in which the daemon ran, the oldest first.
    pub minutes: Vec<Minute>,
}

/// `value` to `decimals` decimals, so that JSON holds 0.93 and not 0.9300000071525574.
pub fn rounded(value: f32, decimals: i32) -> f64 {
    let factor = 10f64.powi(decimals);
    (f64::from(value) * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::emotion::{Detection, Emotion, Landmarks};
    use crate::vocabulary::frame::Rect;

    #[test]
    fn a_face_is_written_as_the_contract_says() {
        let face = emotion::Face {
            id: 1,
            visible: true,
            detection: Detection {
                bounds: Rect { x: 10.0, y: 20.04, width: 90.0, height: 90.0 },
                core: Rect::default(),
                score: 0.98,
                landmarks: Landmarks::default(),
            },
            scores: emotion::Scores::from_pairs([(Emotion::Happy, 0.93), (Emotion::Angry, 0.07)]),
            state: emotion::State::Emotion(Emotion::Happy),
            confidence: 0.93,
            person: None,
        };
        assert_eq!(
            serde_json::to_string(&Face::from(&face)).expect("serialises"),
            r#"{"id":1,"box":{"x":10.0,"y":20.0,"width":90.0,"height":90.0},"score":0.98,"emotion":"happy","confidence":0.93,"scores":{"angry":0.07,"happy":0.93}}"#
        );
    }
}
