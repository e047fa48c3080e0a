//! Every kind of photo and film by every road: the command line, a replay, the API.
//!
//! `EMOTIOND_BEFORE=PROGRAM cargo test --test it kinds:: -- --nocapture` prints the table with a column of what
//! another `emotiond` says.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use emotiond::camera::{self, CameraError};
use emotiond::config::{self, Config, Pace, Source};
use emotiond::pipeline::load;
use emotiond::vocabulary::wire;
use serde_json::Value;

use crate::support::made::{Expected, Made, Maker};
use crate::support::program::text;
use crate::support::site::Site;

/// What one road makes of an input: the portrait's face, or what was said.
type Seen = Result<(), String>;

/// The portrait's face in shares of the picture: left, top, width, height.
type Share = [f64; 4];

fn share(picture: &Value) -> Option<Share> {
    let (width, height) = (picture["width"].as_f64()?, picture["height"].as_f64()?);
    let face = picture["faces"].as_array()?.first()?;
    let side = |name: &str| face["box"][name].as_f64();
    Some([side("x")? / width, side("y")? / height, side("width")? / width, side("height")? / height])
}

/// Intersection over union.
fn iou(a: Share, b: Share) -> f64 {
    let overlap = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    let both = overlap(0) * overlap(1);
    both / (a[2] * a[3] + b[2] * b[3] - both)
}

/// Every picture has the one face, happy, where it belongs.
fn is_portrait(pictures: &[Value], plain: Share) -> Seen {
    if pictures.is_empty() {
        return Err("no picture".to_owned());
    }
    for picture in pictures {
        let faces = picture["faces"].as_array().map_or(0, Vec::len);
        let place = share(picture).map_or(0.0, |share| iou(share, plain));
        let emotion = picture["faces"][0]["emotion"].as_str().unwrap_or("none");
        if faces != 1 || place < 0.6 || emotion != "happy" {
            return Err(format!("frame {}: {faces} faces, {emotion}, overlap {place:.2}", picture["frame"]));
        }
    }
    Ok(())
}

/// What `classify` says of all inputs, by path; a warning is a message beside pictures.
fn classified(program: &str, made: &[Made], plain: Option<Share>) -> BTreeMap<String, (Seen, String)> {
    let paths = made.iter().map(|made| &made.path);
    let output = Command::new(program).args(["classify", "--json"]).args(paths).output().expect("runs");
    let lines: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = lines.iter().find_map(share);
    let plain = plain.or(first).expect("the plain portrait");
    made.iter()
        .map(|made| {
            let source = text(&made.path);
            let own: Vec<Value> = lines.iter().filter(|line| line["source"] == source).cloned().collect();
            let message = |line: &&str| line.starts_with("emotiond: ") || line.contains(" WARN ");
            let said = said.lines().filter(message).find(|line| line.contains(source));
            let said = said.unwrap_or_default().to_owned();
            (source.to_owned(), (is_portrait(&own, plain), said))
        })
        .collect()
}

/// What a replay hands on, looked at by the daemon's pipeline.
fn replayed(path: &Path, pipeline: &mut emotiond::pipeline::Pipeline, plain: Share) -> Seen {
    let config = config::Camera {
        source: Source::Replay(path.to_owned()),
        pace: Pace::FlatOut,
        repeat: false,
        ..defaults().camera
    };
    let mut camera = camera::open(&config).map_err(|error| error.to_string())?;
    pipeline.restart();
    let mut pictures = Vec::new();
    loop {
        match camera.next() {
            Ok(frame) => {
                let observation = pipeline.step(&frame, frame.captured).map_err(|error| error.to_string())?;
                let faces: Vec<wire::Face> = observation.faces.iter().map(wire::Face::from).collect();
                let (width, height) = (frame.width, frame.height);
                pictures.push(serde_json::json!({ "width": width, "height": height, "faces": faces, "frame": frame.sequence }));
            }
            Err(CameraError::Waiting) => {}
            Err(CameraError::Ended) => return is_portrait(&pictures, plain),
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn defaults() -> Config {
    Config::parse("", "defaults", &BTreeMap::new()).expect("defaults")
}

fn uploaded(site: &Site, path: &Path, plain: Share) -> Seen {
    let body = std::fs::read(path).expect("reads");
    let answer = site.classify("application/octet-stream", &body);
    if answer.status != 200 {
        return Err(answer.json()["detail"].as_str().unwrap_or_default().to_owned());
    }
    is_portrait(&[answer.json()], plain)
}

#[test]
fn every_kind_by_every_road() {
    let folder = tempfile::tempdir().expect("folder");
    let mut maker = Maker::new(folder.path());
    maker.photos();
    maker.broken_photos();
    maker.films();
    let made = maker.made;
    let now = classified(env!("CARGO_BIN_EXE_emotiond"), &made, None);
    let plain = classified_share(&made[0].path);
    let before = std::env::var("EMOTIOND_BEFORE").ok().map(|before| classified(&before, &made, Some(plain)));
    let site = Site::start();
    let mut pipeline = load::pipeline(&defaults()).expect("nets");
    let mut wrong = Vec::new();
    for input in &made {
        let source = text(&input.path);
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        let (seen, said) = &now[source];
        let roads = [
            ("classify", seen.clone()),
            ("replay", replayed(&input.path, &mut pipeline, plain)),
            ("api", if input.film { Ok(()) } else { uploaded(&site, &input.path, plain) }),
        ];
        let mut row = format!("{name:24}");
        if let Some(before) = &before {
            row += &format!("before: {} | ", told(&before[source]));
        }
        println!("{row}now: {}", told(&now[source]));
        for (road, seen) in roads {
            let right = match (input.expected, &seen) {
                (Expected::Portrait, Ok(())) => road != "classify" || said.is_empty(),
                (Expected::Warned, Ok(())) => road != "classify" || said.contains("no end mark"),
                (Expected::Refused(reason), Err(message)) => {
                    (road == "classify" && said.contains(reason)) || message.contains(reason)
                }
                _ => input.film && road == "api",
            };
            if !right {
                wrong.push(format!("{name} by {road}: {seen:?} {said}"));
            }
        }
    }
    assert!(made.len() >= 60, "{}", made.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), made.len(), wrong.join("\n"));
}

fn told((seen, said): &(Seen, String)) -> String {
    let seen = seen.clone().err().unwrap_or_else(|| "as the plain file".to_owned());
    let said = said.split_once(": ").map_or("", |(_, said)| said);
    if said.is_empty() {
        seen
    } else {
        format!(
            "{seen}; {}",
            said.chars().rev().take(90).collect::<Vec<_>>().into_iter().rev().collect::<String>()
        )
    }
}

fn classified_share(plain: &Path) -> Share {
    let output =
        Command::new(env!("CARGO_BIN_EXE_emotiond")).args(["classify", "--json"]).arg(plain).output();
    let line: Value = serde_json::from_slice(&output.expect("runs").stdout).expect("a line of JSON");
    share(&line).expect("a face")
}
