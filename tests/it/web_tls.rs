//! The page over HTTPS: what clients offer, and certificates as people have them.

use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslConnector, SslMethod, SslStream};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::mosquitto::eventually;
use crate::support::site::{self, Site, setup};

const DAY: i64 = 86_400;

/// A certificate and its key.
struct Made {
    certificate: X509,
    key: PKey<Private>,
}

/// Signed by `issuer`, else by itself; valid from and until so many days from now.
fn make(name: &str, issuer: Option<&Made>, authority: bool, days: (i64, i64)) -> Made {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("key")).expect("key");
    let named = |text: &str| -> X509Name {
        let mut name = X509NameBuilder::new().expect("name");
        name.append_entry_by_nid(Nid::COMMONNAME, text).expect("name");
        name.build()
    };
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs() as i64;
    let day = |days: i64| Asn1Time::from_unix(now + days * DAY).expect("time");
    let mut builder = X509::builder().expect("builder");
    let serial =
        BigNum::from_u32(fastrand::u32(1..)).and_then(|number| number.to_asn1_integer()).expect("number");
    builder.set_version(2).expect("set");
    builder.set_serial_number(&serial).expect("set");
    builder.set_subject_name(&named(name)).expect("set");
    let by = issuer
        .map_or_else(|| named(name), |issuer| issuer.certificate.subject_name().to_owned().expect("name"));
    builder.set_issuer_name(&by).expect("set");
    builder.set_pubkey(&key).expect("set");
    builder.set_not_before(&day(days.0)).expect("set");
    builder.set_not_after(&day(days.1)).expect("set");
    if authority {
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().expect("built"))
            .expect("set");
    }
    let names = SubjectAlternativeName::new()
        .dns(name)
        .ip("127.0.0.1")
        .build(&builder.x509v3_context(None, None))
        .expect("built");
    builder.append_extension(names).expect("set");
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).expect("signed");
    Made { certificate: builder.build(), key }
}

/// A folder with pairs in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    /// The certificate, then `others`, and the key.
    fn pair(&self, name: &str, made: &Made, others: &[&Made]) -> (PathBuf, PathBuf) {
        let pem = |made: &&Made| made.certificate.to_pem().expect("PEM");
        let chain = [made].iter().chain(others).flat_map(pem).collect::<Vec<u8>>();
        let key = made.key.private_key_to_pem_pkcs8().expect("PEM");
        (self.write(&format!("{name}.cert"), &chain), self.write(&format!("{name}.key"), &key))
    }

    /// As `emotiond tls` makes it.
    fn self_signed(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_emotiond"))
            .args(["tls", "--name", "house.example", "--out"])
            .arg(self.0.path())
            .args(more)
            .output()
            .expect("emotiond starts")
    }
}

fn serve((cert, key): &(PathBuf, PathBuf)) -> Site {
    Site::of(
        setup()
            .set("web.tls_cert", &cert.display().to_string())
            .set("web.tls_key", &key.display().to_string()),
    )
}

/// What a client that trusts `authority` and offers these protocols gets.
fn connect(
    site: &Site,
    authority: &Path,
    protocols: &[u8],
) -> Result<SslStream<std::net::TcpStream>, String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("builder");
    builder.set_ca_file(authority).map_err(|error| error.to_string())?;
    if !protocols.is_empty() {
        builder.set_alpn_protos(protocols).expect("protocols");
    }
    builder.build().connect("127.0.0.1", site.connect()).map_err(|error| error.to_string())
}

fn trusts(site: &Site, authority: &Path) -> bool {
    connect(site, authority, b"").is_ok()
}

fn check(pair: &(PathBuf, PathBuf), authorities: Option<&Path>) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_emotiond"));
    program.args(["check", "--set", "mqtt.url="]);
    program.args(["--set", &format!("web.tls_cert={}", pair.0.display())]);
    program.args(["--set", &format!("web.tls_key={}", pair.1.display())]);
    program.stdin(std::process::Stdio::null());
    if let Some(authorities) = authorities {
        program.env("SSL_CERT_FILE", authorities);
    }
    let output = program.output().expect("emotiond starts");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn of_what_browsers_offer_the_server_takes_http_1_1() {
    let folder = Folder::new();
    assert!(folder.self_signed(&[]).status.success());
    let pair = (folder.path("emotiond.cert.pem"), folder.path("emotiond.key.pem"));
    let site = serve(&pair);
    for (offered, taken) in [
        (&b"\x02h2\x08http/1.1"[..], Some(&b"http/1.1"[..])),
        (b"\x08http/1.1", Some(b"http/1.1")),
        (b"", None),
    ] {
        let mut stream = connect(&site, &pair.0, offered).expect("connects");
        assert_eq!(stream.ssl().selected_alpn_protocol(), taken);
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", site.address);
        stream.write_all(request.as_bytes()).expect("sent");
        assert_eq!(site::read(&mut BufReader::new(stream), true).expect("an answer").status, 200);
    }
    let refused = connect(&site, &pair.0, b"\x02h2").expect_err("nothing in common");
    assert!(refused.contains("no application protocol"), "{refused}");
}

#[test]
fn a_certificate_is_made_and_renewed() {
    let folder = Folder::new();
    let made = folder.self_signed(&[]);
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(
        made.status.success() && said.contains("tls_cert = ") && said.contains("house.example"),
        "{said}"
    );
    let pair = (folder.path("emotiond.cert.pem"), folder.path("emotiond.key.pem"));
    let (cert, key) = &pair;
    assert_eq!(fs::metadata(key).expect("there").permissions().mode() & 0o777, 0o600);
    let again = folder.self_signed(&[]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("--force"));
    let strange = folder.self_signed(&["--force", "--name", "a b"]);
    assert!(
        String::from_utf8_lossy(&strange.stderr)
            .contains("\"a b\": it is neither a host name nor an address")
    );
    let (status, said) = check(&pair, None);
    assert!(
        status == Some(0) && said.contains("certificate localhost until 20") && !said.contains("vouches"),
        "{said}"
    );

    // SIGHUP takes the new one, and who trusts only the old one does not get through.
    let site = serve(&pair);
    assert!(trusts(&site, cert));
    let old = folder.path("old.pem");
    fs::copy(cert, &old).expect("copied");
    assert!(folder.self_signed(&["--force"]).status.success());
    site.daemon.signal(Signal::HUP);
    eventually("the certificate is renewed", || trusts(&site, cert));
    assert!(!trusts(&site, &old), "the old certificate is served");

    // So does time, when nobody sends a signal.
    assert!(folder.self_signed(&["--force"]).status.success());
    eventually("the certificate is renewed without a signal", || trusts(&site, cert));

    // What cannot be used is said, and what is served stays.
    fs::copy(cert, &old).expect("copied");
    fs::write(cert, "nothing").expect("written");
    site.daemon.wait_for_log("the renewed certificate is not taken");
    assert!(trusts(&site, &old));
}

#[test]
fn check_says_what_is_wrong_with_a_certificate() {
    let folder = Folder::new();
    let root = make("Example Root", None, true, (-9, 900));
    let middle = make("Example Middle", Some(&root), true, (-9, 900));
    let own = make("door.example", Some(&middle), false, (-9, 90));
    let good = folder.pair("good", &own, &[&middle]);
    let roots = folder.write("root.pem", &root.certificate.to_pem().expect("PEM"));

    let locked = own.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret").expect("PEM");
    let locked = folder.write("locked.key", &locked);
    let empty = folder.write("empty", b"");
    let expired = folder.pair("expired", &make("door.example", None, false, (-20, -10)), &[]);
    let early = folder.pair("early", &make("door.example", None, false, (10, 20)), &[]);
    let old_middle = make("Old Middle", Some(&root), true, (-20, -10));
    let old_chain =
        folder.pair("chain", &make("door.example", Some(&old_middle), false, (-9, 90)), &[&old_middle]);
    let turned =
        folder.write("turned", &[&middle, &own].map(|made| made.certificate.to_pem().expect("PEM")).concat());
    let faults = [
        (expired.clone(), "the certificate of door.example expired at 20"),
        (early, "the certificate of door.example is not valid before 20"),
        (old_chain, "the certificate of Old Middle expired at 20"),
        ((good.0.clone(), locked), "the key is locked with a password"),
        ((good.0.clone(), empty.clone()), "no private key in it"),
        ((empty, good.1.clone()), "no certificate in it"),
        ((good.0.clone(), expired.1.clone()), "the key is not that of the file's first certificate"),
        ((turned, good.1.clone()), "the key is not that of the file's first certificate"),
    ];
    for (pair, message) in faults {
        let (status, said) = check(&pair, None);
        assert!(status == Some(78) && said.contains(message), "{message}: {status:?} {said}");
    }

    let (status, said) = check(&good, Some(&roots));
    assert!(
        status == Some(0) && said.contains("door.example until 20") && !said.contains("vouches"),
        "{said}"
    );
    let (status, said) = check(&folder.pair("alone", &own, &[]), Some(&roots));
    assert!(
        status == Some(0) && said.contains("Example Middle vouches for the certificate, but is neither"),
        "{said}"
    );

    // The clock of a device may be wrong when it starts: the page is there all the same.
    let site = serve(&expired);
    site.daemon.wait_for_log("web: the certificate of door.example expired at 20");
}
