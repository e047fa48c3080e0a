//! `emotiond check`: all that would keep the daemon from starting.

use anyhow::Context;

use crate::cli::status::Status;
use crate::config::Config;
use crate::nets::assets;
use crate::people::store;
use crate::pipeline::load;
use crate::{mqtt, rules, web};

/// Loads what `run` would load and says what it is.
pub fn run(config: &Config) -> anyhow::Result<Status> {
    let runtime = assets::runtime().map_err(load::ModelError::from)?;
    let detector = load::detector(&config.detector).context("detector.model")?;
    let classifier = load::classifier(&config.classifier).context("classifier.model")?;
    let people = if config.people.enabled {
        Some(load::descriptor(&config.people).context("people.model")?)
    } else {
        None
    };
    mqtt::check(&config.mqtt)?;
    rules::check(&config.rules)?;
    let certificate = web::check(&config.web)?;
    println!("device      {}", config.device.id);
    println!("runtime     {}", runtime.display());
    println!("detector    {}", detector.name());
    println!("classifier  {} ({})", classifier.name(), labels(&classifier));
    if let Some(net) = &people {
        let enrolled = store::load(&config.device.state_dir)?.gallery(net.space(), net.length()).len();
        println!("people      {enrolled} enrolled, {}", net.name());
    }
    println!("camera      {}", config.camera.source);
    println!("display     {:?}", config.display.driver);
    match &config.mqtt.broker {
        Some(broker) => {
            println!("broker      {}:{}, topics below {}", broker.host, broker.port, config.mqtt.base_topic)
        }
        None => println!("broker      off"),
    }
    match (config.web.listen, &config.web.tls) {
        (Some(address), Some(_)) => println!("page        https://{address}/"),
        (Some(address), None) => println!("page        http://{address}/"),
        (None, _) => println!("page        off"),
    }
    if let Some(pair) = &certificate {
        println!("certificate {}", pair.describe());
        if let Some(doubt) = pair.unvouched() {
            println!("            {doubt}");
        }
    }
    let names: Vec<&str> = config.rules.rules.iter().map(|rule| rule.name.as_str()).collect();
    println!("rules       {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    Ok(Status::Done)
}

fn labels(classifier: &crate::see::classify::Classifier) -> String {
    classifier.labels().iter().map(|label| label.name()).collect::<Vec<_>>().join(", ")
}
