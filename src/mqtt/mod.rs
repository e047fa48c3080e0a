//! Publishing over MQTT 3.1.1, and the commands that come in.
//!
//! The daemon talks to a [`Mqtt`](crate::mqtt::Mqtt) handle, which only writes down what is to be published; the thread
//! `mqtt` owns the connection and sends it. So nothing here waits for a broker, and what is retained
//! is right again right after each connect, whatever happened in between.
//!
//! Events are delivered at least once: one that the broker did not acknowledge is sent again after
//! the next connect with the time and `id` that it had. A thousand are kept; then the oldest go.

mod cause;
mod claim;
mod client;
mod connect;
mod discovery;
mod forget;
mod limits;
mod outbox;
mod probe;
mod session;
mod shared;
mod topics;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::Notify;

pub use connect::MqttError;
pub use forget::{ForgetError, forget};
pub use shared::Command;

use crate::base::chance;
use crate::base::part::Part;
use crate::base::shutdown::Shutdown;
use crate::base::topic::TopicName;
use crate::config;
use crate::vocabulary::wire;
use claim::{Claim, Speaker};
use client::Client;
use outbox::{Letter, Outbox};
use shared::{Shared, State, json, on_off};
use topics::{Topic, Topics};

/// How the connection is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The broker takes messages.
    pub connected: bool,
    /// Why there is no connection, or not for this device; `None` while there is one, and before the first try has failed.
    pub last_error: Option<String>,
    /// Connections after the first.
    pub reconnects: u64,
    /// Another device speaks for this one's id.
    pub yielding: bool,
    /// How often another began to.
    pub yielded: u64,
    /// Messages that were left out because they are too large for the broker.
    pub left_out: u64,
    /// Messages of rules that were given up: too many at once, or too old when the broker was back.
    pub letters_dropped: u64,
    /// Events that were lost because the broker was away for too long.
    pub events_dropped: u64,
}

/// The publishing end; clones share it. No method waits for the broker.
#[derive(Clone, Debug)]
pub struct Mqtt(Arc<Shared>);

/// Starts the thread `mqtt`, which ends within a second of `shutdown`, two right after a connect, and
/// says `offline` before if the broker listens. `None` when `config` names no broker.
///
/// `on_command` is called on that thread and must not wait.
///
/// # Errors
/// When a configured file cannot be read or used, or the thread not be started; an absent broker is
/// no error.
pub fn start(
    config: &config::Mqtt,
    shutdown: Shutdown,
    on_command: impl FnMut(Command) + Send + 'static,
) -> Result<Option<(Mqtt, Part)>, MqttError> {
    let Some(broker) = &config.broker else { return Ok(None) };
    let topics = Topics::new(config);
    let run = chance::run_id();
    let client_id = config.client_id.clone().unwrap_or_else(|| format!("emotiond-{}-{run}", config.device));
    let mut options = connect::options(config, broker, &client_id)?;
    options.set_last_will(connect::will(&topics));
    let mut outbox = Outbox::new();
    if config.discovery {
        outbox.set(Topic::Discovery, discovery::payload(config, &topics));
    }
    let shared = Arc::new(Shared { topics, state: Mutex::new(State::new(outbox)), wake: Notify::new() });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MqttError::Thread)?;
    let (own, discovery, on_command) = (Arc::clone(&shared), config.discovery, Box::new(on_command));
    let part = Part::spawn("mqtt", move |pulse| {
        let speaker = Speaker::new(Claim::new(run));
        let client = Client::new(options, speaker, discovery, own, shutdown, on_command, pulse.clone());
        runtime.block_on(client.run());
        // Dropping the runtime would wait for a host name to be looked up.
        runtime.shutdown_background();
    });
    Ok(Some((Mqtt(shared), part.map_err(MqttError::Thread)?)))
}

/// Reads what [`start`] would read and answers with all that is wrong; an absent broker is not.
pub fn check(config: &config::Mqtt) -> Vec<MqttError> {
    config.broker.as_ref().map(|broker| connect::mistakes(config, broker)).unwrap_or_default()
}

impl Mqtt {
    /// Whether the camera delivers; `offline` until it is said.
    pub fn set_camera(&self, online: bool) {
        let payload = if online { "online" } else { "offline" };
        self.publish(|outbox| outbox.set(Topic::CameraAvailability, payload.into()));
    }

    /// Whether the camera may be read.
    pub fn set_enabled(&self, enabled: bool) {
        self.publish(|outbox| outbox.set(Topic::Enabled, on_off(enabled).into()));
    }

    /// How the camera is, and why.
    pub fn set_camera_state(&self, state: &wire::CameraState) {
        let payload = json(state);
        self.publish(|outbox| outbox.set(Topic::CameraState, payload));
    }

    /// What can be changed while running.
    pub fn set_settings(&self, settings: &wire::Settings) {
        let payload = json(settings);
        self.publish(|outbox| outbox.set(Topic::Settings, payload));
    }

    /// What the device sees: `state`, and `emotion` when that is another.
    pub fn set_state(&self, state: &wire::State) {
        let payload = json(state);
        self.publish(|outbox| {
            outbox.set(Topic::Emotion, state.emotion.into());
            outbox.set(Topic::State, payload);
        });
    }

    /// Publishes an event, after those before it, when the broker can be reached.
    pub fn event(&self, event: &wire::Event) {
        let payload = json(event);
        self.publish(|outbox| outbox.event(payload));
    }

    /// Publishes to any topic: what is retained is kept current like the state; the rest is given up
    /// when the broker cannot be reached for half a minute.
    pub fn letter(&self, topic: &TopicName, payload: Vec<u8>, retain: bool) {
        let letter = Letter { topic: topic.clone(), payload, retain, written: Instant::now() };
        let before = self.0.lock().outbox.letters_dropped();
        self.publish(|outbox| outbox.rule(letter));
        if before == 0 && self.0.lock().outbox.letters_dropped() > 0 {
            log::warn!(
                "messages of rules are given up: too many wait for the broker; further ones are only counted"
            );
        }
    }

    /// Publishes statistics if the broker can be reached now.
    pub fn stats(&self, stats: &wire::Stats) {
        if self.0.lock().linked {
            let payload = json(stats);
            self.publish(|outbox| outbox.stats(payload));
        }
    }

    /// Says that `command` is not obeyed, and why.
    pub fn refuse(&self, command: &Command, reason: &str) {
        let (topic, payload) = command.message();
        self.0.refuse(topic, payload, reason);
    }

    /// Publishes a picture, a JPEG, if the broker can be reached now. Nobody keeps it.
    pub fn face_image(&self, jpeg: Vec<u8>) {
        if self.0.lock().linked {
            self.publish(|outbox| outbox.image(jpeg));
        }
    }

    /// What is known now.
    pub fn status(&self) -> Status {
        let state = self.0.lock();
        Status {
            connected: state.connected,
            last_error: state.last_error.clone(),
            yielding: state.yielding,
            yielded: state.yielded,
            left_out: state.left_out,
            reconnects: state.connections.saturating_sub(1),
            letters_dropped: state.outbox.letters_dropped(),
            events_dropped: state.outbox.events_dropped(),
        }
    }

    fn publish(&self, put: impl FnOnce(&mut Outbox)) {
        put(&mut self.0.lock().outbox);
        self.0.wake.notify_one();
    }
}
