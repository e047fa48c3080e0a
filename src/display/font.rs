//! Fonts for words in Latin, Greek and Cyrillic letters: of one size the tables of ISO 8859 one after the other.

use embedded_graphics::mono_font::{
    MonoFont, iso_8859_1, iso_8859_2, iso_8859_3, iso_8859_4, iso_8859_5, iso_8859_7, iso_8859_9,
    iso_8859_10, iso_8859_14, iso_8859_16,
};

/// Fonts of one size; a letter is taken from the first that has it.
pub type Family = &'static [&'static MonoFont<'static>];

/// Western and Central Europe, Maltese and Esperanto, the Baltic, Cyrillic, Greek, Turkish, the North, Celtic, Romanian.
macro_rules! family {
    ($font:ident) => {
        &[
            &iso_8859_1::$font,
            &iso_8859_2::$font,
            &iso_8859_3::$font,
            &iso_8859_4::$font,
            &iso_8859_5::$font,
            &iso_8859_7::$font,
            &iso_8859_9::$font,
            &iso_8859_10::$font,
            &iso_8859_14::$font,
            &iso_8859_16::$font,
        ]
    };
}

/// For people's names, the largest first.
pub static NAMES: [Family; 3] = [family!(FONT_6X10), family!(FONT_5X8), family!(FONT_4X6)];

/// The font of `family` that has the letter.
pub fn of(family: Family, letter: char) -> Option<&'static MonoFont<'static>> {
    // What a font lacks is drawn as a question mark.
    let missing = |font: &MonoFont<'_>| {
        letter != '?' && font.glyph_mapping.index(letter) == font.glyph_mapping.index('?')
    };
    family.iter().find(|font| !missing(font)).copied()
}
