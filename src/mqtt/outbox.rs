//! What is to be published: the newest value of each retained topic, and bounded rings of what
//! happened. No I/O: it says what to send next and is told what was sent and what arrived.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::topics::Topic;
use crate::base::topic::TopicName;

/// Events kept while the broker is away; about a quarter of a megabyte.
const EVENTS: usize = 1_000;

/// Refusals kept; more only come when something sends bad commands without end.
const ERRORS: usize = 32;

/// Messages of rules kept.
const RULES: usize = 256;

/// A rule's message that is not retained is of no use later: a light switched on an hour late.
const RULE_AGE: Duration = Duration::from_secs(30);

/// A message to a topic of somebody else's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub topic: TopicName,
    pub payload: Vec<u8>,
    pub retain: bool,
    pub written: Instant,
}

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
    rules: Ring<Letter>,
    /// The newest retained letter to each topic.
    kept: BTreeMap<TopicName, Letter>,
    stats: Option<Vec<u8>>,
    image: Option<Vec<u8>>,
    /// Who this is; goes before everything else.
    claim: Option<Vec<u8>>,
    /// `offline`, for one who speaks for the id no more but did; nothing follows it.
    parting: Option<Vec<u8>>,
    /// The id is ours: without that only the claim is sent.
    holding: bool,
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
            rules: Ring::new(RULES),
            kept: BTreeMap::new(),
            stats: None,
            image: None,
            claim: None,
            parting: None,
            holding: false,
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

    /// A retained letter replaces one to the same topic, also after the next connect.
    pub fn rule(&mut self, letter: Letter) {
        if self.closed {
            return;
        }
        if letter.retain {
            self.rules.forget(|waiting| waiting.retain && waiting.topic == letter.topic);
            self.kept.insert(letter.topic.clone(), letter.clone());
        }
        self.rules.push(letter);
    }

    /// There is a connection at `now`: letters that have become too old are given up.
    pub fn connected(&mut self, now: Instant) {
        let too_old = |letter: &Letter| now.saturating_duration_since(letter.written) > RULE_AGE;
        let waiting = self.rules.messages.len();
        self.rules.forget(|letter| !letter.retain && too_old(letter));
        self.rules.dropped += (waiting - self.rules.messages.len()) as u64;
    }

    /// Where a letter goes and whether it is retained; other messages have a topic of their own.
    pub fn address(&self, ticket: Ticket) -> Option<(&str, bool)> {
        let (number, letter) = self.rules.next().filter(|_| ticket.topic == Topic::Rule)?;
        (number == ticket.number).then_some((letter.topic.as_str(), letter.retain))
    }

    /// Replaces statistics that were not sent yet.
    pub fn stats(&mut self, payload: Vec<u8>) {
        if !self.closed {
            self.stats = Some(payload);
        }
    }

    /// Replaces a picture that was not sent yet.
    pub fn image(&mut self, jpeg: Vec<u8>) {
        if !self.closed {
            self.image = Some(jpeg);
        }
    }

    /// Says who this is.
    pub fn claim(&mut self, payload: Vec<u8>) {
        self.claim = Some(payload);
    }

    /// Says `offline` over this connection, and nothing more: the id is another's.
    pub fn part(&mut self) {
        self.holding = false;
        self.claim = None;
        self.parting = Some(b"offline".to_vec());
    }

    /// From now on everything may be sent.
    pub fn hold(&mut self) {
        self.holding = true;
    }

    /// Sends the values of the retained topics that `which` picks once more, changed or not.
    pub fn again(&mut self, which: impl Fn(Topic) -> bool) {
        for (topic, retained) in &mut self.retained {
            retained.to_send |= which(*topic) && !self.closed;
        }
    }

    /// The last words; nothing is taken after them.
    pub fn close(&mut self) {
        self.set(Topic::CameraAvailability, b"offline".to_vec());
        self.set(Topic::Availability, b"offline".to_vec());
        self.closed = true;
    }

    /// What to send now: the parting word alone, else the claim, retained topics, then the rings in order, then what may get lost.
    pub fn next(&self) -> Option<(Ticket, &[u8])> {
        if let Some(parting) = &self.parting {
            return Some((Ticket { topic: Topic::Availability, number: 0 }, parting));
        }
        if let Some(claim) = &self.claim {
            return Some((Ticket { topic: Topic::Instance, number: 0 }, claim));
        }
        if !self.holding {
            return None;
        }
        let retained = || {
            let (topic, retained) = self.retained.iter().find(|(_, retained)| retained.to_send)?;
            Some((*topic, 0, retained.payload.as_slice()))
        };
        let rule =
            || self.rules.next().map(|(number, letter)| (Topic::Rule, number, letter.payload.as_slice()));
        let error = || self.errors.next().map(|(number, payload)| (Topic::Error, number, payload.as_slice()));
        let event = || self.events.next().map(|(number, payload)| (Topic::Event, number, payload.as_slice()));
        let stats = || self.stats.as_deref().map(|payload| (Topic::Stats, 0, payload));
        let image = || self.image.as_deref().map(|payload| (Topic::FaceImage, 0, payload));
        let (topic, number, payload) =
            retained().or_else(rule).or_else(error).or_else(event).or_else(stats).or_else(image)?;
        Some((Ticket { topic, number }, payload))
    }

    /// What [`Self::next`] answered is on its way.
    pub fn sent(&mut self, ticket: Ticket) {
        if self.parting.take().is_some() {
            return;
        }
        match ticket.topic {
            Topic::Event => self.events.sent += 1,
            Topic::Error => self.errors.sent += 1,
            Topic::Rule => self.rules.sent += 1,
            Topic::Stats => self.stats = None,
            Topic::FaceImage => self.image = None,
            Topic::Instance => self.claim = None,
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
            Topic::Rule => self.rules.delivered(ticket.number),
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
        self.rules.sent = 0;
        self.stats = None;
        self.image = None;
        self.claim = None;
        self.parting = None;
        self.holding = false;
        self.rules.forget(|letter| letter.retain);
        for letter in self.kept.values() {
            self.rules.push(letter.clone());
        }
    }

    /// What [`Self::next`] answered is left out: the broker does not take it.
    pub fn left_out(&mut self, ticket: Ticket) {
        self.sent(ticket);
        self.delivered(ticket);
    }

    /// Messages of rules that were pushed out of the full ring or became too old.
    pub fn letters_dropped(&self) -> u64 {
        self.rules.dropped
    }

    /// Events that were pushed out of the full ring.
    pub fn events_dropped(&self) -> u64 {
        self.events.dropped
    }
}

/// Messages in order until they are delivered; when full the oldest that is not on its way goes.
#[derive(Debug)]
struct Ring<T = Vec<u8>> {
    capacity: usize,
    messages: VecDeque<(u64, T)>,
    /// How many, from the front, are on their way.
    sent: usize,
    pushed: u64,
    dropped: u64,
}

impl<T> Ring<T> {
    fn new(capacity: usize) -> Self {
        Self { capacity, messages: VecDeque::new(), sent: 0, pushed: 0, dropped: 0 }
    }

    fn push(&mut self, message: T) {
        if self.messages.len() >= self.capacity && self.messages.remove(self.sent).is_some() {
            self.dropped += 1;
        }
        self.pushed += 1;
        self.messages.push_back((self.pushed, message));
    }

    fn next(&self) -> Option<(u64, &T)> {
        self.messages.get(self.sent).map(|(number, message)| (*number, message))
    }

    /// Drops those that are not on their way and of which `unwanted` says so.
    fn forget(&mut self, unwanted: impl Fn(&T) -> bool) {
        let mut index = 0;
        self.messages.retain(|(_, message)| {
            index += 1;
            index <= self.sent || !unwanted(message)
        });
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

    fn held() -> Outbox {
        let mut outbox = Outbox::new();
        outbox.hold();
        outbox
    }

    #[test]
    fn an_event_is_sent_again_until_it_is_delivered() {
        let mut outbox = held();
        drain(&mut outbox);
        for event in ["a", "b", "c"] {
            outbox.event(event.into());
        }
        let sent = drain(&mut outbox);
        outbox.delivered(sent[1].0);
        outbox.disconnected();
        outbox.hold();
        assert_eq!(texts(&mut outbox), ["online", "offline", "a", "c"]);
        outbox.delivered(sent[0].0);
        outbox.delivered(sent[2].0);
        outbox.disconnected();
        outbox.hold();
        assert_eq!(texts(&mut outbox), ["online", "offline"]);
    }

    #[test]
    fn a_full_ring_drops_the_oldest_that_is_not_on_its_way() {
        let mut ring: Ring = Ring::new(3);
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
        let mut outbox = held();
        outbox.set(Topic::Emotion, "sad".into());
        outbox.set(Topic::Emotion, "happy".into());
        assert_eq!(texts(&mut outbox), ["online", "offline", "happy"]);
        outbox.set(Topic::Emotion, "happy".into());
        assert_eq!(texts(&mut outbox), Vec::<String>::new());
        outbox.disconnected();
        outbox.hold();
        assert_eq!(texts(&mut outbox), ["online", "offline", "happy"]);
    }

    #[test]
    fn a_letter_is_in_time_and_a_retained_one_always_current() {
        let start = Instant::now();
        let letter = |topic: &str, payload: &str, retain, s| Letter {
            topic: topic.parse().expect("a topic"),
            payload: payload.into(),
            retain,
            written: start + Duration::from_secs(s),
        };
        let mut outbox = held();
        drain(&mut outbox);
        outbox.rule(letter("a", "chime", false, 0));
        outbox.rule(letter("b", "ON", true, 0));
        outbox.rule(letter("b", "OFF", true, 1));
        outbox.rule(letter("a", "gong", false, 20));
        let (ticket, _) = outbox.next().expect("a letter");
        assert_eq!(outbox.address(ticket), Some(("a", false)));
        outbox.disconnected();
        outbox.hold();
        outbox.connected(start + Duration::from_secs(40));
        assert_eq!(texts(&mut outbox), ["online", "offline", "gong", "OFF"]);
        assert_eq!(outbox.letters_dropped(), 1, "the chime was too old");
        outbox.disconnected();
        outbox.hold();
        outbox.connected(start + Duration::from_secs(60));
        assert_eq!(texts(&mut outbox), ["online", "offline", "OFF"]);
    }

    #[test]
    fn before_the_id_is_ours_only_the_claim_is_sent() {
        let mut outbox = Outbox::new();
        outbox.claim("who".into());
        outbox.event("a".into());
        assert_eq!(texts(&mut outbox), ["who"]);
        outbox.close();
        assert_eq!(texts(&mut outbox), Vec::<String>::new());
    }

    #[test]
    fn values_are_sent_again_on_request() {
        let mut outbox = held();
        drain(&mut outbox);
        outbox.again(|topic| topic == Topic::Availability);
        assert_eq!(texts(&mut outbox), ["online"]);
    }

    #[test]
    fn who_yields_says_offline_and_everything_at_the_next_connection() {
        let mut outbox = held();
        drain(&mut outbox);
        outbox.event("a".into());
        outbox.part();
        assert_eq!(texts(&mut outbox), ["offline"]);
        outbox.disconnected();
        outbox.claim("who".into());
        assert_eq!(texts(&mut outbox), ["who"]);
        outbox.hold();
        assert_eq!(texts(&mut outbox), ["online", "offline", "a"]);
    }

    #[test]
    fn nothing_follows_the_last_words() {
        let mut outbox = held();
        outbox.set(Topic::CameraAvailability, "online".into());
        drain(&mut outbox);
        outbox.close();
        outbox.set(Topic::CameraAvailability, "online".into());
        outbox.event("late".into());
        assert_eq!(texts(&mut outbox), ["offline", "offline"]);
    }
}
