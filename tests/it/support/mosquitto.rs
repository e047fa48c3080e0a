//! A real broker as a child process, and a client that watches what it delivers.

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
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
    /// Read when the process starts.
    pub config: String,
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
        Self::connect(broker, None)
    }

    /// As `user`, whose password is the same word.
    pub fn login(broker: &Mosquitto, user: &str) -> Self {
        Self::connect(broker, Some(user))
    }

    fn connect(broker: &Mosquitto, user: Option<&str>) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let id = format!("watcher-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut options = MqttOptions::new(id, &broker.host, Mosquitto::PORT);
        options.set_max_packet_size(1 << 20, 1 << 20);
        if let Some(user) = user {
            options.set_credentials(user, user);
        }
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
