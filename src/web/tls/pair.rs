//! A certificate chain and its key, as they are in two files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{self, AlpnError, SslAcceptor, SslMethod};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameRef, X509Ref, X509StoreContext, X509VerifyResult};

/// What the server speaks (RFC 7301's list of one). Whoever is offered `h2` would speak that.
const PROTOCOLS: &[u8] = b"\x08http/1.1";

/// What OpenSSL says of a chain whose next certificate is missing: `X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT` and
/// `…_CERT_LOCALLY` (openssl-verification-options(1)).
const NO_ISSUER: [i32; 2] = [2, 20];

/// The certificate and those who vouch for it, own one first, and its key.
pub struct Pair {
    chain: Vec<X509>,
    acceptor: Arc<SslAcceptor>,
}

/// Why a pair cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    #[error("unable to read {} ({setting}): {source} (is the path right, and may this user read it?)", path.display())]
    Read { setting: &'static str, path: PathBuf, source: io::Error },
    #[error("unable to use {} (web.tls_cert): no certificate in it (PEM is needed; `emotiond tls` makes a pair)", path.display())]
    NoCertificate { path: PathBuf },
    #[error(
        "unable to use {} (web.tls_key): the key is locked with a password (`openssl pkey -in LOCKED -out FILE` writes one without)",
        path.display()
    )]
    Locked { path: PathBuf },
    #[error("unable to use {} (web.tls_key): no private key in it (PEM is needed; `emotiond tls` makes a pair)", path.display())]
    NoKey { path: PathBuf },
    #[error(
        "unable to use {} (web.tls_cert) with {} (web.tls_key): the key is not that of the file's first certificate \
         (the page's own certificate stands first, then those who vouch for it)",
        cert.display(),
        key.display()
    )]
    Strangers { cert: PathBuf, key: PathBuf },
    #[error(
        "unable to use {} (web.tls_cert) with {} (web.tls_key): {source} (`emotiond tls` makes a pair)",
        cert.display(),
        key.display()
    )]
    Refused { cert: PathBuf, key: PathBuf, source: ErrorStack },
}

/// Why browsers may refuse a pair that can be served.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    #[error("the certificate of {name} expired at {at} (is this device's clock right?)")]
    Expired { name: String, at: Timestamp },
    #[error("the certificate of {name} is not valid before {at} (is this device's clock right?)")]
    NotYetValid { name: String, at: Timestamp },
    #[error(
        "{issuer} vouches for the certificate, but is neither in the file nor known to this system: unless browsers know it, \
         they refuse the page (give the whole chain, which certbot calls fullchain.pem)"
    )]
    NoIssuer { issuer: String },
}

impl Pair {
    /// Reads and compares both files.
    ///
    /// # Errors
    /// When a file cannot be read, holds nothing of its kind, is locked with a password, or when
    /// they do not belong together.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, PairError> {
        let read = |setting, path: &Path| {
            fs::read(path).map_err(|source| PairError::Read { setting, path: path.to_owned(), source })
        };
        let chain = X509::stack_from_pem(&read("web.tls_cert", cert)?).unwrap_or_default();
        let own = chain.first().ok_or_else(|| PairError::NoCertificate { path: cert.to_owned() })?;
        let mut locked = false;
        // Without a callback OpenSSL asks for the password on the terminal.
        let found = PKey::private_key_from_pem_callback(&read("web.tls_key", key)?, |_| {
            locked = true;
            Err(ErrorStack::get())
        });
        let path = key.to_owned();
        let private = match found {
            Ok(private) => private,
            Err(_) if locked => return Err(PairError::Locked { path }),
            Err(_) => return Err(PairError::NoKey { path }),
        };
        let refused = |source| PairError::Refused { cert: cert.to_owned(), key: key.to_owned(), source };
        if !own.public_key().map_err(refused)?.public_eq(&private) {
            return Err(PairError::Strangers { cert: cert.to_owned(), key: path });
        }
        let acceptor = Arc::new(acceptor(&chain, &private).map_err(refused)?);
        Ok(Self { chain, acceptor })
    }

    /// What answers connections with it.
    pub fn acceptor(&self) -> Arc<SslAcceptor> {
        Arc::clone(&self.acceptor)
    }

    /// Who it is for, and until when.
    pub fn describe(&self) -> String {
        match self.chain.first() {
            Some(own) => format!("{} until {}", name(own), when(own.not_after())),
            None => String::new(),
        }
    }

    /// A certificate of the chain whose time is not now.
    pub fn outdated(&self) -> Option<Doubt> {
        let now = Asn1Time::days_from_now(0).ok()?;
        self.chain.iter().find_map(|each| {
            if each.not_after() < now {
                Some(Doubt::Expired { name: name(each), at: when(each.not_after()) })
            } else if each.not_before() > now {
                Some(Doubt::NotYetValid { name: name(each), at: when(each.not_before()) })
            } else {
                None
            }
        })
    }

    /// Whether the file leaves out who vouches for its last certificate, and this system does not
    /// know them either. One that vouches for itself needs nobody.
    pub fn unvouched(&self) -> Option<Doubt> {
        let result = verify(&self.chain).ok()?;
        let issuer = || self.chain.last().map(|last| person(last.issuer_name()));
        NO_ISSUER.contains(&result.as_raw()).then(issuer).flatten().map(|issuer| Doubt::NoIssuer { issuer })
    }
}

/// TLS 1.2 and newer with Mozilla's intermediate ciphers, and HTTP/1.1 in it.
fn acceptor(chain: &[X509], key: &PKey<Private>) -> Result<SslAcceptor, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    builder.set_certificate(&chain[0])?;
    for certificate in &chain[1..] {
        builder.add_extra_chain_cert(certificate.clone())?;
    }
    builder.set_private_key(key)?;
    builder.check_private_key()?;
    builder.set_alpn_select_callback(|_, offered| {
        ssl::select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::ALERT_FATAL)
    });
    Ok(builder.build())
}

/// What this system's authorities say of a chain.
fn verify(chain: &[X509]) -> Result<X509VerifyResult, ErrorStack> {
    let mut known = X509StoreBuilder::new()?;
    known.set_default_paths()?;
    let mut others = Stack::new()?;
    for certificate in &chain[1..] {
        others.push(certificate.clone())?;
    }
    X509StoreContext::new()?.init(&known.build(), &chain[0], &others, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })
}

/// What a certificate is for: its first name in the net, else its common name.
fn name(certificate: &X509Ref) -> String {
    let names = certificate.subject_alt_names();
    let first = names.iter().flatten().find_map(|name| name.dnsname().map(str::to_owned));
    first.unwrap_or_else(|| person(certificate.subject_name()))
}

/// Each part of a name, as in `Example CA, Example Ltd`.
fn person(name: &X509NameRef) -> String {
    let parts = name.entries().filter_map(|entry| entry.data().to_string().ok());
    parts.collect::<Vec<_>>().join(", ")
}

fn when(time: &Asn1TimeRef) -> Timestamp {
    let seconds = Asn1Time::from_unix(0)
        .and_then(|epoch| epoch.diff(time))
        .map(|since| i64::from(since.days) * 86_400 + i64::from(since.secs));
    seconds.ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX)
}
