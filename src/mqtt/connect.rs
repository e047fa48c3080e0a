//! How to reach the broker: address, credentials, certificates and the will, read once at start.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use native_tls::{Certificate, Identity, Protocol, TlsConnector};
use openssl::pkey::PKey;
use openssl::x509::X509;
use rumqttc::{LastWill, MqttOptions, TlsConfiguration, Transport};

use super::limits::MAX_PACKET;
use super::topics::{Topic, Topics};
use crate::base::secret::{Secret, SecretError};
use crate::config;

/// Name of the systemd credential (`LoadCredential=`) that holds the password.
const CREDENTIAL: &str = "mqtt-password";

/// Why the part cannot start; all but [`MqttError::Thread`] are mistakes in the configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum MqttError {
    #[error("unable to read {} ({key}): {source} (is the path right, and may this user read it?)", path.display())]
    Read { key: &'static str, path: PathBuf, source: io::Error },
    #[error("{key}: {source}")]
    Password { key: &'static str, source: SecretError },
    #[error("{key} is set but mqtt.username is not (MQTT 3.1.1 has no password without a user name)")]
    PasswordWithoutUsername { key: &'static str },
    #[error("unable to use {} ({key}): {source} (a PEM certificate is needed)", path.display())]
    Certificate { key: &'static str, path: PathBuf, source: native_tls::Error },
    #[error("unable to use {} ({key}): no certificate in it (PEM is needed)", path.display())]
    NoCertificate { key: &'static str, path: PathBuf },
    #[error(
        "unable to use {} (mqtt.client_cert_file) with {} (mqtt.client_key_file): {source} (a PEM certificate \
         chain and its PKCS #8 key are needed; `openssl pkcs8 -topk8 -nocrypt` converts one)",
        cert.display(),
        key.display()
    )]
    Identity { cert: PathBuf, key: PathBuf, source: native_tls::Error },
    #[error(
        "unable to use {} (mqtt.client_cert_file) with {} (mqtt.client_key_file): the key belongs to another certificate",
        cert.display(),
        key.display()
    )]
    OtherKey { cert: PathBuf, key: PathBuf },
    #[error("unable to set up TLS: {0} (is OpenSSL installed whole?)")]
    Tls(#[source] native_tls::Error),
    #[error("unable to start thread mqtt: {0} (is the limit of threads or open files reached?)")]
    Thread(#[source] io::Error),
}

/// Everything that a connection under the name `client_id` needs, without a will.
pub fn options(
    config: &config::Mqtt,
    broker: &config::Broker,
    client_id: &str,
) -> Result<MqttOptions, MqttError> {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    options.set_keep_alive(config.keep_alive).set_max_packet_size(MAX_PACKET, MAX_PACKET);
    if let Some((username, password)) = credentials(config)? {
        options.set_credentials(username, password);
    }
    if broker.tls {
        let connector = tls(config)?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::NativeConnector(connector)));
    }
    Ok(options)
}

/// What keeps [`options`] from being made, all of it.
pub fn mistakes(config: &config::Mqtt, broker: &config::Broker) -> Vec<MqttError> {
    let tls = if broker.tls { tls(config).err() } else { None };
    credentials(config).err().into_iter().chain(tls).collect()
}

/// User name and password.
fn credentials(config: &config::Mqtt) -> Result<Option<(String, String)>, MqttError> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    let password = password(config.password_file.as_deref(), folder.as_deref())?;
    match (&config.username, password) {
        (None, Some(password)) => Err(MqttError::PasswordWithoutUsername { key: password.key }),
        (None, None) => Ok(None),
        (Some(username), password) => {
            let password = password.map(|password| password.secret.reveal().to_owned());
            Ok(Some((username.clone(), password.unwrap_or_default())))
        }
    }
}

/// What the broker says when the connection breaks.
pub fn will(topics: &Topics) -> LastWill {
    let topic = Topic::Availability;
    LastWill::new(topics.name(topic), "offline", topic.qos(), topic.retained())
}

#[derive(Debug, PartialEq)]
struct Password {
    /// Where it was configured.
    key: &'static str,
    secret: Secret,
}

/// The password in `file`, else in systemd's `credentials` folder, without the line's end.
fn password(file: Option<&Path>, credentials: Option<&OsStr>) -> Result<Option<Password>, MqttError> {
    let (key, path) = match (file, credentials) {
        (Some(file), _) => ("mqtt.password_file", file.to_owned()),
        (None, Some(folder)) => {
            let path = Path::new(folder).join(CREDENTIAL);
            if !path.exists() {
                return Ok(None);
            }
            ("credential mqtt-password", path)
        }
        (None, None) => return Ok(None),
    };
    match Secret::read(&path) {
        Ok(secret) => Ok(Some(Password { key, secret })),
        Err(source) => Err(MqttError::Password { key, source }),
    }
}

/// TLS 1.2 or newer. A configured authority replaces the system's: the broker is then trusted for
/// this one's sake and no other's.
fn tls(config: &config::Mqtt) -> Result<TlsConnector, MqttError> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if let Some(path) = &config.ca_file {
        let key = "mqtt.ca_file";
        let authorities = Certificate::stack_from_pem(&read(key, path)?)
            .map_err(|source| MqttError::Certificate { key, path: path.clone(), source })?;
        if authorities.is_empty() {
            return Err(MqttError::NoCertificate { key, path: path.clone() });
        }
        builder.disable_built_in_roots(true);
        for authority in authorities {
            builder.add_root_certificate(authority);
        }
    }
    if let Some((cert, key)) = &config.client_cert {
        let chain = read("mqtt.client_cert_file", cert)?;
        let private = read("mqtt.client_key_file", key)?;
        if !belong_together(&chain, &private) {
            return Err(MqttError::OtherKey { cert: cert.clone(), key: key.clone() });
        }
        let identity = Identity::from_pkcs8(&chain, &private).map_err(|source| MqttError::Identity {
            cert: cert.clone(),
            key: key.clone(),
            source,
        })?;
        builder.identity(identity);
    }
    builder.build().map_err(MqttError::Tls)
}

/// False where both can be read and do not fit each other.
fn belong_together(chain: &[u8], key: &[u8]) -> bool {
    match (X509::from_pem(chain).and_then(|cert| cert.public_key()), PKey::private_key_from_pem(key)) {
        (Ok(public), Ok(private)) => public.public_eq(&private),
        _ => true,
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, MqttError> {
    std::fs::read(path).map_err(|source| MqttError::Read { key, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_file_goes_before_the_credential() {
        let folder = tempfile::tempdir().expect("folder");
        let credentials = Some(folder.path().as_os_str());
        assert_eq!(password(None, credentials).expect("no credential"), None);

        std::fs::write(folder.path().join(CREDENTIAL), "of systemd\n").expect("written");
        let found = password(None, credentials).expect("readable").expect("there");
        assert_eq!((found.key, found.secret.reveal()), ("credential mqtt-password", "of systemd"));

        let file = folder.path().join("file");
        std::fs::write(&file, " of the file \r\n").expect("written");
        let found = password(Some(&file), credentials).expect("readable").expect("there");
        assert_eq!((found.key, found.secret.reveal()), ("mqtt.password_file", " of the file "));
    }
}
