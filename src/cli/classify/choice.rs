//! Which faces are told.

use super::args::ClassifyArgs;
use crate::vocabulary::emotion::{Emotion, Face, State};

/// `--only` and `--largest`.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    only: Option<Vec<Emotion>>,
    largest: bool,
}

impl Choice {
    pub fn of(args: &ClassifyArgs) -> Self {
        Self { only: args.only.clone(), largest: args.largest }
    }

    /// Those that are told; `None` where the picture is not, because none of its faces is wanted.
    pub fn faces<'a>(&self, faces: impl Iterator<Item = &'a Face>) -> Option<Vec<&'a Face>> {
        let mut faces: Vec<&Face> = faces.collect();
        if self.largest {
            let area = |face: &&Face| face.detection.bounds.area();
            let largest = faces.iter().copied().max_by(|a, b| area(a).total_cmp(&area(b)));
            faces.retain(|face| largest.is_some_and(|largest| largest.id == face.id));
        }
        let Some(only) = &self.only else { return Some(faces) };
        faces.retain(|face| matches!(face.state, State::Emotion(emotion) if only.contains(&emotion)));
        (!faces.is_empty()).then_some(faces)
    }
}
