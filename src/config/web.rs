//! The section `[web]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::keys::{Keys, Unfit};

/// Name of the systemd credential (`LoadCredential=`) that holds the token.
const CREDENTIAL: &str = "web-token";

/// The page and the HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// `None`: off.
    pub listen: Option<SocketAddr>,
    /// File that holds the token, if one is asked for.
    pub token_file: Option<PathBuf>,
    /// Names by which browsers may reach it, beside addresses, `localhost` and the host's own name.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// PEM certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Most live pictures a second.
    pub live_fps: u32,
    /// Most live pictures, and most streams of events, at once.
    pub max_viewers: usize,
    /// Most photos that are received, waiting or worked on at once.
    pub max_uploads: usize,
    /// Most bytes of a request's body.
    pub max_body: usize,
    /// Most pixels of an uploaded photo.
    pub max_pixels: u64,
}

impl Web {
    pub(super) fn read(keys: &mut Keys<'_, '_>) -> Self {
        let (listen, token_file) = listen(keys);
        Self {
            listen,
            token_file,
            allowed_hosts: keys
                .list("allowed_hosts", "[]", hosts)
                .help(
                    "Names by which browsers reach it, beside addresses, localhost and the host's own name (HOST, \
                     HOST.local, HOST.lan, HOST.home.arpa); for instance behind a proxy: [\"emotiond.example.org\"].",
                )
                .get(),
            cors_origins: keys
                .list("cors_origins", "[]", origins)
                .help("Origins whose pages may call the API with the token: [\"https://dashboard.example.org\"].")
                .get(),
            tls: tls(keys),
            live_fps: keys.integer("live_fps", 15, 1..=60).help("Most pictures a second in the live view.").get(),
            max_viewers: keys
                .integer("max_viewers", 32, 1..=1000)
                .help("Most live views, and as many streams of events, at once.")
                .get(),
            max_uploads: keys
                .integer("max_uploads", 8, 1..=100)
                .help("Most photos that are received, waiting or worked on at once.")
                .get(),
            max_body: keys
                .integer("max_body_mb", 16_usize, 1..=400)
                .unit("MiB")
                .help("Largest body of a request.")
                .get()
                << 20,
            max_pixels: keys
                .integer("max_megapixels", 25_u64, 1..=100)
                .unit("megapixels")
                .help("Largest picture.")
                .get()
                * 1_000_000,
        }
    }
}

fn listen(keys: &mut Keys<'_, '_>) -> (Option<SocketAddr>, Option<PathBuf>) {
    let address = |text: &str| {
        let forms = "127.0.0.1:8080, [::1]:8080 or empty for none";
        text.parse().map_err(|_| Unfit::new(format_args!("{text:?} is no address ({forms})")))
    };
    let listen = keys
        .optional("listen", "", Some(SocketAddr::from(([127, 0, 0, 1], 8080))), address)
        .help("Page and HTTP API; empty: off. Any other address than this machine's needs a token file.")
        .read();
    let token_file = keys
        .file("token_file")
        .help(
            "File with nothing but the token, at least 16 characters (`openssl rand -hex 24`); systemd's credential \
             web-token is taken without it.",
        )
        .read();
    let sound = token_file.sound;
    let token_file = token_file.value.or_else(credential);
    let open = listen.value.filter(|address| !address.ip().is_loopback() && token_file.is_none() && sound);
    if let Some(address) = open {
        let remedy = "set web.token_file to a file that holds a token";
        keys.mistake(&listen, format_args!("{address} can be reached from other machines: {remedy}"));
    }
    (listen.value, token_file)
}

/// systemd's copy of the token, where the unit hands one over.
fn credential() -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.exists().then_some(path)
}

fn tls(keys: &mut Keys<'_, '_>) -> Option<(PathBuf, PathBuf)> {
    let cert = keys
        .file("tls_cert")
        .help("PEM certificate chain; `emotiond tls` makes a self-signed pair. Read again when it changes.")
        .read();
    let key = keys.file("tls_key").help("PEM file of its key.").read();
    let together = "web.tls_cert and web.tls_key go together (`emotiond tls` makes a pair)";
    match (&cert.value, &key.value) {
        (Some(_), None) if key.sound => keys.mistake(&cert, together),
        (None, Some(_)) if cert.sound => keys.mistake(&key, together),
        _ => {}
    }
    cert.value.zip(key.value)
}

fn hosts(names: Vec<String>) -> Result<Vec<String>, Unfit> {
    for name in &names {
        if name.is_empty() || name.contains(['/', ':', '*', '@']) || name.contains(char::is_whitespace) {
            let form = "\"emotiond.example.org\", without scheme or port";
            return Err(Unfit::new(format_args!("{name:?} is no host name ({form})")));
        }
    }
    Ok(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
}

fn origins(origins: Vec<String>) -> Result<Vec<String>, Unfit> {
    for origin in &origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let plain = |host: &str| {
            !host.is_empty() && host.is_ascii() && !host.contains(['/', '*', '@']) && !host.contains(' ')
        };
        if !host.is_some_and(plain) {
            let form = "\"https://house.example.org\", without a path";
            return Err(Unfit::new(format_args!("{origin:?} is no origin ({form})")));
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
