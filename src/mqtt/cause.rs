//! Why there is no connection, in words that help.

use std::io;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError};

/// Whether only a person can change it, so that there is no hurry to try again.
pub fn is_lasting(error: &ConnectionError) -> bool {
    use ConnectReturnCode::{BadClientId, BadUserNamePassword, NotAuthorized, RefusedProtocolVersion};
    matches!(
        error,
        ConnectionError::ConnectionRefused(
            BadClientId | BadUserNamePassword | NotAuthorized | RefusedProtocolVersion
        )
    )
}

/// Whether the broker sent more than is taken.
pub const fn is_oversized(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::MqttState(StateError::Deserialization(PacketError::PayloadSizeLimitExceeded(_)))
    )
}

/// Whether it is as with a server that is no MQTT broker, or one that expects TLS.
pub fn is_strange(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Io(error) | ConnectionError::MqttState(StateError::Io(error)) => {
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
        }
        ConnectionError::NetworkTimeout | ConnectionError::NotConnAck(_) | ConnectionError::MqttState(_) => {
            true
        }
        _ => false,
    }
}

/// One line: what happened and, where one is known, the remedy.
pub fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Io(error)
        | ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(PacketError::Io(error)),
        ) => io(error),
        ConnectionError::Tls(error) => tls(&error.to_string()),
        ConnectionError::NetworkTimeout => "the broker does not answer".to_owned(),
        ConnectionError::FlushTimeout => "the broker does not read what is sent".to_owned(),
        ConnectionError::ConnectionRefused(code) => refused(*code).to_owned(),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "the broker closed the connection (does it expect TLS, mqtts://, or refuse this client?)"
                .to_owned()
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            "the broker does not answer pings any more".to_owned()
        }
        ConnectionError::NotConnAck(_) => no_mqtt("a packet other than CONNACK"),
        ConnectionError::MqttState(StateError::Deserialization(error)) => no_mqtt(&error.to_string()),
        ConnectionError::MqttState(error) => no_mqtt(&error.to_string()),
        ConnectionError::RequestsDone => error.to_string(),
    }
}

fn no_mqtt(detail: &str) -> String {
    format!("the broker broke the protocol: {detail} (is this the port of an MQTT broker?)")
}

const fn refused(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => {
            "bad user name or password (check mqtt.username and mqtt.password_file)"
        }
        ConnectReturnCode::NotAuthorized => "not authorised (check mqtt.username and mqtt.password_file)",
        ConnectReturnCode::BadClientId => "the broker refuses the client identifier (set mqtt.client_id)",
        ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 3.1.1",
        ConnectReturnCode::ServiceUnavailable => "the broker is out of service",
        ConnectReturnCode::Success => "the broker refused without a reason",
    }
}

fn io(error: &io::Error) -> String {
    let text = error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused (is the broker running?)".to_owned(),
        io::ErrorKind::ConnectionReset => "the broker ended the connection".to_owned(),
        _ if text.contains("SSL routines") => tls(&text),
        _ => text,
    }
}

/// OpenSSL's texts are lists of code locations; what a person needs is in the middle or at the end:
/// `error:0A000086:SSL routines:FUNCTION:REASON:FILE:LINE: (VERIFICATION)`.
fn tls(text: &str) -> String {
    if let Some((_, verification)) = text.split_once("certificate verify failed") {
        let detail = verification.rsplit_once('(').map_or("", |(_, detail)| detail.trim_end_matches(')'));
        let remedy = if detail.contains("expired") || detail.contains("not yet valid") {
            "renew it, or set the clock of this device"
        } else {
            "check mqtt.ca_file and the host name in mqtt.url"
        };
        return format!("the broker's certificate is not trusted: {detail} ({remedy})");
    }
    let reason = text
        .split_once("SSL routines:")
        .and_then(|(_, rest)| rest.split(':').nth(1))
        .unwrap_or(text.trim_start_matches("Native TLS error "));
    let remedy = if reason.contains("certificate required") {
        " (set mqtt.client_cert_file and mqtt.client_key_file)"
    } else if ["wrong version number", "EOF", "reset"].iter().any(|sign| reason.contains(sign)) {
        " (is this a TLS port?)"
    } else {
        ""
    };
    format!("TLS failed: {reason}{remedy}")
}
