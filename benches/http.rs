//! `POST /api/v1/classify` against bare decoding and inference of the same photo, side by side in one run:
//! `cargo bench --bench http`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emotiond::config::Config;
use emotiond::media::photo;
use emotiond::nets::engine::Engine;
use emotiond::pipeline::load;
use emotiond::tell::stats;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};

/// Photos of each measurement, in rounds of which each has a share of all measurements.
const ROUNDS: usize = 20;
const PHOTOS: usize = 16;

/// The detector looks at a photo of this size as a whole and at four tiles of it.
const LOOKS: usize = 5;

const MAX_PIXELS: u64 = 100_000_000;

/// A daemon without a camera, so that the uploads have the machine for themselves.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    /// The program and the address on which it listens.
    fn start(state: &Path) -> (Self, String) {
        let state = format!("device.state_dir={}", state.display());
        let overrides =
            ["camera.enabled=false", "mqtt.url=", "display.driver=none", "web.listen=127.0.0.1:0", &state];
        let mut child = Command::new(env!("CARGO_BIN_EXE_emotiond"))
            .arg("run")
            .args(overrides.iter().flat_map(|value| ["--set", value]))
            .stderr(Stdio::piped())
            .spawn()
            .expect("emotiond starts");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        let daemon = Self(child);
        let mut lines = log.lines().map(|line| line.expect("text"));
        let address = lines
            .by_ref()
            .find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()))
            .expect("it listens");
        std::thread::spawn(move || lines.for_each(drop));
        (daemon, address)
    }
}

/// The portrait as a JPEG of 640x480 pixels.
fn jpeg() -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("third_party/portrait.png");
    let portrait = photo::read(&path).expect("`make test` has fetched the portrait");
    let portrait = imageops::resize(&portrait, 480, 480, FilterType::Triangle);
    let mut canvas = image::RgbImage::from_pixel(640, 480, image::Rgb([128; 3]));
    imageops::replace(&mut canvas, &portrait, 80, 0);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&canvas).expect("encodes");
    bytes
}

/// Strict decoding, the detector's runs and one of the emotion net.
fn bare(bytes: &[u8], nets: &mut [Box<dyn Engine>; 2]) -> Duration {
    let began = Instant::now();
    photo::decode_within(bytes, "bench", MAX_PIXELS).expect("decodes");
    for (net, runs) in nets.iter_mut().zip([LOOKS, 1]) {
        let input = vec![0; net.inputs()[0].bytes()];
        for _ in 0..runs {
            net.run(&input).expect("runs");
        }
    }
    began.elapsed()
}

/// Latency of every request of `clients` that ask one after the other, and how long all took.
fn ask(url: &str, bytes: &[u8], clients: usize) -> (Vec<Duration>, Duration) {
    let began = Instant::now();
    let client = || {
        let agent = ureq::Agent::new_with_defaults();
        let one = || {
            let began = Instant::now();
            let answer = agent.post(url).header("content-type", "image/jpeg").send(bytes).expect("an answer");
            assert_eq!(answer.status(), 200);
            answer.into_body().read_to_vec().expect("a body");
            began.elapsed()
        };
        (0..PHOTOS / clients).map(|_| one()).collect::<Vec<_>>()
    };
    let latencies = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    (latencies, began.elapsed())
}

fn percentile(sorted: &[Duration], share: f64) -> f64 {
    stats::percentile(sorted, share).as_secs_f64() * 1e3
}

fn main() {
    let state = tempfile::tempdir().expect("folder");
    let (_daemon, address) = Daemon::start(state.path());
    let url = format!("{address}api/v1/classify");
    let config = Config::parse("", "defaults", &Default::default()).expect("defaults");
    let mut nets = [load::bare_detector(&config.detector), load::bare_classifier(&config.classifier)]
        .map(|net| net.expect("the nets that are shipped"));
    let bytes = jpeg();
    ask(&url, &bytes, 1);
    bare(&bytes, &mut nets);

    let mut alone = Vec::new();
    let mut asked: [(Vec<Duration>, Duration); 2] = Default::default();
    for _ in 0..ROUNDS {
        alone.extend((0..PHOTOS).map(|_| bare(&bytes, &mut nets)));
        for (clients, (latencies, total)) in [1, 8].into_iter().zip(&mut asked) {
            let (more, took) = ask(&url, &bytes, clients);
            latencies.extend(more);
            *total += took;
        }
    }
    alone.sort_unstable();
    let bare_ms = percentile(&alone, 0.5);
    println!(
        "bare        {bare_ms:.2} ms a 640x480 JPEG: decoding, {LOOKS} runs of the detector, one of the emotion net"
    );
    for (clients, (latencies, total)) in [1, 8].into_iter().zip(&mut asked) {
        latencies.sort_unstable();
        let each_ms = total.as_secs_f64() * 1e3 / latencies.len() as f64;
        println!(
            "{clients} client{}   {:.1} photos/s, p50 {:.1} ms, p99 {:.1} ms; {:.2} of bare a photo",
            if clients == 1 { " " } else { "s" },
            1e3 / each_ms,
            percentile(latencies, 0.5),
            percentile(latencies, 0.99),
            each_ms / bare_ms
        );
    }
}
