//! What is on its way over one connection.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, QoS, SubscribeFilter};

use super::claim::Claim;
use super::outbox::Ticket;
use super::shared::Shared;

/// Messages handed to rumqttc and not acknowledged. Below rumqttc's own limit (100), so that it
/// never holds one back, and mosquitto's (20).
const WINDOW: usize = 16;

/// Takes the window, the subscription and the farewell, so that it is never full.
pub const CHANNEL: usize = WINDOW + 2;

pub struct Session {
    client: AsyncClient,
    pub connected: Option<Instant>,
    /// Until when another that holds the id may say so.
    pub asking: Option<Instant>,
    /// What this device says comes back to it, so the broker passes it on.
    pub heard_itself: bool,
    /// The id is ours.
    pub holding: bool,
    /// The other that goes before this one.
    pub duplicate: Option<Claim>,
    /// When to tell Home Assistant of this device again, and the states after that.
    pub announce: Option<Instant>,
    pub restate: Option<Instant>,
    /// Handed to rumqttc, in order, and not yet given a packet identifier.
    handed: VecDeque<Ticket>,
    /// Written to the connection, by packet identifier.
    pub unacknowledged: HashMap<u16, Ticket>,
}

impl Session {
    pub fn new(client: AsyncClient) -> Self {
        Self {
            client,
            connected: None,
            asking: None,
            heard_itself: false,
            holding: false,
            duplicate: None,
            announce: None,
            restate: None,
            handed: VecDeque::new(),
            unacknowledged: HashMap::new(),
        }
    }

    pub fn subscribe(&self, names: impl Iterator<Item = String>) {
        let filters = names.map(|name| SubscribeFilter::new(name, QoS::AtLeastOnce));
        if let Err(error) = self.client.try_subscribe_many(filters) {
            log::error!("unable to subscribe: {error}");
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
        let mut state = shared.lock();
        while self.handed.len() + self.unacknowledged.len() < WINDOW {
            let Some((ticket, payload)) = state.outbox.next() else { return };
            let topic = ticket.topic;
            let (name, retained) = match state.outbox.address(ticket) {
                Some((name, retained)) => (name.to_owned(), retained),
                None => (shared.topics.name(topic), topic.retained()),
            };
            if let Err(error) = self.client.try_publish(name, topic.qos(), retained, payload) {
                log::error!("unable to publish {topic:?}: {error}");
                return;
            }
            state.outbox.sent(ticket);
            self.handed.push_back(ticket);
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
