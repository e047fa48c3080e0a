//! The figures of the real program, and the alert rules and dashboard that are made from them, as
//! Prometheus' own `promtool` reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::mosquitto::eventually;
use crate::support::site::{Site, setup};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `promtool` says of it; it must be content.
fn promtool(arguments: &[&str], folder: &Path, input: Option<&Path>) -> String {
    let own = repository().join("third_party/promtool");
    let program = if own.is_file() { own } else { PathBuf::from("promtool") };
    let stdin = input.map_or_else(Stdio::null, |path| File::open(path).expect("opens").into());
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(stdin)
        .output()
        .unwrap_or_else(|error| panic!("unable to run promtool: {error} (run `make test`)"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    text
}

/// Each metric of a text with the labels that it has.
fn metrics(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a value"));
        let labels = rest.split_once('{').map_or("", |(_, rest)| rest.split_once('}').expect("closed").0);
        let names = labels.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
        metrics.entry(name.to_owned()).or_default().extend(names);
    }
    metrics
}

/// Words of our own metrics' form.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("emotiond_")).map(str::to_owned).collect()
}

/// The queries of all panels, as Grafana would send them.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    targets
        .map(|target| target["expr"].as_str().expect("a query"))
        .map(|query| query.replace("$__rate_interval", "5m").replace("$instance", ".*"))
        .collect()
}

#[test]
fn figures_alerts_and_dashboard_fit_together() {
    let rule = r#"[{ name = "smile", emotion = "happy", for_s = 0, command = ["true"] }]"#;
    let site = Site::of(setup().set("rules.rule", rule));
    site.wait_for_smile();
    let done = r#"emotiond_rule_actions_total{rule="smile",result="done"} 1"#;
    eventually("the rule is counted", || site.get("/metrics").text().contains(done));
    let text = site.get("/metrics").text();
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("metrics.txt");
    fs::write(&file, &text).expect("writes");
    let lint = promtool(&["check", "metrics"], folder.path(), Some(&file));
    assert_eq!(lint.trim(), "", "promtool has nothing to say of the metrics");

    let known = metrics(&text);
    let alerts = fs::read_to_string(repository().join("config/prometheus/alerts.yml")).expect("reads");
    let dashboard = fs::read(repository().join("config/grafana/emotiond.json")).expect("reads");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let queries = queries(&dashboard);
    for used in names(&alerts).into_iter().chain(queries.iter().flat_map(|query| names(query))) {
        assert!(known.contains_key(&used), "{used} is no metric of emotiond");
    }
    // Prometheus adds where a series comes from.
    let labels: BTreeSet<&str> =
        known.values().flatten().map(String::as_str).chain(["job", "instance", "alertname"]).collect();
    for query in &queries {
        for list in query.split("by (").skip(1) {
            for label in list.split(')').next().expect("closed").split(", ") {
                assert!(labels.contains(label), "{label} of {query} is no label");
            }
        }
    }

    // promtool reads queries in rules only; JSON is YAML.
    let rules: Vec<Value> = queries.iter().map(|query| json!({"record": "a:b", "expr": query})).collect();
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(folder.path().join("dashboard.yml"), rules.to_string()).expect("writes");
    promtool(&["check", "rules", "--lint=none", "dashboard.yml"], folder.path(), None);
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let folder = repository().join("config/prometheus");
    promtool(&["check", "rules", "alerts.yml"], &folder, None);
    promtool(&["test", "rules", "alerts.test.yml"], &folder, None);
    // Each alert stands in both tests: when all is well, and when it is not.
    let text = fs::read_to_string(folder.join("alerts.yml")).expect("reads");
    let tests = fs::read_to_string(folder.join("alerts.test.yml")).expect("reads");
    for alert in text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.matches(alert).count() >= 2, "{alert} is not tested");
    }
}
