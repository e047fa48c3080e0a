//! What an enrolled person is called.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

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
