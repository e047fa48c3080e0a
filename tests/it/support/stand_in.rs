//! What stands between a client and its broker, or in the broker's place; and certificates.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::mosquitto::Mosquitto;

/// A way to the broker that can be cut, so that the broker sees the connection break, and opened
/// again.
pub struct Gate {
    pub port: u16,
    inner: Arc<GateState>,
}

struct GateState {
    open: AtomicBool,
    swallow: AtomicBool,
    swallowed: AtomicUsize,
    /// Cut in the middle of what comes next.
    halve: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Gate {
    pub fn new(broker: &Mosquitto) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let port = listener.local_addr().expect("address").port();
        let inner = Arc::new(GateState {
            open: AtomicBool::new(true),
            swallow: AtomicBool::new(false),
            swallowed: AtomicUsize::new(0),
            halve: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let gate = Self { port, inner: Arc::clone(&inner) };
        let host = broker.host.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if !inner.open.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect((host.as_str(), Mosquitto::PORT)) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("stream");
                let (from, to, state) = (clone(&near), clone(&far), Arc::clone(&inner));
                thread::spawn(move || pass_on(from, to, &state));
                let (mut from, mut to) = (clone(&far), clone(&near));
                thread::spawn(move || std::io::copy(&mut from, &mut to));
                inner.streams.lock().expect("streams").extend([near, far]);
            }
        });
        gate
    }

    /// From now on nothing that the device sends gets through; the connection stays.
    pub fn swallow(&self) {
        self.inner.swallow.store(true, Ordering::SeqCst);
    }

    /// Bytes that did not get through.
    pub fn swallowed(&self) -> usize {
        self.inner.swallowed.load(Ordering::SeqCst)
    }

    /// Lets half of the device's next packet through and ends that connection.
    pub fn cut_within_packet(&self) {
        self.inner.halve.store(true, Ordering::SeqCst);
    }

    /// Nothing is waiting to be cut.
    pub fn has_cut(&self) -> bool {
        !self.inner.halve.load(Ordering::SeqCst)
    }

    pub fn cut(&self) {
        self.inner.open.store(false, Ordering::SeqCst);
        for stream in self.inner.streams.lock().expect("streams").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn reopen(&self) {
        self.inner.swallow.store(false, Ordering::SeqCst);
        self.inner.open.store(true, Ordering::SeqCst);
    }
}

/// Copies until either end closes, and closes both.
fn pass_on(mut from: TcpStream, mut to: TcpStream, state: &GateState) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        // What is shorter may be a whole packet that says nothing.
        if length > 8 && state.halve.swap(false, Ordering::SeqCst) {
            let _ = to.write_all(&buffer[..length / 2]);
            break;
        }
        if state.swallow.load(Ordering::SeqCst) {
            state.swallowed.fetch_add(length, Ordering::SeqCst);
        } else if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A server that answers each connection with what `answer` makes of its number.
pub fn impostor(answer: impl Fn(usize) -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("mqtt://{}", listener.local_addr().expect("address"));
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 256]);
            let bytes = answer(number);
            let _ = stream.write_all(&bytes);
            if bytes.is_empty() {
                open.push(stream);
            }
        }
    });
    (url, connections)
}

/// Runs a helper program to its end.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority `ca` and, signed by it, `server` (for `broker`'s address) and `client`; and `other`,
/// an authority that signed neither.
pub fn certificates(broker: &Mosquitto) {
    let make = |name: &str, more: &[&str]| {
        let (key, cert) = (broker.path(&format!("{name}.key")), broker.path(&format!("{name}.pem")));
        let subject = format!("/CN={name}");
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-days", "2", "-subj", &subject, "-keyout", &key, "-out", &cert]);
        run(openssl.args(curve).args(more));
    };
    let (ca, ca_key) = (broker.path("ca.pem"), broker.path("ca.key"));
    let name = format!("subjectAltName=IP:{}", broker.host);
    make("ca", &[]);
    make("other", &[]);
    make("server", &["-CA", &ca, "-CAkey", &ca_key, "-addext", &name]);
    make("client", &["-CA", &ca, "-CAkey", &ca_key]);
}
