//! The certificate: reading a pair, and making a self-signed one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use sha2::{Digest, Sha256};

use super::error::WebError;

/// Apple's devices refuse certificates that are valid for longer (support.apple.com/103769).
pub const LONGEST_DAYS: u32 = 825;

const CERT_FILE: &str = "emotiond.cert.pem";
const KEY_FILE: &str = "emotiond.key.pem";

/// A pair that was made.
#[derive(Debug)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub names: Vec<String>,
    /// SHA-256 of the certificate, as browsers show it.
    pub fingerprint: String,
}

/// Why none was made.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    #[error("unable to write {}: it is there already (--force replaces it)", path.display())]
    Exists { path: PathBuf },
    #[error("unable to write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("unable to make a certificate for {names}: {source} (names are host names or addresses)")]
    Make { names: String, source: rcgen::Error },
}

/// Makes a self-signed certificate for this machine's names and addresses and for `more`, and writes
/// it and its key into `folder`. The key is for the owner of `folder` only.
pub fn make_pair(folder: &Path, more: &[String], days: u32, force: bool) -> Result<Pair, PairError> {
    let (cert, key) = (folder.join(CERT_FILE), folder.join(KEY_FILE));
    if let Some(path) = [&cert, &key].into_iter().find(|path| path.exists() && !force) {
        return Err(PairError::Exists { path: path.clone() });
    }
    let mut names = own_names();
    names.extend(more.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    let failed = |source| PairError::Make { names: names.join(", "), source };
    let mut params = CertificateParams::new(names.clone()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "emotiond");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A clock that is a little slow shall not refuse it.
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(3600)).into();
    params.not_after = (now + Duration::from_secs(u64::from(days) * 24 * 3600 - 3600)).into();
    let pair = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&pair).map_err(failed)?;
    let write = |path: &Path, text: &str, mode| {
        write(folder, path, text, mode).map_err(|source| PairError::Write { path: path.to_owned(), source })
    };
    write(&key, &pair.serialize_pem(), 0o600)?;
    write(&cert, &certificate.pem(), 0o644)?;
    let digest = Sha256::digest(certificate.der());
    let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    Ok(Pair { cert, key, names, fingerprint })
}

/// Whole or not at all, never readable for others meanwhile. Made by root in a folder of the
/// daemon's user, the file is that user's.
fn write(folder: &Path, path: &Path, text: &str, mode: u32) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let owner = fs::metadata(folder)?;
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        chown(&part, Some(owner.uid()), Some(owner.gid()))?;
    }
    fs::rename(&part, path)
}

/// The names and addresses by which browsers may reach this machine.
fn own_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_ascii_lowercase();
    if !host.is_empty() && host != "localhost" {
        names.push(host.clone());
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
    }
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    // Connecting a UDP socket sends nothing, but tells which address would be used. The two are set
    // aside for documentation (RFC 5737, RFC 3849) and lie behind the default route.
    let far: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    for (any, far) in far {
        let own = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect((far, 9))?;
            socket.local_addr()
        });
        names.extend(own.map(|own| own.ip().to_string()).ok().filter(|own| !names.contains(own)));
    }
    names
}

/// The configured pair, as the server takes it.
pub async fn read_pair(cert: &Path, key: &Path) -> Result<axum_server::tls_rustls::RustlsConfig, WebError> {
    let read = |name: &'static str, path: &Path| {
        fs::read(path).map_err(|source| WebError::Read { key: name, path: path.to_owned(), source })
    };
    let texts = (read("web.tls_cert", cert)?, read("web.tls_key", key)?);
    axum_server::tls_rustls::RustlsConfig::from_pem(texts.0, texts.1).await.map_err(|source| WebError::Pair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        source,
    })
}
