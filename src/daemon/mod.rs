//! The running daemon: builds the parts, spawns their threads, passes observations on, minds
//! signals and the watchdog, and joins. The only file that knows everybody.

mod control;
mod enrolled;
mod face_image;
mod health;
mod mirror;
mod pipeline_thread;
mod shared;
mod shown;
mod switch;
mod systemd;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::base::chance;
use crate::base::latest::Latest;
use crate::base::part::{Part, Pulse};
use crate::base::shutdown::Shutdown;
use crate::config::{self, Config};
use crate::people::store;
use crate::pipeline::load;
use crate::tell::report::{Moment, Reporter};
use crate::{camera, display, mqtt, rules, web};

use control::Control;
use enrolled::Enrolled;
use health::Health;
use mirror::Mirror;
use pipeline_thread::{PipelineThread, Sinks};
use shared::Shared;
use shown::Asked;
use systemd::notify;

/// How often signals, threads and commands are looked at.
const TICK: Duration = Duration::from_millis(100);

/// What `run` was asked for beside the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Draw the display's picture on the terminal.
    pub show: bool,
    /// End with the replay instead of waiting for a signal.
    pub exit_at_end: bool,
}

/// The parts that the main thread keeps an eye on.
struct Daemon {
    config: Config,
    shutdown: Shutdown,
    control: Control,
    parts: Asked,
    web: Option<web::Web>,
    mirror: Mirror,
    enrolled: Option<Enrolled>,
    threads: Vec<Part>,
    commands: Receiver<mqtt::Command>,
}

/// Runs until SIGTERM, SIGINT or, when asked for, the end of a replay. `reload` reads the
/// configuration again on SIGHUP.
///
/// # Errors
/// When the configuration or a model cannot be used, or a thread ends by itself.
pub fn run(
    config: Config,
    options: Options,
    reload: &dyn Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<()> {
    // Before any thread, so that all signals come here.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("unable to catch signals")?;
    let mut daemon = Daemon::start(config, options)?;
    notify(&[
        sd_notify::NotifyState::Ready,
        sd_notify::NotifyState::Status(&daemon.config.camera.source.to_string()),
    ]);
    log::info!("ready: device {}", daemon.config.device.id);
    let result = daemon.mind(&mut signals, options, reload);
    notify(&[sd_notify::NotifyState::Stopping]);
    daemon.stop(result)
}

impl Daemon {
    fn start(config: Config, options: Options) -> anyhow::Result<Self> {
        say_what_is_not_there(&config);
        if let Err(error) = store::sweep(&config.device.state_dir) {
            log::warn!("what a killed program has left of people stays: {error}");
        }
        let pipeline = load::pipeline(&config)?;
        let shutdown = Shutdown::default();
        let (on_command, commands) = mpsc::channel();
        let client = mqtt::start(&config.mqtt, shutdown.clone(), move |command| {
            // Fails only while the daemon stops.
            let _ = on_command.send(command);
        })?;
        let (mqtt, mqtt_thread) = client.unzip();
        let letters = mqtt.clone();
        let post = move |message: rules::Message| {
            if let Some(mqtt) = &letters {
                mqtt.letter(&message.topic, message.payload, message.retain);
            }
        };
        let (rules, rules_thread) = rules::start(&config.rules, &config.device.id, post, shutdown.clone())?;
        let mirror = Mirror::default();
        let min_confidence = config.classifier.min_confidence;
        let shared = Shared::new(pipeline.classifier().delegate(), min_confidence);
        let parts = Asked {
            camera: Arc::default(),
            display: Arc::default(),
            mqtt,
            rules,
            pipeline: Arc::new(shared),
        };
        let enrolled = pipeline.recogniser().map(|people| {
            Enrolled::new(config.device.state_dir.clone(), people, Arc::clone(&parts.pipeline))
        });
        let camera = Arc::clone(&parts.camera);
        let control = Control::new(&config, camera, Arc::clone(&parts.pipeline), parts.mqtt.clone());
        let shown = shown::shown(&config, &parts, &control.switch, mirror.clone());
        let classify = shown::classify(&config, Arc::clone(&parts.pipeline));
        let (web, web_threads) = web::start(&config.web, shown, classify, shutdown.clone())?.unzip();
        let mut threads: Vec<Part> = mqtt_thread.into_iter().collect();
        threads.push(rules_thread);
        threads.extend(web_threads.into_iter().flatten());
        let mut daemon = Self { control, parts, web, mirror, enrolled, threads, config, shutdown, commands };
        daemon.spawn_threads(pipeline, options)?;
        Ok(daemon)
    }

    fn spawn_threads(&mut self, pipeline: crate::pipeline::Pipeline, options: Options) -> anyhow::Result<()> {
        let frames = Latest::default();
        let views = Latest::default();
        let mut links = camera::thread::Links {
            frames: frames.clone(),
            status: Arc::clone(&self.parts.camera),
            enabled: self.control.switch.flag(),
            restart: Arc::clone(&self.control.restart),
            shutdown: self.shutdown.clone(),
            pulse: Pulse::default(),
        };
        let settings = self.config.camera.clone();
        self.spawn("camera", move |pulse| {
            links.pulse = pulse.clone();
            camera::thread::run(&settings, &links);
        })?;

        // Not from the clock, which may start at the same wrong time again and again.
        let run = format!("{}-{}", self.config.device.id, chance::run_id());
        let now = Moment { instant: Instant::now(), wall: Timestamp::now() };
        let reporter = Reporter::new(&run, self.config.mqtt.state_interval, now);
        let worker = PipelineThread {
            pipeline,
            frames,
            reporter,
            camera: Arc::clone(&self.parts.camera),
            sinks: Sinks {
                mqtt: self.parts.mqtt.clone(),
                rules: self.parts.rules.clone(),
                web: self.web.clone(),
                views: views.clone(),
                mirror: self.mirror.clone(),
            },
            shared: Arc::clone(&self.parts.pipeline),
            face_image: self.config.mqtt.face_image.then(Default::default),
            shutdown: self.shutdown.clone(),
            last: Instant::now(),
        };
        self.spawn("pipeline", move |pulse| worker.run(pulse))?;

        let settings = self.config.display.clone();
        let (status, shutdown) = (Arc::clone(&self.parts.display), self.shutdown.clone());
        self.spawn("display", move |pulse| {
            display::run(settings, views, options.show, status, shutdown, pulse)
        })
    }

    fn spawn(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&Pulse) + Send + 'static,
    ) -> anyhow::Result<()> {
        let part = Part::spawn(name, body).with_context(|| format!("unable to start thread {name}"))?;
        self.threads.push(part);
        Ok(())
    }

    /// Until a signal asks to stop or a thread has ended.
    fn mind(
        &mut self,
        signals: &mut Signals,
        options: Options,
        reload: &dyn Fn() -> anyhow::Result<Config>,
    ) -> anyhow::Result<()> {
        let mut health = Health::new(Instant::now());
        let mut told = Instant::now();
        loop {
            for signal in signals.pending() {
                match signal {
                    SIGHUP => self.reload(reload),
                    _ => return Ok(()),
                }
            }
            while let Ok(command) = self.commands.try_recv() {
                self.control.obey(&command, &self.config);
            }
            self.control.tell_camera();
            if let Some(enrolled) = &mut self.enrolled {
                enrolled.look(Instant::now());
            }
            let ended = self.parts.camera.state() == camera::thread::State::Ended;
            let done = |part: &&Part| part.is_finished() && !(ended && part.name() == "camera");
            if let Some(part) = self.threads.iter().find(done) {
                bail!("thread {} has ended by itself", part.name());
            }
            if ended && options.exit_at_end && self.parts.pipeline.drained() {
                return Ok(());
            }
            if health.all_progress(&self.beats(ended), Instant::now()) {
                systemd::feed_watchdog();
            }
            if told.elapsed() >= self.config.mqtt.stats_interval {
                told = Instant::now();
                self.tell_stats();
            }
            std::thread::sleep(TICK);
        }
    }

    /// The progress of each part; a part that has done its work counts no more.
    fn beats(&self, camera_ended: bool) -> Vec<(&'static str, u64)> {
        let works = |part: &&Part| !(camera_ended && part.name() == "camera");
        self.threads.iter().filter(works).map(|part| (part.name(), part.beats())).collect()
    }

    fn tell_stats(&self) {
        if let Some(mqtt) = &self.parts.mqtt {
            mqtt.stats(&self.parts.stats(self.parts.pipeline.take_meter()));
        }
    }

    /// Takes over what can be changed while running; says what needs a restart.
    fn reload(&mut self, reload: &dyn Fn() -> anyhow::Result<Config>) {
        let new = match reload() {
            Ok(new) => new,
            Err(error) => {
                for line in format!("{error:#}").lines() {
                    log::error!("configuration not reloaded: {line}");
                }
                return;
            }
        };
        if let Err(error) = self.parts.rules.replace(&new.rules) {
            log::error!("configuration not reloaded: {error}");
            return;
        }
        let (smoothing, confidence) = (new.smoothing.clone(), new.classifier.min_confidence);
        self.control.apply(&new);
        log::set_max_level(new.log.level);
        if let Some(Err(error)) = self.web.as_ref().map(web::Web::reload_certificate) {
            log::error!("certificate not reloaded: {error}");
        }
        let mut expected = self.config.clone();
        expected.smoothing = smoothing;
        expected.classifier.min_confidence = confidence;
        expected.log = new.log.clone();
        expected.rules = new.rules.clone();
        if expected == new {
            log::info!("configuration reloaded");
        } else {
            log::warn!(
                "configuration reloaded; changes outside [smoothing], [rules], [log] and classifier.min_confidence need a restart"
            );
        }
        self.config = expected;
    }

    fn stop(mut self, result: anyhow::Result<()>) -> anyhow::Result<()> {
        self.parts.rules.close();
        self.shutdown.request();
        let mut panicked = None;
        for part in self.threads.drain(..) {
            let name = part.name();
            if part.join().is_err() {
                panicked = Some(name);
            }
        }
        match panicked {
            Some(name) => bail!("thread {name} has panicked"),
            None => result,
        }
    }
}

/// Sections that are understood but whose part this version does not have.
fn say_what_is_not_there(config: &Config) {
    let asks_for_people = |rule: &config::Rule| rule.condition.people.is_some();
    if !config.people.enabled && config.rules.rules.iter().any(asks_for_people) {
        log::warn!("a rule asks for a person, but people.enabled is off: faces are all unknown");
    }
}
