//! `HOST[:PORT]` as addresses have it (RFC 3986, 3.2).

use std::fmt;
use std::str::FromStr;

/// A host name or address and, where one is written, a port; an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Without brackets.
    pub host: String,
    /// 1 to 65,535.
    pub port: Option<u16>,
}

/// The text is no host with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHostPort {
    #[error("has no host")]
    NoHost,
    #[error("holds in its host what no host name has")]
    Host,
    #[error("has no port from 1 to 65535 after the colon")]
    Port,
}

impl FromStr for HostPort {
    type Err = NoHostPort;

    fn from_str(text: &str) -> Result<Self, NoHostPort> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(NoHostPort::Host)?;
                // After a % stands the interface of a link-local address.
                host.split('%')
                    .next()
                    .unwrap_or_default()
                    .parse::<std::net::Ipv6Addr>()
                    .map_err(|_| NoHostPort::Host)?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(NoHostPort::Port),
                }
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(NoHostPort::NoHost);
        }
        // Letters beyond ASCII are left to the resolver.
        let named = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
        if !host.chars().all(named) || host.len() > 255 {
            return Err(NoHostPort::Host);
        }
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(port.parse().ok().filter(|port| *port != 0).ok_or(NoHostPort::Port)?)
            }
            Some(_) => return Err(NoHostPort::Port),
            None => None,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("house", "house", None),
            ("house.lan:1884", "house.lan", Some(1884)),
            ("[::1]:8884", "::1", Some(8884)),
            ("[fe80::1]", "fe80::1", None),
            ("küche", "küche", None),
        ] {
            let parsed: HostPort = text.parse().expect(text);
            assert_eq!(parsed, HostPort { host: host.to_owned(), port });
            assert_eq!(parsed.to_string(), text);
        }
        for text in ["", ":1", "a b", "a/b", "a\0", "[::1", "[x]", "[::1]1", "::1"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
        for port in ["0", "65536", "99999", "", "+1", "a"] {
            assert_eq!(format!("house:{port}").parse::<HostPort>(), Err(NoHostPort::Port));
        }
    }
}
