//! All that the display shows.

use any_ascii::any_ascii_char;
use unicode_normalization::UnicodeNormalization;

use super::font::{self, NAMES};
use crate::vocabulary::emotion::State;

/// What is known of the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameraMark {
    /// No picture has come yet.
    #[default]
    Starting,
    /// Pictures come.
    Reading,
    /// It delivers, but nothing whole.
    Damaged,
    /// It does not deliver; it is looked for.
    Lost,
    /// Switched off for privacy.
    Off,
}

/// What is known of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrokerMark {
    /// Messages arrive.
    Connected,
    /// Configured, but not to be reached.
    Away,
    /// Not configured.
    #[default]
    Off,
}

/// Most letters of a [`Caption`].
const CAPTION: usize = 48;

/// A name in letters that the display's fonts have: what they lack is written in Latin letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caption {
    letters: [char; CAPTION],
    length: usize,
}

impl Caption {
    /// Of a person's name, cut where it is too long.
    pub fn new(name: &str) -> Self {
        let mut letters = ['\0'; CAPTION];
        let mut length = 0;
        let mut start = true;
        for letter in name.nfc() {
            let known = font::of(NAMES[0], letter).is_some() && !letter.is_control();
            let spelt = if known { String::from(letter) } else { spelt(letter, start) };
            start = letter.is_whitespace();
            for (place, letter) in letters[length..].iter_mut().zip(spelt.chars()) {
                *place = letter;
                length += 1;
            }
        }
        Self { letters, length }
    }

    pub(super) fn text(&self) -> String {
        self.letters[..self.length].iter().collect()
    }
}

/// A letter of another script in Latin letters, with a capital one at the start of a word; nothing for what is none.
fn spelt(letter: char, start: bool) -> String {
    if !letter.is_alphanumeric() {
        return String::new();
    }
    let latin: String = any_ascii_char(letter).chars().filter(char::is_ascii_alphanumeric).collect();
    match latin.split_at_checked(1) {
        Some((first, rest)) if start => first.to_ascii_uppercase() + rest,
        _ => latin,
    }
}

/// All that the display shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    /// The primary face's, or that there is none.
    pub state: State,
    /// 0 to 1.
    pub confidence: f32,
    /// How many are followed.
    pub faces: usize,
    /// Who the primary face is.
    pub person: Option<Caption>,
    /// How the camera is.
    pub camera: CameraMark,
    /// How the broker is.
    pub broker: BrokerMark,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_letters_that_the_fonts_have() {
        let cases = [
            ("Anna-Lena", "Anna-Lena"),
            ("Zoë Łukasz Ğül", "Zoë Łukasz Ğül"),
            ("Zoe\u{308}", "Zoë"),
            ("Ελένη", "Ελένη"),
            ("Володимир", "Володимир"),
            ("Nguyễn", "Nguyen"),
            ("深圳", "ShenZhen"),
            ("محمد", "Mhmd"),
            ("😀", ""),
        ];
        for (name, shown) in cases {
            let text = Caption::new(name).text();
            assert!(!text.contains('?'), "{name}: {text}");
            assert_eq!(text, shown, "{name}");
        }
        assert_eq!(Caption::new(&"x".repeat(100)).text().len(), CAPTION);
    }
}
