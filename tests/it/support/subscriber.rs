//! A subscriber that stays: it comes back to the broker at once whenever that is there again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use super::mosquitto::{Mosquitto, eventually};

#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub topic: String,
    pub payload: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

pub struct Subscriber {
    pub client: Client,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Subscriber {
    pub fn new(broker: &Mosquitto) -> Self {
        let mut options = MqttOptions::new("subscriber", &broker.host, Mosquitto::PORT);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 64);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (inbox, subscribing) = (Arc::clone(&seen), client.clone());
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        subscribing.try_subscribe("#", QoS::AtLeastOnce).expect("subscribes");
                    }
                    Ok(Event::Incoming(Packet::Publish(message))) => inbox.lock().expect("seen").push(Seen {
                        at: Instant::now(),
                        payload: String::from_utf8_lossy(&message.payload).into_owned(),
                        topic: message.topic,
                    }),
                    Ok(_) => {}
                    // Before any device, the first of which waits half a second.
                    Err(_) => thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Self { client, seen }
    }

    /// What has come on the device's `topic` since `mark`.
    pub fn on(&self, topic: &str, mark: Instant) -> Vec<Seen> {
        let seen = self.seen.lock().expect("seen");
        seen.iter().filter(|seen| seen.at >= mark && seen.topic == topic).cloned().collect()
    }

    pub fn payloads(&self, topic: &str, mark: Instant) -> Vec<String> {
        self.on(topic, mark).into_iter().map(|seen| seen.payload).collect()
    }

    /// Waits until something comes on `topic` after `mark`; how long that took.
    pub fn wait_for(&self, topic: &str, payload: Option<&str>, mark: Instant) -> Duration {
        let mut first = None;
        eventually(&format!("{payload:?} on {topic}"), || {
            let fits = |seen: &Seen| payload.is_none_or(|payload| payload == seen.payload);
            first = self.on(topic, mark).into_iter().find(fits);
            first.is_some()
        });
        first.expect("found").at - mark
    }

    /// The events' numbers: how many there were, how many twice, and those missing up to the last.
    pub fn events(&self, topic: &str) -> Events {
        let seen = self.seen.lock().expect("seen");
        let numbers: Vec<u64> = seen
            .iter()
            .filter(|seen| seen.topic == topic)
            .map(|seen| {
                let json = seen.json();
                let id = json["id"].as_str().expect("an id");
                id.rsplit('-').next().expect("a part").parse().expect("a number")
            })
            .collect();
        let different: BTreeSet<u64> = numbers.iter().copied().collect();
        let last = different.last().copied().unwrap_or_default();
        Events {
            different: different.len(),
            twice: numbers.len() - different.len(),
            missing: (1..=last).filter(|number| !different.contains(number)).collect(),
        }
    }
}

pub struct Events {
    pub different: usize,
    /// Sent again with the same id, as QoS 1 allows.
    pub twice: usize,
    pub missing: Vec<u64>,
}
