//! Pictures for enrolment from the camera, with a word on what is in the way of the next one.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::nets::{Candidate, Described, Nets};
use crate::camera::{self, CameraError};
use crate::cli::progress::Stop;
use crate::config::{Camera, Config};
use crate::people::quality::Gate;

/// Pictures that are taken.
const PICTURES: usize = 5;

/// Between two of them, so that they differ.
const APART: Duration = Duration::from_millis(700);

/// How long good pictures are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes pictures until there are enough good ones.
///
/// # Errors
/// When the camera cannot be read, or there is no good picture for a minute.
pub fn take(nets: &mut Nets, config: &Config) -> anyhow::Result<Vec<Candidate>> {
    let stop = Stop::on_signals()?;
    let mut camera = camera::open(&Camera { repeat: false, ..config.camera.clone() })?;
    let hint = Hint::new(camera.description());
    let mut taken: Vec<Candidate> = Vec::new();
    let mut last: Option<Instant> = None;
    let mut in_the_way = "no picture came".to_owned();
    let began = Instant::now();
    while taken.len() < PICTURES {
        stop.check()?;
        if began.elapsed() > PATIENCE {
            break;
        }
        let frame = match camera.next() {
            Ok(frame) => frame,
            Err(CameraError::Waiting | CameraError::Damaged(_)) => continue,
            Err(CameraError::Ended) => break,
            Err(error) => return Err(error.into()),
        };
        if last.is_some_and(|last| frame.captured.saturating_duration_since(last) < APART) {
            continue;
        }
        match judge(nets.describe(&frame)?) {
            Ok(described) => {
                last = Some(frame.captured);
                taken.push(Candidate {
                    source: format!("picture {}", taken.len() + 1),
                    descriptor: described.descriptor,
                });
                hint.say(&format!("{} of {PICTURES}: move your head a little", taken.len()));
            }
            Err(problem) => {
                hint.say(&format!("{} of {PICTURES}: {problem}", taken.len()));
                in_the_way = problem.to_string();
            }
        }
    }
    hint.end();
    if taken.is_empty() {
        bail!("unable to enrol: there was no good picture, in the last {in_the_way}");
    }
    Ok(taken)
}

fn judge(described: Option<Described>) -> anyhow::Result<Described> {
    let described = described.context("no face is seen")?;
    if described.found.faces > 1 {
        bail!("several faces are seen: stand before the camera alone");
    }
    let gate = Gate::ENROL;
    let sharp = |()| gate.check_sharpness(&described.chip);
    gate.check_pose(&described.found.face).and_then(sharp)?;
    Ok(described)
}

/// One line that is written anew, or, where nobody watches, nothing but the first.
struct Hint {
    live: bool,
}

impl Hint {
    fn new(camera: &str) -> Self {
        eprintln!("{camera}: look into the camera");
        Self { live: std::io::stderr().is_terminal() }
    }

    fn say(&self, text: &str) {
        if self.live {
            eprint!("\r\x1b[2K{text}");
            // A hint that does not appear is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    fn end(&self) {
        if self.live {
            eprintln!();
        }
    }
}
