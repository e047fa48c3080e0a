//! What an enrolled person is called.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use caseless::default_case_fold_str;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Most characters of a person's name.
const MOST_CHARACTERS: usize = 64;

/// What stands between the letters of names: space, hyphens, apostrophes, points, and joiners of Indic and Arabic script.
const BETWEEN: &str = " -_.,·'’‘ʼʹ`´\u{2010}\u{2011}\u{2013}\u{200c}\u{200d}()&";

/// What an enrolled person is called, as it was typed: 1 to 64 characters of any script, among them a letter or digit.
/// Names are the same when they differ in capitals or in how letters with marks are composed (Unicode Standard, 3.13 and
/// Annex 15). Cheap to clone.
#[derive(Clone)]
pub struct Name(Arc<Text>);

struct Text {
    typed: String,
    /// NFC of the case folding of NFC.
    key: String,
}

impl Name {
    /// As it was typed, but for white space around it and more than one space within.
    pub fn as_str(&self) -> &str {
        &self.0.typed
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

/// The text cannot be a person's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name (1 to {MOST_CHARACTERS} letters and digits of any script, spaces and marks such as - ' .; not none, unknown \
     or any)"
)]
pub struct NoName(pub String);

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let typed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let composed: String = typed.nfc().collect();
        let key: String = default_case_fold_str(&composed).nfc().collect();
        let allowed = |c: char| c.is_alphanumeric() || is_combining_mark(c) || BETWEEN.contains(c);
        // Rules and Home Assistant say these of faces that have no name.
        let taken = ["none", "unknown", "any"].contains(&key.as_str());
        let named = composed.chars().any(char::is_alphanumeric) && composed.chars().all(allowed);
        if named && composed.chars().count() <= MOST_CHARACTERS && !taken {
            Ok(Self(Arc::new(Text { typed, key })))
        } else {
            Err(NoName(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_be_called_what_they_are() {
        for name in [
            "anna",
            "Jürgen",
            "李-2",
            "a_b",
            "Seán O’Brien",
            "D'Arcy",
            "Ngô Thị Hương",
            "İpek Şahin",
            "अनिल कुमार",
            "علی‌رضا",
            "Jr. de la Cruz",
            "e\u{301}ric",
            &"x".repeat(64),
        ] {
            assert_eq!(name.parse::<Name>().expect(name).as_str(), name);
        }
        assert_eq!("  Anna \t Lena\n".parse::<Name>().expect("trimmed").as_str(), "Anna Lena");
        for name in ["", " ", "-", "a/b", "a\u{1b}b", "a\u{202e}b", "😀", "unknown", "None", &"x".repeat(65)]
        {
            assert!(name.parse::<Name>().is_err(), "{name}");
        }
    }

    #[test]
    fn capitals_and_composition_make_no_other_person() {
        let name = |text: &str| text.parse::<Name>().expect(text);
        for (one, other) in
            [("éric", "e\u{301}ric"), ("Anna", "ANNA"), ("Groß", "GROSS"), ("ΣΊΣΥΦΟΣ", "σίσυφος")]
        {
            assert_eq!(name(one), name(other));
            assert_eq!(name(one).cmp(&name(other)), Ordering::Equal);
        }
        assert_ne!(name("anna"), name("ana"));
    }
}
