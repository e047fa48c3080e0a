//! The subcommands, one file each.

#[macro_use]
mod out;

mod bench;
mod check;
mod classify;
mod crop;
mod devices;
mod eval;
mod eval_boxes;
mod eval_text;
mod generate;
mod inputs;
mod mcp;
mod model_arg;
mod mqtt;
mod names;
mod people;
mod photos;
mod progress;
mod run;
mod status;
mod tls;
mod workers;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use crate::base::printable::printable;
use crate::config::{Config, ConfigError, DEFAULT_PATH, Places, STATE_DIR};

use status::UsageError;

pub use status::{Status, lines};

const CONFIGURATION: &str = "Configuration";

const FIRST: &str = "\
To begin with:
  emotiond devices                            what there is, and why something cannot be used
  emotiond run --show                         the display in the terminal, the page at http://127.0.0.1:8080/
  emotiond classify photo.jpg --out marked/   a copy with every face marked
  emotiond check                              all mistakes of the configuration, with file, line and key

Exit status: 0 done, 1 failed or a file was skipped, 2 wrong usage, 78 bad configuration or model.";

/// Tells the emotion of faces before a camera, shows it on a small display and over MQTT.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = FIRST)]
pub struct Args {
    /// Configuration file [default: /etc/emotiond/emotiond.toml where it exists]
    #[arg(long, global = true, help_heading = CONFIGURATION, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Configuration and state of another device on this machine, as the unit emotiond@NAME has them
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "config", value_parser = instance)]
    instance: Option<String>,

    /// Overrides a key of the configuration, may be repeated: --set camera.source=/dev/video2
    #[arg(long, global = true, help_heading = CONFIGURATION, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon in the foreground until SIGTERM or Ctrl-C
    Run(run::RunArgs),
    /// Tells all mistakes of the configuration, models, certificates, password files and programs
    Check,
    /// Lists cameras with their formats, I2C buses with the panels found, and the runtime
    Devices(devices::DevicesArgs),
    /// Tells the emotion of the faces in photos, folders and films
    Classify(classify::ClassifyArgs),
    /// Measures the emotion model, or with --boxes the face detector, on labelled data
    Eval(eval::EvalArgs),
    /// Cuts the faces out of photos, as the emotion model sees them
    Crop(crop::CropArgs),
    /// Enrols people, tells who is in photos, and measures how well
    #[command(subcommand)]
    People(people::PeopleCommand),
    /// Takes the device off the MQTT broker
    #[command(subcommand)]
    Mqtt(mqtt::MqttCommand),
    /// Times the pipeline against its bare inferences
    Bench(bench::BenchArgs),
    /// Makes a self-signed certificate for the page, so that phones lend it their camera
    Tls(tls::TlsArgs),
    /// Lets an AI assistant ask what the device sees (Model Context Protocol on standard input and output)
    Mcp(mcp::McpArgs),
    /// Writes the manual pages and shell completions, for packages
    #[command(hide = true)]
    Generate(generate::GenerateArgs),
}

/// Runs the subcommand.
///
/// # Errors
/// Why the subcommand ends; [`Status::of`] says with which status.
pub fn run(args: Args) -> anyhow::Result<Status> {
    let overrides: BTreeMap<String, String> = args.set.into_iter().collect();
    let file = args.config.clone().or_else(|| args.instance.as_deref().map(file_of));
    let load = || {
        let mut config = Config::load(file.as_deref(), &overrides)?;
        if let Some(name) = &args.instance
            && config.device.state_dir == Path::new(STATE_DIR)
        {
            config.device.state_dir = format!("{STATE_DIR}@{name}").into();
        }
        Ok::<_, ConfigError>(config)
    };
    let mut config = load()?;
    if file.is_none() && matches!(args.command, Command::Check | Command::People(_) | Command::Mqtt(_)) {
        hint_at_instances();
    }
    log_to_stderr(config.log.level);
    match args.command {
        Command::Run(run) => run::run(&run, config, &|| Ok(load()?)),
        Command::Check => check::run(&config, &Places::load(file.as_deref(), &overrides)),
        Command::Devices(devices) => devices::run(&devices, &config),
        Command::Classify(classify) => classify::run(&classify, &mut config),
        Command::Eval(eval) => eval::run(&eval, &mut config),
        Command::Crop(crop) => crop::run(&crop, &mut config),
        Command::People(command) => people::run(&command, &config),
        Command::Mqtt(command) => mqtt::run(&command, &config),
        Command::Bench(bench) => bench::run(&bench, &mut config),
        Command::Tls(tls) => tls::run(&tls, &config),
        Command::Mcp(mcp) => mcp::run(&mcp, &config),
        Command::Generate(generate) => generate::run(&generate, Args::command()),
    }
}

/// What is logged may come from outside: a host's name, a broker's text, a program's last word.
fn log_to_stderr(level: log::LevelFilter) {
    // journald adds the time itself.
    let timed = std::env::var_os("JOURNAL_STREAM").is_none();
    env_logger::Builder::new()
        .filter_level(level)
        .parse_env("EMOTIOND_LOG")
        .format(move |out, record| {
            let level = record.level();
            let style = out.default_level_style(level);
            let time = if timed { format!("{} ", out.timestamp_millis()) } else { String::new() };
            writeln!(out, "[{time}{style}{level:<5}{style:#}] {}", printable(&record.args().to_string()))
        })
        .init();
}

/// The configuration of the unit `emotiond@NAME`.
fn file_of(instance: &str) -> PathBuf {
    Path::new(DEFAULT_PATH).with_file_name(format!("emotiond@{instance}.toml"))
}

/// What is done is for the one device, where there are others that could have been meant.
fn hint_at_instances() {
    let folder = Path::new(DEFAULT_PATH).parent().and_then(|folder| folder.read_dir().ok());
    let names: Vec<String> = folder
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| Some(file.strip_prefix("emotiond@")?.strip_suffix(".toml")?.to_owned()))
        .collect();
    if !names.is_empty() {
        let names = names.join(", ");
        eprintln!("emotiond: this is about emotiond.service; --instance NAME is for the others ({names})");
    }
}

/// What systemd takes between `@` and `.service`.
fn instance(name: &str) -> Result<String, UsageError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":_.-".contains(c);
    if !name.is_empty() && name.chars().all(allowed) {
        Ok(name.to_owned())
    } else {
        Err(UsageError(format!("{name:?} is no instance of a unit (a-z, A-Z, 0-9, :, _, . and -)")))
    }
}

fn key_value(text: &str) -> Result<(String, String), UsageError> {
    text.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| UsageError(format!("{text:?} is not KEY=VALUE")))
}
