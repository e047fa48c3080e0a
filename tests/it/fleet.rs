//! Two hundred devices on one broker that is killed and started. Prints figures; run by `make fleet-test`.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use emotiond::base::part::Part;
use emotiond::base::shutdown::Shutdown;
use emotiond::config::Config;
use emotiond::mqtt::{self, Mqtt};
use emotiond::vocabulary::emotion::{self, Emotion};
use emotiond::vocabulary::wire;

use rumqttc::QoS;
use support::mosquitto::{Mosquitto, Watcher, address, within};

const DEVICES: usize = 200;

/// Events of each device in the measurement of the rate.
const EVENTS: usize = 100;

const OUTAGE: Duration = Duration::from_secs(20);

const DEADLINE: Duration = Duration::from_secs(120);

struct Fleet {
    devices: Vec<(Mqtt, Part)>,
    shutdown: Shutdown,
}

impl Fleet {
    fn start(broker: &Mosquitto) -> Self {
        let shutdown = Shutdown::default();
        let device = |number| {
            let url = format!("mqtt://{}", broker.host);
            let text = format!("device.id = \"d{number}\"\n[mqtt]\nurl = \"{url}\"\n");
            let config = Config::parse(&text, "fleet.toml", &BTreeMap::new()).expect("valid").mqtt;
            mqtt::start(&config, shutdown.clone(), |_| {}).expect("starts").expect("a broker is configured")
        };
        Self { devices: (0..DEVICES).map(device).collect(), shutdown }
    }

    fn connected(&self) -> usize {
        self.devices.iter().filter(|(mqtt, _)| mqtt.status().connected).count()
    }

    /// Each device sees something else.
    fn observe(&self, round: usize) {
        for (number, (mqtt, _)) in self.devices.iter().enumerate() {
            mqtt.set_camera(true);
            mqtt.set_enabled(true);
            mqtt.set_state(&state(number, round));
            mqtt.event(&event(number, round));
        }
    }

    fn stop(self) {
        self.shutdown.request();
        for (_, thread) in self.devices {
            thread.join().expect("no panic");
        }
    }
}

fn emotion(number: usize, round: usize) -> Emotion {
    Emotion::ALL[(number + round) % Emotion::ALL.len()]
}

fn state(number: usize, round: usize) -> wire::State {
    let emotion = emotion(number, round);
    wire::State {
        time: "2026-01-31T12:00:00.000Z".to_owned(),
        emotion: emotion.name(),
        confidence: 0.93,
        scores: wire::Scores(emotion::Scores::from_pairs([(emotion, 0.93)])),
        faces: 1,
        primary: None,
        others: Vec::new(),
        since: "2026-01-31T12:00:00.000Z".to_owned(),
    }
}

fn event(number: usize, round: usize) -> wire::Event {
    wire::Event {
        id: format!("d{number}-{round}"),
        event_type: wire::EventType::EmotionChanged,
        from: None,
        to: Some(emotion(number, round).name()),
        face: None,
        person: None,
        duration_s: Some(1.5),
        time: "2026-01-31T12:00:00.000Z".to_owned(),
    }
}

/// Resident memory in bytes.
fn memory() -> usize {
    let text = fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize = text.split(' ').nth(1).expect("resident").parse().expect("a number");
    pages * rustix::param::page_size()
}

fn events_seen(watcher: &Watcher) -> usize {
    watcher.messages().iter().filter(|message| message.topic.ends_with("/event")).count()
}

/// The newest payload on each topic.
fn newest(watcher: &Watcher) -> HashMap<String, String> {
    watcher.messages().iter().map(|message| (message.topic.clone(), message.payload.clone())).collect()
}

/// Whether every device is online and what it sees is right.
fn all_right(watcher: &Watcher, round: usize) -> bool {
    let newest = newest(watcher);
    (0..DEVICES).all(|number| {
        let is = |topic: &str, payload: &str| {
            newest.get(&format!("emotiond/d{number}/{topic}")).is_some_and(|newest| newest == payload)
        };
        is("availability", "online") && is("emotion", emotion(number, round).name())
    })
}

#[test]
fn two_hundred_devices_come_back_to_a_broker_that_was_killed() {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    broker.run();
    let before = memory();
    let fleet = Fleet::start(&broker);
    within(DEADLINE, "all connected", || fleet.connected() == DEVICES);
    fleet.observe(0);
    let watcher = Watcher::new(&broker);
    within(DEADLINE, "all online", || all_right(&watcher, 0));
    println!("memory: {} KiB a device, its thread included", (memory() - before) / DEVICES / 1024);

    let (seen, start) = (events_seen(&watcher), Instant::now());
    for round in 1..=EVENTS {
        for (number, (mqtt, _)) in fleet.devices.iter().enumerate() {
            mqtt.event(&event(number, round));
        }
    }
    within(DEADLINE, "every event", || events_seen(&watcher) >= seen + DEVICES * EVENTS);
    let rate = (DEVICES * EVENTS) as f64 / start.elapsed().as_secs_f64();
    println!("rate: {rate:.0} messages a second of QoS 1, from {DEVICES} devices to one subscriber");

    // Whoever answers a command has read the broker's acknowledgements before it: what is not acknowledged comes twice.
    let refused = || watcher.messages().iter().filter(|message| message.topic.ends_with("/error")).count();
    for number in 0..DEVICES {
        let topic = format!("emotiond/d{number}/enabled/set");
        watcher.client.publish(topic, QoS::AtLeastOnce, false, "neither").expect("published");
    }
    within(DEADLINE, "every event is acknowledged", || refused() == DEVICES);
    broker.kill();
    within(DEADLINE, "all see the loss", || fleet.connected() == 0);
    let last = EVENTS + 1;
    fleet.observe(last);
    thread::sleep(OUTAGE);
    broker.run();
    let (start, watcher) = (Instant::now(), Watcher::new(&broker));
    let mut arrivals: Vec<Option<Duration>> = vec![None; DEVICES];
    within(DEADLINE, "all back", || {
        for (arrival, (mqtt, _)) in arrivals.iter_mut().zip(&fleet.devices) {
            if arrival.is_none() && mqtt.status().connected {
                *arrival = Some(start.elapsed());
            }
        }
        arrivals.iter().all(Option::is_some)
    });
    within(DEADLINE, "all states right", || all_right(&watcher, last));
    within(DEADLINE, "the events of the outage", || events_seen(&watcher) >= DEVICES);
    let recovered = start.elapsed();
    let dropped: u64 = fleet.devices.iter().map(|(mqtt, _)| mqtt.status().events_dropped).sum();
    assert_eq!((events_seen(&watcher), dropped), (DEVICES, 0), "each event of the outage once");

    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    for arrival in arrivals.into_iter().flatten() {
        *seconds.entry(arrival.as_secs()).or_default() += 1;
    }
    println!("recovery: all online, states right, events delivered {recovered:.1?} after the broker's start");
    println!("came back in each second: {seconds:?}");
    let crowd = seconds.values().max().copied().unwrap_or_default();
    assert!(crowd < DEVICES / 2, "a herd: {crowd} of {DEVICES} in one second");
    fleet.stop();
    within(DEADLINE, "all offline", || {
        let newest = newest(&watcher);
        (0..DEVICES).all(|number| {
            newest.get(&format!("emotiond/d{number}/availability")).is_some_and(|a| a == "offline")
        })
    });
}
