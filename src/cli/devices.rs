//! `emotiond devices`: what is attached, and why something is not usable.

use serde::Serialize;

use crate::camera::list::{self, CameraInfo};
use crate::cli::status::Status;
use crate::config::Config;
use crate::display::bus::{self, Probe};
use crate::nets::assets;
use crate::pipeline::load;

#[derive(Debug, clap::Args)]
pub struct DevicesArgs {
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    cameras: Vec<CameraInfo>,
    i2c: Vec<Bus>,
    runtime: Runtime,
}

#[derive(Serialize)]
struct Bus {
    path: String,
    adapter: String,
    /// Addresses that answered, as `0x3c`; null where the bus is none of the user's and was left alone.
    panels: Option<Vec<String>>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Runtime {
    library: Option<String>,
    delegates: Vec<String>,
    problem: Option<String>,
}

/// Lists and prints.
pub fn run(args: &DevicesArgs, config: &Config) -> anyhow::Result<Status> {
    let report = Report { cameras: list::cameras(), i2c: buses(), runtime: runtime(config) };
    if args.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(Status::Done)
}

fn buses() -> Vec<Bus> {
    let describe = |info: bus::BusInfo| {
        let (panels, problem) = match info.probe {
            Probe::NotTried => (None, None),
            Probe::Answers(addresses) => {
                (Some(addresses.iter().map(|address| format!("{address:#04x}")).collect()), None)
            }
            Probe::Failed(error) => (None, Some(error.to_string())),
        };
        Bus { path: info.path.display().to_string(), adapter: info.adapter, panels, problem }
    };
    bus::list_buses().into_iter().map(describe).collect()
}

/// Loads the emotion model to see what really runs it.
fn runtime(config: &Config) -> Runtime {
    let library = assets::runtime().ok().map(|path| path.display().to_string());
    match load::classifier_and_refusal(&config.classifier) {
        Ok((classifier, refusal)) => Runtime {
            library,
            delegates: vec![classifier.delegate().to_owned()],
            problem: refusal.map(|refusal| refusal.to_string()),
        },
        Err(error) => Runtime { library, delegates: Vec::new(), problem: Some(error.to_string()) },
    }
}

fn print(report: &Report) {
    say!("cameras:{}", if report.cameras.is_empty() { " none" } else { "" });
    for camera in &report.cameras {
        let name = camera.card.as_deref().unwrap_or("unknown");
        say!("  {} {name}", camera.path.display());
        if let Some(by_id) = &camera.by_id {
            say!("    {}", by_id.display());
        }
        if let Some(problem) = &camera.problem {
            say!("    not usable: {problem}");
        }
        for format in camera.formats.iter().filter(|format| format.known) {
            let rates: Vec<String> = format.fps.iter().map(|fps| format!("{fps:.0}")).collect();
            say!("    {} {}x{} at {}/s", format.format, format.width, format.height, rates.join(", "));
        }
    }
    say!("I2C buses:{}", if report.i2c.is_empty() { " none" } else { "" });
    for bus in &report.i2c {
        let found = match (&bus.panels, &bus.problem) {
            (_, Some(problem)) => problem.clone(),
            (None, None) => "left alone (not a bus for add-ons; name it in display.bus to use it)".to_owned(),
            (Some(panels), None) if panels.is_empty() => "no panel answers".to_owned(),
            (Some(panels), None) => format!("panel at {}", panels.join(", ")),
        };
        say!("  {} {}: {found}", bus.path, bus.adapter);
    }
    let runtime = &report.runtime;
    say!("runtime: {}", runtime.library.as_deref().unwrap_or("none"));
    say!("  runs models on: {}", runtime.delegates.join(", "));
    if let Some(problem) = &runtime.problem {
        say!("  {problem}");
    }
}
