//! `emotiond mqtt forget`: what it says is what the broker did.

use std::fs;
use std::process::{Command, Output};

use rumqttc::QoS;

use crate::support::mosquitto::{Mosquitto, Watcher, address};
use crate::support::stand_in::run;

/// A broker on which everybody may read, and `device` may write what `acl` says.
fn broker(acl: &str) -> Mosquitto {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    let (passwords, list) = (broker.path("passwords"), broker.path("acl"));
    run(Command::new("mosquitto_passwd").args(["-c", "-b", &passwords, "device", "word"]));
    fs::write(&list, format!("topic readwrite #\n{acl}")).expect("written");
    fs::write(broker.path("word"), "word\n").expect("written");
    // With that, mosquitto 2.0.11 ends a connection on which it refused a message.
    broker.config = broker.config.replace("max_queued_messages 0\n", "");
    broker.config.push_str(&format!("password_file {passwords}\nacl_file {list}\n"));
    broker.run();
    let watcher = Watcher::new(&broker);
    watcher.client.publish("emotiond/pi/availability", QoS::AtLeastOnce, true, "offline").expect("published");
    watcher.wait_for("emotiond/pi/availability", "offline");
    broker
}

fn forget(broker: &Mosquitto) -> Output {
    let settings = [
        "device.id=pi".to_owned(),
        format!("mqtt.url=mqtt://{}", broker.host),
        "mqtt.username=device".to_owned(),
        format!("mqtt.password_file={}", broker.path("word")),
    ];
    let overrides = settings.iter().flat_map(|setting| ["--set", setting]);
    Command::new(env!("CARGO_BIN_EXE_emotiond"))
        .args(["mqtt", "forget"])
        .args(overrides)
        .output()
        .expect("runs")
}

#[test]
fn what_the_broker_has_deleted_is_forgotten() {
    let broker = broker("user device\ntopic readwrite #\n");
    let said = forget(&broker);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "forgotten: emotiond/pi/availability\n");
    assert_eq!(said.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&forget(&broker).stdout), "the broker knows nothing of pi\n");
}

#[test]
fn what_the_access_list_forbids_is_not_called_forgotten() {
    for (acl, error) in [
        ("user device\ntopic read #\n", "unable to verify that emotiond/pi/availability is deleted: broker "),
        ("user device\ntopic read nothing\n", "unable to verify that broker "),
    ] {
        let broker = broker(acl);
        let said = forget(&broker);
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!((said.status.code(), said.stdout.len()), (Some(1), 0), "{text}");
        assert!(text.contains(error) && text.contains("check its ACL"), "{text}");
    }
}
