//! What the handle and the thread share, and the commands that come in.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;

use super::limits::MAX_PACKET;
use super::outbox::Outbox;
use super::topics::{Topic, Topics};
use crate::base::clock;
use crate::base::mutex::lock;
use crate::vocabulary::wire;

/// What somebody wants of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Switch the camera on or off.
    SetEnabled(bool),
    /// Change settings; the payload as it came, whatever it is.
    ChangeSettings(String),
    /// Close the camera and open it again.
    RestartCamera,
}

impl Command {
    /// Where it came in, and what it said.
    pub(super) fn message(&self) -> (Topic, &str) {
        match self {
            Self::SetEnabled(enabled) => (Topic::EnabledSet, on_off(*enabled)),
            Self::ChangeSettings(payload) => (Topic::SettingsSet, payload),
            Self::RestartCamera => (Topic::CameraRestart, PRESS),
        }
    }
}

/// What a button of Home Assistant says.
pub(super) const PRESS: &str = "PRESS";

/// Topics for which it is said that a message was left out; rules name at most a few more.
const MOST_SAID: usize = 100;

#[derive(Debug)]
pub(super) struct Shared {
    pub topics: Topics,
    pub state: Mutex<State>,
    /// Something is to be sent.
    pub wake: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub outbox: Outbox,
    pub connected: bool,
    pub last_error: Option<String>,
    /// Connections so far.
    pub connections: u64,
    /// There is a connection, also while it is not known yet whether the id is this device's.
    pub linked: bool,
    /// Another speaks for this device's id.
    pub yielding: bool,
    /// How often another began to.
    pub yielded: u64,
    /// Packets of this many bytes and larger are left out.
    pub limit: usize,
    /// How many were, and for which topics that was said.
    pub left_out: u64,
    pub left_out_said: BTreeSet<String>,
}

impl State {
    pub fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            connected: false,
            last_error: None,
            connections: 0,
            linked: false,
            yielding: false,
            yielded: 0,
            limit: MAX_PACKET,
            left_out: 0,
            left_out_said: BTreeSet::new(),
        }
    }

    /// A message is too large for the broker, or for any.
    pub fn leave_out(&mut self, topic: String, bytes: usize) {
        self.left_out += 1;
        if self.left_out_said.len() < MOST_SAID && !self.left_out_said.contains(&topic) {
            let limit = self.limit;
            log::error!(
                "a message of {bytes} bytes on {topic} is left out: from {limit} on they are too large"
            );
            self.left_out_said.insert(topic);
        }
    }
}

impl Shared {
    /// A panicked holder leaves at worst one message in or out: nothing here is half-written.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn refuse(&self, topic: Topic, payload: &str, reason: &str) {
        let refusal = wire::Refusal {
            topic: self.topics.name(topic),
            payload: payload.chars().take(100).collect(),
            reason: reason.to_owned(),
            time: clock::rfc3339(Timestamp::now()),
        };
        self.lock().outbox.error(json(&refusal));
        self.wake.notify_one();
    }
}

pub(super) const fn on_off(enabled: bool) -> &'static str {
    if enabled { "ON" } else { "OFF" }
}

/// # Panics
/// Never: what `wire` defines has text keys and no failing `Serialize`.
pub(super) fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("wire types serialise")
}
