//! The shipped configuration lists every key with its default.

use std::collections::{BTreeMap, BTreeSet};

use emotiond::config::{Config, Rules};

const SHIPPED: &str = include_str!("../../config/emotiond.toml");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, "emotiond.toml", &BTreeMap::new()).map_err(|error| error.to_string())
}

/// With every key switched on: lines that start with `# `.
fn switched_on() -> String {
    SHIPPED.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The keys that a section knows, from what the parser says to one that it does not.
fn known_keys(section: &str) -> BTreeSet<String> {
    let text = if section.is_empty() { "[x]".to_owned() } else { format!("[{section}]\nx = 1") };
    expected_keys(&text)
}

/// What the parser knows in the place where `text` has a key that it does not.
fn expected_keys(text: &str) -> BTreeSet<String> {
    let error = parse(text).expect_err("x is no key");
    let (_, expected) = error.split_once("expected").expect("a list of keys");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn as_it_is_it_changes_nothing() {
    assert_eq!(parse(SHIPPED), parse(""));
}

#[test]
fn switched_on_it_holds_the_defaults() {
    let mut config = parse(&switched_on()).expect("valid");
    let defaults = parse("[device]\nid = \"living-room\"\nstate_dir = \"/var/lib/emotiond\"").expect("valid");
    assert_eq!(config.rules.rules.len(), 1, "the example");
    config.rules = Rules { rules: Vec::new() };
    assert_eq!(config, defaults);
}

#[test]
fn it_lists_every_key() {
    let listed: toml::Table = switched_on().parse().expect("TOML");
    let sections: BTreeSet<String> = listed.keys().cloned().collect();
    assert_eq!(sections, known_keys(""));
    for section in &sections {
        let keys: BTreeSet<String> = listed[section].as_table().expect("a section").keys().cloned().collect();
        // A list of one key is said without "one of".
        assert_eq!(keys, known_keys(section), "[{section}]");
    }
    let rule = listed["rules"]["rule"][0].as_table().expect("a rule");
    let keys: BTreeSet<String> = rule.keys().cloned().collect();
    assert_eq!(keys, expected_keys("[[rules.rule]]\nx = 1"), "[[rules.rule]]");
}
