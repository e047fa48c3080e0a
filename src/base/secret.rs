//! Text that may hold a password: it can be used, but not shown by mistake.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

/// A password, a token, an address or a command's argument. `Debug` and `Display` show of it at most the scheme
/// and the host of an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The only line of a file, without the line's end and a byte order mark.
    ///
    /// # Errors
    /// When it cannot be read, is empty, not UTF-8, longer than a line, or holds control characters.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let unusable = |reason| SecretError::Unusable { path: path.to_owned(), reason };
        let bytes =
            std::fs::read(path).map_err(|source| SecretError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8 (save it as UTF-8)"))?;
        let line = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            Err(unusable("it is empty (write the secret into it)"))
        } else if line.contains(['\r', '\n']) {
            Err(unusable("it has more than one line (only the secret may stand in it)"))
        } else if line.contains(char::is_control) {
            Err(unusable("it holds control characters (only the secret may stand in it)"))
        } else {
            Ok(Self(line.to_owned()))
        }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.:[]".contains(c);
        // The path of a webhook is often its secret, and before an @ stands a password.
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !scheme.is_empty() && scheme.chars().all(plain) && host.chars().all(plain) && !rest.contains('@') {
            write!(f, "{scheme}://{host}{}", if host.len() < rest.len() { "/…" } else { "" })
        } else {
            f.write_str("…")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a file with a secret cannot be used. What stands in it is not said.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("unable to read {}: {source} (is the path right, and may this user read it?)", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("unable to use {}: {reason}", path.display())]
    Unusable { path: PathBuf, reason: &'static str },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_and_host_are_shown() {
        for (text, shown) in [
            ("https://house:8123/api/webhook/abc", "https://house:8123/…"),
            ("http://house", "http://house"),
            ("rtsp://user:pa/ss@camera", "…"),
            ("http://house/?to=me@house", "…"),
            ("sesame", "…"),
            ("command with 'a quote", "…"),
        ] {
            let secret = Secret::from(text.to_owned());
            assert_eq!((secret.to_string(), format!("{secret:?}")), (shown.to_owned(), shown.to_owned()));
            assert_eq!(secret.reveal(), text);
        }
    }

    #[test]
    fn a_file_holds_one_line() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("secret");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            Secret::read(&path)
        };
        assert_eq!(read("\u{feff} se same \r\n".as_bytes()).expect("good").reveal(), " se same ");
        for (bytes, reason) in [
            (b"\n".as_slice(), "it is empty"),
            (b"", "it is empty"),
            (b"one\ntwo\n", "it has more than one line"),
            (b"p\xe4ss", "it is not UTF-8"),
            (b"a\x00b", "it holds control characters"),
        ] {
            let error = read(bytes).expect_err(reason).to_string();
            assert!(error.contains(reason) && !error.contains("two"), "{error}");
        }
    }
}
