//! What MQTT allows in texts and topic names (MQTT 3.1.1, 1.5.3 and 4.7).

use std::fmt;
use std::str::FromStr;

/// Most bytes of a text: its length is a 16-bit number.
const LONGEST: usize = 65_535;

/// Most levels of a topic, which mosquitto refuses to go beyond (its `TOPIC_HIERARCHY_LIMIT`).
const MOST_LEVELS: usize = 200;

/// A topic that can be published to: 1 to 65,535 bytes, at most 200 levels, no wildcard, no leading `$`, which is
/// the broker's, and no control character, for which brokers close the connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(String);

impl TopicName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text cannot be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTopic {
    #[error("is empty")]
    Empty,
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    #[error("has more than {MOST_LEVELS} levels")]
    TooDeep,
    #[error("holds a control character or what is no character")]
    Control,
    #[error("holds + or #, which stand for other topics")]
    Wildcard,
    #[error("begins with $, which is the broker's own")]
    Reserved,
}

impl FromStr for TopicName {
    type Err = NoTopic;

    fn from_str(text: &str) -> Result<Self, NoTopic> {
        check_text(text)?;
        if text.is_empty() {
            Err(NoTopic::Empty)
        } else if text.contains(['+', '#']) {
            Err(NoTopic::Wildcard)
        } else if text.starts_with('$') {
            Err(NoTopic::Reserved)
        } else if text.matches('/').count() >= MOST_LEVELS {
            Err(NoTopic::TooDeep)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// Whether a user name, client identifier or topic can be sent at all.
///
/// # Errors
/// When it is too long, or holds what MQTT forbids or advises against.
pub fn check_text(text: &str) -> Result<(), NoTopic> {
    if text.len() > LONGEST {
        return Err(NoTopic::TooLong);
    }
    // The last two code points of each plane, and U+FDD0 to U+FDEF, are no characters.
    let no_character = |c: char| matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    if text.chars().any(|c| c.is_control() || no_character(c)) { Err(NoTopic::Control) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_can_be_published_to() {
        for topic in ["a", "house/kitchen light", "/a//b", "küche/灯", &"x".repeat(LONGEST)] {
            assert_eq!(topic.parse::<TopicName>().expect("a topic").as_str(), topic);
        }
        for (topic, reason) in [
            ("", NoTopic::Empty),
            ("a/+", NoTopic::Wildcard),
            ("a#", NoTopic::Wildcard),
            ("$SYS/a", NoTopic::Reserved),
            ("a\0b", NoTopic::Control),
            ("a\nb", NoTopic::Control),
            ("a\u{ffff}", NoTopic::Control),
            (&"x".repeat(LONGEST + 1), NoTopic::TooLong),
            (&"a/".repeat(MOST_LEVELS), NoTopic::TooDeep),
        ] {
            assert_eq!(topic.parse::<TopicName>(), Err(reason));
        }
    }
}
