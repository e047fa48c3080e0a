//! The page and the API of the real program.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, Write};
use std::process::Command;

use base64::Engine as _;
use emotiond::config::DisplaySize;
use emotiond::display::{CameraMark, View};
use emotiond::vocabulary::emotion::{Emotion, State};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::mosquitto::{Mosquitto, Watcher, eventually};
use crate::support::running::{Setup, portrait};
use crate::support::site::{Site, TOKEN, Viewer, png, setup};

/// What `emotiond classify --json` says of the portrait.
fn faces_on_the_command_line() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_emotiond"))
        .args(["classify", "--json", &portrait()])
        .output()
        .expect("emotiond starts");
    serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["faces"].take()
}

#[test]
fn it_tells_and_shows_what_is_seen() {
    let site = Site::start();
    site.wait_for_smile();
    let state = site.state();
    assert_eq!(
        (&state["faces"], &state["enabled"], &state["device"]),
        (&json!(1), &json!(true), &json!("test"))
    );
    assert_eq!(state["primary"]["emotion"], "happy");
    assert_eq!(state["frame"]["width"], 512);
    assert_eq!(state["parts"]["camera"], json!({"well": true, "state": "streaming"}));

    let timeline = site.get("/api/v1/timeline").json();
    assert_eq!(
        timeline["stretches"].as_array().and_then(|all| all.last()).expect("a stretch")["emotion"],
        "happy"
    );

    let snapshot = site.get("/api/v1/snapshot.jpg");
    assert_eq!(snapshot.header("content-type"), Some("image/jpeg"));
    let seen = image::load_from_memory(&snapshot.body).expect("a JPEG").into_rgb8();
    let original = image::open(portrait()).expect("opens").into_rgb8();
    let difference: u64 =
        seen.iter().zip(original.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
            / seen.len() as u64;
    assert!(seen.dimensions() == original.dimensions() && difference < 5, "differs by {difference}");

    let view = View {
        state: State::Emotion(Emotion::Happy),
        confidence: 1.0,
        faces: 1,
        camera: CameraMark::Reading,
        ..View::default()
    };
    let display = site.get("/api/v1/display.png");
    assert!(display.body == view.png(DisplaySize::W128H64), "another picture than the panel's");
    let tag = display.header("etag").expect("a tag");
    assert_eq!(site.send("GET", "/api/v1/display.png", &[("If-None-Match", tag)], b"").status, 304);

    let health = site.get("/healthz");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));
    assert!(site.figure("emotiond_frames_total") > 0.0);
    assert!(site.figure("emotiond_frame_latency_seconds_count") > 0.0);
}

#[test]
fn events_tell_states_and_what_happens() {
    let site = Site::start();
    site.wait_for_smile();
    let lines = site.stream("/api/v1/events").lines().map_while(Result::ok);
    let mut events = lines.scan(String::new(), |name, line| {
        if let Some(found) = line.strip_prefix("event: ") {
            found.clone_into(name);
        }
        let data = line.strip_prefix("data: ").map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
        Some(data.map(|data| (name.clone(), data)))
    });
    let mut next = |wanted: &str| {
        events.by_ref().flatten().find(|(name, _)| name == wanted).map(|(_, data)| data).expect(wanted)
    };
    assert_eq!(next("state")["emotion"], "happy");
    let (one, two) = (next("state"), next("state"));
    assert!(one["frame"]["sequence"].as_u64() < two["frame"]["sequence"].as_u64(), "{one} {two}");
    site.send("PUT", "/api/v1/enabled", &[], br#"{"enabled": false}"#);
    let left = next("event");
    assert_eq!(left["event_type"], "face_left");
    assert_eq!(next("event")["to"], "none");
    while next("state")["parts"]["camera"]["state"] != "off" {}
}

#[test]
fn uploads_in_every_form_give_what_the_command_line_says() {
    let site = Site::start();
    let (png, expected) = (png(), faces_on_the_command_line());
    assert_eq!(expected[0]["emotion"], "happy");
    let text = base64::engine::general_purpose::STANDARD.encode(&png);
    let form = |name: &str| {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; \
             name=\"{name}\"; filename=\"who.png\"\r\nContent-Type: image/png\r\n\r\n"
        );
        [head.as_bytes(), &png, b"\r\n--b--\r\n"].concat()
    };
    let url_safe = text.replace('+', "-").replace('/', "_");
    let lines: Vec<&str> =
        text.as_bytes().chunks(76).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    let json = |image: String| json!({ "image": image }).to_string().into_bytes();
    let cases = [
        ("image/png", png.clone(), "upload"),
        // What curl says of a body unless it is told.
        ("application/x-www-form-urlencoded", png.clone(), "upload"),
        ("multipart/form-data; boundary=b", form("image"), "who.png"),
        ("multipart/form-data; boundary=b", form("file"), "who.png"),
        ("multipart/form-data; boundary=b", form("picture"), "who.png"),
        ("application/json", json(text.clone()), "upload"),
        ("application/json; charset=utf-8", json(format!("data:image/png;base64,{text}")), "upload"),
        (
            "application/json",
            json(format!("DATA:image/png;name=a.png;charset=utf-8;Base64,{text}")),
            "upload",
        ),
        ("application/json", json(lines.join("\r\n")), "upload"),
        ("application/json", json(url_safe.trim_end_matches('=').to_owned()), "upload"),
        ("application/json", json(format!("data:;base64,{}", text.replace('+', "%2B"))), "upload"),
    ];
    for (kind, body, source) in cases {
        let answer = site.classify(kind, &body);
        assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
        let picture = answer.json();
        assert_eq!((&picture["source"], &picture["width"]), (&json!(source), &json!(512)), "{kind}");
        assert_eq!(picture["faces"], expected, "{kind}");
    }
    let answer = site.send("POST", "/api/v1/classify?overlay=1", &[("Content-Type", "image/png")], &png);
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    let marked = image::load_from_memory(&answer.body).expect("a JPEG").into_rgb8();
    let plain = image::load_from_memory(&png).expect("a PNG").into_rgb8();
    let changed = marked.pixels().zip(plain.pixels()).filter(|(a, b)| a[2].abs_diff(b[2]) > 60).count();
    assert!(marked.dimensions() == (512, 512) && changed > 500, "{changed} pixels are marked");

    let two = [&form("image")[..form("image").len() - 7], &form("file")].concat();
    let answer = site.classify("multipart/form-data; boundary=b", &two);
    assert!(answer.is_problem(400) && answer.text().contains("more than one file"), "{}", answer.text());

    let mut tiff = std::io::Cursor::new(Vec::new());
    image::DynamicImage::ImageRgb8(plain.clone())
        .write_to(&mut tiff, image::ImageFormat::Tiff)
        .expect("encoded");
    let answer =
        site.send("POST", "/api/v1/classify?picture=1", &[("Content-Type", "image/tiff")], tiff.get_ref());
    assert_eq!(answer.header("content-type"), Some("image/png"));
    assert!(image::load_from_memory(&answer.body).expect("a PNG").into_rgb8() == plain);
}

#[test]
fn text_is_compressed_and_pictures_are_not() {
    let site = Site::start();
    let get = |path: &str| site.send("GET", path, &[("Accept-Encoding", "br, gzip")], b"");
    for path in ["/", "/assets/live.js", "/openapi.json", "/metrics"] {
        let (plain, packed) = (site.get(path), get(path));
        assert_eq!(
            (plain.header("content-encoding"), packed.header("content-encoding")),
            (None, Some("gzip")),
            "{path}"
        );
        assert!(
            packed.body.len() < plain.body.len() / 2,
            "{path}: {} of {}",
            packed.body.len(),
            plain.body.len()
        );
        assert_eq!(plain.header("etag"), packed.header("etag"));
    }
    site.wait_for_smile();
    for path in ["/api/v1/display.png", "/api/v1/snapshot.jpg", "/healthz"] {
        assert_eq!(get(path).header("content-encoding"), None, "{path}");
    }
}

#[test]
fn a_stream_of_events_goes_on_where_it_broke() {
    let site = Site::start();
    site.wait_for_smile();
    for enabled in ["false", "true"] {
        site.send("PUT", "/api/v1/enabled", &[], format!("{{\"enabled\": {enabled}}}").as_bytes());
        eventually("it is done", || (site.state()["emotion"] == "none") == (enabled == "false"));
    }
    site.wait_for_smile();
    let ids = |last: &str, count: usize| {
        let mut stream = site.connect();
        let request =
            format!("GET /api/v1/events HTTP/1.0\r\nHost: {}\r\nLast-Event-ID: {last}\r\n\r\n", site.address);
        stream.write_all(request.as_bytes()).expect("sent");
        let lines = std::io::BufReader::new(stream).lines().map_while(Result::ok);
        let ids = lines.filter_map(|line| line.strip_prefix("id: ").map(str::to_owned));
        ids.take(count).collect::<Vec<_>>()
    };
    let all = ids("none-of-this-run", 4);
    assert_eq!(ids(&all[0], 3), all[1..], "what came after it");
}

#[test]
fn where_pictures_go_is_told() {
    assert_eq!(Site::start().state()["pictures_leave"], json!([]));
    let broker = Mosquitto::start();
    let setup = Setup::on(&format!("replay:{}", portrait()), &broker);
    let file = setup.folder.path().join("token");
    fs::write(&file, TOKEN).expect("written");
    let setup = setup.set("web.token_file", &file.display().to_string()).set("mqtt.face_image", "true");
    let site = Site::of(setup.set("web.listen", "0.0.0.0:0"));
    let state = site.send("GET", "/api/v1/state", &[("Authorization", &format!("Bearer {TOKEN}"))], b"");
    assert_eq!(state.json()["pictures_leave"], json!(["mqtt", "network"]));
}

#[test]
fn the_end_of_a_replay_is_answered_as_such() {
    let site = Site::of(setup().set("camera.loop", "false"));
    eventually("it ends", || site.state()["parts"]["camera"] == json!({"well": true, "state": "ended"}));
    for path in ["/api/v1/snapshot.jpg", "/api/v1/stream.mjpg"] {
        let answer = site.get(path);
        assert!(
            answer.is_problem(503) && answer.text().contains("the replay has ended"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("retry-after"), None);
    }
    for enabled in [false, true] {
        let body = json!({ "enabled": enabled });
        let answer = site.send("PUT", "/api/v1/enabled", &[], body.to_string().as_bytes());
        assert_eq!((answer.status, &answer.json()), (200, &body));
        assert_eq!(site.get("/api/v1/enabled").json(), body);
    }
    assert_eq!(site.get("/healthz").status, 200);
}

#[test]
fn a_camera_that_sends_only_damaged_pictures_is_told_from_one_that_is_gone() {
    let folder = tempfile::tempdir().expect("folder");
    let picture = folder.path().join("half.jpg");
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::open(portrait())
        .expect("opens")
        .into_rgb8()
        .write_to(&mut jpeg, image::ImageFormat::Jpeg)
        .expect("encoded");
    let jpeg = jpeg.into_inner();
    fs::write(&picture, &jpeg[..jpeg.len() / 2]).expect("written");
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let source = format!("command:sh -c 'while cat {}; do sleep 0.1; done'", picture.display());
    let setup = Setup::on(&source, &broker).set("camera.timeout_s", "1").set("web.listen", "127.0.0.1:0");
    let site = Site::of(setup);
    eventually("it is told", || {
        site.state()["parts"]["camera"] == json!({"well": false, "state": "damaged"})
    });
    let told = site.state()["details"]["camera"].to_string();
    assert!(told.contains("none of its pictures is whole") && told.contains("cut short"), "{told}");
    watcher.wait_for("emotiond/test/camera/availability", "offline");
    for path in ["/api/v1/snapshot.jpg", "/api/v1/stream.mjpg"] {
        let answer = site.get(path);
        assert!(
            answer.is_problem(503) && answer.text().contains("sending damaged pictures"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("retry-after"), Some("10"));
    }
    // Whole pictures without end markers are pictures.
    fs::write(folder.path().join("new"), &jpeg[..jpeg.len() - 2]).expect("written");
    fs::rename(folder.path().join("new"), &picture).expect("moved");
    site.wait_for_smile();
}

#[test]
fn two_viewers_share_what_is_encoded_and_nobody_costs_nothing() {
    let site = Site::start();
    site.wait_for_smile();
    let before = site.figure("emotiond_live_pictures_total");
    let (mut one, mut two) = (Viewer::new(&site), Viewer::new(&site));
    let mut pictures = Vec::new();
    for _ in 0..10 {
        pictures.push((one.picture(), two.picture()));
    }
    let sequences: BTreeSet<u64> = pictures.iter().flat_map(|((a, _), (b, _))| [*a, *b]).collect();
    for ((a, first), (b, second)) in &pictures {
        assert!(a != b || first == second, "frame {a} was encoded twice");
    }
    assert_eq!(site.figure("emotiond_live_viewers"), 2.0);
    let encoded = site.figure("emotiond_live_pictures_total") - before;
    // Both see most of the same frames; the rest came while this was asked.
    assert!(encoded < sequences.len() as f64 + 10.0, "{encoded} encoded for {}", sequences.len());
    drop((one, two));
    eventually("both have left", || site.figure("emotiond_live_viewers") == 0.0);
    let more_frames = |more: f64| {
        let frames = site.figure("emotiond_frames_total");
        eventually("frames go on", || site.figure("emotiond_frames_total") > frames + more);
        site.figure("emotiond_live_pictures_total")
    };
    // One may have been on its way, on a busy machine for long.
    eventually("nothing more is encoded", || more_frames(0.0) == more_frames(20.0));
}

#[test]
fn the_switch_is_one_for_http_and_mqtt() {
    let broker = Mosquitto::start();
    let watcher = Watcher::new(&broker);
    let source = format!("replay:{}", portrait());
    let site = Site::of(Setup::on(&source, &broker).set("web.listen", "127.0.0.1:0"));
    site.wait_for_smile();
    let turn = |body: &str| {
        site.send("PUT", "/api/v1/enabled", &[("Content-Type", "application/json")], body.as_bytes())
    };
    assert_eq!(turn(r#"{"enabled":false}"#).json(), json!({"enabled": false}));
    watcher.wait_for("emotiond/test/enabled", "OFF");
    eventually("the camera is closed", || site.state()["frame"] == Value::Null);
    let state = site.state();
    assert_eq!((&state["emotion"], &state["enabled"]), (&json!("none"), &json!(false)));
    assert_eq!(state["parts"]["camera"]["state"], "off");
    for path in ["/api/v1/snapshot.jpg", "/api/v1/stream.mjpg"] {
        let answer = site.get(path);
        assert!(answer.is_problem(503) && answer.text().contains("the camera is off"), "{}", answer.text());
        assert_eq!(answer.header("retry-after"), None, "nothing happens by itself");
    }
    assert_eq!(site.get("/healthz").status, 200, "what is switched off is well");
    let kept = fs::read_to_string(site.daemon.path("state/settings.json")).expect("kept");
    assert!(kept.contains("false"), "{kept}");

    assert_eq!(turn(r#"{"enabled":true}"#).status, 200);
    watcher.wait_for("emotiond/test/enabled", "ON");
    site.wait_for_smile();
    for bad in ["", "{}", "on", "[true]", r#"{"enabled":1}"#, r#"{"enabled":true,"x":1}"#] {
        assert!(turn(bad).is_problem(400), "{bad}");
    }

    let fixed = Site::of(setup().set("camera.enabled", "false"));
    let answer = fixed.send("PUT", "/api/v1/enabled", &[], br#"{"enabled":true}"#);
    assert!(answer.is_problem(409) && answer.text().contains("camera.enabled"), "{}", answer.text());
}

#[test]
fn health_names_the_part_that_is_not_well() {
    let nobody = format!("mqtt://{}:1883", crate::support::mosquitto::address());
    let site = Site::of(Setup::new("/dev/video99", &nobody).set("web.listen", "127.0.0.1:0"));
    eventually("the camera is missed", || site.state()["parts"]["camera"]["state"] == "lost");
    let health = site.get("/healthz");
    assert_eq!(health.status, 503);
    let parts = &health.json()["parts"];
    assert_eq!((&parts["camera"]["state"], &parts["broker"]["state"]), (&json!("lost"), &json!("away")));
    assert_eq!((&parts["display"]["well"], &parts["pipeline"]["well"]), (&json!(true), &json!(true)));
    assert!(site.state()["details"]["camera"].as_str().is_some_and(|text| text.contains("/dev/video99")));
    assert!(site.get("/api/v1/snapshot.jpg").text().contains("the camera is lost"));
}

#[test]
fn the_document_names_every_path_and_no_other() {
    let site = Site::start();
    let document = site.get("/openapi.json").json();
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), 11, "{:?}", paths.keys());
    for (path, methods) in paths {
        assert_ne!(site.send("HEAD", path, &[], b"").status, 404, "{path}");
        for method in methods.as_object().expect("methods").values() {
            assert!(method["responses"]["default"].is_object(), "{path} says nothing of errors");
        }
    }
    let not_allowed = site.send("DELETE", "/api/v1/enabled", &[], b"");
    assert!(
        not_allowed.is_problem(405) && not_allowed.header("allow").is_some_and(|allow| allow.contains("PUT"))
    );
    assert!(site.get("/api/v1/nothing").is_problem(404));
}

#[test]
fn the_page_is_whole_and_light() {
    let site = Site::start();
    let page = site.get("/").text();
    let mut weight = page.len();
    let mut files: BTreeSet<String> = BTreeSet::new();
    let mut unread = vec![page];
    while let Some(text) = unread.pop() {
        for name in
            text.split(['"', '\'']).filter(|name| name.starts_with("/assets/") || name.starts_with("./"))
        {
            let path = name.replace("./", "/assets/");
            if files.insert(path.clone()) {
                let answer = site.get(&path);
                assert_eq!(answer.status, 200, "{path}");
                weight += answer.body.len();
                unread.push(answer.text());
            }
        }
        assert!(
            !text.contains("https://") || text.contains("location.host"),
            "something comes from elsewhere"
        );
    }
    assert!(files.len() >= 6 && weight < 150_000, "{weight} bytes in {files:?}");
}

#[test]
fn an_address_that_is_taken_is_waited_for() {
    let first = Site::start();
    let second = setup().set("web.listen", &first.address).start();
    second.wait_for_log("unable to listen on");
    second.wait_for_log("camera: replay");
    let address = first.address.clone();
    drop(first);
    eventually("the second takes the address", || std::net::TcpStream::connect(&address).is_ok());
    second.wait_for_log(&format!("listening on http://{address}/"));
}

#[test]
fn it_ends_at_once_whoever_still_listens() {
    let mut site = Site::start();
    site.wait_for_smile();
    let mut viewer = Viewer::new(&site);
    viewer.picture();
    let mut events = site.stream("/api/v1/events");
    let mut line = String::new();
    events.read_line(&mut line).expect("it has begun");
    site.daemon.signal(Signal::TERM);
    assert_eq!(site.daemon.ended().code(), Some(0));
}
