//! Recognising people who were enrolled: descriptors, their store, and decisions over time.
//!
//! `net`, `finder` and `recogniser` run nets, `store` keeps the file; `align`, `quality`, `gallery`, `watch` and `verify`
//! are pure.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub mod align;
pub mod finder;
pub mod gallery;
pub mod net;
pub mod quality;
pub mod recogniser;
pub mod store;
pub mod verify;
pub mod watch;

/// Most characters of a person's name.
const MOST_CHARACTERS: usize = 32;

/// What an enrolled person is called: 1 to 32 letters, digits, `-` and `_`, of any alphabet. Cheap to
/// clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text cannot be a person's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name (1 to {MOST_CHARACTERS} letters, digits, - and _; not none, unknown or any)")]
pub struct NoName(pub String);

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        // Rules and Home Assistant say these of faces that have no name.
        let taken = ["none", "unknown", "any"].contains(&text.to_lowercase().as_str());
        if (1..=MOST_CHARACTERS).contains(&text.chars().count()) && text.chars().all(plain) && !taken {
            Ok(Self(text.into()))
        } else {
            Err(NoName(text.to_owned()))
        }
    }
}

/// What a net says of a face: near for photos of one person, far for those of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor(Box<[f32]>);

impl Descriptor {
    /// `None` where a value is not finite.
    pub fn new(values: impl Into<Box<[f32]>>) -> Option<Self> {
        let values = values.into();
        values.iter().all(|value| value.is_finite()).then_some(Self(values))
    }

    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Euclidean distance.
    ///
    /// # Panics
    /// When the lengths differ: a defect of the caller, who mixes two models.
    pub fn distance(&self, other: &Self) -> f32 {
        assert_eq!(self.0.len(), other.0.len(), "descriptors of two models");
        self.0.iter().zip(&other.0).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["anna", "Jürgen", "李-2", "a_b", &"x".repeat(32)] {
            assert_eq!(name.parse::<Name>().expect(name).as_str(), name);
        }
        for name in ["", "a b", "a/b", "unknown", "None", &"x".repeat(33)] {
            assert!(name.parse::<Name>().is_err(), "{name}");
        }
    }
}
