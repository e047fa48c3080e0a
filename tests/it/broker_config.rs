//! The mosquitto examples in `config/`, on a real mosquitto.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rumqttc::QoS;

use crate::support::mosquitto::{Mosquitto, Watcher, address, eventually};
use crate::support::running::{Setup, portrait};
use crate::support::stand_in::run;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto").join(name)
}

const USERS: [&str; 4] = ["test", "other", "homeassistant", "dashboard"];

/// A broker with the example's access list, where each user's password is the name.
fn guarded() -> Mosquitto {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous false");
    let passwords = broker.path("passwords");
    for (number, user) in USERS.iter().enumerate() {
        let create = if number == 0 { vec!["-c"] } else { Vec::new() };
        run(Command::new("mosquitto_passwd").args(create).args(["-b", &passwords, user, user]));
    }
    let acl = broker.path("acl");
    fs::copy(example("acl"), &acl).expect("copied");
    // With that, mosquitto 2.0.11 ends a connection on which it refused a message.
    broker.config = broker.config.replace("max_queued_messages 0\n", "");
    broker.config.push_str(&format!("password_file {passwords}\nacl_file {acl}\n"));
    broker.run();
    broker
}

#[test]
fn each_device_writes_only_its_own_topics() {
    let broker = guarded();
    let device = |id: &str, user: &str| {
        let setup = Setup::on(&format!("replay:{}", portrait()), &broker);
        let password = setup.folder.path().join("password");
        fs::write(&password, user).expect("written");
        setup
            .set("device.id", id)
            .set("mqtt.username", user)
            .set("mqtt.password_file", &password.display().to_string())
            .start()
    };
    let watcher = Watcher::login(&broker, "homeassistant");
    // A device that takes another's id is not heard, and says why.
    let thief = device("victim", "other");
    thief.wait_for_log("does not pass on what is said on emotiond/victim/instance (check its ACL)");
    let _own = device("test", "test");
    watcher.wait_for("emotiond/test/emotion", "happy");
    eventually("the announcement", || !watcher.payloads("homeassistant/device/test/config").is_empty());

    // Everybody tries everything; a marker that all may write tells when that is over.
    let publish = |user: &str, topic: &str| {
        let client = Watcher::login(&broker, user);
        client.client.publish(topic, QoS::AtLeastOnce, false, user).expect("published");
        let own = format!("emotiond/{user}/marker");
        client.client.publish(&own, QoS::AtLeastOnce, false, "seen").expect("published");
        watcher.wait_for(&own, "seen");
    };
    publish("other", "emotiond/test/settings/set");
    publish("other", "emotiond/test/state");
    publish("other", "homeassistant/device/test/config");
    publish("other", "homeassistant/status");
    publish("dashboard", "emotiond/test/enabled/set");
    let heard: Vec<String> = watcher
        .messages()
        .iter()
        .filter(|message| USERS.contains(&message.payload.as_str()) || message.topic.contains("victim"))
        .map(|message| format!("{message:?}"))
        .collect();
    assert_eq!(heard, Vec::<String>::new());

    watcher.client.publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "OFF").expect("published");
    watcher.wait_for("emotiond/test/enabled", "OFF");
    assert_eq!(Watcher::login(&broker, "other").payloads("emotiond/test/state"), Vec::<String>::new());
    let dashboard = Watcher::login(&broker, "dashboard");
    dashboard.wait_for("emotiond/test/enabled", "OFF");
}

#[test]
fn a_bridge_passes_states_up_and_commands_down() {
    let mut centre = Mosquitto::start();
    let watcher = Watcher::new(&centre);
    let bridge = fs::read_to_string(example("bridge.conf"))
        .expect("readable")
        .replace("broker.example.org:8883", &format!("{}:{}", centre.host, Mosquitto::PORT))
        .replace("restart_timeout 2 60", "restart_timeout 1")
        .lines()
        .filter(|line| !line.starts_with("bridge_cafile"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut site = Mosquitto::prepare(address(), &format!("allow_anonymous true\n{bridge}"));
    site.run();
    let _daemon = Setup::on(&format!("replay:{}", portrait()), &site).start();
    watcher.wait_for("emotiond/test/emotion", "happy");
    watcher.wait_for("emotiond-site/site-1", "1");
    eventually("the announcement", || !watcher.payloads("homeassistant/device/test/config").is_empty());
    watcher.client.publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "OFF").expect("published");
    watcher.wait_for("emotiond/test/enabled", "OFF");
    assert_eq!(watcher.payloads("emotiond/test/enabled/set"), ["OFF"], "no way back for commands");

    // The line is down, and something changes meanwhile.
    centre.kill();
    let inside = Watcher::new(&site);
    inside.client.publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "ON").expect("published");
    inside.wait_for("emotiond/test/enabled", "ON");
    centre.run();
    let watcher = Watcher::new(&centre);
    watcher.wait_for("emotiond/test/enabled", "ON");
}
