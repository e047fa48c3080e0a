//! Text from outside on its way to a log or a terminal: no line of its own, no control sequence, no password
//! of an address.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` on one line: control characters, line separators and characters that turn the direction of writing
/// are escaped as in Rust, and [`without_credentials`].
pub fn printable(text: &str) -> String {
    let text = without_credentials(text);
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push(' '),
            _ if c.is_control() || is_separator_or_direction(c) => {
                // Writing to a string does not fail.
                let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
            }
            _ => line.push(c),
        }
    }
    line
}

/// Line and paragraph separator; embeddings, overrides and isolates (Unicode Standard Annex 9).
const fn is_separator_or_direction(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` without user name and password in its addresses: `rtsp://user:password@camera/` as `rtsp://camera/`.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.find(MARK) {
        let (before, address) = rest.split_at(mark + MARK.len());
        shown.push_str(before);
        let end = address.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>'));
        let address_end = end.unwrap_or(address.len());
        // The last one: a password that is written down carelessly may hold a slash or another @.
        match address[..address_end].rfind('@') {
            Some(at) => rest = &address[at + 1..],
            None => rest = address,
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(printable("Jürgen 李\tok"), "Jürgen 李 ok");
        assert_eq!(printable("pi\n[ERROR] forged\r\u{1b}[2J"), "pi\\n[ERROR] forged\\r\\u{1b}[2J");
        assert_eq!(printable("a\u{2028}b\u{202e}c\0"), "a\\u{2028}b\\u{202e}c\\u{0}");
    }

    #[test]
    fn passwords_of_addresses_are_hidden() {
        for (text, shown) in [
            ("rtsp://user:secret@camera/stream: refused", "rtsp://camera/stream: refused"),
            ("\"mqtt://u:p/@x@house\" or http://plain/a", "\"mqtt://house\" or http://plain/a"),
            ("a http://u@h b https://v:w@i", "a http://h b https://i"),
            ("mail me@house", "mail me@house"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
