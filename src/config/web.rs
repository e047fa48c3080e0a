//! The section `[web]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::check::Places;
use super::raw::{OVERRIDDEN, RawWeb};
use super::{ConfigError, Web};

/// Name of the systemd credential (`LoadCredential=`) that holds the token.
const CREDENTIAL: &str = "web-token";

pub fn web(raw: RawWeb, places: &Places<'_>) -> Result<Web, ConfigError> {
    let span = raw.listen.as_ref().map_or(OVERRIDDEN, Spanned::span);
    let default = Some(SocketAddr::from(([127, 0, 0, 1], 8080)));
    let listen = places.value("web.listen", raw.listen, default, |text| listen(&text))?;
    let token_file = places.path(raw.token_file).or_else(credential);
    if let Some(address) =
        listen.filter(|address: &SocketAddr| !address.ip().is_loopback() && token_file.is_none())
    {
        return Err(places.error(
            span,
            "web.listen",
            format!("{address} can be reached from other machines: set web.token_file to a file that holds a token"),
        ));
    }
    let pair_span = [&raw.tls_cert, &raw.tls_key].into_iter().flatten().next().map(Spanned::span);
    let tls = match (places.path(raw.tls_cert), places.path(raw.tls_key)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => {
            return Err(places.error(
                pair_span.unwrap_or(OVERRIDDEN),
                "web.tls_cert",
                "web.tls_cert and web.tls_key go together (`emotiond tls` makes a pair)",
            ));
        }
    };
    let mebibytes: usize = places.integer("web.max_body_mb", raw.max_body_mb, 16, 1..=400)?;
    let megapixels: u64 = places.integer("web.max_megapixels", raw.max_megapixels, 25, 1..=100)?;
    Ok(Web {
        listen,
        token_file,
        allowed_hosts: places.value("web.allowed_hosts", raw.allowed_hosts, Vec::new(), hosts)?,
        cors_origins: places.value("web.cors_origins", raw.cors_origins, Vec::new(), origins)?,
        tls,
        live_fps: places.integer("web.live_fps", raw.live_fps, 15, 1..=60)?,
        max_viewers: places.integer("web.max_viewers", raw.max_viewers, 32, 1..=1000)?,
        max_uploads: places.integer("web.max_uploads", raw.max_uploads, 8, 1..=100)?,
        max_body: mebibytes << 20,
        max_pixels: megapixels * 1_000_000,
    })
}

fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("{text:?} is no address (127.0.0.1:8080, [::1]:8080 or empty for none)"))
}

/// systemd's copy of the token, where the unit hands one over.
fn credential() -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.exists().then_some(path)
}

fn hosts(names: Vec<String>) -> Result<Vec<String>, String> {
    for name in &names {
        if name.is_empty() || name.contains(['/', ':', '*', '@']) || name.contains(char::is_whitespace) {
            return Err(format!(
                "{name:?} is no host name (\"emotiond.example.org\", without scheme or port)"
            ));
        }
    }
    Ok(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
}

fn origins(origins: Vec<String>) -> Result<Vec<String>, String> {
    for origin in &origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let plain = |host: &str| {
            !host.is_empty() && host.is_ascii() && !host.contains(['/', '*', '@']) && !host.contains(' ')
        };
        if !host.is_some_and(plain) {
            return Err(format!("{origin:?} is no origin (\"https://house.example.org\", without a path)"));
        }
    }
    Ok(origins)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::config::Config;

    #[test]
    fn what_is_no_host_or_origin_is_said() {
        let cases = [
            ("allowed_hosts = [\"https://x\"]", "t:2: web.allowed_hosts: \"https://x\" is no host name"),
            ("cors_origins = [\"*\"]", "t:2: web.cors_origins: \"*\" is no origin"),
            ("cors_origins = [\"https://x/y\"]", "t:2: web.cors_origins: \"https://x/y\" is no origin"),
            ("tls_cert = \"a.pem\"", "t:2: web.tls_cert: web.tls_cert and web.tls_key go together"),
            ("max_body_mb = 0", "t:2: web.max_body_mb: 0 is out of range (1 to 400)"),
        ];
        for (line, message) in cases {
            let error = Config::parse(&format!("[web]\n{line}\n"), "t", &BTreeMap::new()).expect_err(line);
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }
}
