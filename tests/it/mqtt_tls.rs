//! MQTT over TLS: whom the device trusts, and who it says it is.

use emotiond::base::shutdown::Shutdown;
use emotiond::mqtt::{self, MqttError};

use crate::mqtt::{Device, config};
use crate::support::mosquitto::{Mosquitto, Watcher, address};
use crate::support::stand_in::certificates;

const TLS_PORT: u16 = 8883;

/// A broker that speaks TLS on [`TLS_PORT`], too, with [`certificates`].
fn tls_broker(more: &str) -> Mosquitto {
    let mut broker = Mosquitto::prepare(address(), "allow_anonymous true");
    certificates(&broker);
    broker.config.push_str(&format!(
        "listener {TLS_PORT} {}\ncafile {}\ncertfile {}\nkeyfile {}\n{more}\n",
        broker.host,
        broker.path("ca.pem"),
        broker.path("server.pem"),
        broker.path("server.key")
    ));
    broker.run();
    broker
}

#[test]
fn tls_trusts_the_configured_authorities_and_no_other() {
    let broker = tls_broker("");
    let url = format!("mqtts://{}:{TLS_PORT}", broker.host);
    let with_ca = |file: &str| config(&url, &format!("ca_file = \"{}\"", broker.path(file)));
    let several = std::fs::read_to_string(broker.path("other.pem")).expect("readable")
        + &std::fs::read_to_string(broker.path("ca.pem")).expect("readable");
    std::fs::write(broker.path("several.pem"), several).expect("written");
    let watcher = Watcher::new(&broker);
    Device::connected(&with_ca("several.pem")).stop();
    assert_eq!(watcher.payloads("e/t/availability"), ["online", "offline"]);
    Device::start(&with_ca("other.pem")).wait_for_error("the broker's certificate is not trusted: ");
    // The system's authorities do not know it either.
    Device::start(&config(&url, "")).wait_for_error("the broker's certificate is not trusted: ");
    Device::start(&config(&format!("mqtts://{}:{}", broker.host, Mosquitto::PORT), ""))
        .wait_for_error("TLS failed: ");
}

#[test]
fn a_broker_can_ask_for_a_client_certificate() {
    let broker = tls_broker("require_certificate true");
    let url = format!("mqtts://{}:{TLS_PORT}", broker.host);
    let ca = format!("ca_file = \"{}\"", broker.path("ca.pem"));
    Device::start(&config(&url, &ca)).wait_for_error("set mqtt.client_cert_file and mqtt.client_key_file");
    let (cert, key) = (broker.path("client.pem"), broker.path("client.key"));
    let others =
        format!("{ca}\nclient_cert_file = \"{cert}\"\nclient_key_file = \"{}\"", broker.path("server.key"));
    let error =
        mqtt::start(&config(&url, &others), Shutdown::default(), |_| {}).map(drop).expect_err("not its key");
    assert!(error.to_string().contains("the key belongs to another certificate"), "{error}");
    let files = format!("{ca}\nclient_cert_file = \"{cert}\"\nclient_key_file = \"{key}\"");
    Device::connected(&config(&url, &files)).stop();
}

#[test]
fn unusable_files_are_found_before_the_start() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("text");
    std::fs::write(&file, "no certificate").expect("written");
    let file = file.display();
    let start = |more: &str| -> MqttError {
        let config = config("mqtts://127.0.0.1", more);
        mqtt::start(&config, Shutdown::default(), |_| {}).map(|_| ()).expect_err(more)
    };
    for (more, message) in [
        (
            "username = \"u\"\npassword_file = \"/absent\"".to_owned(),
            "mqtt.password_file: unable to read /absent: No such file or directory".to_owned(),
        ),
        (
            format!("password_file = \"{file}\""),
            "mqtt.password_file is set but mqtt.username is not".to_owned(),
        ),
        ("ca_file = \"/absent\"".to_owned(), "unable to read /absent (mqtt.ca_file): ".to_owned()),
        (format!("ca_file = \"{file}\""), format!("unable to use {file} (mqtt.ca_file): ")),
        (
            format!("client_cert_file = \"{file}\"\nclient_key_file = \"{file}\""),
            format!("unable to use {file} (mqtt.client_cert_file) with {file} (mqtt.client_key_file): "),
        ),
    ] {
        let error = start(&more).to_string();
        assert!(error.starts_with(&message), "{error}");
    }
    assert!(mqtt::start(&config("", ""), Shutdown::default(), |_| {}).expect("off is no error").is_none());
}
