//! The real program with its page, and clients for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::mosquitto::{DEADLINE, eventually};
use super::running::{Daemon, Setup, portrait};

/// As long as a token must be.
pub const TOKEN: &str = "correct-horse-battery-staple";

/// The portrait's file.
pub fn png() -> Vec<u8> {
    std::fs::read(portrait()).expect("reads")
}

/// A daemon that looks at the portrait, and where its page is.
pub struct Site {
    pub daemon: Daemon,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// # Panics
    /// When it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// An error that says what to do, of this status.
    pub fn is_problem(&self, status: u16) -> bool {
        self.status == status
            && self.header("content-type") == Some("application/problem+json")
            && self.json()["status"] == status
            && ["title", "detail", "remedy"]
                .iter()
                .all(|key| !self.json()[key].as_str().unwrap_or("").is_empty())
    }
}

/// What stands before a page's sockets.
pub fn setup() -> Setup {
    Setup::new(&format!("replay:{}", portrait()), "").set("web.listen", "127.0.0.1:0")
}

impl Site {
    pub fn start() -> Self {
        Self::of(setup())
    }

    /// Waits until it listens.
    pub fn of(setup: Setup) -> Self {
        let daemon = setup.start();
        let mut address = String::new();
        eventually("it listens", || {
            let log = daemon.log();
            let Some((_, rest)) = log.split_once("listening on http") else { return false };
            let rest = rest.trim_start_matches('s').trim_start_matches("://");
            rest.split_once("/\n").inspect(|(found, _)| (*found).clone_into(&mut address)).is_some()
        });
        Self { daemon, address }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(DEADLINE)).expect("time-out");
        stream
    }

    /// Sends a request with the headers given; `Host`, `Connection` and `Content-Length` are added
    /// where they are not.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let has = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !has("Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        if !body.is_empty() && !has("Content-Length") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = self.connect();
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("sent");
        // What is refused early is not read to its end.
        let _ = stream.write_all(body);
        read(&mut BufReader::new(stream), method != "HEAD").expect("an answer")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn state(&self) -> Value {
        self.get("/api/v1/state").json()
    }

    /// The answer to a request without an end; over HTTP/1.0 it comes without chunks.
    pub fn stream(&self, path: &str) -> BufReader<TcpStream> {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).expect("sent");
        BufReader::new(stream)
    }

    pub fn classify(&self, kind: &str, body: &[u8]) -> Answer {
        self.send("POST", "/api/v1/classify", &[("Content-Type", kind)], body)
    }

    /// Waits until the portrait's smile is seen.
    pub fn wait_for_smile(&self) {
        eventually("the smile is seen", || self.state()["emotion"] == "happy");
    }

    /// The value of a figure without labels.
    pub fn figure(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        let value = line.and_then(|line| line.split(' ').nth(1)).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in:\n{text}"))
    }
}

/// Head and body; the body ends with its length, its last chunk or the connection.
pub fn read(stream: &mut impl BufRead, with_body: bool) -> std::io::Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status in {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if !with_body {
        return Ok(answer);
    }
    if let Some(length) = answer.header("content-length").and_then(|length| length.parse().ok()) {
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body)?;
    } else {
        stream.read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

/// A live stream, read picture by picture.
pub struct Viewer {
    stream: BufReader<TcpStream>,
    pub status: u16,
}

impl Viewer {
    pub fn new(site: &Site) -> Self {
        let mut stream = site.stream("/api/v1/stream.mjpg");
        let mut line = String::new();
        stream.read_line(&mut line).expect("a status");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { stream, status }
    }

    /// The next picture and its frame's number.
    pub fn picture(&mut self) -> (u64, Vec<u8>) {
        let (mut sequence, mut length) = (None, None);
        loop {
            let mut line = String::new();
            assert_ne!(self.stream.read_line(&mut line).expect("a line"), 0, "the stream has ended");
            let number = |name: &str| line.strip_prefix(name).and_then(|value| value.trim().parse().ok());
            sequence = number("X-Sequence: ").or(sequence);
            length = number("Content-Length: ").or(length);
            if let (Some(sequence), Some(length), "\r\n") = (sequence, length, line.as_str()) {
                let mut jpeg = vec![0; length as usize];
                self.stream.read_exact(&mut jpeg).expect("a picture");
                return (sequence, jpeg);
            }
        }
    }
}
