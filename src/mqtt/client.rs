//! The thread that owns the connection.
//!
//! Each connection gets an event loop of its own. rumqttc 0.25 would carry unacknowledged messages
//! over to the next connection but throws them away when the broker knows no session
//! (`EventLoop::poll`), and keeps a packet identifier collision for ever; so the [`Outbox`] is the
//! one memory of what is to be sent.
//!
//! [`Outbox`]: super::outbox::Outbox

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, Publish,
    QoS, SubscribeReasonCode,
};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::outbox::Ticket;
use super::topics::Topic;
use super::{Command, Shared, cause};
use crate::backoff::Backoff;
use crate::shutdown::Shutdown;

/// How often the thread shows that it lives and looks whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// From the first packet to the broker's CONNACK, in seconds.
const CONNECT_TIMEOUT: u64 = 5;

/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Pauses between tries.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A connection that lasted less does not count as a success: two clients with one identifier throw
/// each other out at every connect.
const STEADY: Duration = Duration::from_secs(10);

/// Messages handed to rumqttc and not acknowledged. Below rumqttc's own limit (100), so that it
/// never holds one back, and mosquitto's (20).
const WINDOW: usize = 16;

/// Takes the window, the subscription and the farewell, so that it is never full.
const CHANNEL: usize = WINDOW + 2;

pub struct Client {
    options: MqttOptions,
    shared: Arc<Shared>,
    shutdown: Shutdown,
    on_command: Box<dyn FnMut(Command) + Send>,
}

/// What is on its way over one connection.
struct Session {
    client: AsyncClient,
    connected: Option<Instant>,
    /// Handed to rumqttc, in order, and not yet given a packet identifier.
    handed: VecDeque<Ticket>,
    /// Written to the connection, by packet identifier.
    unacknowledged: HashMap<u16, Ticket>,
}

impl Client {
    pub fn new(
        options: MqttOptions,
        shared: Arc<Shared>,
        shutdown: Shutdown,
        on_command: Box<dyn FnMut(Command) + Send>,
    ) -> Self {
        Self { options, shared, shutdown, on_command }
    }

    /// Connects, again and again, until shutdown.
    pub async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let (client, mut connection) = AsyncClient::new(self.options.clone(), CHANNEL);
            let mut network = NetworkOptions::new();
            network.set_tcp_nodelay(true);
            network.set_connection_timeout(CONNECT_TIMEOUT);
            connection.set_network_options(network);
            let mut session = Session::new(client);
            let Err(error) = self.session(&mut session, &mut connection, &mut tick).await else { return };
            self.failed(&session, &error);
            if session.connected.is_some_and(|since| since.elapsed() >= STEADY) {
                backoff.reset();
            }
            let pause = if cause::is_lasting(&error) { LONGEST_PAUSE } else { backoff.pause() };
            drop((session, connection));
            if self.pause(pause.mul_f64(jitter()), &mut tick).await {
                return;
            }
        }
    }

    /// One connection from its first packet to its end; `Ok` is the end by shutdown.
    async fn session(
        &mut self,
        session: &mut Session,
        connection: &mut EventLoop,
        tick: &mut Interval,
    ) -> Result<(), ConnectionError> {
        while let Some(event) = self.next_event(session, connection, tick).await {
            self.handle(session, event?);
        }
        if session.connected.is_some() && timeout(FAREWELL, self.farewell(session, connection)).await.is_err()
        {
            log::warn!("broker {} did not take the farewell", self.address());
        }
        Ok(())
    }

    /// What happens next on the connection; hands over what is to be sent meanwhile. `None` at
    /// shutdown.
    async fn next_event(
        &self,
        session: &mut Session,
        connection: &mut EventLoop,
        tick: &mut Interval,
    ) -> Option<Result<Event, ConnectionError>> {
        // One future from start to end: dropped in between, rumqttc could lose a half-written packet.
        let mut event = pin!(connection.poll());
        loop {
            tokio::select! {
                event = &mut event => return Some(event),
                () = self.shared.wake.notified() => session.hand_over(&self.shared),
                _ = tick.tick() => {
                    self.shared.heartbeat.fetch_add(1, Ordering::Relaxed);
                    if self.shutdown.requested() {
                        return None;
                    }
                }
            }
        }
    }

    fn handle(&mut self, session: &mut Session, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => self.connected(session),
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(ticket) = session.unacknowledged.remove(&ack.pkid) {
                    self.shared.lock().outbox.delivered(ticket);
                }
                session.hand_over(&self.shared);
            }
            Event::Incoming(Packet::SubAck(ack))
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) =>
            {
                let topic = self.shared.topics.name(Topic::EnabledSet);
                log::warn!("broker {} refuses the subscription to {topic} (check its ACL)", self.address());
            }
            Event::Incoming(Packet::Publish(message)) => self.command(&message),
            Event::Outgoing(Outgoing::Publish(packet) | Outgoing::AwaitAck(packet)) => {
                session.written(packet);
                session.hand_over(&self.shared);
            }
            _ => {}
        }
    }

    fn connected(&mut self, session: &mut Session) {
        log::info!("connected to broker {}", self.address());
        {
            let mut state = self.shared.lock();
            state.connected = true;
            state.last_error = None;
            state.connections += 1;
            state.outbox.connected(Instant::now());
        }
        session.connected = Some(Instant::now());
        session.subscribe(self.shared.topics.name(Topic::EnabledSet));
        session.hand_over(&self.shared);
    }

    /// Notes the end of a connection or the failure to get one; logs what is new.
    fn failed(&self, session: &Session, error: &ConnectionError) {
        let cause = cause::describe(error);
        let known = {
            let mut state = self.shared.lock();
            state.connected = false;
            state.outbox.disconnected();
            state.last_error.replace(cause.clone())
        };
        if session.connected.is_some() {
            log::warn!("lost broker {}: {cause}", self.address());
        } else if known.as_ref() != Some(&cause) {
            log::warn!("unable to connect to broker {}: {cause}; trying again", self.address());
        }
    }

    fn command(&mut self, message: &Publish) {
        // A retained command is one from the past; the device's own state has moved on since.
        if message.retain {
            log::info!("ignoring the retained message on {}", message.topic);
            return;
        }
        match message.payload.as_ref() {
            b"ON" => (self.on_command)(Command::SetEnabled(true)),
            b"OFF" => (self.on_command)(Command::SetEnabled(false)),
            other => {
                let payload = String::from_utf8_lossy(other);
                self.shared.refuse(Topic::EnabledSet, &payload, "neither ON nor OFF");
            }
        }
    }

    /// Says `offline` and disconnects. Without the disconnect the broker publishes the will, which
    /// is right when it did not acknowledge.
    async fn farewell(&mut self, session: &mut Session, connection: &mut EventLoop) {
        self.shared.lock().outbox.close();
        session.hand_over(&self.shared);
        loop {
            if session.is_done() && session.client.try_disconnect().is_ok() {
                break;
            }
            match connection.poll().await {
                Ok(event) => self.handle(session, event),
                Err(_) => return,
            }
        }
        while !matches!(connection.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
    }

    /// Waits; `true` at shutdown.
    async fn pause(&self, duration: Duration, tick: &mut Interval) -> bool {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            tick.tick().await;
            self.shared.heartbeat.fetch_add(1, Ordering::Relaxed);
            if self.shutdown.requested() {
                return true;
            }
        }
        self.shutdown.requested()
    }

    fn address(&self) -> String {
        let (host, port) = self.options.broker_address();
        format!("{host}:{port}")
    }
}

impl Session {
    fn new(client: AsyncClient) -> Self {
        Self { client, connected: None, handed: VecDeque::new(), unacknowledged: HashMap::new() }
    }

    fn subscribe(&self, filter: String) {
        if let Err(error) = self.client.try_subscribe(&filter, QoS::AtLeastOnce) {
            log::error!("unable to subscribe to {filter}: {error}");
        }
    }

    /// Gives rumqttc what is to be sent, as far as the window allows.
    fn hand_over(&mut self, shared: &Shared) {
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
    fn written(&mut self, packet: u16) {
        if let Some(ticket) = self.handed.pop_front()
            && packet != 0
        {
            self.unacknowledged.insert(packet, ticket);
        }
    }

    /// Everything that was handed over has arrived.
    fn is_done(&self) -> bool {
        self.handed.is_empty() && self.unacknowledged.is_empty()
    }
}

/// 0.75 to 1.25, so that many devices do not come back to a broker all at once.
fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    0.75 + 0.5 * (random as f64 / u64::MAX as f64)
}
