//! Emotions, scores, faces and observations: the program's vocabulary, plain data.

use std::fmt;
use std::str::FromStr;

use crate::vocabulary::frame::{Point, Rect};
use crate::vocabulary::name::Name;

/// A class that a model can tell. `uncertain` and `none` are states ([`State`]), never classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Emotion {
    /// Brows drawn together, lips pressed or teeth bared.
    Angry,
    /// Nose wrinkled, upper lip raised.
    Disgust,
    /// Brows and eyelids raised, lips stretched.
    Fear,
    /// Corners of the lips pulled up.
    Happy,
    /// Inner brows raised, corners of the lips down.
    Sad,
    /// Brows raised, jaw dropped.
    Surprise,
    /// At rest.
    Neutral,
    /// One corner of the lips pulled in and up.
    Contempt,
}

impl Emotion {
    /// Number of emotions.
    pub const COUNT: usize = 8;

    /// Every emotion, in the order of its index.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Angry,
        Self::Disgust,
        Self::Fear,
        Self::Happy,
        Self::Sad,
        Self::Surprise,
        Self::Neutral,
        Self::Contempt,
    ];

    /// As messages and models have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Angry => "angry",
            Self::Disgust => "disgust",
            Self::Fear => "fear",
            Self::Happy => "happy",
            Self::Sad => "sad",
            Self::Surprise => "surprise",
            Self::Neutral => "neutral",
            Self::Contempt => "contempt",
        }
    }

    /// The emotion that a dataset or model calls `name`, by our name or a dataset's own (CK+:
    /// anger, sadness; FER+: happiness; others: joy), without regard to case.
    pub fn from_alias(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "angry" | "anger" => Self::Angry,
            "disgust" | "disgusted" => Self::Disgust,
            "fear" | "fearful" | "afraid" | "scared" => Self::Fear,
            "happy" | "happiness" | "joy" => Self::Happy,
            "sad" | "sadness" => Self::Sad,
            "surprise" | "surprised" => Self::Surprise,
            "neutral" => Self::Neutral,
            "contempt" | "contemptuous" => Self::Contempt,
            _ => return None,
        })
    }
}

impl fmt::Display for Emotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name is no emotion's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown emotion {0:?} (known: angry, disgust, fear, happy, sad, surprise, neutral, contempt)")]
pub struct UnknownEmotion(pub String);

impl FromStr for Emotion {
    type Err = UnknownEmotion;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::from_alias(name).ok_or_else(|| UnknownEmotion(name.to_owned()))
    }
}

/// Probability per emotion that the model knows; the others hold no entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores([Option<f32>; Emotion::COUNT]);

impl Scores {
    /// Scores in 0..=1 by label.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (Emotion, f32)>) -> Self {
        let mut scores = Self::default();
        for (emotion, score) in pairs {
            scores.0[emotion as usize] = Some(score);
        }
        scores
    }

    /// 0 to 1; `None` for what the model does not know.
    pub fn get(&self, emotion: Emotion) -> Option<f32> {
        self.0[emotion as usize]
    }

    /// The known labels with their scores, in the order of [`Emotion::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Emotion, f32)> + '_ {
        Emotion::ALL.into_iter().filter_map(|emotion| Some((emotion, self.get(emotion)?)))
    }

    /// The strongest label and its score; the first of equals; `None` when empty.
    pub fn top(&self) -> Option<(Emotion, f32)> {
        self.iter().fold(None, |best, entry| match best {
            Some((_, score)) if score >= entry.1 => best,
            _ => Some(entry),
        })
    }

    /// Whether the model knows no label.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// What is said of a face or of the scene: an emotion, or why there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// No face.
    #[default]
    None,
    /// A face whose strongest emotion is below the configured confidence.
    Uncertain,
    /// A clear one.
    Emotion(Emotion),
}

impl State {
    /// As messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Uncertain => "uncertain",
            Self::Emotion(emotion) => emotion.name(),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Key points of a face, in pixels; left and right as seen in the picture's subject (the
/// subject's right eye is on the picture's left).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Landmarks {
    /// The person's own right eye, on the left in the picture.
    pub right_eye: Point,
    /// The person's own left eye.
    pub left_eye: Point,
    /// Its tip.
    pub nose: Point,
    /// Its middle.
    pub mouth: Point,
}

impl Landmarks {
    /// How far the line of the eyes is turned clockwise, in radians.
    pub fn roll(&self) -> f32 {
        (self.left_eye.y - self.right_eye.y).atan2(self.left_eye.x - self.right_eye.x)
    }
}

/// What a detector says of one face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Around the face, as that detector frames faces: in pixels of the frame, and maybe beyond its edge.
    pub bounds: Rect,
    /// The square from the brows to the chin that crops are measured by, whatever the detector: the box of BlazeFace,
    /// with whose boxes the nets' crops were chosen.
    pub core: Rect,
    /// The detector's certainty, 0 to 1.
    pub score: f32,
    /// In pixels of the frame.
    pub landmarks: Landmarks,
}

/// Somebody who was enrolled, as whom a face is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// As enrolled.
    pub name: Name,
    /// What `people.check` asks for has been seen; true where it asks for nothing.
    pub checked: bool,
}

/// One face of an observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// Stable while the face is followed; never used twice in a run.
    pub id: u64,
    /// Found in this frame; else followed since the last frame in which it was.
    pub visible: bool,
    /// Of the last frame in which the face was found.
    pub detection: Detection,
    /// That frame's calibrated probabilities.
    pub scores: Scores,
    /// Smoothed over time.
    pub state: State,
    /// Smoothed probability of `state`'s emotion; of the strongest one when uncertain.
    pub confidence: f32,
    /// `None` for strangers, and where people are not recognised.
    pub person: Option<Person>,
}

/// What is seen in a photo.
#[derive(Clone, Debug, Default)]
pub struct Still {
    /// The most certain first.
    pub faces: Vec<Face>,
    /// How many more were found than are told.
    pub left_out: usize,
}

/// All that one step of the pipeline says.
#[derive(Clone, Debug)]
pub struct Observation {
    /// All followed faces, the primary one first.
    pub faces: Vec<Face>,
    /// The primary face's smoothed state, `None` without a face.
    pub state: State,
    /// The primary face's smoothed probability, 0 to 1.
    pub confidence: f32,
}

impl Observation {
    /// The face that the daemon speaks of when it speaks of one.
    pub fn primary(&self) -> Option<&Face> {
        self.faces.first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_names_agree() {
        for emotion in Emotion::ALL {
            assert_eq!(emotion.name().parse::<Emotion>(), Ok(emotion));
            assert_eq!(Emotion::ALL[emotion as usize], emotion);
        }
        assert_eq!("Happiness".parse(), Ok(Emotion::Happy));
        assert!("none".parse::<Emotion>().is_err());
    }

    #[test]
    fn top_takes_the_first_of_equals() {
        let scores = Scores::from_pairs([(Emotion::Sad, 0.4), (Emotion::Angry, 0.4), (Emotion::Fear, 0.2)]);
        assert_eq!(scores.top(), Some((Emotion::Angry, 0.4)));
        assert_eq!(Scores::default().top(), None);
    }
}
