//! `emotiond check`: all that would keep the daemon from starting.

use anyhow::Context;

use crate::cli::status::{Status, one_line};
use crate::config::{Config, Places};
use crate::nets::assets;
use crate::people::store;
use crate::pipeline::load;
use crate::{mqtt, rules, web};

/// Loads what `run` would load and says what it is, or all that is wrong with it.
pub fn run(config: &Config, places: &Places) -> anyhow::Result<Status> {
    let mut report = Report::default();
    report.add("device", config.device.id.clone());
    report.add("state", config.device.state_dir.display().to_string());
    nets(config, &mut report);
    report.add("camera", config.camera.source.to_string());
    report.add("display", config.display.driver.to_string());
    report.mistakes.extend(mqtt::check(&config.mqtt).into_iter().map(anyhow::Error::from));
    let base = &config.mqtt.base_topic;
    let broker = config.mqtt.broker.as_ref();
    report.add(
        "broker",
        broker.map_or("off".to_owned(), |broker| {
            format!("{}:{}, topics below {base}", broker.host, broker.port)
        }),
    );
    page(config, &mut report);
    report.mistakes.extend(rules::check(&config.rules).into_iter().map(anyhow::Error::from));
    let names: Vec<&str> = config.rules.rules.iter().map(|rule| rule.name.as_str()).collect();
    report.add("rules", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    Ok(report.print(places))
}

fn nets(config: &Config, report: &mut Report) {
    // Without a runtime no net could be loaded, each for the same reason.
    let Some(runtime) = report.keep(assets::runtime().map_err(load::ModelError::from)) else { return };
    report.add("runtime", runtime.display().to_string());
    if let Some(detector) = report.keep(load::detector(&config.detector).context("detector.model")) {
        report.add("detector", detector.name());
    }
    if let Some(classifier) = report.keep(load::classifier(&config.classifier).context("classifier.model")) {
        let labels: Vec<&str> = classifier.labels().iter().map(|label| label.name()).collect();
        report.add("classifier", format!("{} ({})", classifier.name(), labels.join(", ")));
    }
    if config.people.enabled
        && let Some(net) = report.keep(load::descriptor(&config.people).context("people.model"))
        && let Some(people) = report.keep(store::load(&config.device.state_dir))
    {
        let enrolled = people.gallery(net.space(), net.length()).len();
        report.add("people", format!("{enrolled} enrolled, {}", net.name()));
    }
}

fn page(config: &Config, report: &mut Report) {
    let scheme = if config.web.tls.is_some() { "https" } else { "http" };
    let address = config.web.listen.map(|address| format!("{scheme}://{address}/"));
    report.add("page", address.unwrap_or_else(|| "off".to_owned()));
    match web::check(&config.web) {
        Ok(None) => {}
        Ok(Some(pair)) => {
            report.add("certificate", pair.describe());
            if let Some(doubt) = pair.unvouched() {
                report.add("", doubt.to_string());
            }
        }
        Err(mistakes) => report.mistakes.extend(mistakes.into_iter().map(anyhow::Error::from)),
    }
}

/// What is there and what is wrong.
#[derive(Default)]
struct Report {
    found: Vec<(&'static str, String)>,
    mistakes: Vec<anyhow::Error>,
}

impl Report {
    fn add(&mut self, part: &'static str, what: String) {
        self.found.push((part, what));
    }

    /// The value, or a mistake more.
    fn keep<T>(&mut self, result: Result<T, impl Into<anyhow::Error>>) -> Option<T> {
        result.map_err(|error| self.mistakes.push(error.into())).ok()
    }

    /// Prints what is there, or on standard error every mistake with file and line of the key that it names.
    fn print(&self, places: &Places) -> Status {
        if self.mistakes.is_empty() {
            self.found.iter().for_each(|(part, what)| say!("{part:11} {what}"));
            return Status::Done;
        }
        for message in self.mistakes.iter().map(one_line) {
            match places.of(&message) {
                Some(place) => eprintln!("emotiond: {place}: {message}"),
                None => eprintln!("emotiond: {message}"),
            }
        }
        let misconfigured = |error| Status::of(error) == Status::Misconfigured;
        if self.mistakes.iter().any(misconfigured) { Status::Misconfigured } else { Status::Failed }
    }
}
