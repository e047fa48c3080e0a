//! What clients do that mean no good, or do it badly: the daemon goes on and says what is wrong.

use std::fs;
use std::io::{BufReader, Cursor, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image::{ImageFormat, RgbImage};
use serde_json::json;

use crate::support::mosquitto::eventually;
use crate::support::running::portrait;
use crate::support::site::{Site, Viewer, setup};

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// The portrait as a JPEG of 640x480.
fn jpeg() -> Vec<u8> {
    let picture =
        image::open(portrait()).expect("opens").resize_exact(640, 480, image::imageops::FilterType::Triangle);
    encoded(&picture.into_rgb8(), ImageFormat::Jpeg)
}

/// A PNG that says it has these sides; its checksum is right, and its few bytes unpack to nothing.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(&RgbImage::new(1, 1), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = {
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        crc.sum()
    };
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

/// The JPEG with its frame header saying 65,500 x 65,500.
fn jpeg_that_claims_more(jpeg: &[u8]) -> Vec<u8> {
    let mut jpeg = jpeg.to_vec();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("frame header");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    jpeg
}

/// A progressive JPEG whose last scan comes again and again: little to send, much to decode.
fn jpeg_of_many_scans() -> Vec<u8> {
    let jpeg = include_bytes!("../data/progressive.jpg");
    let scan = jpeg.windows(2).rposition(|pair| pair == [0xff, 0xda]).expect("a scan");
    let (head, rest) = jpeg.split_at(scan);
    let (scan, end) = rest.split_at(rest.len() - 2);
    [head, &scan.repeat(20_000), end].concat()
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let site = Site::start();
    let jpeg = jpeg();
    let cases = [
        ("PNG of 50,000 x 50,000", png_that_claims(50_000, 50_000), 413),
        ("PNG of 2^31 x 2^31", png_that_claims(1 << 31, 1 << 31), 422),
        ("PNG of zeros, 6,000 x 6,000", encoded(&RgbImage::new(6000, 6000), ImageFormat::Png), 413),
        ("JPEG of 65,500 x 65,500", jpeg_that_claims_more(&jpeg), 413),
        ("JPEG of many scans", jpeg_of_many_scans(), 422),
    ];
    for (name, body, status) in cases {
        let answer = site.classify("image/png", &body);
        assert!(answer.is_problem(status), "{name}: {} {}", answer.status, answer.text());
    }
    // What is allowed, but as long and thin as can be.
    for (width, height) in [(1, 20_000), (20_000, 1), (1, 1)] {
        let answer = site.classify("image/png", &encoded(&RgbImage::new(width, height), ImageFormat::Png));
        assert_eq!(answer.json()["faces"], json!([]), "{width}x{height}");
    }
    assert!(site.figure("process_resident_memory_bytes") < 700e6);
    assert_eq!(site.classify("image/jpeg", &jpeg).json()["faces"][0]["emotion"], "happy");
}

#[test]
fn what_is_no_picture_is_told_apart() {
    let site = Site::of(setup().set("web.max_body_mb", "1"));
    let jpeg = jpeg();
    let mut many_fields = b"--b\r\n".to_vec();
    many_fields.extend(b"Content-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b\r\n".repeat(1000));
    let cases: [(&str, &[u8], u16); 16] = [
        ("image/jpeg", b"", 400),
        ("image/jpeg", b"hello", 415),
        ("application/x-www-form-urlencoded", b"image=x", 415),
        ("text/plain", &jpeg, 415),
        ("image/jpeg", &jpeg[..jpeg.len() / 2], 422),
        ("image/jpeg", &jpeg[..100], 422),
        ("application/json", b"", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"{\"image\": 7}", 400),
        ("application/json", b"{\"image\": \"not base64!\"}", 400),
        ("application/json", b"[\"iVBORw0KGgo=\"]", 400),
        ("application/json", b"{\"image\": \"data:image/png,x\"}", 415),
        ("application/json", b"{\"image\": \"data:image/png;base64\"}", 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nrubbish", 400),
        ("multipart/form-data; boundary=b", &many_fields, 400),
    ];
    for (kind, body, status) in cases {
        let answer = site.classify(kind, body);
        assert!(
            answer.is_problem(status),
            "{kind} {:?}: {} {}",
            &body[..body.len().min(40)],
            answer.status,
            answer.text()
        );
    }
    let deep = format!("{{\"image\": {}", "[".repeat(100_000));
    assert!(site.classify("application/json", deep.as_bytes()).is_problem(400));

    let large = vec![0xff; (1 << 20) + 1];
    for kind in ["image/jpeg", "application/json"] {
        assert!(site.classify(kind, &large).is_problem(413), "{kind}");
    }
    let form = [b"--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n".as_slice(), &large].concat();
    assert!(site.classify("multipart/form-data; boundary=b", &form).is_problem(413));
    let answer = site.send("PUT", "/api/v1/enabled", &[], &[b' '; 20_000]);
    assert!(answer.is_problem(413), "{}", answer.text());
    assert!(site.send("POST", "/api/v1/classify?overlay=maybe", &[], &jpeg).is_problem(400));

    // A body that ends before it should.
    let mut stream = site.connect();
    write!(
        stream,
        "POST /api/v1/classify HTTP/1.1\r\nHost: {}\r\nContent-Length: 5000\r\n\r\nshort",
        site.address
    )
    .expect("sent");
    stream.shutdown(Shutdown::Write).expect("shut down");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("closed");
    assert_eq!(site.classify("image/jpeg", &jpeg).status, 200);
}

#[test]
fn paths_lead_nowhere_else() {
    let site = Site::start();
    let paths = [
        "/../../../../etc/passwd",
        "/assets/../../Cargo.toml",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2fapp.js",
        "//etc/passwd",
        "/assets//app.js",
        "/assets/",
        "/.git/config",
        "/%00",
        "/api/v1/../v1/state",
        "/assets/app.js%00.css",
        "/api/v1/state/",
    ];
    for path in paths {
        let answer = site.get(path);
        assert!(answer.is_problem(404), "{path}: {} {}", answer.status, answer.text());
    }
    for request in
        ["GET\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\0\x01\0\x01\x7c"]
    {
        let mut stream = site.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("shut down");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    let headers: Vec<(String, &str)> = (0..500).map(|number| (format!("X-{number}"), "x")).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(site.send("GET", "/healthz", &headers, b"").status, 431);
    assert_eq!(site.get("/healthz").status, 200);
}

#[test]
fn a_full_queue_and_slow_senders_are_told_to_come_again() {
    let site = Site::of(setup().set("web.max_uploads", "2"));
    let jpeg = jpeg();
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = site.connect();
            write!(stream, "POST /api/v1/classify HTTP/1.1\r\nHost: {}\r\n", site.address).expect("sent");
            write!(stream, "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len())
                .expect("sent");
            stream.write_all(&jpeg[..50]).expect("sent");
            stream
        })
        .collect();
    // And a hundred who say nothing at all, or half a head.
    let silent: Vec<_> = (0..100)
        .map(|number| {
            let mut stream = site.connect();
            stream.write_all(&b"GET /healthz HTTP/1.1\r\nHo"[..number % 26]).expect("sent");
            stream
        })
        .collect();
    let mut refused = None;
    eventually("both places are taken", || {
        let answer = site.classify("image/jpeg", &jpeg);
        let busy = answer.status == 503;
        refused = Some(answer);
        busy
    });
    let refused = refused.expect("an answer");
    assert!(refused.is_problem(503) && refused.header("retry-after") == Some("1"), "{}", refused.text());
    assert_eq!(site.get("/healthz").status, 200);
    // The slow ones are answered when they have come to their end after all.
    for mut stream in slow {
        stream.write_all(&jpeg[50..]).expect("sent");
        assert_eq!(
            crate::support::site::read(&mut BufReader::new(stream), true).expect("an answer").status,
            200
        );
    }
    assert_eq!(site.classify("image/jpeg", &jpeg).status, 200);
    drop(silent);
}

#[test]
fn ten_thousand_requests_are_answered() {
    let site = Site::start();
    site.wait_for_smile();
    let frames = site.figure("emotiond_frames_total");
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut stream = site.connect();
                let mut answers = BufReader::new(stream.try_clone().expect("cloned"));
                let paths = ["/healthz", "/api/v1/state", "/nothing", "/"];
                for number in 0..1250 {
                    let path = paths[number % paths.len()];
                    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", site.address);
                    stream.write_all(request.as_bytes()).expect("sent");
                    let answer = crate::support::site::read(&mut answers, true).expect("an answer");
                    assert_eq!(answer.status, if path == "/nothing" { 404 } else { 200 }, "{path}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(answered.into_inner(), 10_000);
    assert!(site.figure("emotiond_frames_total") > frames, "the pipeline went on meanwhile");
}

#[test]
fn two_hundred_viewers_share_thirty_two_places() {
    let site = Site::start();
    site.wait_for_smile();
    let mut viewers: Vec<Viewer> = (0..200).map(|_| Viewer::new(&site)).collect();
    let (mut inside, outside): (Vec<_>, Vec<_>) = viewers.drain(..).partition(|viewer| viewer.status == 200);
    assert_eq!((inside.len(), outside.len()), (32, 168));
    assert!(outside.iter().all(|viewer| viewer.status == 503));
    for viewer in &mut inside {
        viewer.picture();
    }
    assert!(site.get("/api/v1/snapshot.jpg").is_problem(503));
    let events: Vec<_> = (0..32).map(|_| site.stream("/api/v1/events")).collect();
    eventually("all places for events are taken", || site.get("/api/v1/events").status == 503);
    drop((inside, events));
    eventually("there is room again", || site.get("/api/v1/snapshot.jpg").status == 200);
}

#[test]
fn a_viewer_who_takes_nothing_is_shown_out() {
    let site = Site::start();
    site.wait_for_smile();
    let mut slow = Viewer::new(&site);
    slow.picture();
    let mut quick = Viewer::new(&site);
    // The slow one reads nothing from now on; the quick one misses nothing meanwhile.
    eventually("the slow one has lost its place", || {
        quick.picture();
        site.figure("emotiond_live_viewers") == 1.0
    });
}

#[test]
fn tokens_cannot_be_guessed_around() {
    let setup = setup();
    let file = setup.folder.path().join("token");
    fs::write(&file, "correct-horse-battery-staple").expect("written");
    let site = Site::of(setup.set("web.token_file", &file.display().to_string()));
    let long = "x".repeat(10_000);
    let wrong = [
        ("Authorization", ""),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer "),
        ("Authorization", "Bearer null"),
        ("Authorization", "Basic Y29ycmVjdA=="),
        ("Authorization", "Bearer correct-horse-battery-stapl"),
        ("Authorization", &long),
        ("Cookie", "emotiond=correct-horse-battery-staple"),
        ("Cookie", "emotiond=;;;=;"),
        ("Cookie", &long),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Original-URL", "/healthz"),
    ];
    for (name, value) in wrong {
        for path in ["/api/v1/state", "/API/V1/STATE", "/assets/../api/v1/state", "/healthz/../metrics"] {
            let status = site.send("GET", path, &[(name, value)], b"").status;
            assert!(matches!(status, 401 | 404), "{path} with {name}: {value}: {status}");
        }
    }
}
