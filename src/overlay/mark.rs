//! One face to be marked.

use crate::vocabulary::emotion::{Face, Scores, State};
use crate::vocabulary::frame::Rect;

/// One face to be marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In pixels of the picture; may reach beyond it.
    pub bounds: Rect,
    /// What stands at the box: the emotion's name.
    pub label: String,
    /// Gives the box its colour.
    pub state: State,
    /// 0 to 1.
    pub confidence: f32,
    /// Drawn as bars; none are drawn when empty.
    pub scores: Scores,
    /// Stands before the label.
    pub id: Option<u64>,
}

impl From<&Face> for Mark {
    fn from(face: &Face) -> Self {
        Self {
            bounds: face.detection.bounds,
            label: match &face.person {
                Some(person) => format!("{}: {}", person.name, face.state.name()),
                None => face.state.name().to_owned(),
            },
            state: face.state,
            confidence: face.confidence,
            scores: face.scores,
            id: Some(face.id),
        }
    }
}
