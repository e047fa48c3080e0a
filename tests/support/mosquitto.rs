//! A real broker as a child process, a client that watches what it delivers, and what can stand
//! between or in the place of it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest wait for anything that must happen.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    within(DEADLINE, what, condition);
}

/// Waits at most for `deadline` until `condition` holds.
pub fn within(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not within {deadline:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An address of the loopback network that no other test uses, so that ports need not be searched.
pub fn address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let pid = std::process::id();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.{number}", 64 + (pid >> 8) % 128, pid % 256)
}

/// Mosquitto on port 1883 of its own loopback address.
pub struct Mosquitto {
    pub host: String,
    pub folder: TempDir,
    config: String,
    child: Option<Child>,
}

impl Mosquitto {
    pub const PORT: u16 = 1883;

    /// A running broker that lets everybody in.
    pub fn start() -> Self {
        let mut broker = Self::prepare(address(), "allow_anonymous true");
        broker.run();
        broker
    }

    /// A broker that does not run yet; `config` is added to its configuration.
    pub fn prepare(host: String, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        // As root mosquitto would become a user that cannot read the folder.
        let config = format!("user root\nmax_queued_messages 0\nlistener {} {host}\n{config}\n", Self::PORT);
        Self { host, folder, config, child: None }
    }

    /// Adds to the configuration.
    pub fn configure(&mut self, lines: &str) {
        self.config.push_str(lines);
        self.config.push('\n');
    }

    pub fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    /// Starts the process and waits until it listens.
    pub fn run(&mut self) {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("mosquitto is missing: install it (`apt-get install mosquitto`)");
        let (config, log) = (self.path("mosquitto.conf"), self.path("mosquitto.log"));
        std::fs::write(&config, &self.config).expect("configuration");
        let output = File::create(&log).expect("log");
        let child = Command::new(program)
            .args(["-c", &config])
            .stdout(output.try_clone().expect("log"))
            .stderr(output)
            .stdin(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        let child = self.child.insert(child);
        let host = &self.host;
        eventually("mosquitto listens", || {
            if let Some(status) = child.try_wait().expect("child") {
                panic!("mosquitto ended ({status}): {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            TcpStream::connect((host.as_str(), Self::PORT)).is_ok()
        });
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
    }

    /// Freezes the process; its sockets stay open.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("running");
        kill_process(Pid::from_child(child), signal).expect("signalled");
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: String,
    pub retain: bool,
    pub qos: QoS,
}

/// Sees every message that the broker delivers from its start on.
pub struct Watcher {
    pub client: Client,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Watcher {
    /// Connects and subscribes to everything.
    pub fn new(broker: &Mosquitto) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let id = format!("watcher-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut options = MqttOptions::new(id, &broker.host, Mosquitto::PORT);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 64);
        client.subscribe("#", QoS::ExactlyOnce).expect("subscribes");
        let messages = Arc::new(Mutex::new(Vec::new()));
        let (subscribed, wait) = mpsc::channel();
        let seen = Arc::clone(&messages);
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        seen.lock().expect("messages").push(Message {
                            topic: message.topic,
                            payload: String::from_utf8_lossy(&message.payload).into_owned(),
                            retain: message.retain,
                            qos: message.qos,
                        });
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = subscribed.send(());
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        wait.recv_timeout(DEADLINE).expect("the watcher subscribes");
        Self { client, messages }
    }

    pub fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().expect("messages")
    }

    /// The payloads on `topic` so far.
    pub fn payloads(&self, topic: &str) -> Vec<String> {
        let messages = self.messages();
        messages
            .iter()
            .filter(|message| message.topic == topic)
            .map(|message| message.payload.clone())
            .collect()
    }

    /// Waits until the newest payload on `topic` is `payload`.
    pub fn wait_for(&self, topic: &str, payload: &str) {
        eventually(&format!("{payload} on {topic}"), || {
            self.payloads(topic).last().is_some_and(|last| last == payload)
        });
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.client.try_disconnect();
    }
}

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
