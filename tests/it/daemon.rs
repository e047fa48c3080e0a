//! The whole daemon: the real program on a replayed portrait or clip, a real broker, and signals.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use rumqttc::QoS;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::mosquitto::{DEADLINE, Mosquitto, Watcher, address, eventually};
use crate::support::running::{Setup, portrait};
use crate::support::site::Site;

/// Two seconds of the portrait, then two of grey.
fn clip(folder: &Path) -> String {
    let clip = folder.join("clip.mkv");
    let status = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-loop", "1", "-framerate", "15", "-i", &portrait()])
        .args(["-vf", "drawbox=enable='gte(t,2)':color=gray:t=fill", "-t", "4"])
        .args(["-c:v", "mpeg4", "-q:v", "3"])
        .arg(&clip)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success());
    clip.display().to_string()
}

#[test]
fn a_clip_gives_the_same_timeline_every_time() {
    let folder = tempfile::tempdir().expect("folder");
    let source = format!("replay:{}", clip(folder.path()));
    let run = || {
        let broker = Mosquitto::start();
        let watcher = Watcher::new(&broker);
        let mut daemon = Setup::on(&source, &broker)
            .set("camera.pace", "flat-out")
            .set("camera.loop", "false")
            .arg("--exit-at-end")
            .start();
        assert!(daemon.ended().success());
        watcher.wait_for("emotiond/test/availability", "offline");
        assert_eq!(watcher.payloads("emotiond/test/emotion").last().map(String::as_str), Some("none"));
        let events: Vec<(String, String, f64)> = watcher
            .payloads("emotiond/test/event")
            .iter()
            .map(|event| serde_json::from_str::<Value>(event).expect("JSON"))
            .map(|event| {
                let name = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                (name("event_type"), name("to"), event["duration_s"].as_f64().unwrap_or_default())
            })
            .collect();
        events
    };
    let events = run();
    let names: Vec<(&str, &str)> = events.iter().map(|(kind, to, _)| (kind.as_str(), to.as_str())).collect();
    let expected =
        [("face_appeared", ""), ("emotion_changed", "happy"), ("face_left", ""), ("emotion_changed", "none")];
    assert_eq!(names, expected);
    // Two seconds of face and one for which it is held, on the clip's own clock.
    assert!((2.9..=3.2).contains(&events[3].2), "{events:?}");
    let again = run();
    let durations =
        |events: &[(String, String, f64)]| events[2..].iter().map(|event| event.2).collect::<Vec<_>>();
    assert_eq!(durations(&again), durations(&events));
}

#[test]
fn the_will_speaks_for_a_killed_daemon() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let daemon = Setup::on(&format!("replay:{}", portrait()), &broker).start();
    watcher.wait_for("emotiond/test/emotion", "happy");
    watcher.wait_for("emotiond/test/camera/availability", "online");
    daemon.signal(Signal::KILL);
    watcher.wait_for("emotiond/test/availability", "offline");
    let late = Watcher::new(&broker);
    late.wait_for("emotiond/test/availability", "offline");
    assert!(late.messages().iter().any(|message| message.topic.ends_with("/state") && message.retain));
}

#[test]
fn signals_stop_it_even_when_the_broker_hangs() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Setup::on(&format!("replay:{}", portrait()), &broker).start();
        watcher.wait_for("emotiond/test/availability", "online");
        daemon.signal(signal);
        assert_eq!(daemon.ended().code(), Some(0));
        watcher.wait_for("emotiond/test/availability", "offline");
    }
    let mut daemon = Setup::on(&format!("replay:{}", portrait()), &broker).start();
    watcher.wait_for("emotiond/test/availability", "online");
    broker.freeze();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
    broker.thaw();
}

#[test]
fn the_switch_closes_the_camera_and_survives_a_restart() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let source = format!("replay:{}", portrait());
    let state = tempfile::tempdir().expect("folder");
    let state = state.path().display().to_string();
    let switch = |payload: &str| {
        watcher
            .client
            .publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, payload)
            .expect("published");
    };
    let mut daemon = Setup::on(&source, &broker).set("device.state_dir", &state).start();
    watcher.wait_for("emotiond/test/emotion", "happy");
    switch("OFF");
    watcher.wait_for("emotiond/test/enabled", "OFF");
    watcher.wait_for("emotiond/test/camera/availability", "offline");
    watcher.wait_for("emotiond/test/emotion", "none");
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().success());
    watcher.wait_for("emotiond/test/availability", "offline");

    let _daemon = Setup::on(&source, &broker).set("device.state_dir", &state).start();
    watcher.wait_for("emotiond/test/availability", "online");
    watcher.wait_for("emotiond/test/enabled", "OFF");
    switch("ON");
    watcher.wait_for("emotiond/test/enabled", "ON");
    watcher.wait_for("emotiond/test/emotion", "happy");
}

#[test]
fn off_is_kept_before_it_is_told() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let daemon = Setup::on(&format!("replay:{}", portrait()), &broker).start();
    watcher.wait_for("emotiond/test/camera/availability", "online");
    // A place where writing waits until somebody reads.
    let state = daemon.path("state");
    fs::create_dir_all(&state).expect("folder");
    let pipe = state.join("settings.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("pipe");
    watcher.client.publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "OFF").expect("published");
    watcher.wait_for("emotiond/test/camera/availability", "offline");
    assert_eq!(watcher.payloads("emotiond/test/enabled"), ["ON"]);
    assert!(fs::read_to_string(&pipe).expect("reads").contains("\"enabled\":false"));
    watcher.wait_for("emotiond/test/enabled", "OFF");
}

#[test]
fn unreadable_settings_mean_off_until_somebody_says_on() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let source = format!("replay:{}", portrait());
    let state = tempfile::tempdir().expect("folder");
    fs::write(state.path().join("settings.json"), "{\"enabled\":fal").expect("written");
    let folder = state.path().display().to_string();
    // Also at the second start, when what could not be read is aside.
    for _ in 0..2 {
        let site = Site::of(
            Setup::on(&source, &broker).set("device.state_dir", &folder).set("web.listen", "127.0.0.1:0"),
        );
        watcher.wait_for("emotiond/test/enabled", "OFF");
        eventually("the reason", || {
            let said = watcher.payloads("emotiond/test/camera/state");
            said.last().is_some_and(|said| said.contains("could not be read"))
        });
        // At the second start both messages may be those of the first.
        let mut told = Value::Null;
        eventually("the page knows of the camera", || {
            told = site.state();
            told["parts"]["camera"]["well"] == false
        });
        assert_eq!(told["enabled"], false);
        assert!(
            told["details"]["camera"].as_str().is_some_and(|why| why.contains("could not be read")),
            "{told}"
        );
        assert!(site.daemon.log().contains("the camera stays off"), "{}", site.daemon.log());
        assert!(!site.daemon.log().contains("camera: replay "), "the camera was never opened");
        drop(site);
        watcher.wait_for("emotiond/test/availability", "offline");
    }
    let _daemon = Setup::on(&source, &broker).set("device.state_dir", &folder).start();
    watcher.wait_for("emotiond/test/availability", "online");
    watcher.client.publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "on\n").expect("published");
    watcher.wait_for("emotiond/test/emotion", "happy");
    assert!(!fs::read_to_string(state.path().join("settings.json")).expect("reads").contains("lost"));
}

#[test]
fn what_the_file_switches_off_stays_off() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let daemon = Setup::on(&format!("replay:{}", portrait()), &broker).set("camera.enabled", "false").start();
    watcher.wait_for("emotiond/test/enabled", "OFF");
    watcher.client.publish("emotiond/test/enabled/set", QoS::AtLeastOnce, false, "ON").expect("published");
    eventually("the command is refused", || !watcher.payloads("emotiond/test/error").is_empty());
    assert!(watcher.payloads("emotiond/test/error")[0].contains("camera.enabled is false"));
    assert!(!daemon.log().contains("replay "), "the camera was never opened");
}

#[test]
fn sighup_reloads_what_can_be() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let mut setup = Setup::on(&format!("replay:{}", portrait()), &broker);
    let file = setup.folder.path().join("emotiond.toml");
    fs::write(&file, "[classifier]\nmin_confidence = 0.4\n").expect("writes");
    setup.command.arg("--config").arg(&file);
    let daemon = setup.start();
    watcher.wait_for("emotiond/test/emotion", "happy");

    fs::write(&file, "[classifier]\nmin_confidence = 4\n").expect("writes");
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("emotiond.toml:2: classifier.min_confidence: 4 is out of range (0 to 1)");

    fs::write(&file, "[smoothing]\nhold_s = 2.0\n[camera]\nfps = 12\n").expect("writes");
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("need a restart");
    watcher.wait_for("emotiond/test/emotion", "happy");
}

#[test]
fn systemd_hears_ready_watchdog_and_stopping() {
    let folder = tempfile::tempdir().expect("folder");
    let clip = clip(folder.path());
    // An absent camera and a replay that has ended are progress.
    for (number, source) in ["/dev/video99", &format!("replay:{clip}")].into_iter().enumerate() {
        let path = folder.path().join(format!("notify-{number}"));
        let socket = UnixDatagram::bind(&path).expect("socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("time-out");
        let mut heard = String::new();
        let mut hear = |what: &str| {
            let mut buffer = [0; 4096];
            let from = heard.len();
            while !heard[from..].contains(what) {
                let length =
                    socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{what}: {error}: {heard}"));
                heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
                heard.push('\n');
            }
        };
        let mut setup = Setup::new(source, "").set("camera.loop", "false").set("camera.pace", "flat-out");
        setup.command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "2000000").env_remove("WATCHDOG_PID");
        let mut daemon = setup.start();
        hear("READY=1");
        for _ in 0..20 {
            hear("WATCHDOG=1");
        }
        daemon.signal(Signal::TERM);
        hear("STOPPING=1");
        assert!(daemon.ended().success());
    }
}

#[test]
fn without_camera_panel_and_broker_it_goes_on() {
    let nobody = format!("mqtt://{}:1883", address());
    let mut setup = Setup::new("/dev/video99", &nobody).set("display.driver", "ssd1306");
    let preview = setup.folder.path().join("preview.png");
    setup = setup.set("display.preview_png", &preview.display().to_string());
    let mut daemon = setup.start();
    daemon.wait_for_log("/dev/video99");
    daemon.wait_for_log("1883");
    daemon.wait_for_log("display");
    eventually("the preview is drawn", || image::open(&preview).is_ok());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
}

#[test]
fn a_film_without_ffmpeg_is_a_lost_camera() {
    let folder = tempfile::tempdir().expect("folder");
    let source = format!("replay:{}", clip(folder.path()));
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let mut setup = Setup::on(&source, &broker);
    setup.command.env("PATH", folder.path());
    let daemon = setup.start();
    daemon.wait_for_log("apt install ffmpeg");
    watcher.wait_for("emotiond/test/camera/availability", "offline");
    watcher.wait_for("emotiond/test/emotion", "none");
}

#[test]
fn the_preview_shows_the_face() {
    let no_face = emotiond::display::View {
        camera: emotiond::display::CameraMark::Reading,
        ..emotiond::display::View::default()
    };
    let mut setup = Setup::new(&format!("replay:{}", portrait()), "").set("display.driver", "preview");
    let preview = setup.folder.path().join("preview.png");
    setup = setup.set("display.preview_png", &preview.display().to_string());
    let _daemon = setup.start();
    let happy = emotiond::display::View {
        state: emotiond::vocabulary::emotion::State::Emotion(emotiond::vocabulary::emotion::Emotion::Happy),
        confidence: 1.0,
        faces: 1,
        ..no_face
    };
    let expected = image::load_from_memory(&happy.png(emotiond::config::DisplaySize::W128H64)).expect("PNG");
    eventually("the preview is the happy screen", || {
        image::open(&preview).is_ok_and(|seen| seen == expected)
    });
}
