//! Rules: "happy for three seconds" publishes, posts or runs something.
//!
//! The pipeline thread hands in what it sees and never waits: whether a rule fires is decided there
//! and then, a message goes to the broker's outbox, and requests and commands to a queue that the
//! thread `rules` works off. Actions of one rule are done one after another, those of different rules
//! side by side.

mod action;
mod trigger;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::mutex::lock;
use crate::base::part::{Part, Pulse};
use crate::base::secret::{Secret, SecretError};
use crate::base::shutdown::Shutdown;
use crate::base::topic::TopicName;
use crate::config::{self, Action, Rule};
use crate::vocabulary::emotion::Observation;
use crate::vocabulary::wire::{self, Phase};
use action::ActionError;
use trigger::{Firing, Triggers};

/// How often the thread shows that it lives and looks whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// How many [`TICK`]s requests and commands may take that are on their way when the daemon stops.
const LAST: u32 = 4;

/// Requests and commands at once; the others wait.
const MOST_RUNNING: usize = 8;

/// Then the oldest is dropped. Rules rest, so this fills only when much hangs.
const MOST_WAITING: usize = 64;

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("unable to use rule {rule:?}: {source}")]
    Token { rule: String, source: SecretError },
    #[error(
        "unable to use {} (command of rule {rule:?}): no such program, or this user may not run it",
        program.display()
    )]
    Program { rule: String, program: PathBuf },
    #[error("unable to start thread rules: {0}")]
    Thread(io::Error),
}

/// A message for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: TopicName,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// The end at which observations come in; clones share it.
#[derive(Clone)]
pub struct Rules(Arc<Shared>);

struct Shared {
    device: String,
    publish: Box<dyn Fn(Message) + Send + Sync>,
    triggers: Mutex<Triggers>,
    waiting: Mutex<VecDeque<Job>>,
    counts: Mutex<BTreeMap<String, wire::RuleCounts>>,
    /// What was seen when a rule fired last.
    last: Mutex<Option<wire::State>>,
    /// There is something to do.
    wake: Notify,
}

/// A request or a command.
#[derive(Debug)]
struct Job {
    rule: Arc<Rule>,
    /// Which of the rule's actions.
    action: usize,
    facts: Arc<[u8]>,
}

/// Starts the thread `rules`, which ends within a second of `shutdown`. `publish` must not wait.
///
/// # Errors
/// When a token file or a program is not there, or the thread cannot be started.
pub fn start(
    config: &config::Rules,
    device: &str,
    publish: impl Fn(Message) + Send + Sync + 'static,
    shutdown: Shutdown,
) -> Result<(Rules, Part), RulesError> {
    let shared = Arc::new(Shared {
        device: device.to_owned(),
        publish: Box::new(publish),
        triggers: Mutex::default(),
        waiting: Mutex::default(),
        counts: Mutex::default(),
        last: Mutex::default(),
        wake: Notify::new(),
    });
    let rules = Rules(Arc::clone(&shared));
    rules.replace(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MOST_RUNNING)
        .build()
        .map_err(RulesError::Thread)?;
    let part = Part::spawn("rules", move |pulse| {
        runtime.block_on(work(&shared, &shutdown, pulse));
        // A request that is on its way may end by itself.
        runtime.shutdown_background();
    });
    Ok((rules, part.map_err(RulesError::Thread)?))
}

/// Looks for what [`start`] would need and answers with all that is wrong.
pub fn check(config: &config::Rules) -> Vec<RulesError> {
    let actions = config.rules.iter().flat_map(|rule| rule.actions.iter().map(move |action| (rule, action)));
    actions.filter_map(|(rule, action)| check_action(rule, action).err()).collect()
}

fn check_action(rule: &Rule, action: &Action) -> Result<(), RulesError> {
    match action {
        Action::Publish { .. } | Action::Post { token_file: None, .. } => Ok(()),
        Action::Post { token_file: Some(path), .. } => action::token(path)
            .map(drop)
            .map_err(|source| RulesError::Token { rule: rule.name.clone(), source }),
        Action::Command(words) => {
            let program = PathBuf::from(words.first().map_or("", Secret::reveal));
            if can_run(&program) {
                Ok(())
            } else {
                Err(RulesError::Program { rule: rule.name.clone(), program })
            }
        }
    }
}

/// Whether the program, or one of its name in PATH, is there and may be run.
fn can_run(program: &Path) -> bool {
    let runs = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if program.is_absolute() {
        return runs(program);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| runs(&folder.join(program)))
}

impl Rules {
    /// Takes over other rules; those that are the same keep what they remember.
    ///
    /// # Errors
    /// As [`start`]; then nothing has changed.
    pub fn replace(&self, config: &config::Rules) -> Result<(), RulesError> {
        if let Some(error) = check(config).into_iter().next() {
            return Err(error);
        }
        let ended = lock(&self.0.triggers).replace(&config.rules);
        self.0.end(ended);
        let mut counts = lock(&self.0.counts);
        counts.retain(|name, _| config.rules.iter().any(|rule| rule.name == *name));
        for rule in &config.rules {
            counts.entry(rule.name.clone()).or_default();
        }
        Ok(())
    }

    /// What is seen at `now`, `None` while no picture comes. `state` says the same as a message and is
    /// asked only when a rule fires.
    pub fn observe(&self, seen: Option<&Observation>, now: Instant, state: impl FnOnce() -> wire::State) {
        let firings = lock(&self.0.triggers).observe(seen, now);
        if firings.is_empty() {
            return;
        }
        let state = state();
        for firing in firings {
            self.0.fire(firing, &state);
        }
        *lock(&self.0.last) = Some(state);
    }

    /// Nothing is observed any more: what began ends, before the broker is left.
    pub fn close(&self) {
        let ended = lock(&self.0.triggers).close();
        self.0.end(ended);
    }

    /// What became of each rule's actions.
    pub fn counts(&self) -> BTreeMap<String, wire::RuleCounts> {
        lock(&self.0.counts).clone()
    }
}

impl Shared {
    /// Ends that nothing that was seen has brought; they tell what was seen when something fired last.
    fn end(&self, firings: Vec<Firing>) {
        let last = lock(&self.last).clone();
        for (firing, state) in firings.into_iter().zip(std::iter::repeat(last)) {
            if let Some(state) = state {
                self.fire(firing, &state);
            }
        }
    }

    fn fire(&self, firing: Firing, state: &wire::State) {
        let Firing { rule, phase, held } = firing;
        log::info!("rule {}: {} after {:.1} s", rule.name, phase.name(), held.as_secs_f64());
        self.count(&rule, |counts| counts.fired += 1);
        let facts = wire::Trigger {
            rule: rule.name.clone(),
            phase,
            device: self.device.clone(),
            held_s: wire::rounded(held.as_secs_f32(), 3),
            state: state.clone(),
        };
        let facts: Arc<[u8]> = serde_json::to_vec(&facts).expect("wire types serialise").into();
        for (action, what) in rule.actions.iter().enumerate() {
            match what {
                Action::Publish { topic, payload, end_payload, retain } => {
                    let fixed = if phase == Phase::Begin { payload } else { end_payload };
                    let payload = fixed.as_ref().map_or_else(|| facts.to_vec(), |text| text.clone().into());
                    (self.publish)(Message { topic: topic.clone(), payload, retain: *retain });
                    self.count(&rule, |counts| counts.done += 1);
                }
                Action::Post { .. } | Action::Command(_) => {
                    self.enqueue(Job { rule: Arc::clone(&rule), action, facts: Arc::clone(&facts) });
                }
            }
        }
    }

    fn enqueue(&self, job: Job) {
        let dropped = {
            let mut waiting = lock(&self.waiting);
            let full = waiting.len() >= MOST_WAITING;
            let dropped = if full { waiting.pop_front() } else { None };
            waiting.push_back(job);
            dropped
        };
        if let Some(job) = dropped {
            log::warn!("rule {}: an action is given up: too many are waiting", job.rule.name);
            self.count(&job.rule, |counts| counts.dropped += 1);
        }
        self.wake.notify_one();
    }

    /// The oldest job whose rule is not busy.
    fn next(&self, busy: &BTreeSet<String>) -> Option<Job> {
        let mut waiting = lock(&self.waiting);
        let index = waiting.iter().position(|job| !busy.contains(&job.rule.name))?;
        waiting.remove(index)
    }

    fn count(&self, rule: &Rule, count: impl FnOnce(&mut wire::RuleCounts)) {
        // A rule that a reload has taken away is not counted any more.
        if let Some(counts) = lock(&self.counts).get_mut(&rule.name) {
            count(counts);
        }
    }

    fn ended(&self, job: &Job, result: Result<(), ActionError>) {
        match result {
            Ok(()) => self.count(&job.rule, |counts| counts.done += 1),
            Err(error) => {
                log::warn!("rule {}: {error}", job.rule.name);
                self.count(&job.rule, |counts| counts.failed += 1);
            }
        }
    }
}

/// Works off the queue until shutdown.
async fn work(shared: &Shared, shutdown: &Shutdown, pulse: &Pulse) {
    let agent = action::agent();
    let mut running = JoinSet::new();
    let mut busy = BTreeSet::new();
    let mut last = LAST;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(ended) = running.join_next() => {
                // A panic in an action is one of the thread, which ends the program.
                let (job, result): (Job, _) = ended.expect("an action does not panic");
                busy.remove(&job.rule.name);
                shared.ended(&job, result);
            }
            () = shared.wake.notified() => {}
            _ = tick.tick() => {
                pulse.beat();
                if shutdown.requested() {
                    // What has just begun may end by itself; then dropped commands end.
                    let idle = running.is_empty() && lock(&shared.waiting).is_empty();
                    if idle || last == 0 {
                        return;
                    }
                    last -= 1;
                }
            }
        }
        while running.len() < MOST_RUNNING
            && let Some(job) = shared.next(&busy)
        {
            busy.insert(job.rule.name.clone());
            let agent = agent.clone();
            running.spawn(async move {
                let result = run(&job, agent).await;
                (job, result)
            });
        }
    }
}

async fn run(job: &Job, agent: ureq::Agent) -> Result<(), ActionError> {
    let limit = job.rule.limit;
    match &job.rule.actions[job.action] {
        Action::Publish { .. } => Ok(()),
        Action::Command(words) => action::command(&job.rule.name, words, &job.facts, limit).await,
        Action::Post { url, token_file } => {
            let (url, token_file, facts) = (url.clone(), token_file.clone(), Arc::clone(&job.facts));
            let post = move || action::post(&agent, &url, token_file.as_deref(), &facts, limit);
            tokio::task::spawn_blocking(post).await.expect("a request does not panic")
        }
    }
}
