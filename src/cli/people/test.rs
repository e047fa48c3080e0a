//! `emotiond people test`: how well the enrolled photos are told apart.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::status::Status;
use crate::config::Config;
use crate::people::gallery::{self, Gallery};
use crate::people::net::{Chip, DescriptorNet};
use crate::people::store;
use crate::pipeline::load;
use crate::vocabulary::wire::rounded;

/// Rounds that are timed.
const TIMES: usize = 21;

#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    people: usize,
    photos: usize,
    threshold: f64,
    /// Pairs of photos of two people that are within the threshold.
    false_accepts: usize,
    pairs_of_two: usize,
    /// Photos whose person's other photos are all beyond the threshold.
    false_rejects: usize,
    photos_with_others: usize,
    /// To describe a face that is found, and to compare it with a thousand people; medians.
    describe_ms: f64,
    compare_1000_ms: f64,
    persons: Vec<Person>,
}

#[derive(Serialize)]
struct Person {
    name: String,
    photos: usize,
    /// From a photo to the nearest other one of the same person, at most; null for a single photo.
    own: Option<f64>,
    /// To the nearest photo of somebody else, and who that is.
    nearest: Option<f64>,
    other: Option<String>,
}

pub fn run(args: &TestArgs, config: &Config) -> anyhow::Result<Status> {
    let people = store::load(&config.device.state_dir)?;
    let mut net = load::descriptor(&config.people)?;
    let gallery = people.gallery(net.space(), net.length());
    if gallery.is_empty() {
        anyhow::bail!("nobody is enrolled with {} (`emotiond people add NAME PHOTO…`)", net.name());
    }
    let mut report = measure(&gallery, config.people.threshold);
    (report.describe_ms, report.compare_1000_ms) = times(&mut net)?;
    if args.json {
        say!("{}", serde_json::to_string(&report)?);
        return Ok(Status::Done);
    }
    say!("{:<32} photos  own  nearest other", "person");
    let number = |value: Option<f64>| value.map_or_else(|| "   -".to_owned(), |value| format!("{value:.2}"));
    for person in &report.persons {
        let other = person.other.as_deref().unwrap_or_default();
        say!(
            "{:<32} {:>6} {} {} {other}",
            person.name,
            person.photos,
            number(person.own),
            number(person.nearest)
        );
    }
    say!(
        "at threshold {:.2}: {} of {} pairs of two people accepted, {} of {} photos rejected",
        report.threshold,
        report.false_accepts,
        report.pairs_of_two,
        report.false_rejects,
        report.photos_with_others
    );
    say!(
        "{:.1} ms to describe a face with {}, {:.3} ms to compare it with 1,000 people",
        report.describe_ms,
        net.name(),
        report.compare_1000_ms
    );
    Ok(Status::Done)
}

/// Median times in milliseconds: of the net, and of a comparison with a thousand people of one photo each.
fn times(net: &mut DescriptorNet) -> anyhow::Result<(f64, f64)> {
    let side = net.side();
    let chip = Chip { side, pixels: (0..side * side * 3).map(|at| (at % 251) as u8).collect() };
    let descriptor = net.describe(&chip)?;
    let mut crowd = Gallery::default();
    for number in 0..1000 {
        crowd.add(&format!("p{number}").parse()?, descriptor.clone());
    }
    let (mut describing, mut comparing) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let began = Instant::now();
        let descriptor = net.describe(&chip)?;
        let described = Instant::now();
        std::hint::black_box(crowd.nearest(&descriptor));
        comparing.push(described.elapsed());
        describing.push(described - began);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        rounded(times[TIMES / 2].as_secs_f32() * 1000.0, 3)
    };
    Ok((median(&mut describing), median(&mut comparing)))
}

fn measure(gallery: &Gallery, threshold: f32) -> Report {
    let mut report = Report {
        people: gallery.len(),
        photos: gallery.iter().map(|(_, descriptors)| descriptors.len()).sum(),
        threshold: rounded(threshold, 3),
        false_accepts: 0,
        pairs_of_two: 0,
        false_rejects: 0,
        photos_with_others: 0,
        describe_ms: 0.0,
        compare_1000_ms: 0.0,
        persons: Vec::new(),
    };
    for (index, (name, own)) in gallery.iter().enumerate() {
        let mut farthest: Option<f32> = None;
        for (at, photo) in own.iter().enumerate().filter(|_| own.len() > 1) {
            let rest = [&own[..at], &own[at + 1..]].concat();
            let distance = gallery::distance(photo, &rest);
            farthest = Some(farthest.unwrap_or(0.0).max(distance));
            report.photos_with_others += 1;
            report.false_rejects += usize::from(distance > threshold);
        }
        let mut nearest: Option<(f32, String)> = None;
        for (place, (other, theirs)) in gallery.iter().enumerate().filter(|(place, _)| *place != index) {
            let distances = own.iter().flat_map(|a| theirs.iter().map(move |b| a.distance(b)));
            for distance in distances {
                if nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
                    nearest = Some((distance, other.to_string()));
                }
                // Each pair once.
                if place > index {
                    report.pairs_of_two += 1;
                    report.false_accepts += usize::from(distance <= threshold);
                }
            }
        }
        let (distance, other) = nearest.unzip();
        report.persons.push(Person {
            name: name.to_string(),
            photos: own.len(),
            own: farthest.map(|distance| rounded(distance, 4)),
            nearest: distance.map(|distance| rounded(distance, 4)),
            other,
        });
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Descriptor;

    #[test]
    fn each_pair_and_each_photo_is_counted_once() {
        let mut gallery = Gallery::default();
        for (name, x) in [("anna", 0.0), ("anna", 0.3), ("bert", 1.0), ("bert", 2.0), ("carl", 1.2)] {
            gallery.add(&name.parse().expect("name"), Descriptor::new([x]).expect("finite"));
        }
        let report = measure(&gallery, 0.5);
        assert_eq!((report.people, report.photos, report.pairs_of_two), (3, 5, 8));
        assert_eq!(report.false_accepts, 1, "carl is taken for bert");
        assert_eq!((report.false_rejects, report.photos_with_others), (2, 4));
        let anna = &report.persons[0];
        assert_eq!((anna.own, anna.nearest, anna.other.as_deref()), (Some(0.3), Some(0.7), Some("bert")));
        assert_eq!(report.persons[2].own, None);
    }
}
