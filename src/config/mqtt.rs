//! The section `[mqtt]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::keys::{Keys, Unfit};
use crate::base::host_port::HostPort;
use crate::base::secret::Secret;
use crate::base::topic::{TopicName, check_text};

/// The broker, and what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    /// `None`: off.
    pub broker: Option<Broker>,
    /// User name there.
    pub username: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// The device's id.
    pub device: String,
    /// Without a slash at the end.
    pub base_topic: String,
    /// `None`: one of its own for each run.
    pub client_id: Option<String>,
    /// The device announces itself to Home Assistant.
    pub discovery: bool,
    /// As `people.enabled`: who is seen is announced, too.
    pub people: bool,
    /// Home Assistant's discovery prefix, without a slash at the end.
    pub discovery_prefix: String,
    /// A picture of the last face is published.
    pub face_image: bool,
    /// PEM; `None`: the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// PEM certificate and PKCS #8 key.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// Longest silence of the connection (MQTT 3.1.1, 3.1.2.10).
    pub keep_alive: Duration,
    /// Longest time between two `state` messages.
    pub state_interval: Duration,
    /// Time between two `stats` messages.
    pub stats_interval: Duration,
}

/// Where the broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}", HostPort { host: self.host.clone(), port: Some(self.port) })
    }
}

impl FromStr for Broker {
    type Err = Unfit;

    fn from_str(url: &str) -> Result<Self, Unfit> {
        let forms = "mqtt://HOST[:PORT], mqtts://HOST[:PORT], or empty for none";
        let shown = Secret::from(url.to_owned());
        let bad = || Unfit::new(format_args!("{shown} is no broker ({forms})"));
        let (rest, tls) = match url.strip_prefix("mqtt://") {
            Some(rest) => (rest, false),
            None => (url.strip_prefix("mqtts://").ok_or_else(bad)?, true),
        };
        if rest.contains('@') {
            let message = "the address holds a user name: use mqtt.username and mqtt.password_file";
            return Err(Unfit::new(message));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let HostPort { host, port } = rest.parse().map_err(|_| bad())?;
        Ok(Self { host, port: port.unwrap_or(if tls { 8883 } else { 1883 }), tls })
    }
}

impl Mqtt {
    pub(super) fn read(keys: &mut Keys<'_, '_>, id: &str) -> Self {
        let local = Broker { host: "localhost".to_owned(), port: 1883, tls: false };
        let or = |text: Option<String>, default: String| text.unwrap_or(default);
        Self {
            broker: keys
                .optional("url", "", Some(local), str::parse)
                .help("mqtt://HOST[:PORT] or mqtts://HOST[:PORT]; empty: off.")
                .get(),
            username: keys.optional("username", "", None, text).help("Empty: none.").get(),
            password_file: keys
                .file("password_file")
                .help("File with nothing but the password; systemd's credential mqtt-password is taken without it.")
                .get(),
            device: id.to_owned(),
            base_topic: or(
                keys.optional("base_topic", "", None, topic)
                    .help("Start of all topics; empty: emotiond/<device id>.")
                    .get(),
                format!("emotiond/{id}"),
            ),
            client_id: keys
                .optional("client_id", "", None, text)
                .help(
                    "Empty: for each run another that begins with emotiond-<device id>. Two devices with one client_id \
                     throw each other off the broker.",
                )
                .get(),
            discovery: keys.flag("discovery", true).help("Home Assistant finds the device by itself.").get(),
            people: false,
            discovery_prefix: or(
                keys.optional("discovery_prefix", "", Some("homeassistant".to_owned()), topic)
                    .help("Home Assistant's prefix for that, and for its status topic.")
                    .get(),
                "homeassistant".to_owned(),
            ),
            face_image: keys
                .flag("face_image", false)
                .help(
                    "true: a picture of the last face is published whenever one appears or its emotion changes. It \
                     leaves the device!",
                )
                .get(),
            ca_file: keys.file("ca_file").help("PEM file of the authority for mqtts; empty: the system's.").get(),
            client_cert: client_cert(keys),
            // MQTT 3.1.1, 3.1.2.10: a 16-bit number of seconds; below five a busy network looks dead.
            keep_alive: Duration::from_secs(
                keys.integer("keep_alive_s", 30, 5..=65_535).unit("seconds").help("Between signs of life.").get(),
            ),
            state_interval: keys
                .seconds("state_interval_s", 5.0, 0.5..=3600.0)
                .help("Between repetitions of the state.")
                .get(),
            stats_interval: keys.seconds("stats_interval_s", 10.0, 1.0..=3600.0).help("Between statistics.").get(),
        }
    }
}

fn client_cert(keys: &mut Keys<'_, '_>) -> Option<(PathBuf, PathBuf)> {
    let cert = keys.file("client_cert_file").help("PEM file of the client's certificate for mqtts.").read();
    let key = keys.file("client_key_file").help("PEM file of its PKCS #8 key.").read();
    match (&cert.value, &key.value) {
        (Some(_), None) if key.sound => keys.mistake(&cert, "needs mqtt.client_key_file, too"),
        (None, Some(_)) if cert.sound => keys.mistake(&key, "needs mqtt.client_cert_file, too"),
        _ => {}
    }
    cert.value.zip(key.value)
}

/// What MQTT can send.
fn text(text: &str) -> Result<String, Unfit> {
    check_text(text).map(|()| text.to_owned()).map_err(|why| Unfit::new(format_args!("it {why}")))
}

/// The start of a topic.
fn topic(text: &str) -> Result<String, Unfit> {
    // What is put below it has at most a hundred bytes and ten levels more.
    format!("{text}{}{}", "/".repeat(10), "x".repeat(100))
        .parse::<TopicName>()
        .map_err(|why| Unfit::new(format_args!("{text:?} is no base topic: it {why}")))?;
    if text.starts_with('/') || text.ends_with('/') {
        Err(Unfit::new(format_args!("{text:?} is no base topic: it has a slash at an end")))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_and_written_alike() {
        let broker = |host: &str, port, tls| Broker { host: host.to_owned(), port, tls };
        for (url, expected) in [
            ("mqtt://house", broker("house", 1883, false)),
            ("mqtts://[::1]:8884", broker("::1", 8884, true)),
        ] {
            let read: Broker = url.parse().expect(url);
            assert_eq!(read, expected);
            assert_eq!(read.to_string().parse(), Ok(expected));
        }
        for url in ["", "mqtt://", "mqtt://u:p@house", "house:1883", "mqtt://house:99999", "mqtt://house/x"] {
            assert!(url.parse::<Broker>().is_err(), "{url}");
        }
    }
}
