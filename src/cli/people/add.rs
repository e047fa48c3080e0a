//! `emotiond people add`: enrols a person.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use jiff::Timestamp;

use super::nets::{Candidate, Described, Nets};
use super::{camera, kept};
use crate::base::clock;
use crate::cli::photos;
use crate::cli::status::{Status, UsageError, one_line};
use crate::config::Config;
use crate::people::Descriptor;
use crate::people::gallery::{self, Gallery};
use crate::people::quality::Gate;
use crate::people::store::{self, People, Sample};
use crate::vocabulary::name::Name;

/// Photos of one person that are farther apart than this are of two.
const SURELY_TWO: f32 = 0.8;

#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// 1 to 64 letters and digits of any script, spaces and marks such as - and '
    name: Name,

    /// Photos with one face each, and folders of them
    #[arg(value_name = "PHOTO", required_unless_present = "camera")]
    photos: Vec<PathBuf>,

    /// Takes several good pictures with the camera instead
    #[arg(long, conflicts_with = "photos")]
    camera: bool,

    /// Also enrols faces that are small, blurred or turned away, that look like somebody else who is enrolled,
    /// or unlike the person's other photos
    #[arg(long)]
    force: bool,
}

pub fn run(args: &AddArgs, config: &Config) -> anyhow::Result<Status> {
    // Before any work: a file that cannot be used is said at once.
    match store::load(&config.device.state_dir) {
        Ok(_) | Err(store::StoreError::Damaged { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut nets = Nets::load(config)?;
    let (candidates, mut status) = if args.camera {
        (camera::take(&mut nets, config)?, Status::Done)
    } else {
        from_photos(&mut nets, args)?
    };
    let (space, length) = (nets.net.space().to_owned(), nets.net.length());
    let now = clock::rfc3339(Timestamp::now());
    let ((added, refused), aside) = store::update(&config.device.state_dir, true, |people| {
        let mut judge = Judge::new(people, &args.name, &space, length, config.people.threshold, args.force);
        let (mut added, mut refused) = (0, Vec::new());
        for candidate in &candidates {
            let values = candidate.descriptor.values().to_vec();
            let sample = Sample { added: now.clone(), space: space.clone(), values };
            let verdict = judge.check(&candidate.descriptor).and_then(|()| {
                let fresh = people.add(&args.name, sample)?;
                if fresh { Ok(()) } else { Err(anyhow!("{} has just this photo already", args.name)) }
            });
            match verdict {
                Ok(()) => {
                    judge.own.push(candidate.descriptor.clone());
                    added += 1;
                }
                Err(error) => refused.push(format!("unable to enrol {}: {error}", candidate.source)),
            }
        }
        anyhow::Ok((added, refused))
    })?;
    kept::say_aside(aside.as_deref());
    for refused in refused {
        eprintln!("emotiond: {refused}");
        status = Status::Failed;
    }
    say(added, args, config)?;
    Ok(status)
}

fn say(added: usize, args: &AddArgs, config: &Config) -> anyhow::Result<()> {
    let all = store::load(&config.device.state_dir)?;
    let photos = all.samples(&args.name).unwrap_or_default().len();
    match added {
        0 if photos == 0 => bail!("{} is not enrolled: no photo could be used", args.name),
        _ => say!("{}: {added} photos added, {photos} in all", args.name),
    }
    if photos == 1 {
        say!("three photos, in different light, are recognised more surely than one");
    }
    if !config.people.enabled {
        say!("people.enabled is off: the daemon names nobody");
    }
    Ok(())
}

/// Says what is wrong with each photo that cannot be used.
fn from_photos(nets: &mut Nets, args: &AddArgs) -> anyhow::Result<(Vec<Candidate>, Status)> {
    let (mut candidates, mut status) = (Vec::new(), Status::Done);
    let list = photos::list(&args.photos)?;
    if list.is_empty() {
        return Err(UsageError("name photos, or use --camera".to_owned()).into());
    }
    for path in list {
        match from_photo(nets, &path, args.force) {
            Ok(descriptor) => candidates.push(Candidate { source: path.display().to_string(), descriptor }),
            Err(error) => {
                eprintln!("emotiond: {}", one_line(&error));
                status = Status::Failed;
            }
        }
    }
    Ok((candidates, status))
}

fn from_photo(nets: &mut Nets, path: &Path, force: bool) -> anyhow::Result<Descriptor> {
    let photo = photos::read(path)?;
    let refuse = |reason: String| anyhow!("unable to enrol {}: {reason}", path.display());
    let Some(Described { found, chip, descriptor }) = nets.describe(&photo)? else {
        return Err(refuse(
            "no face is found (take one from nearer, from the front, in good light)".to_owned(),
        ));
    };
    if found.faces > 1 {
        return Err(refuse(format!("it shows {} faces (cut it to one)", found.faces)));
    }
    let gate = Gate::ENROL;
    match gate.check_pose(&found.face).and_then(|()| gate.check_sharpness(&chip)) {
        Err(poor) if !force => Err(refuse(format!("{poor} (--force enrols it all the same)"))),
        _ => Ok(descriptor),
    }
}

/// Decides whether a face can be this person's.
struct Judge {
    others: Gallery,
    own: Vec<Descriptor>,
    threshold: f32,
    force: bool,
}

impl Judge {
    fn new(people: &People, name: &Name, space: &str, length: usize, threshold: f32, force: bool) -> Self {
        let (mut others, mut own) = (Gallery::default(), Vec::new());
        for (who, descriptors) in people.gallery(space, length).iter() {
            if who == name {
                own = descriptors.to_vec();
            } else {
                descriptors.iter().for_each(|descriptor| others.add(who, descriptor.clone()));
            }
        }
        Self { others, own, threshold, force }
    }

    fn check(&self, face: &Descriptor) -> anyhow::Result<()> {
        if self.force {
            return Ok(());
        }
        let own = gallery::distance(face, &self.own);
        if let Some(other) = self.others.nearest(face)
            && other.distance <= self.threshold
            && other.distance < own
        {
            bail!(
                "the face is {}'s, who is enrolled already (distance {:.2}; remove {0} first, or --force)",
                other.name,
                other.distance
            );
        }
        if !self.own.is_empty() && own > SURELY_TWO {
            bail!(
                "the face is not that of the other photos (distance {own:.2}; --force enrols it all the same)"
            );
        }
        Ok(())
    }
}
