//! Publishing over MQTT, against a real broker that is absent, killed, frozen or no broker at all.

use std::collections::BTreeMap;
use std::process::Command as Process;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use emotiond::base::part::Part;
use emotiond::base::shutdown::Shutdown;
use emotiond::config::{self, Config};
use emotiond::mqtt::{self, Command, Mqtt};
use emotiond::vocabulary::emotion::{self, Emotion};
use emotiond::vocabulary::wire;
use rumqttc::QoS;

use crate::support::mosquitto::{DEADLINE, Message, Mosquitto, Watcher, address, eventually, within};
use crate::support::stand_in::{Gate, impostor, run};

/// The part as the daemon runs it.
pub struct Device {
    pub mqtt: Mqtt,
    pub commands: mpsc::Receiver<Command>,
    shutdown: Shutdown,
    thread: Option<Part>,
}

impl Device {
    pub fn start(config: &config::Mqtt) -> Self {
        let shutdown = Shutdown::default();
        let (sender, commands) = mpsc::channel();
        let on_command = move |command| {
            let _ = sender.send(command);
        };
        let (mqtt, thread) = mqtt::start(config, shutdown.clone(), on_command)
            .expect("starts")
            .expect("a broker is configured");
        Self { mqtt, commands, shutdown, thread: Some(thread) }
    }
    pub fn connected(config: &config::Mqtt) -> Self {
        let device = Self::start(config);
        eventually("a connection", || device.mqtt.status().connected);
        device
    }
    fn beats(&self) -> u64 {
        self.thread.as_ref().expect("running").beats()
    }
    /// Waits until the reason for having no connection is `cause`.
    pub fn wait_for_error(&self, cause: &str) {
        eventually(cause, || self.mqtt.status().last_error.is_some_and(|error| error.contains(cause)));
    }
    /// Fails if the thread does not end soon: a second is promised, a wait for the broker would
    /// take five.
    pub fn stop(&mut self) {
        self.shutdown.request();
        let thread = self.thread.take().expect("running");
        within(Duration::from_secs(4), "the thread's end", || thread.is_finished());
        thread.join().expect("no panic");
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

/// The configuration with `url`, and `more` keys of its section.
pub fn config(url: &str, more: &str) -> config::Mqtt {
    let text = format!("[mqtt]\nurl = \"{url}\"\nbase_topic = \"e/t\"\ndiscovery = false\n{more}\n");
    Config::parse(&text, "test.toml", &BTreeMap::new()).expect("valid").mqtt
}

pub fn plain(host: &str) -> config::Mqtt {
    config(&format!("mqtt://{host}"), "")
}

fn through(gate: &Gate) -> config::Mqtt {
    config(&format!("mqtt://127.0.0.1:{}", gate.port), "")
}

fn state(emotion: &'static str, time: &str) -> wire::State {
    wire::State {
        time: time.to_owned(),
        emotion,
        confidence: 0.93,
        scores: wire::Scores(emotion::Scores::from_pairs([(Emotion::Happy, 0.93)])),
        faces: 1,
        primary: None,
        others: Vec::new(),
        since: "2026-01-31T12:00:00.000Z".to_owned(),
    }
}

fn event(number: usize) -> wire::Event {
    wire::Event {
        id: format!("t-{number}"),
        event_type: wire::EventType::EmotionChanged,
        from: Some("sad"),
        to: Some("happy"),
        face: None,
        person: None,
        duration_s: Some(1.5),
        time: format!("2026-01-31T12:00:00.{:03}Z", number % 1000),
    }
}

fn json(payload: &str) -> serde_json::Value {
    serde_json::from_str(payload).expect("JSON")
}

/// The `event` payloads as they must arrive.
fn events(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| serde_json::to_string(&event(number)).expect("JSON")).collect()
}

/// Ten seconds after the start.
fn stats() -> wire::Stats {
    wire::Stats {
        time: "2026-01-31T12:00:10.000Z".to_owned(),
        uptime_s: 10.0,
        version: "0.1.0",
        camera: None,
        frames: 300,
        frames_dropped: 0,
        frames_damaged: 0,
        camera_reopened: 0,
        fps: 30.0,
        latency_ms: wire::Latency::default(),
        errors: BTreeMap::new(),
        events_dropped: 0,
        rules: BTreeMap::new(),
        memory_bytes: 1,
        delegate: "cpu".to_owned(),
    }
}

fn message(topic: &str, payload: &str, retain: bool, qos: QoS) -> Message {
    Message { topic: topic.to_owned(), payload: payload.to_owned(), retain, qos }
}

#[test]
fn every_topic_has_its_payload_retained_flag_and_qos() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let device = Device::connected(&plain(&broker.host));
    device.mqtt.set_camera(true);
    device.mqtt.set_enabled(true);
    let happy = state("happy", "2026-01-31T12:00:00.123Z");
    device.mqtt.set_state(&happy);
    // The same emotion at another time: `state` only.
    let later = state("happy", "2026-01-31T12:00:05.123Z");
    let later_json = serde_json::to_string(&later).expect("JSON");
    watcher.wait_for("e/t/state", &serde_json::to_string(&happy).expect("JSON"));
    device.mqtt.set_state(&later);
    device.mqtt.event(&event(1));
    let stats = stats();
    device.mqtt.stats(&stats);
    let stats_json = serde_json::to_string(&stats).expect("JSON");
    watcher.wait_for("e/t/stats", &stats_json);
    watcher.wait_for("e/t/event", &events(1..2)[0]);
    watcher.wait_for("e/t/state", &later_json);
    assert_eq!(watcher.payloads("e/t/emotion"), ["happy"]);
    let (once, never) = (QoS::AtLeastOnce, QoS::AtMostOnce);
    for live in [
        message("e/t/availability", "online", false, once),
        message("e/t/camera/availability", "online", false, once),
        message("e/t/enabled", "ON", false, once),
        message("e/t/emotion", "happy", false, once),
        message("e/t/state", &later_json, false, once),
        message("e/t/event", &events(1..2)[0], false, once),
        message("e/t/stats", &stats_json, false, never),
    ] {
        assert!(watcher.messages().contains(&live), "{live:?}");
    }

    let after_the_fact = Watcher::new(&broker);
    eventually("the retained messages", || after_the_fact.messages().len() >= 5);
    let mut retained = after_the_fact.messages().clone();
    retained.sort_by(|a, b| a.topic.cmp(&b.topic));
    assert_eq!(
        retained,
        [
            message("e/t/availability", "online", true, once),
            message("e/t/camera/availability", "online", true, once),
            message("e/t/emotion", "happy", true, once),
            message("e/t/enabled", "ON", true, once),
            message("e/t/state", &later_json, true, once),
        ]
    );
}

#[test]
fn a_clean_stop_says_offline_once() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let mut device = Device::connected(&plain(&broker.host));
    device.mqtt.set_camera(true);
    device.mqtt.event(&event(1));
    device.stop();
    watcher.client.publish("marker", QoS::AtLeastOnce, false, "seen").expect("published");
    watcher.wait_for("marker", "seen");
    assert_eq!(watcher.payloads("e/t/availability"), ["online", "offline"]);
    assert_eq!(watcher.payloads("e/t/camera/availability").last().map(String::as_str), Some("offline"));
    assert_eq!(watcher.payloads("e/t/event"), events(1..2));
    let after_the_fact = Watcher::new(&broker);
    after_the_fact.wait_for("e/t/availability", "offline");
    after_the_fact.wait_for("e/t/camera/availability", "offline");
    assert!(after_the_fact.messages().iter().all(|message| message.retain));
}

#[test]
fn the_will_says_offline_when_the_connection_breaks() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let gate = Gate::new(&broker);
    let device = Device::connected(&through(&gate));
    watcher.wait_for("e/t/availability", "online");
    gate.cut();
    watcher.wait_for("e/t/availability", "offline");
    let after_the_fact = Watcher::new(&broker);
    eventually("the retained will", || {
        after_the_fact.messages().contains(&message("e/t/availability", "offline", true, QoS::AtLeastOnce))
    });
    eventually("the loss is seen", || !device.mqtt.status().connected);
    gate.reopen();
    watcher.wait_for("e/t/availability", "online");
    assert_eq!(device.mqtt.status().reconnects, 1);
}

#[test]
fn a_broker_that_is_absent_at_start_gets_everything_later() {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    let device = Device::start(&plain(&broker.host));
    device.mqtt.set_state(&state("sad", "a"));
    device.mqtt.set_state(&state("happy", "b"));
    device.wait_for_error("connection refused");
    let before = device.beats();
    eventually("a heartbeat without a broker", || device.beats() > before + 3);
    broker.run();
    eventually("a connection", || device.mqtt.status().connected);
    assert_eq!(device.mqtt.status().last_error, None);
    let watcher = Watcher::new(&broker);
    watcher.wait_for("e/t/emotion", "happy");
    watcher.wait_for("e/t/availability", "online");
}

#[test]
fn a_killed_broker_gets_the_state_and_the_outage_in_order() {
    let mut broker = Mosquitto::start();
    let gate = Gate::new(&broker);
    let device = Device::connected(&through(&gate));
    device.mqtt.set_state(&state("sad", "before"));
    broker.kill();
    gate.cut();
    for number in 0..40 {
        device.mqtt.event(&event(number));
    }
    device.mqtt.set_state(&state("happy", "during"));
    device.mqtt.set_camera(true);

    broker.run();
    let watcher = Watcher::new(&broker);
    gate.reopen();
    eventually("the events of the outage", || watcher.payloads("e/t/event").len() >= 40);
    assert_eq!(watcher.payloads("e/t/event"), events(0..40));
    let topics: Vec<String> =
        watcher.messages().iter().skip(1).take(5).map(|message| message.topic.clone()).collect();
    assert_eq!(
        topics,
        ["e/t/availability", "e/t/camera/availability", "e/t/emotion", "e/t/state", "e/t/event"],
        "retained topics first"
    );
    assert_eq!(watcher.payloads("e/t/emotion"), ["happy"]);
    assert_eq!(json(&watcher.payloads("e/t/state")[0])["time"], "during");
    assert_eq!(device.mqtt.status().events_dropped, 0);
}

#[test]
fn the_oldest_events_go_when_an_outage_is_too_long() {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    broker.run();
    let gate = Gate::new(&broker);
    gate.cut();
    let device = Device::start(&through(&gate));
    for number in 0..1_100 {
        device.mqtt.event(&event(number));
    }
    assert_eq!(device.mqtt.status().events_dropped, 100);
    let watcher = Watcher::new(&broker);
    gate.reopen();
    eventually("the events that were kept", || watcher.payloads("e/t/event").len() >= 1_000);
    assert_eq!(watcher.payloads("e/t/event"), events(100..1_100));
}

#[test]
fn events_on_their_way_when_the_connection_breaks_are_sent_again() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let gate = Gate::new(&broker);
    let device = Device::connected(&through(&gate));
    watcher.wait_for("e/t/camera/availability", "offline");
    gate.swallow();
    for number in 0..40 {
        device.mqtt.event(&event(number));
    }
    eventually("events that get lost", || gate.swallowed() > 0);
    gate.cut();
    eventually("the loss is seen", || !device.mqtt.status().connected);
    gate.reopen();
    eventually("the events", || watcher.payloads("e/t/event").len() >= 40);
    assert_eq!(watcher.payloads("e/t/event"), events(0..40));
}

#[test]
fn a_frozen_broker_blocks_nothing_and_gets_everything_when_it_is_back() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let mut device = Device::connected(&plain(&broker.host));
    watcher.wait_for("e/t/availability", "online");
    broker.freeze();
    let mqtt = device.mqtt.clone();
    let publisher = thread::spawn(move || {
        for number in 0..500 {
            mqtt.event(&event(number));
            mqtt.set_state(&state("happy", &format!("t{number}")));
        }
    });
    eventually("the publisher's end", || publisher.is_finished());
    broker.thaw();
    eventually("the events", || watcher.payloads("e/t/event").len() >= 500);
    assert_eq!(watcher.payloads("e/t/event"), events(0..500));
    eventually("the newest state", || {
        watcher.payloads("e/t/state").last().is_some_and(|payload| json(payload)["time"] == "t499")
    });
    broker.freeze();
    device.stop();
    broker.thaw();
    watcher.wait_for("e/t/availability", "offline");
}

#[test]
fn wrong_credentials_are_named_and_right_ones_work() {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous false");
    let passwords = broker.path("passwords");
    broker.config.push_str(&format!("password_file {passwords}\n"));
    run(Process::new("mosquitto_passwd").args(["-b", "-c", &passwords, "device", "secret"]));
    broker.run();
    let url = format!("mqtt://{}", broker.host);
    let with_password = |text: &str| {
        let file = broker.path(text.trim());
        std::fs::write(&file, text).expect("password");
        config(&url, &format!("username = \"device\"\npassword_file = \"{file}\""))
    };
    let mut refused = Device::start(&with_password("wrong\n"));
    refused.wait_for_error("not authorised (check mqtt.username and mqtt.password_file)");
    refused.mqtt.set_state(&state("happy", "a"));
    refused.mqtt.event(&event(1));
    refused.stop();
    Device::connected(&with_password("secret\n")).stop();
}

#[test]
fn garbage_is_called_so_and_survived() {
    // First an invalid packet type, then noise of a fixed seed (a 64-bit linear congruential generator).
    let (url, connections) = impostor(|number| {
        let mut seed = number as u64;
        let noise = std::iter::repeat_with(move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        });
        if number == 0 { vec![0xf0, 0] } else { noise.take(512).collect() }
    });
    let mut device = Device::start(&config(&url, ""));
    device.wait_for_error("is this the port of an MQTT broker?");
    eventually("more tries", || connections.load(Ordering::SeqCst) >= 3);
    assert!(!device.mqtt.status().connected);
    device.stop();
}

#[test]
fn a_broker_that_never_answers_is_given_up_and_does_not_hold_up_the_stop() {
    let (url, connections) = impostor(|_| Vec::new());
    let mut device = Device::start(&config(&url, ""));
    eventually("a connection", || connections.load(Ordering::SeqCst) == 1);
    let before = device.beats();
    eventually("heartbeats meanwhile", || device.beats() > before + 3);
    device.wait_for_error("the broker does not answer");
    // Two of them have asked what it is that answers there.
    eventually("another try", || connections.load(Ordering::SeqCst) >= 4);
    device.stop();
}

#[test]
fn commands_are_passed_on_or_answered() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let publish = |retain, payload: &str| {
        watcher.client.publish("e/t/enabled/set", QoS::AtLeastOnce, retain, payload).expect("published");
    };
    publish(true, "ON");
    watcher.wait_for("e/t/enabled/set", "ON");
    let device = Device::connected(&plain(&broker.host));
    let next = || device.commands.recv_timeout(DEADLINE).expect("a command");
    watcher.wait_for("e/t/availability", "online");
    publish(false, "OFF");
    assert_eq!(next(), Command::SetEnabled(false), "the retained ON must be ignored");
    for on in ["ON", "on", " On \n"] {
        publish(false, on);
        assert_eq!(next(), Command::SetEnabled(true), "{on:?}");
    }
    watcher.client.publish("e/t/camera/restart", QoS::AtLeastOnce, false, "press\n").expect("published");
    assert_eq!(next(), Command::RestartCamera);

    publish(false, &"é".repeat(150));
    eventually("an answer", || watcher.payloads("e/t/error").len() == 1);
    device.mqtt.refuse(&Command::SetEnabled(true), "camera.enabled is false");
    eventually("a refusal", || watcher.payloads("e/t/error").len() == 2);
    let errors: Vec<serde_json::Value> =
        watcher.payloads("e/t/error").iter().map(|text| json(text)).collect();
    assert_eq!(errors[0]["topic"], "e/t/enabled/set");
    assert_eq!(errors[0]["payload"], "é".repeat(100));
    assert_eq!(errors[0]["reason"], "neither ON nor OFF");
    assert!(errors[0]["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert_eq!(errors[1]["payload"], "ON");
    assert_eq!(errors[1]["reason"], "camera.enabled is false");
    let message = watcher.messages().iter().find(|message| message.topic == "e/t/error").cloned();
    assert!(message.is_some_and(|message| !message.retain && message.qos == QoS::AtLeastOnce));
    assert!(device.commands.try_recv().is_err());
}
