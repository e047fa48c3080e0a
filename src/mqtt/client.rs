//! The thread that owns the connection.
//!
//! Each connection gets an event loop of its own. rumqttc 0.25 would carry unacknowledged messages
//! over to the next connection but throws them away when the broker knows no session
//! (`EventLoop::poll`), and keeps a packet identifier collision for ever; so the [`Outbox`] is the
//! one memory of what is to be sent.
//!
//! [`Outbox`]: super::outbox::Outbox

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, Publish,
    SubscribeReasonCode,
};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::cause;
use super::claim::Claim;
use super::session::{CHANNEL, Session};
use super::shared::{Command, PRESS, Shared, json};
use super::topics::Topic;
use crate::base::backoff::Backoff;
use crate::base::chance;
use crate::base::part::Pulse;
use crate::base::shutdown::Shutdown;

/// How often the thread shows that it lives and looks whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// From the first packet to the broker's CONNACK, in seconds.
const CONNECT_TIMEOUT: u64 = 5;

/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Pauses between tries; each is shortened by chance to as little as half, so that many devices do
/// not come back to a broker all at once.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long one that holds this device's id may take to say so.
const ANSWER: Duration = Duration::from_millis(1500);

/// Home Assistant asks every device at once when it starts; the answers are spread over this time.
const ANNOUNCE_WITHIN: Duration = Duration::from_secs(8);

/// From the announcement to the states, so that those that listen for them are there.
const RESTATE_AFTER: Duration = Duration::from_secs(1);

/// A connection that lasted less does not count as a success: two clients with one identifier, as
/// `mqtt.client_id` can give them, throw each other out at every connect.
const STEADY: Duration = Duration::from_secs(10);

/// How a connection ended without a fault of it.
enum End {
    Shutdown,
    /// Another device speaks for this one's id.
    Duplicate(Claim),
}

pub struct Client {
    options: MqttOptions,
    claim: Claim,
    /// Home Assistant is listened to.
    discovery: bool,
    shared: Arc<Shared>,
    shutdown: Shutdown,
    on_command: Box<dyn FnMut(Command) + Send>,
    pulse: Pulse,
}

impl Client {
    pub fn new(
        options: MqttOptions,
        claim: Claim,
        discovery: bool,
        shared: Arc<Shared>,
        shutdown: Shutdown,
        on_command: Box<dyn FnMut(Command) + Send>,
        pulse: Pulse,
    ) -> Self {
        Self { options, claim, discovery, shared, shutdown, on_command, pulse }
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
            let pause = match self.session(&mut session, &mut connection, &mut tick).await {
                Ok(End::Shutdown) => return,
                Ok(End::Duplicate(other)) => {
                    self.yield_to(&other);
                    LONGEST_PAUSE
                }
                Err(error) => {
                    self.failed(&session, cause::describe(&error));
                    if session.connected.is_some_and(|since| since.elapsed() >= STEADY) {
                        backoff.reset();
                    }
                    if cause::is_lasting(&error) { LONGEST_PAUSE } else { backoff.pause() }
                }
            };
            drop((session, connection));
            if self.pause(pause.mul_f64(1.0 - 0.5 * chance::share()), &mut tick).await {
                return;
            }
        }
    }

    /// One connection from its first packet to its end.
    async fn session(
        &mut self,
        session: &mut Session,
        connection: &mut EventLoop,
        tick: &mut Interval,
    ) -> Result<End, ConnectionError> {
        while let Some(event) = self.next_event(session, connection, tick).await {
            self.handle(session, event?);
            if let Some(other) = session.duplicate.take() {
                // Without a word, and without the will: the other one is online.
                let _ = timeout(FAREWELL, session.leave(connection)).await;
                return Ok(End::Duplicate(other));
            }
        }
        if session.connected.is_some() && timeout(FAREWELL, self.farewell(session, connection)).await.is_err()
        {
            log::warn!("broker {} did not take the farewell", self.address());
        }
        Ok(End::Shutdown)
    }

    /// What happens next on the connection; hands over what is to be sent meanwhile. `None` at
    /// shutdown.
    async fn next_event(
        &mut self,
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
                    self.pulse.beat();
                    // What a short run has seen is still told once the id is known to be ours.
                    if self.shutdown.requested() && session.asking.is_none() {
                        return None;
                    }
                    self.timers(session);
                }
            }
        }
    }

    /// Does what has become due.
    fn timers(&mut self, session: &mut Session) {
        if session.asking.take_if(|until| Instant::now() >= *until).is_some() {
            if !session.heard_itself {
                // MQTT 3.1.1 has no word for it: the broker acknowledges what it throws away.
                let name = self.shared.topics.name(Topic::Instance);
                log::warn!(
                    "broker {} does not pass on what is said on {name} (check its ACL)",
                    self.address()
                );
            }
            self.hold(session);
        }
        if session.announce.take_if(|at| Instant::now() >= *at).is_some() {
            log::info!("Home Assistant has started: announcing this device");
            self.shared.lock().outbox.again(|topic| topic == Topic::Discovery);
            session.restate = Some(Instant::now() + RESTATE_AFTER);
            session.hand_over(&self.shared);
        }
        if session.restate.take_if(|at| Instant::now() >= *at).is_some() {
            self.shared.lock().outbox.again(|topic| topic != Topic::Discovery);
            session.hand_over(&self.shared);
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
            Event::Incoming(Packet::SubAck(ack)) => self.subscribed(session, &ack.return_codes),
            Event::Incoming(Packet::Publish(message)) => self.received(session, &message),
            Event::Outgoing(Outgoing::Publish(packet) | Outgoing::AwaitAck(packet)) => {
                session.written(packet);
                session.hand_over(&self.shared);
            }
            _ => {}
        }
    }

    fn connected(&mut self, session: &mut Session) {
        session.connected = Some(Instant::now());
        // A broker that never acknowledges the subscription is none to wait for.
        session.asking = Some(Instant::now() + Duration::from_secs(CONNECT_TIMEOUT));
        session.subscribe(self.subscriptions().iter().map(|topic| self.shared.topics.name(*topic)));
    }

    /// Everything that is listened to: commands, Home Assistant, and what others say in this
    /// device's name.
    fn subscriptions(&self) -> Vec<Topic> {
        let mut topics = vec![Topic::Instance, Topic::Availability];
        topics.extend(Topic::COMMANDS);
        topics.extend(self.discovery.then_some(Topic::HomeAssistantStatus));
        topics
    }

    fn subscribed(&mut self, session: &mut Session, codes: &[SubscribeReasonCode]) {
        for (topic, code) in self.subscriptions().iter().zip(codes) {
            if *code == SubscribeReasonCode::Failure {
                let name = self.shared.topics.name(*topic);
                log::warn!("broker {} refuses the subscription to {name} (check its ACL)", self.address());
            }
        }
        self.say_who(session);
        if self.claim.holds {
            session.asking = None;
            self.hold(session);
        } else {
            session.asking = Some(Instant::now() + ANSWER);
        }
    }

    fn say_who(&self, session: &mut Session) {
        self.shared.lock().outbox.claim(json(&self.claim));
        session.hand_over(&self.shared);
    }

    /// The id is ours: everything may be said.
    fn hold(&mut self, session: &mut Session) {
        log::info!("connected to broker {}", self.address());
        self.claim.hold(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0));
        {
            let mut state = self.shared.lock();
            state.connected = true;
            state.last_error = None;
            state.connections += 1;
            state.outbox.connected(Instant::now());
            state.outbox.hold();
        }
        session.holding = true;
        session.hand_over(&self.shared);
    }

    /// Somebody speaks for this device's id.
    fn claimed(&mut self, session: &mut Session, message: &Publish) {
        let Ok(other) = serde_json::from_slice::<Claim>(&message.payload) else { return };
        if other.instance == self.claim.instance || message.retain {
            session.heard_itself = true;
            return;
        }
        if other.goes_before(&self.claim) {
            session.duplicate = Some(other);
            return;
        }
        log::debug!("{} on {} asks for this device's id", other.instance, other.host);
        self.say_who(session);
        if other.holds {
            // What it has said until now stands on the broker.
            session.restate = Some(Instant::now() + RESTATE_AFTER);
        }
    }

    fn yield_to(&mut self, other: &Claim) {
        self.claim.give_up();
        let known = self.ended(format!(
            "another device with the same id is connected, on host {} (give each its own device.id)",
            other.host
        ));
        if known {
            log::debug!("the id is still taken by {}", other.instance);
        } else {
            log::error!(
                "another emotiond, on host {}, already publishes on {}: this one keeps off the broker until \
                 that one is gone (give each device its own device.id)",
                other.host,
                self.shared.topics.name(Topic::State)
            );
        }
    }

    /// Notes that there is no connection and why; whether that was known.
    fn ended(&self, cause: String) -> bool {
        let mut state = self.shared.lock();
        state.connected = false;
        state.outbox.disconnected();
        state.last_error.replace(cause.clone()) == Some(cause)
    }

    /// Notes the end of a connection or the failure to get one; logs what is new.
    fn failed(&self, session: &Session, cause: String) {
        let known = self.ended(cause.clone());
        if session.connected.is_some() {
            log::warn!("lost broker {}: {cause}", self.address());
        } else if !known {
            log::warn!("unable to connect to broker {}: {cause}; trying again", self.address());
        }
    }

    fn received(&mut self, session: &mut Session, message: &Publish) {
        let Some(topic) = self.shared.topics.find(&message.topic, &self.subscriptions()) else { return };
        match topic {
            Topic::Instance => self.claimed(session, message),
            _ if !session.holding => {}
            // The will of a connection that the broker gave up late, such as one before a power cut.
            Topic::Availability if message.payload.as_ref() == b"offline" && !message.retain => {
                self.shared.lock().outbox.again(|topic| topic == Topic::Availability);
                session.hand_over(&self.shared);
            }
            Topic::Availability => {}
            Topic::HomeAssistantStatus => {
                if message.payload.as_ref() == b"online" && !message.retain && session.announce.is_none() {
                    session.announce = Some(Instant::now() + ANNOUNCE_WITHIN.mul_f64(chance::share()));
                }
            }
            command => self.command(command, message),
        }
    }

    fn command(&mut self, topic: Topic, message: &Publish) {
        // A retained command is one from the past; the device's own state has moved on since.
        if message.retain {
            log::info!("ignoring the retained message on {}", message.topic);
            return;
        }
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        let said = |word: &str| payload.trim().eq_ignore_ascii_case(word);
        let command = match topic {
            Topic::SettingsSet => Command::ChangeSettings(payload),
            Topic::EnabledSet if said("ON") => Command::SetEnabled(true),
            Topic::EnabledSet if said("OFF") => Command::SetEnabled(false),
            Topic::EnabledSet => return self.shared.refuse(topic, &payload, "neither ON nor OFF"),
            _ if said(PRESS) => Command::RestartCamera,
            _ => return self.shared.refuse(topic, &payload, "not PRESS"),
        };
        (self.on_command)(command);
    }

    /// Says `offline` and disconnects. Without the disconnect the broker publishes the will, which
    /// is right when it did not acknowledge.
    async fn farewell(&mut self, session: &mut Session, connection: &mut EventLoop) {
        self.shared.lock().outbox.close();
        session.hand_over(&self.shared);
        while !session.is_done() {
            match connection.poll().await {
                Ok(event) => self.handle(session, event),
                Err(_) => return,
            }
        }
        session.leave(connection).await;
    }

    /// Waits; `true` at shutdown.
    async fn pause(&self, duration: Duration, tick: &mut Interval) -> bool {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            tick.tick().await;
            self.pulse.beat();
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
