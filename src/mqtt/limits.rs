//! What a broker does not take or hands out too large, found out by the connections that end over it. Pure.
//!
//! MQTT 3.1.1 has no word for either: a broker that is sent too much ends the connection, and a client can
//! do no more when it is sent too much. All would begin anew with the next connection. So after two that
//! ended soon one thing is done at a time, until it is known over which of them they end.

use std::collections::BTreeSet;

use super::topics::Topic;

/// Largest packet that is taken or sent, in bytes. A `state` with a hundred faces has 30,000, and
/// rumqttc's default of 10,240 would end the connection.
pub const MAX_PACKET: usize = 1 << 20;

/// No broker's limit is smaller; a connection that ends over less ends for another reason.
const SMALLEST_LIMIT: usize = 1024;

/// Connections that ended soon, in a row, before one thing is done at a time.
const UNLUCKY: u32 = 2;

/// How often a connection must end over the same message.
const PROOF: u32 = 2;

/// What a connection was doing when it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtRisk {
    /// The one message that was on its way: its topic and size as a packet, in bytes.
    pub message: Option<(String, usize)>,
    /// The subscription that was taken last, while what the broker keeps there was to come.
    pub subscription: Option<Topic>,
    /// What came was larger than [`MAX_PACKET`].
    pub oversized: bool,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// Messages of this many bytes are too large; one was for this topic.
    TooLarge { topic: String, bytes: usize },
    /// The broker keeps too large a message on this topic.
    Deaf(Topic),
}

#[derive(Debug)]
pub struct Limits {
    /// Connections in a row that ended soon.
    unlucky: u32,
    suspect: Option<(String, usize)>,
    proof: u32,
    /// Packets of this size and larger are left out.
    limit: usize,
    deaf: BTreeSet<Topic>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unlucky: 0, suspect: None, proof: 0, limit: MAX_PACKET, deaf: BTreeSet::new() }
    }
}

impl Limits {
    /// One thing is to be done at a time.
    pub const fn careful(&self) -> bool {
        self.unlucky >= UNLUCKY
    }

    /// Packets of this size in bytes are left out, and larger ones.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// What is still listened to.
    pub fn listens(&self, topic: Topic) -> bool {
        !self.deaf.contains(&topic)
    }

    /// A connection has lasted, or lasts.
    pub const fn lasted(&mut self) {
        self.unlucky = 0;
    }

    /// A connection ended, soon or not, over what was `at_risk`; what is known by now.
    pub fn ended(&mut self, soon: bool, at_risk: &AtRisk) -> Option<Lesson> {
        let careful = self.careful();
        self.unlucky = if soon { self.unlucky + 1 } else { 0 };
        if let (true, true, Some(topic)) = (careful, at_risk.oversized, at_risk.subscription) {
            return self.deaf.insert(topic).then_some(Lesson::Deaf(topic));
        }
        let (topic, bytes) = at_risk.message.clone().filter(|(_, bytes)| *bytes >= SMALLEST_LIMIT)?;
        if self.suspect.as_ref().is_some_and(|(suspect, size)| *suspect == topic && *size <= bytes) {
            self.proof += 1;
        } else {
            self.proof = 1;
        }
        if self.proof < PROOF {
            self.suspect = Some((topic, bytes));
            return None;
        }
        self.suspect = None;
        self.proof = 0;
        self.limit = self.limit.min(bytes);
        Some(Lesson::TooLarge { topic, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, bytes: usize) -> AtRisk {
        AtRisk { message: Some((topic.to_owned(), bytes)), ..AtRisk::default() }
    }

    #[test]
    fn a_message_that_ends_connections_is_found() {
        let mut limits = Limits::default();
        let nothing = AtRisk::default();
        assert_eq!((limits.ended(true, &nothing), limits.careful()), (None, false));
        assert_eq!((limits.ended(true, &nothing), limits.careful()), (None, true));
        // Once may be chance, and so is any number of small ones.
        for _ in 0..5 {
            assert_eq!(limits.ended(true, &message("b", 30)), None);
        }
        for other in ["a", "c"] {
            assert_eq!(limits.ended(true, &message(other, 5000)), None);
        }
        let lesson = Lesson::TooLarge { topic: "c".to_owned(), bytes: 5001 };
        assert_eq!(limits.ended(true, &message("c", 5001)), Some(lesson));
        assert_eq!(limits.limit(), 5001);
        limits.lasted();
        assert!(!limits.careful() && limits.limit() == 5001);
    }

    #[test]
    fn a_subscription_that_brings_too_much_is_given_up() {
        let mut limits = Limits::default();
        let at_risk = AtRisk { subscription: Some(Topic::SettingsSet), oversized: true, ..AtRisk::default() };
        assert_eq!((limits.ended(true, &at_risk), limits.ended(true, &at_risk)), (None, None));
        assert_eq!(limits.ended(true, &at_risk), Some(Lesson::Deaf(Topic::SettingsSet)));
        assert!(!limits.listens(Topic::SettingsSet) && limits.listens(Topic::EnabledSet));
    }
}
