//! Rules: the real program on a replayed portrait, a real broker, a small HTTP server and commands.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::mosquitto::{DEADLINE, Mosquitto, Watcher, eventually};
use crate::support::running::{Setup, portrait};

/// A request's lines up to the body, and the body.
type Request = (String, Vec<u8>);

/// Answers each request with `status`; its URL and what comes in.
fn server(status: &'static str) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("http://{}/hook/secret", listener.local_addr().expect("address"));
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().expect("clones"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).expect("a line") > 0 {}
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let mut body = vec![0; length.expect("a length").trim().parse().expect("a number")];
            reader.read_exact(&mut body).expect("a body");
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            if sender.send((head, body)).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

/// A daemon before the portrait with these rules.
fn setup(rules: &str, broker: &Mosquitto) -> Setup {
    let mut setup = Setup::on(&format!("replay:{}", portrait()), broker).set("mqtt.stats_interval_s", "1");
    let file = setup.folder.path().join("emotiond.toml");
    fs::write(&file, rules).expect("writes");
    setup.command.arg("--config").arg(file);
    setup
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("JSON")
}

/// A process that has ended has no command line, also before its parent has asked for it.
fn runs(pid: &str) -> bool {
    fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_smile_is_published() {
    let broker = Mosquitto::start();
    let rules = "[[rules.rule]]\nname = \"smile\"\nemotion = \"happy\"\nfor_s = 0.5\nat_end = true\n\
                 publish = \"house/smile\"\npayload = \"ON\"\nend_payload = \"OFF\"\nretain = true\n\
                 [[rules.rule]]\nname = \"facts\"\nemotion = \"any\"\nfor_s = 0.2\npublish = \"~/rule/facts\"\n";
    let watcher = Watcher::new(&broker);
    let _daemon = setup(rules, &broker).start();
    watcher.wait_for("house/smile", "ON");
    eventually("the facts", || !watcher.payloads("emotiond/test/rule/facts").is_empty());
    let facts = json(watcher.payloads("emotiond/test/rule/facts")[0].as_bytes());
    assert_eq!(
        (&facts["rule"], &facts["phase"], &facts["device"]),
        (&"facts".into(), &"begin".into(), &"test".into())
    );
    assert!(facts["held_s"].as_f64().expect("seconds") >= 0.2, "{facts}");
    assert!(
        facts["faces"] == 1 && facts["primary"]["box"].is_object() && facts["scores"].is_object(),
        "{facts}"
    );
    let late = Watcher::new(&broker);
    late.wait_for("house/smile", "ON");
    watcher
        .client
        .publish("emotiond/test/enabled/set", rumqttc::QoS::AtLeastOnce, false, "OFF")
        .expect("published");
    watcher.wait_for("house/smile", "OFF");
}

#[test]
fn a_smile_is_posted_and_a_refusal_counted() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let folder = tempfile::tempdir().expect("folder");
    let token = folder.path().join("token");
    fs::write(&token, "sesame-0123456789\n").expect("writes");
    let ((good, posted), (bad, refused)) = (server("204 No Content"), server("404 Not Found"));
    let rules = format!(
        "[[rules.rule]]\nname = \"good\"\nemotion = \"happy\"\nfor_s = 0.2\npost = \"{good}\"\ntoken_file = \"{}\"\n\
         [[rules.rule]]\nname = \"bad\"\nemotion = \"happy\"\nfor_s = 0.2\npost = \"{bad}\"\n",
        token.display()
    );
    let daemon = setup(&rules, &broker).start();
    let (head, body) = posted.recv_timeout(DEADLINE).expect("posted");
    assert!(head.starts_with("POST /hook/secret HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nauthorization: bearer sesame-0123456789\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert_eq!(json(&body)["emotion"], "happy");
    refused.recv_timeout(DEADLINE).expect("posted");
    daemon.wait_for_log("answered 404");
    assert!(!daemon.log().contains("secret"), "a webhook's path is not for the log: {}", daemon.log());
    let count = |stats: &Value, rule: &str, what: &str| stats["rules"][rule][what].as_u64();
    eventually("the counts", || {
        let stats = watcher.payloads("emotiond/test/stats");
        stats.last().map(|stats| json(stats.as_bytes())).is_some_and(|stats| {
            count(&stats, "good", "done") == Some(1) && count(&stats, "bad", "failed") == Some(1)
        })
    });
}

#[test]
fn a_command_gets_the_facts_and_one_that_hangs_is_killed() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let rules = format!(
        "[[rules.rule]]\nname = \"hang\"\nemotion = \"happy\"\nfor_s = 0\nlimit_s = 0.3\n\
         command = [\"sh\", \"-c\", \"trap : TERM; sleep 1000 & echo $$ $! > {0}; while :; do wait; done\"]\n\
         [[rules.rule]]\nname = \"facts\"\nemotion = \"happy\"\nfor_s = 0\n\
         command = [\"sh\", \"-c\", \"cat > {1}.part; env > {2}; echo \\\"said $1\\\"; mv {1}.part {1}\", \"sh\", \"a  b; c\"]\n\
         [[rules.rule]]\nname = \"later\"\nemotion = \"happy\"\nfor_s = 2\npublish = \"house/later\"\n",
        path("pids"),
        path("facts"),
        path("env"),
    );
    let mut setup = setup(&rules, &broker);
    setup.command.env("NOTIFY_SOCKET", path("none")).env("WATCHDOG_USEC", "60000000");
    let daemon = setup.start();
    eventually("the command ran", || Path::new(&path("facts")).exists());
    assert_eq!(json(&fs::read(path("facts")).expect("reads"))["rule"], "facts");
    let env = fs::read_to_string(path("env")).expect("reads");
    assert!(!env.contains("NOTIFY_SOCKET") && !env.contains("WATCHDOG"), "{env}");
    daemon.wait_for_log("said a  b; c");
    daemon.wait_for_log("sh took longer than 0.3 s (limit_s) and was killed");
    let pids = fs::read_to_string(path("pids")).expect("reads");
    eventually("the whole group is gone", || !pids.split_whitespace().any(runs));
    assert_eq!(pids.split_whitespace().count(), 2, "{pids}");
    eventually("the pipeline went on", || !watcher.payloads("house/later").is_empty());
}

#[test]
fn what_has_left_its_group_ends_too_and_much_output_is_cut() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("folder");
    let pid = folder.path().join("pid").display().to_string();
    let rules = format!(
        "[[rules.rule]]\nname = \"away\"\nemotion = \"happy\"\nfor_s = 0\nlimit_s = 0.5\n\
         command = [\"sh\", \"-c\", \"setsid sh -c 'echo $$ > {pid}; sleep 1000' & sleep 1000\"]\n\
         [[rules.rule]]\nname = \"chatter\"\nemotion = \"happy\"\nfor_s = 0\n\
         command = [\"sh\", \"-c\", \"yes loud | head -c 1000000; echo the end >&2\"]\n"
    );
    let daemon = setup(&rules, &broker).start();
    daemon.wait_for_log("sh took longer than 0.5 s (limit_s) and was killed");
    let pid = fs::read_to_string(&pid).expect("reads");
    eventually("it has ended", || !runs(&pid));
    daemon.wait_for_log("bytes more that its command said are left out");
    assert!(daemon.log().len() < 60_000, "{} bytes", daemon.log().len());
    assert!(!daemon.log().contains("the end"));
}

#[test]
fn what_began_ends_with_the_daemon_and_with_its_rule() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let told = tempfile::tempdir().expect("folder");
    let told = told.path().join("told").display().to_string();
    let rules = format!(
        "[[rules.rule]]\nname = \"lamp\"\nemotion = \"happy\"\nfor_s = 0\nat_end = true\npublish = \"house/lamp\"\n\
         payload = \"ON\"\nend_payload = \"OFF\"\ncommand = [\"sh\", \"-c\", \"cat >> {told}\"]\n"
    );
    let mut daemon = setup(&rules, &broker).start();
    watcher.wait_for("house/lamp", "ON");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
    watcher.wait_for("house/lamp", "OFF");
    assert!(fs::read_to_string(&told).expect("reads").contains("\"phase\":\"end\""));

    let daemon = setup(&rules, &broker).start();
    watcher.wait_for("house/lamp", "ON");
    fs::write(daemon.path("emotiond.toml"), "").expect("writes");
    daemon.signal(Signal::HUP);
    watcher.wait_for("house/lamp", "OFF");
}

#[test]
fn a_running_command_ends_with_the_daemon() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("folder");
    let pid = folder.path().join("pid");
    let rules = format!(
        "[[rules.rule]]\nname = \"hang\"\nemotion = \"happy\"\nfor_s = 0\nlimit_s = 300\n\
         command = [\"sh\", \"-c\", \"echo $$ > {0}.part; mv {0}.part {0}; sleep 1000\"]\n",
        pid.display()
    );
    let mut daemon = setup(&rules, &broker).start();
    eventually("the command runs", || pid.exists());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
    let pid = fs::read_to_string(&pid).expect("reads");
    eventually("the command has ended", || !runs(&pid));
}

#[test]
fn rules_are_reloaded_and_bad_ones_refused() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let setup_ = setup("", &broker);
    let file = setup_.folder.path().join("emotiond.toml");
    let daemon = setup_.start();
    watcher.wait_for("emotiond/test/emotion", "happy");

    let rule = "[[rules.rule]]\nname = \"smile\"\nemotion = \"happy\"\nfor_s = 0\n";
    fs::write(&file, format!("{rule}publish = \"a/+\"\n")).expect("writes");
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("emotiond.toml:5: rules.rule.publish: \"a/+\" is no topic to publish to");
    fs::write(&file, format!("{rule}command = [\"/nowhere/program\"]\n")).expect("writes");
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("unable to use /nowhere/program (command of rule \"smile\")");
    fs::write(&file, format!("{rule}publish = \"house/smile\"\n")).expect("writes");
    daemon.signal(Signal::HUP);
    eventually("the rule works", || !watcher.payloads("house/smile").is_empty());

    for (line, message) in [
        ("command = [\"/nowhere/program\"]", "unable to use /nowhere/program"),
        ("post = \"http://x/\"\ntoken_file = \"/nowhere/token\"", "unable to read /nowhere/token"),
        ("publish = \"a/#\"", "emotiond.toml:5: rules.rule.publish: "),
    ] {
        let mut daemon = setup(&format!("{rule}{line}\n"), &broker).start();
        assert_eq!(daemon.ended().code(), Some(78), "{line}");
        assert!(daemon.log().contains(message), "{}", daemon.log());
    }
}
