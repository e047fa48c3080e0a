//! Who speaks for a device's id, and what a broker does not take: the MQTT part against a real broker.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command as Process;
use std::thread;
use std::time::{Duration, Instant};

use emotiond::config::Mqtt;
use emotiond::mqtt::Command;
use rumqttc::QoS;

use crate::mqtt::{Device, config, plain};
use crate::support::mosquitto::{DEADLINE, Mosquitto, Watcher, address, eventually, within};
use crate::support::stand_in::{certificates, run};

/// As long as some tries to connect take, with their growing pauses.
const TRIES: Duration = Duration::from_secs(120);

fn publish(watcher: &Watcher, topic: &str, retain: bool, payload: impl Into<Vec<u8>>) {
    watcher.client.publish(topic, QoS::AtLeastOnce, retain, payload).expect("published");
}

#[test]
fn who_yields_says_offline() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let device = Device::connected(&plain(&broker.host));
    watcher.wait_for("e/t/availability", "online");
    let pretender = r#"{"instance":"x","holds":true,"since_ms":1,"host":"pi\n[ERROR] forged"}"#;
    publish(&watcher, "e/t/instance", false, pretender);
    watcher.wait_for("e/t/availability", "offline");
    eventually("it is told", || device.mqtt.status().yielding);
    let status = device.mqtt.status();
    assert_eq!((status.connected, status.yielded), (false, 1));
    assert!(status.last_error.is_some_and(|error| error.contains("pi\\n[ERROR] forged")));
    // One that does hold the id says so again, as it hears what is said of it.
    let real = Device::connected(&plain(&broker.host));
    watcher.wait_for("e/t/availability", "online");
    publish(&watcher, "e/t/availability", true, "offline");
    watcher.wait_for("e/t/availability", "online");
    drop(real);
}

#[test]
fn a_command_that_comes_while_the_id_is_asked_for_is_obeyed() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    // As one leaves it that the broker has not missed yet, so that an answer is waited for.
    publish(&watcher, "e/t/availability", true, "online");
    watcher.wait_for("e/t/availability", "online");
    let device = Device::start(&plain(&broker.host));
    eventually("the question", || !watcher.payloads("e/t/instance").is_empty());
    publish(&watcher, "e/t/enabled/set", false, "OFF");
    let command = device.commands.recv_timeout(DEADLINE).expect("a command");
    assert_eq!(command, Command::SetEnabled(false));
    assert!(device.mqtt.status().connected);
}

#[test]
fn without_discovery_an_earlier_announcement_is_taken_back() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let own = plain(&broker.host);
    let topic = format!("homeassistant/device/{}/config", own.device);
    let mut device = Device::connected(&Mqtt { discovery: true, ..own.clone() });
    eventually("the announcement", || !watcher.payloads(&topic).is_empty());
    device.stop();
    let _device = Device::connected(&own);
    watcher.wait_for(&topic, "");
}

#[test]
fn what_is_too_large_for_the_broker_is_left_out() {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    broker.config = format!("max_packet_size 20000\n{}", broker.config);
    broker.run();
    let watcher = Watcher::new(&broker);
    let device = Device::connected(&plain(&broker.host));
    let topic = "house/large".parse().expect("a topic");
    device.mqtt.letter(&topic, vec![b'x'; 30_000], true);
    within(TRIES, "it is left out", || device.mqtt.status().left_out > 0);
    eventually("a connection that stays", || device.mqtt.status().connected);
    device.mqtt.letter(&"house/small".parse().expect("a topic"), b"fits".to_vec(), false);
    watcher.wait_for("house/small", "fits");
    assert!(watcher.payloads("house/large").is_empty());
    // Too large for any broker: the connection does not end over it.
    let reconnects = device.mqtt.status().reconnects;
    device.mqtt.letter(&topic, vec![b'x'; 2 << 20], false);
    device.mqtt.letter(&"house/small".parse().expect("a topic"), b"fits, too".to_vec(), false);
    watcher.wait_for("house/small", "fits, too");
    assert_eq!(device.mqtt.status().reconnects, reconnects);
}

#[test]
fn what_answers_in_the_brokers_place_is_named() {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    certificates(&broker);
    let [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map(|file| broker.path(file));
    broker
        .config
        .push_str(&format!("listener 8883 {}\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\n", broker.host));
    broker.run();
    Device::start(&config(&format!("mqtt://{}:8883", broker.host), ""))
        .wait_for_error("the port speaks TLS (write mqtts:// in mqtt.url)");

    // Waits for the end of a request, as HTTP servers do.
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("mqtt://{}", listener.local_addr().expect("address"));
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    request.extend(byte);
                }
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
            });
        }
    });
    Device::start(&config(&url, "")).wait_for_error("an HTTP server answers there, no broker");
}

#[test]
fn a_kept_message_that_is_too_large_is_gone_on_without() {
    let broker = Mosquitto::start();
    let file = broker.path("large");
    std::fs::write(&file, vec![b'x'; 3 << 19]).expect("written");
    let large = ["-h", &broker.host, "-t", "e/t/settings/set", "-r", "-f", &file];
    run(Process::new("mosquitto_pub").args(large));
    let device = Device::start(&plain(&broker.host));
    within(TRIES, "a connection", || device.mqtt.status().connected);
    let since = Instant::now();
    run(Process::new("mosquitto_pub").args(["-h", &broker.host, "-t", "e/t/enabled/set", "-m", "OFF"]));
    let command = device.commands.recv_timeout(DEADLINE).expect("a command");
    assert_eq!(command, Command::SetEnabled(false));
    assert!(device.mqtt.status().connected, "after {:?}", since.elapsed());
}
