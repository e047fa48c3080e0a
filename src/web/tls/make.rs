//! A self-signed pair.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// Apple's devices refuse certificates that are valid for longer (support.apple.com/103769).
pub const LONGEST_DAYS: u32 = 825;

const CERT_FILE: &str = "emotiond.cert.pem";
const KEY_FILE: &str = "emotiond.key.pem";

/// A pair that was made.
#[derive(Debug)]
pub struct Made {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub names: Vec<String>,
    /// SHA-256 of the certificate, as browsers show it.
    pub fingerprint: String,
}

/// Why none was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error("unable to write {}: it is there already (--force replaces it)", path.display())]
    Exists { path: PathBuf },
    #[error("unable to write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("unable to make a certificate for {name:?}: it is neither a host name nor an address")]
    Name { name: String },
    #[error("unable to make a certificate: {0} (is OpenSSL installed whole?)")]
    Make(#[from] ErrorStack),
}

/// Makes a self-signed certificate for this machine's names and addresses and for `more`, and writes
/// it and its key into `folder`. The key is for the owner of `folder` only.
pub fn make_pair(folder: &Path, more: &[String], days: u32, force: bool) -> Result<Made, MakeError> {
    let (cert, key) = (folder.join(CERT_FILE), folder.join(KEY_FILE));
    if let Some(path) = [&cert, &key].into_iter().find(|path| path.exists() && !force) {
        return Err(MakeError::Exists { path: path.clone() });
    }
    let mut names = own_names();
    names.extend(more.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(MakeError::Name { name: name.clone() });
    }
    let (certificate, private) = sign(&names, days)?;
    let write = |path: &Path, text: &[u8], mode| {
        write(folder, path, text, mode).map_err(|source| MakeError::Write { path: path.to_owned(), source })
    };
    write(&key, &private.private_key_to_pem_pkcs8()?, 0o600)?;
    write(&cert, &certificate.to_pem()?, 0o644)?;
    let digest = certificate.digest(MessageDigest::sha256())?;
    let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    Ok(Made { cert, key, names, fingerprint })
}

/// A certificate for `names` that vouches for itself, and its key.
fn sign(names: &[String], days: u32) -> Result<(X509, PKey<Private>), ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let private = PKey::from_ec_key(EcKey::generate(&curve)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "emotiond")?;
    let name = name.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    // At most 20 bytes and positive (RFC 5280).
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&private)?;
    // A clock that is a little slow shall not refuse it.
    let from = Timestamp::now().as_second() - 3600;
    builder.set_not_before(&*Asn1Time::from_unix(from)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(from + i64::from(days) * 86_400)?)?;
    let mut alternatives = SubjectAlternativeName::new();
    for name in names {
        match name.parse::<IpAddr>() {
            Ok(_) => alternatives.ip(name),
            Err(_) => alternatives.dns(name),
        };
    }
    let alternatives = alternatives.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(alternatives)?;
    builder.append_extension(KeyUsage::new().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    builder.sign(&private, MessageDigest::sha256())?;
    Ok((builder.build(), private))
}

/// An address, or a host name with at most a `*` as its first part (RFC 1123, RFC 6125).
fn is_name(name: &str) -> bool {
    let plain = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    name.parse::<IpAddr>().is_ok() || host.len() <= 253 && host.split('.').all(plain)
}

/// Whole or not at all, never readable for others meanwhile. Made by root in a folder of the
/// daemon's user, the file is that user's.
fn write(folder: &Path, path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text)?;
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
