//! What a subscriber sees while things go wrong: the real program, a real broker, real faults.
//! Prints a table. Takes some minutes, so it is run by `make fault-test` and not with the others.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rumqttc::QoS;
use rustix::process::Signal;

use support::mosquitto::{Mosquitto, eventually, within};
use support::running::{Daemon, Setup, portrait};
use support::stand_in::{Gate, run};
use support::subscriber::{Seen, Subscriber};

const AVAILABILITY: &str = "emotiond/test/availability";
const STATE: &str = "emotiond/test/state";
const EVENT: &str = "emotiond/test/event";

/// A broker, a subscriber and a daemon before a face that comes and goes.
struct House {
    broker: Mosquitto,
    subscriber: Subscriber,
    daemon: Daemon,
}

impl House {
    fn new() -> Self {
        let broker = Mosquitto::start();
        let port = Mosquitto::PORT;
        let host = broker.host.clone();
        Self::through(broker, &format!("mqtt://{host}:{port}"), |setup| setup)
    }

    fn through(broker: Mosquitto, url: &str, more: impl FnOnce(Setup) -> Setup) -> Self {
        let subscriber = Subscriber::new(&broker);
        let daemon = more(setup(url)).start();
        let house = Self { broker, subscriber, daemon };
        let mark = Instant::now() - Duration::from_secs(60);
        house.subscriber.wait_for(AVAILABILITY, Some("online"), mark);
        house.subscriber.wait_for("emotiond/test/enabled", Some("ON"), mark);
        house
    }

    /// Waits until the subscriber knows what is now, that is at most a repetition of the state before
    /// `mark`; how long that took.
    fn recovered(&self, mark: Instant) -> Duration {
        self.subscriber.wait_for(AVAILABILITY, Some("online"), mark);
        let now = Timestamp::now() - mark.elapsed() - Duration::from_secs(1);
        let mut current = None;
        eventually("a state that is current", || {
            current = self.subscriber.on(STATE, mark).into_iter().find(|seen| time(seen) >= now);
            current.is_some()
        });
        current.expect("found").at - mark
    }

    /// Every event until now, of which the clip has some: the camera is switched off and the last is waited for.
    fn events(&self) -> String {
        eventually("the clip's events", || self.subscriber.events(EVENT).different > 3);
        let mark = Instant::now();
        self.subscriber
            .client
            .publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "OFF")
            .expect("said");
        self.subscriber.wait_for("emotiond/test/enabled", Some("OFF"), mark);
        eventually("every event", || self.subscriber.events(EVENT).missing.is_empty());
        let events = self.subscriber.events(EVENT);
        format!("{} events, none missing, {} twice with the same id", events.different, events.twice)
    }
}

fn time(seen: &Seen) -> Timestamp {
    seen.json()["time"].as_str().expect("a time").parse().expect("RFC 3339")
}

fn setup(url: &str) -> Setup {
    let setup = Setup::new("none", url);
    let clip = clip(setup.folder.path());
    setup
        .set("camera.source", &format!("replay:{clip}"))
        .set("mqtt.state_interval_s", "1")
        .set("mqtt.keep_alive_s", "5")
        .set("camera.fps", "5")
}

/// A second of the portrait, then a second and a half of grey, five frames a second.
fn clip(folder: &Path) -> String {
    let clip = folder.join("clip.mkv").display().to_string();
    run(Command::new("ffmpeg")
        .args(["-loglevel", "error", "-loop", "1", "-framerate", "5", "-i", &portrait()])
        .args(["-vf", "drawbox=enable='gte(t,2)':color=gray:t=fill", "-t", "5", "-c:v", "mpeg4", "-q:v", "3"])
        .arg(&clip));
    clip
}

fn down_for_minutes() -> String {
    let mut house = House::new();
    house.broker.kill();
    let gone = Timestamp::now();
    thread::sleep(Duration::from_secs(120));
    let back = Timestamp::now();
    let mark = Instant::now();
    house.broker.run();
    let took = house.recovered(mark);
    let told = house.events();
    let during =
        house.subscriber.on(EVENT, mark).iter().map(time).filter(|time| (gone..back).contains(time)).count();
    assert!(during > 3, "events of the outage");
    format!(
        "online and current {took:.1?} after its start; {told}; {during} of them bear a time in the outage"
    )
}

fn restarted_often() -> String {
    let mut house = House::new();
    for _ in 0..20 {
        house.broker.kill();
        house.broker.run();
        thread::sleep(Duration::from_secs(3));
    }
    let mark = Instant::now();
    house.broker.kill();
    house.broker.run();
    let took = house.recovered(mark);
    format!("online and current {took:.1?} after the last start; {}", house.events())
}

fn broker_stopped() -> String {
    let house = House::new();
    house.broker.freeze();
    thread::sleep(Duration::from_secs(20));
    let mark = Instant::now();
    house.broker.thaw();
    let took = house.recovered(mark);
    eventually("online is the last word", || {
        house.subscriber.payloads(AVAILABILITY, mark).last().is_some_and(|last| last == "online")
    });
    format!("online and current {took:.1?} after SIGCONT; {}", house.events())
}

fn daemon_stopped() -> String {
    let house = House::new();
    let mark = Instant::now();
    house.daemon.signal(Signal::STOP);
    let gone = house.subscriber.wait_for(AVAILABILITY, Some("offline"), mark);
    let mark = Instant::now();
    house.daemon.signal(Signal::CONT);
    let took = house.recovered(mark);
    format!(
        "offline {gone:.1?} after SIGSTOP (keep-alive 5 s), online and current {took:.1?} after SIGCONT; {}",
        house.events()
    )
}

fn cut_within_packets() -> String {
    let broker = Mosquitto::start();
    let gate = Gate::new(&broker);
    let house = House::through(broker, &format!("mqtt://127.0.0.1:{}", gate.port), |setup| setup);
    let start = Instant::now();
    for _ in 0..5 {
        let mark = Instant::now();
        gate.cut_within_packet();
        eventually("a cut", || gate.has_cut());
        house.subscriber.wait_for(AVAILABILITY, Some("offline"), mark);
        house.recovered(mark);
    }
    let states = house.subscriber.on(STATE, start);
    // Each is whole or not there.
    states.iter().for_each(|state| drop(state.json()));
    let (count, told) = (states.len(), house.events());
    format!("5 cuts: offline (the will), then online each time; {count} states, none damaged; {told}")
}

fn wrong_clock() -> String {
    let library = fs::read_dir("/usr/lib")
        .expect("/usr/lib")
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
        .expect("faketime is missing: install it (`apt-get install faketime`)");
    let broker = Mosquitto::start();
    let url = format!("mqtt://{}:{}", broker.host, Mosquitto::PORT);
    let clock = broker.folder.path().join("clock");
    fs::write(&clock, "-20y\n").expect("written");
    let house = House::through(broker, &url, |mut setup| {
        setup
            .command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        setup
    });
    let years = || {
        let mark = Instant::now();
        eventually("states", || house.subscriber.on(STATE, mark).len() > 3);
        let last = house.subscriber.on(STATE, mark).pop().expect("a state").json();
        last["time"].as_str().expect("a time")[..4].to_owned()
    };
    let mut seen = vec![years()];
    for offset in ["+0\n", "+10y\n", "+0\n"] {
        fs::write(&clock, offset).expect("written");
        seen.push(years());
    }
    assert!(seen[0] < seen[1] && seen[1] < seen[2] && seen[1] == seen[3], "{seen:?}");
    let offline = house.subscriber.payloads(AVAILABILITY, Instant::now() - Duration::from_secs(300));
    assert!(!offline.contains(&"offline".to_owned()), "{offline:?}");
    for event in house.subscriber.on(EVENT, Instant::now() - Duration::from_secs(300)) {
        let duration = event.json()["duration_s"].as_f64().unwrap_or_default();
        assert!((0.0..600.0).contains(&duration), "{event:?}");
    }
    format!(
        "states went on in the years {}, durations right, never offline; {}",
        seen.join(", "),
        house.events()
    )
}

fn home_assistant_restarted() -> String {
    let house = House::new();
    let mark = Instant::now();
    let said =
        |payload| house.subscriber.client.publish("homeassistant/status", QoS::AtLeastOnce, false, payload);
    said("offline").expect("said");
    said("online").expect("said");
    let config = house.subscriber.wait_for("homeassistant/device/test/config", None, mark);
    let enabled = house.subscriber.wait_for("emotiond/test/enabled", Some("ON"), mark);
    assert!(config < enabled, "states follow");
    format!("announced again after {config:.1?}, all states after {enabled:.1?}; {}", house.events())
}

fn two_with_one_id() -> String {
    let mut house = House::new();
    let mark = Instant::now();
    let url = format!("mqtt://{}:{}", house.broker.host, Mosquitto::PORT);
    // Its settings say that its camera is off, which would be seen.
    let second = setup(&url).set("camera.enabled", "false").start();
    second.wait_for_log("already publishes on emotiond/test/state");
    thread::sleep(Duration::from_secs(20));
    assert_eq!(house.subscriber.payloads("emotiond/test/enabled", mark), Vec::<String>::new());
    assert_eq!(house.subscriber.payloads(AVAILABILITY, mark), Vec::<String>::new());
    assert!(house.subscriber.on(STATE, mark).len() > 10, "the first goes on");
    let events = house.subscriber.events(EVENT);
    assert!(events.missing.is_empty() && events.twice == 0, "undisturbed");
    let mark = Instant::now();
    house.daemon.signal(Signal::TERM);
    house.daemon.ended();
    house.subscriber.wait_for(AVAILABILITY, Some("offline"), mark);
    let mut took = Duration::ZERO;
    within(Duration::from_secs(60), "the second one online", || {
        let online =
            house.subscriber.on(AVAILABILITY, mark).into_iter().find(|seen| seen.payload == "online");
        online.inspect(|seen| took = seen.at - mark).is_some()
    });
    let events = events.different;
    format!(
        "nothing of the second, which names the first's host in its log; {events} events of the first, undisturbed; \
         the second online {took:.1?} after the first was stopped"
    )
}

#[test]
fn a_subscriber_knows_what_is_after_every_fault() {
    type Fault = (&'static str, fn() -> String);
    let faults: [Fault; 8] = [
        ("broker down for two minutes", down_for_minutes),
        ("broker killed and started 20 times in a minute", restarted_often),
        ("broker stopped by SIGSTOP for 20 s", broker_stopped),
        ("daemon stopped by SIGSTOP", daemon_stopped),
        ("connection cut in the middle of a packet", cut_within_packets),
        ("clock 20 years slow, set right, 10 years fast, set right", wrong_clock),
        ("Home Assistant restarted", home_assistant_restarted),
        ("two devices with one id", two_with_one_id),
    ];
    thread::scope(|scope| {
        let running: Vec<_> = faults.iter().map(|(name, fault)| (name, scope.spawn(fault))).collect();
        let rows: Vec<_> = running.into_iter().map(|(name, thread)| (name, thread.join())).collect();
        println!("| fault | what a subscriber saw |\n| --- | --- |");
        for (name, row) in &rows {
            println!("| {name} | {} |", row.as_deref().unwrap_or("FAILED"));
        }
        assert!(rows.iter().all(|(_, row)| row.is_ok()));
    });
}
