//! Who may ask: the token, the session cookie, and the guards against what a browser can be made to
//! do by other pages (DNS rebinding, cross-site requests).

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::error::WebError;
use crate::base::secret::Secret;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// A browser that has logged in stays so, as a tablet on the wall must after a power cut, until it
/// logs out or the token is changed.
const COOKIE_AGE_S: u32 = 365 * 24 * 3600;

/// The secret that clients must know.
#[derive(Debug)]
pub struct Token {
    text: Secret,
    /// What the cookie holds: made from the token, so that it outlives a restart, but not the token.
    session: Secret,
}

impl Token {
    /// The only line of `path`.
    pub fn read(path: &Path) -> Result<Self, WebError> {
        let secret = Secret::read(path).map_err(WebError::Token)?;
        let text = secret.reveal();
        let sound = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound {
            return Err(WebError::WeakToken { path: path.to_owned() });
        }
        Ok(Self::new(text))
    }

    fn new(text: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(text.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(b"emotiond session");
        let session = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Self { text: Secret::from(text.to_owned()), session: session.into() }
    }

    /// Takes as long for a wrong text as for the right one, once it has its length.
    pub fn is(&self, text: &str) -> bool {
        self.text.reveal().as_bytes().ct_eq(text.as_bytes()).into()
    }

    fn is_session(&self, text: &str) -> bool {
        self.session.reveal().as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// What is let in.
#[derive(Debug)]
pub struct Access {
    /// `None`: everybody on this machine.
    pub token: Option<Token>,
    tls: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Access {
    pub fn new(config: &crate::config::Web) -> Result<Self, WebError> {
        let token: Option<&PathBuf> = config.token_file.as_ref();
        let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let own = own.trim().to_ascii_lowercase();
        let mut hosts = config.allowed_hosts.clone();
        hosts.push("localhost".to_owned());
        if !own.is_empty() {
            hosts.extend(["", ".local", ".lan", ".home.arpa"].map(|suffix| format!("{own}{suffix}")));
        }
        Ok(Self {
            token: token.map(|path| Token::read(path)).transpose()?,
            tls: config.tls.is_some(),
            hosts,
            origins: config.cors_origins.clone(),
        })
    }

    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// A name that somebody else's DNS could give to this machine's address is refused.
    pub fn knows_host(&self, authority: &str) -> bool {
        let host = host_of(authority);
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host.trim_end_matches('.')))
    }

    /// `__Host-` keeps others on the same domain from setting it, but is for HTTPS only.
    const fn cookie_name(&self) -> &'static str {
        if self.tls { "__Host-emotiond" } else { "emotiond" }
    }

    /// The header that logs a browser in; out without a session.
    pub fn set_cookie(&self, logged_in: bool) -> String {
        let session = self.token.as_ref().filter(|_| logged_in).map_or("", |token| token.session.reveal());
        let age = if logged_in { COOKIE_AGE_S } else { 0 };
        let secure = if self.tls { "; Secure" } else { "" };
        format!("{}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}", self.cookie_name())
    }

    pub fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if bearer.is_some_and(|(_, text)| token.is(text.trim())) {
            return true;
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(name, value)| name == self.cookie_name() && token.is_session(value))
    }

    /// Whether another site's page is behind the request, as far as browsers tell.
    pub fn is_cross_site(&self, request: &Request, authority: &str) -> bool {
        let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
        let origin = request.headers().get(ORIGIN).map(|value| value.as_bytes());
        if origin.is_some_and(|origin| self.origins.iter().any(|known| known.as_bytes() == origin)) {
            return false;
        }
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if !safe && let Some(origin) = origin {
            // Behind a proxy that ends TLS the scheme is another one, but the authority is the same.
            let own = origin.strip_prefix(b"https://").or_else(|| origin.strip_prefix(b"http://"));
            return own.is_none_or(|own| !own.eq_ignore_ascii_case(authority.as_bytes()));
        }
        let foreign = matches!(header("sec-fetch-site"), Some(b"cross-site" | b"same-site"));
        // A link to the page is none of its pictures.
        let followed_link = safe && header("sec-fetch-mode") == Some(b"navigate");
        foreign && !followed_link
    }
}

/// Without the port.
pub fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access {
            token: Some(Token::new("0123456789abcdef")),
            tls: false,
            hosts: vec!["localhost".to_owned(), "pi.local".to_owned()],
            origins: Vec::new(),
        }
    }

    #[test]
    fn only_own_names_and_addresses_are_hosts() {
        let access = access();
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "pi.local",
            "192.168.1.7",
        ] {
            assert!(access.knows_host(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "", "pi"] {
            assert!(!access.knows_host(host), "{host}");
        }
    }

    #[test]
    fn token_and_session_let_in_and_nothing_else_does() {
        let access = access();
        let with = |name: &'static str, value: &str| {
            let value = value.parse().expect("header");
            access.lets_in(&HeaderMap::from_iter([(axum::http::HeaderName::from_static(name), value)]))
        };
        assert!(with("authorization", "Bearer 0123456789abcdef"));
        assert!(with("authorization", "bearer 0123456789abcdef"));
        let cookie = access.set_cookie(true);
        let session = cookie.split(';').next().expect("a cookie");
        assert!(with("cookie", &format!("other=1; {session}")));
        for (name, value) in [
            ("authorization", "Bearer 0123456789abcde"),
            ("authorization", "Bearer 0123456789abcdef0"),
            ("authorization", "Basic 0123456789abcdef"),
            ("authorization", "0123456789abcdef"),
            ("cookie", "emotiond=0123456789abcdef"),
            ("cookie", "emotiond="),
        ] {
            assert!(!with(name, value), "{name}: {value}");
        }
    }
}
