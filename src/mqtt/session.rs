//! What is on its way over one connection.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Publish, QoS, SubscribeFilter};

use super::limits::AtRisk;
use super::outbox::Ticket;
use super::shared::Shared;
use super::topics::{Topic, Topics};

/// Most bytes of a packet that are neither topic nor payload (MQTT 3.1.1, 3.3): one, four of length, two of the
/// topic's length, two of identifier.
const HEADER: usize = 9;

/// Messages handed to rumqttc and not acknowledged. Below rumqttc's own limit (100), so that it
/// never holds one back, and mosquitto's (20).
const WINDOW: usize = 16;

/// Takes the window, the subscription and the farewell, so that it is never full.
pub const CHANNEL: usize = WINDOW + 2;

/// In a careful session: how long after a message that nobody acknowledges the connection must have lasted for it
/// to have been taken.
const TAKEN_AFTER: Duration = Duration::from_secs(1);

/// In a careful session: how long after its answer to a subscription a broker may take to send what it keeps.
const KEPT_WITHIN: Duration = Duration::from_millis(300);

pub struct Session {
    client: AsyncClient,
    pub connected: Option<Instant>,
    /// One thing is done at a time, see [`Limits`](super::limits::Limits).
    pub careful: bool,
    /// Asked for, and not yet answered.
    subscribing: VecDeque<Topic>,
    to_subscribe: VecDeque<Topic>,
    /// When to ask for the next of them.
    ask_at: Option<Instant>,
    pub at_risk: AtRisk,
    /// Nothing is sent until then.
    quiet_until: Option<Instant>,
    /// Commands that came before it was known that they are for this device.
    pub commands: Vec<(Topic, Publish)>,
    /// When to tell Home Assistant of this device again, and the states after that.
    pub announce: Option<Instant>,
    pub restate: Option<Instant>,
    /// Handed to rumqttc, in order, and not yet given a packet identifier.
    handed: VecDeque<Ticket>,
    /// Written to the connection, by packet identifier.
    unacknowledged: HashMap<u16, Ticket>,
}

impl Session {
    pub fn new(client: AsyncClient, careful: bool) -> Self {
        Self {
            client,
            connected: None,
            careful,
            subscribing: VecDeque::new(),
            to_subscribe: VecDeque::new(),
            ask_at: None,
            at_risk: AtRisk::default(),
            quiet_until: None,
            commands: Vec::new(),
            announce: None,
            restate: None,
            handed: VecDeque::new(),
            unacknowledged: HashMap::new(),
        }
    }

    /// Asks for `topics`; a careful session one by one.
    pub fn subscribe(&mut self, topics: impl IntoIterator<Item = Topic>, names: &Topics) {
        self.to_subscribe.extend(topics);
        self.ask(names);
    }

    fn ask(&mut self, names: &Topics) {
        let count = if self.careful { 1 } else { self.to_subscribe.len() };
        let topics: Vec<Topic> = self.to_subscribe.drain(..count.min(self.to_subscribe.len())).collect();
        let filters = topics.iter().map(|topic| SubscribeFilter::new(names.name(*topic), QoS::AtLeastOnce));
        if let Err(error) = self.client.try_subscribe_many(filters) {
            log::error!("unable to subscribe: {error}");
        }
        if self.careful {
            self.at_risk.subscription = topics.last().copied();
        }
        self.subscribing.extend(topics);
    }

    /// The broker has answered the next `count` topics; more are asked for soon where there are. Whether these
    /// were the last.
    pub fn subscribed(&mut self, count: usize) -> (Vec<Topic>, bool) {
        let topics: Vec<Topic> = self.subscribing.drain(..count.min(self.subscribing.len())).collect();
        let done = self.to_subscribe.is_empty();
        // Some brokers send what they keep before they answer, some after it.
        self.ask_at = (!done).then(|| Instant::now() + KEPT_WITHIN);
        (topics, done)
    }

    /// The broker has `packet`; which message that was.
    pub fn acknowledged(&mut self, packet: u16) -> Option<Ticket> {
        if self.careful {
            self.at_risk.message = None;
        }
        self.unacknowledged.remove(&packet)
    }

    /// Does what has become due.
    pub fn timers(&mut self, shared: &Shared, now: Instant) {
        if self.ask_at.take_if(|at| now >= *at).is_some() {
            self.ask(&shared.topics);
        }
        if self.quiet_until.take_if(|until| now >= *until).is_some() {
            self.at_risk.message = None;
            self.hand_over(shared);
        }
    }

    /// Disconnects, so that the broker keeps the will to itself.
    pub async fn leave(&self, connection: &mut EventLoop) {
        if self.client.try_disconnect().is_ok() {
            while !matches!(connection.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
        }
    }

    /// Gives rumqttc what is to be sent, as far as the window allows.
    pub fn hand_over(&mut self, shared: &Shared) {
        if self.connected.is_none() {
            return;
        }
        let window = if self.careful { 1 } else { WINDOW };
        let mut state = shared.lock();
        while self.handed.len() + self.unacknowledged.len() < window
            && (!self.careful || self.quiet_until.is_none())
        {
            let limit = state.limit;
            let Some((ticket, payload)) = state.outbox.next() else { return };
            let topic = ticket.topic;
            let (name, retained) = match state.outbox.address(ticket) {
                Some((name, retained)) => (name.to_owned(), retained),
                None => (shared.topics.name(topic), topic.retained()),
            };
            let bytes = HEADER + name.len() + payload.len();
            if bytes >= limit {
                state.outbox.left_out(ticket);
                state.leave_out(name, bytes);
                continue;
            }
            if let Err(error) = self.client.try_publish(name.as_str(), topic.qos(), retained, payload) {
                log::error!("unable to publish {topic:?}: {error}");
                return;
            }
            state.outbox.sent(ticket);
            self.handed.push_back(ticket);
            // Of pictures, which are large, nobody says whether they have arrived.
            let unsure = topic.qos() == QoS::AtMostOnce;
            if self.careful || topic == Topic::FaceImage {
                self.at_risk.message = Some((name, bytes));
                self.quiet_until = unsure.then(|| Instant::now() + TAKEN_AFTER);
            }
        }
    }

    /// rumqttc wrote the oldest handed message as `packet`; 0 with QoS 0, which nobody acknowledges.
    pub fn written(&mut self, packet: u16) {
        if let Some(ticket) = self.handed.pop_front()
            && packet != 0
        {
            self.unacknowledged.insert(packet, ticket);
        }
    }

    /// Everything that was handed over has arrived.
    pub fn is_done(&self) -> bool {
        self.handed.is_empty() && self.unacknowledged.is_empty()
    }
}
