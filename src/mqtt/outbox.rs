//! What is to be published: the newest value of each retained topic, and bounded rings of what
//! happened. No I/O: it says what to send next and is told what was sent and what arrived.

use std::collections::{BTreeMap, VecDeque};

use super::topics::Topic;

/// Events kept while the broker is away; about a quarter of a megabyte.
const EVENTS: usize = 1_000;

/// Refusals kept; more only come when something sends bad commands without end.
const ERRORS: usize = 32;

/// Names one message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub topic: Topic,
    /// Position among all messages of a ring; 0 for topics without one.
    number: u64,
}

#[derive(Debug)]
pub struct Outbox {
    retained: BTreeMap<Topic, Retained>,
    events: Ring,
    errors: Ring,
    stats: Option<Vec<u8>>,
    closed: bool,
}

#[derive(Debug)]
struct Retained {
    payload: Vec<u8>,
    to_send: bool,
}

impl Outbox {
    /// Says `online` and, until told otherwise, that the camera is `offline`.
    pub fn new() -> Self {
        let mut outbox = Self {
            retained: BTreeMap::new(),
            events: Ring::new(EVENTS),
            errors: Ring::new(ERRORS),
            stats: None,
            closed: false,
        };
        outbox.set(Topic::Availability, b"online".to_vec());
        outbox.set(Topic::CameraAvailability, b"offline".to_vec());
        outbox
    }

    /// Replaces a retained topic's value; the same value is not sent again.
    pub fn set(&mut self, topic: Topic, payload: Vec<u8>) {
        let unchanged = self.retained.get(&topic).is_some_and(|retained| retained.payload == payload);
        if !self.closed && !unchanged {
            self.retained.insert(topic, Retained { payload, to_send: true });
        }
    }

    pub fn event(&mut self, payload: Vec<u8>) {
        if !self.closed {
            self.events.push(payload);
        }
    }

    pub fn error(&mut self, payload: Vec<u8>) {
        if !self.closed {
            self.errors.push(payload);
        }
    }

    /// Replaces statistics that were not sent yet.
    pub fn stats(&mut self, payload: Vec<u8>) {
        if !self.closed {
            self.stats = Some(payload);
        }
    }

    /// The last words; nothing is taken after them.
    pub fn close(&mut self) {
        self.set(Topic::CameraAvailability, b"offline".to_vec());
        self.set(Topic::Availability, b"offline".to_vec());
        self.closed = true;
    }

    /// What to send now: retained topics, then the rings in order, then statistics.
    pub fn next(&self) -> Option<(Ticket, &[u8])> {
        let retained = || {
            let (topic, retained) = self.retained.iter().find(|(_, retained)| retained.to_send)?;
            Some((*topic, 0, retained.payload.as_slice()))
        };
        let error = || self.errors.next().map(|(number, payload)| (Topic::Error, number, payload));
        let event = || self.events.next().map(|(number, payload)| (Topic::Event, number, payload));
        let stats = || self.stats.as_deref().map(|payload| (Topic::Stats, 0, payload));
        let (topic, number, payload) = retained().or_else(error).or_else(event).or_else(stats)?;
        Some((Ticket { topic, number }, payload))
    }

    /// What [`Self::next`] answered is on its way.
    pub fn sent(&mut self, ticket: Ticket) {
        match ticket.topic {
            Topic::Event => self.events.sent += 1,
            Topic::Error => self.errors.sent += 1,
            Topic::Stats => self.stats = None,
            topic => {
                if let Some(retained) = self.retained.get_mut(&topic) {
                    retained.to_send = false;
                }
            }
        }
    }

    /// The broker has it.
    pub fn delivered(&mut self, ticket: Ticket) {
        match ticket.topic {
            Topic::Event => self.events.delivered(ticket.number),
            Topic::Error => self.errors.delivered(ticket.number),
            _ => {}
        }
    }

    /// The connection is gone: what the broker did not acknowledge is sent again, and every
    /// retained value, as the next broker may have forgotten it.
    pub fn disconnected(&mut self) {
        for retained in self.retained.values_mut() {
            retained.to_send = true;
        }
        self.events.sent = 0;
        self.errors.sent = 0;
        self.stats = None;
    }

    /// Events that were pushed out of the full ring.
    pub fn events_dropped(&self) -> u64 {
        self.events.dropped
    }
}

/// Messages in order until they are delivered; when full the oldest that is not on its way goes.
#[derive(Debug)]
struct Ring {
    capacity: usize,
    messages: VecDeque<(u64, Vec<u8>)>,
    /// How many, from the front, are on their way.
    sent: usize,
    pushed: u64,
    dropped: u64,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self { capacity, messages: VecDeque::new(), sent: 0, pushed: 0, dropped: 0 }
    }

    fn push(&mut self, payload: Vec<u8>) {
        if self.messages.len() >= self.capacity && self.messages.remove(self.sent).is_some() {
            self.dropped += 1;
        }
        self.pushed += 1;
        self.messages.push_back((self.pushed, payload));
    }

    fn next(&self) -> Option<(u64, &[u8])> {
        self.messages.get(self.sent).map(|(number, payload)| (*number, payload.as_slice()))
    }

    fn delivered(&mut self, number: u64) {
        let on_their_way = self.messages.iter().take(self.sent);
        if let Some(index) = on_their_way.into_iter().position(|(pushed, _)| *pushed == number) {
            self.messages.remove(index);
            self.sent -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends everything that is due; the payloads as text.
    fn drain(outbox: &mut Outbox) -> Vec<(Ticket, String)> {
        std::iter::from_fn(|| {
            let (ticket, payload) = outbox.next()?;
            let message = (ticket, String::from_utf8(payload.to_vec()).expect("text"));
            outbox.sent(ticket);
            Some(message)
        })
        .collect()
    }

    fn texts(outbox: &mut Outbox) -> Vec<String> {
        drain(outbox).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn an_event_is_sent_again_until_it_is_delivered() {
        let mut outbox = Outbox::new();
        drain(&mut outbox);
        for event in ["a", "b", "c"] {
            outbox.event(event.into());
        }
        let sent = drain(&mut outbox);
        outbox.delivered(sent[1].0);
        outbox.disconnected();
        assert_eq!(texts(&mut outbox), ["online", "offline", "a", "c"]);
        outbox.delivered(sent[0].0);
        outbox.delivered(sent[2].0);
        outbox.disconnected();
        assert_eq!(texts(&mut outbox), ["online", "offline"]);
    }

    #[test]
    fn a_full_ring_drops_the_oldest_that_is_not_on_its_way() {
        let mut ring = Ring::new(3);
        for event in ["a", "b", "c"] {
            ring.push(event.into());
        }
        ring.sent = 1;
        ring.push("d".into());
        ring.push("e".into());
        let left: Vec<&[u8]> = ring.messages.iter().map(|(_, payload)| payload.as_slice()).collect();
        assert_eq!((left.as_slice(), ring.dropped), ([b"a".as_slice(), b"d", b"e"].as_slice(), 2));
    }

    #[test]
    fn a_retained_value_is_sent_when_it_changes_and_after_each_connect() {
        let mut outbox = Outbox::new();
        outbox.set(Topic::Emotion, "sad".into());
        outbox.set(Topic::Emotion, "happy".into());
        assert_eq!(texts(&mut outbox), ["online", "offline", "happy"]);
        outbox.set(Topic::Emotion, "happy".into());
        assert_eq!(texts(&mut outbox), Vec::<String>::new());
        outbox.disconnected();
        assert_eq!(texts(&mut outbox), ["online", "offline", "happy"]);
    }

    #[test]
    fn nothing_follows_the_last_words() {
        let mut outbox = Outbox::new();
        outbox.set(Topic::CameraAvailability, "online".into());
        drain(&mut outbox);
        outbox.close();
        outbox.set(Topic::CameraAvailability, "online".into());
        outbox.event("late".into());
        assert_eq!(texts(&mut outbox), ["offline", "offline"]);
    }
}
