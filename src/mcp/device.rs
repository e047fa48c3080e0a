//! Asking the daemon over its HTTP API.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::config;

/// Until the daemon's answer is there.
const LIMIT: Duration = Duration::from_secs(10);

/// Most bytes of an answer; a day of minutes has a fifth.
const MAX_ANSWER: u64 = 2 << 20;

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("{0:?} is no URL (--url http://HOST:PORT or https://…)")]
    Url(String),
    #[error("the daemon has no HTTP API: web.listen is empty (set it, or name another device with --url)")]
    Off,
    #[error("unable to read {}: {source} (may this user read it?)", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("unable to use {} (web.tls_cert): {source} (a PEM certificate is needed)", path.display())]
    Certificate { path: PathBuf, source: Box<ureq::Error> },
    #[error("unable to ask the daemon at {base}: {source} (does it run? `systemctl status emotiond`)")]
    Ask { base: String, source: Box<ureq::Error> },
    #[error("the daemon at {base} answered {status}: {detail}")]
    Refused { base: String, status: u16, detail: String },
}

/// Where the daemon answers.
#[derive(Debug)]
pub struct Device {
    /// Scheme, host and port; `None` while it is configured not to answer.
    base: Option<String>,
    token_file: Option<PathBuf>,
    /// Trusted instead of the system's authorities: the daemon's own.
    certificate: Option<PathBuf>,
}

impl Device {
    /// The daemon at `url`, or the one that `config` is for.
    pub fn new(config: &config::Web, url: Option<&str>) -> Result<Self, DeviceError> {
        let token_file = config.token_file.clone();
        if let Some(url) = url {
            let known = url.starts_with("http://") || url.starts_with("https://");
            let valid = url
                .parse::<ureq::http::Uri>()
                .is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()));
            if !known || !valid {
                return Err(DeviceError::Url(url.to_owned()));
            }
            let base = Some(url.trim_end_matches('/').to_owned());
            return Ok(Self { base, token_file, certificate: None });
        }
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let base = config.listen.map(|address| format!("{scheme}://{}", reachable(address)));
        Ok(Self { base, token_file, certificate: config.tls.as_ref().map(|(cert, _)| cert.clone()) })
    }

    /// What the daemon answers to a GET of `path`. Blocks.
    pub fn get(&self, path: &str) -> Result<Value, DeviceError> {
        let base = self.base.as_ref().ok_or(DeviceError::Off)?;
        let failed = |source| DeviceError::Ask { base: base.clone(), source: Box::new(source) };
        let mut request = self.agent()?.get(format!("{base}{path}"));
        // Read each time, so that a changed token needs no restart.
        if let Some(path) = &self.token_file {
            let token = std::fs::read_to_string(path)
                .map_err(|source| DeviceError::Read { path: path.clone(), source })?;
            request = request.header("Authorization", format!("Bearer {}", token.trim()));
        }
        let mut response = request.call().map_err(failed)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(failed)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() && !body.is_null() {
            return Ok(body);
        }
        // RFC 9457: what went wrong, and here what to do about it.
        let detail = body["detail"].as_str().unwrap_or("no answer of an emotiond").to_owned();
        Err(DeviceError::Refused { base: base.clone(), status: status.as_u16(), detail })
    }

    fn agent(&self) -> Result<Agent, DeviceError> {
        let roots = match &self.certificate {
            None => RootCerts::PlatformVerifier,
            Some(path) => {
                let pem =
                    std::fs::read(path).map_err(|source| DeviceError::Read { path: path.clone(), source })?;
                let certificate = Certificate::from_pem(&pem).map_err(|source| DeviceError::Certificate {
                    path: path.clone(),
                    source: Box::new(source),
                })?;
                RootCerts::from(std::iter::once(certificate))
            }
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .max_redirects(0)
            // The own device is asked, not somebody between.
            .proxy(None);
        Ok(agent.build().into())
    }
}

/// An address at which a listener answers this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
