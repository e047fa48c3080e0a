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
    SubscribeReasonCode, Transport,
};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::cause;
use super::claim::{Claim, Phase, Speaker, Step};
use super::limits::{AtRisk, Lesson, Limits, MAX_PACKET};
use super::probe;
use super::session::{CHANNEL, Session};
use super::shared::{Command, PRESS, Shared, json};
use super::topics::Topic;
use crate::base::backoff::Backoff;
use crate::base::chance;
use crate::base::part::Pulse;
use crate::base::printable::printable;
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
    Duplicate,
}

/// Commands that are kept until it is known that they are for this device.
const MOST_COMMANDS: usize = 32;

pub struct Client {
    options: MqttOptions,
    speaker: Speaker,
    limits: Limits,
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
        speaker: Speaker,
        discovery: bool,
        shared: Arc<Shared>,
        shutdown: Shutdown,
        on_command: Box<dyn FnMut(Command) + Send>,
        pulse: Pulse,
    ) -> Self {
        Self { options, speaker, limits: Limits::default(), discovery, shared, shutdown, on_command, pulse }
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
            let mut session = Session::new(client, self.limits.careful());
            let pause = match self.session(&mut session, &mut connection, &mut tick).await {
                Ok(End::Shutdown) => return,
                Ok(End::Duplicate) => {
                    self.yielded();
                    LONGEST_PAUSE
                }
                Err(error) => {
                    let cause = self.cause(&session, &error, &mut tick).await;
                    self.failed(&mut session, &error, cause);
                    if session.connected.is_some_and(|since| since.elapsed() >= STEADY) {
                        backoff.reset();
                    }
                    if cause::is_lasting(&error) { LONGEST_PAUSE } else { backoff.pause() }
                }
            };
            drop((session, connection));
            self.speaker.ended();
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
            if let Phase::Yielding { held, .. } = *self.speaker.phase() {
                // Without the will. One that has said that it is online says that it is not; should the other one
                // be, that says so again.
                if held {
                    self.shared.lock().outbox.part();
                }
                let _ = timeout(FAREWELL, self.leave(session, connection)).await;
                return Ok(End::Duplicate);
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
                    if self.shutdown.requested() && !self.speaker.is_asking() {
                        return None;
                    }
                    self.timers(session);
                }
            }
        }
    }

    /// Does what has become due.
    fn timers(&mut self, session: &mut Session) {
        let now = Instant::now();
        if let Some(step) = self.speaker.due(now) {
            if !self.speaker.heard_itself() {
                // MQTT 3.1.1 has no word for it: the broker acknowledges what it throws away.
                let name = self.shared.topics.name(Topic::Instance);
                log::warn!(
                    "broker {} does not pass on what is said on {name} (check its ACL)",
                    self.address()
                );
            }
            self.take(session, step);
        }
        session.timers(&self.shared, now);
        if session.careful && session.connected.is_some_and(|since| now - since >= STEADY) {
            log::info!("the connection to broker {} lasts", self.address());
            self.limits.lasted();
            session.careful = false;
            session.at_risk = AtRisk::default();
            session.hand_over(&self.shared);
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
                if let Some(ticket) = session.acknowledged(ack.pkid) {
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
        let now = Instant::now();
        session.connected = Some(now);
        self.shared.lock().linked = true;
        self.speaker.connected(now);
        session.subscribe(self.subscriptions(), &self.shared.topics);
    }

    /// Everything that is listened to: commands, Home Assistant, and what others say in this
    /// device's name.
    fn subscriptions(&self) -> Vec<Topic> {
        let mut topics = vec![Topic::Instance, Topic::Availability];
        topics.extend(Topic::COMMANDS);
        // Without discovery it is taken back what an earlier run has announced.
        topics.push(if self.discovery { Topic::HomeAssistantStatus } else { Topic::Discovery });
        topics.retain(|topic| self.limits.listens(*topic));
        topics
    }

    fn subscribed(&mut self, session: &mut Session, codes: &[SubscribeReasonCode]) {
        let (topics, done) = session.subscribed(codes.len());
        for (topic, code) in topics.iter().zip(codes) {
            if *code == SubscribeReasonCode::Failure && *topic != Topic::Discovery {
                let name = self.shared.topics.name(*topic);
                log::warn!("broker {} refuses the subscription to {name} (check its ACL)", self.address());
            }
        }
        if !done {
            self.speaker.connected(Instant::now());
        } else {
            let step = self.speaker.subscribed(Instant::now());
            self.say_who(session);
            self.take(session, step);
        }
    }

    fn say_who(&self, session: &mut Session) {
        self.shared.lock().outbox.claim(json(self.speaker.claim()));
        session.hand_over(&self.shared);
    }

    fn take(&mut self, session: &mut Session, step: Step) {
        match step {
            // Said with the subscription.
            Step::Say if self.speaker.is_asking() => {}
            Step::Say => self.say_who(session),
            Step::Restate => {
                self.say_who(session);
                session.restate = Some(Instant::now() + RESTATE_AFTER);
            }
            Step::Hold => self.hold(session),
            // The session looks at the phase.
            Step::Yield => {}
        }
    }

    /// The id is ours: everything may be said.
    fn hold(&mut self, session: &mut Session) {
        let level = if session.careful { log::Level::Debug } else { log::Level::Info };
        log::log!(level, "connected to broker {}", self.address());
        self.speaker.began(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0));
        session.at_risk.subscription = None;
        {
            let mut state = self.shared.lock();
            state.connected = true;
            state.yielding = false;
            state.last_error = None;
            state.connections += 1;
            state.outbox.connected(Instant::now());
            state.outbox.hold();
        }
        session.hand_over(&self.shared);
        for (topic, message) in std::mem::take(&mut session.commands) {
            self.command(topic, &message);
        }
    }

    /// Somebody speaks for this device's id.
    fn claimed(&mut self, session: &mut Session, message: &Publish) {
        let Ok(other) = serde_json::from_slice::<Claim>(&message.payload) else { return };
        if let Some(step) = self.speaker.heard(other, message.retain) {
            self.take(session, step);
        }
    }

    fn yielded(&mut self) {
        let Phase::Yielding { other, .. } = self.speaker.phase().clone() else { return };
        let known = self.ended(format!(
            "another device with the same id is connected, on host {} (give each its own device.id)",
            printable(&other.host)
        ));
        {
            let mut state = self.shared.lock();
            state.yielded += u64::from(!state.yielding);
            state.yielding = true;
        }
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
        state.linked = false;
        state.outbox.disconnected();
        state.last_error.replace(cause.clone()) == Some(cause)
    }

    /// Why there is no connection, and which kind of server is there instead of a broker.
    async fn cause(&self, session: &Session, error: &ConnectionError, tick: &mut Interval) -> String {
        let cause = cause::describe(error);
        let known = self.shared.lock().last_error.as_ref().is_some_and(|last| last.starts_with(&cause));
        let (host, port) = self.options.broker_address();
        let plain = matches!(self.options.transport(), Transport::Tcp);
        if known {
            return self.shared.lock().last_error.clone().unwrap_or(cause);
        }
        if session.connected.is_some() || !plain || !cause::is_strange(error) {
            return cause;
        }
        let found = tokio::select! {
            found = probe::who_answers(&host, port) => found,
            () = self.until_shutdown(tick) => None,
        };
        found.map_or(cause.clone(), |found| format!("{cause}: {found}"))
    }

    async fn until_shutdown(&self, tick: &mut Interval) {
        while !self.shutdown.requested() {
            tick.tick().await;
            self.pulse.beat();
        }
    }

    /// Notes the end of a connection or the failure to get one; logs what is new.
    fn failed(&mut self, session: &mut Session, error: &ConnectionError, cause: String) {
        let known = self.ended(cause.clone());
        let Some(since) = session.connected else {
            if !known {
                log::warn!("unable to connect to broker {}: {cause}; trying again", self.address());
            }
            return;
        };
        // One that ends again and again is told of until it is looked into.
        let level = if session.careful { log::Level::Debug } else { log::Level::Warn };
        log::log!(level, "lost broker {}: {cause}", self.address());
        session.at_risk.oversized = cause::is_oversized(error);
        let address = self.address();
        match self.limits.ended(since.elapsed() < STEADY, &session.at_risk) {
            Some(Lesson::TooLarge { topic, bytes }) => {
                self.shared.lock().limit = self.limits.limit();
                log::error!(
                    "broker {address} ends the connection at a message of {bytes} bytes on {topic}: from now on such \
                     large ones are left out (its max_packet_size?)"
                );
            }
            Some(Lesson::Deaf(topic)) => log::error!(
                "broker {address} keeps a message of more than {MAX_PACKET} bytes on {}, which is not listened to any \
                 more (delete it there)",
                self.shared.topics.name(topic)
            ),
            None => {}
        }
    }

    fn received(&mut self, session: &mut Session, message: &Publish) {
        let Some(topic) = self.shared.topics.find(&message.topic, &self.subscriptions()) else { return };
        match topic {
            Topic::Instance => self.claimed(session, message),
            Topic::Availability if self.speaker.is_asking() => {
                self.speaker.kept(message.payload.as_ref() == b"online");
            }
            Topic::Discovery => {
                if message.retain && !message.payload.is_empty() {
                    log::info!(
                        "taking back what was announced on {} (mqtt.discovery is false)",
                        message.topic
                    );
                    self.shared.lock().outbox.set(Topic::Discovery, Vec::new());
                    session.hand_over(&self.shared);
                }
            }
            // It may be another device's.
            command if !self.speaker.is_holding() => {
                if Topic::COMMANDS.contains(&command) && session.commands.len() < MOST_COMMANDS {
                    session.commands.push((command, message.clone()));
                }
            }
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
        self.leave(session, connection).await;
    }

    /// Disconnects once the broker has all that there is to say.
    async fn leave(&mut self, session: &mut Session, connection: &mut EventLoop) {
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
