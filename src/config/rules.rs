//! The section `[rules]`: what is meant, and how it is read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::keys::{Keys, Read, Unfit};
use super::mqtt::Mqtt;
use crate::base::host_port::HostPort;
use crate::base::secret::Secret;
use crate::base::topic::TopicName;
use crate::vocabulary::emotion::{Emotion, State, UnknownEmotion};
use crate::vocabulary::name::{Name, NoName};

/// Each may keep a process or a connection busy.
const MOST_RULES: usize = 64;

/// What is done when something is seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// In the order of the file; names differ.
    pub rules: Vec<Rule>,
}

/// When `condition` has held for `hold`, `actions` are done.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique; stands in messages, logs and metrics.
    pub name: String,
    /// What must be seen.
    pub condition: Condition,
    /// For how long without a gap.
    pub hold: Duration,
    /// Interruptions that are shorter do not count.
    pub gap: Duration,
    /// Between two beginnings.
    pub rest: Duration,
    /// Begins again after each rest while the condition holds.
    pub repeat: bool,
    /// The actions are also done when the condition has ended.
    pub at_end: bool,
    /// At least one.
    pub actions: Vec<Action>,
    /// For a command or an HTTP request.
    pub limit: Duration,
}

/// What is asked of one observation; all must be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The primary face shows one of them.
    pub states: Vec<State>,
    /// Of the primary face, 0 to 1.
    pub min_confidence: f32,
    /// Least faces at once.
    pub min_faces: usize,
    /// Most faces at once.
    pub max_faces: usize,
    /// Some face, not only the primary one, is one of them; `None`: whoever it is.
    pub people: Option<Vec<Who>>,
}

/// Whose face a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Somebody who is enrolled.
    Anybody,
    /// A face that is not recognised, also because it was not looked at yet.
    Unknown,
    /// This person.
    Named(Name),
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To an MQTT topic; without a payload the facts as JSON.
    Publish {
        /// Where to, `~` already resolved.
        topic: TopicName,
        /// What is said when the rule fires.
        payload: Option<String>,
        /// What is said when it ends.
        end_payload: Option<String>,
        /// Whether the broker keeps it.
        retain: bool,
    },
    /// The facts as JSON to a URL, with a bearer token where a file holds one.
    Post {
        /// It may hold a secret in its path.
        url: Secret,
        /// File of the bearer token.
        token_file: Option<PathBuf>,
    },
    /// A program and its arguments, with the facts as JSON on its standard input.
    Command(Vec<Secret>),
}

/// One name, or a list of names.
#[derive(Debug)]
pub struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Rules {
    pub(super) fn read(keys: &mut Keys<'_, '_>, mqtt: &Mqtt) -> Self {
        let mut names: Vec<String> = Vec::new();
        let rules = keys.tables("rule", |keys| rule(keys, mqtt, &mut names));
        Self { rules }
    }
}

fn rule(keys: &mut Keys<'_, '_>, mqtt: &Mqtt, names: &mut Vec<String>) -> Rule {
    let name = name(keys, names);
    let condition = condition(keys, &name);
    let hold = keys.seconds("for_s", 3.0, 0.0..=86_400.0).help("For how long it must last.").get();
    let gap = keys.seconds("gap_s", 0.0, 0.0..=3600.0).help("A shorter interruption does not count.").get();
    let rest = keys.seconds("rest_s", 60.0, 0.0..=86_400.0).help("From one time to the next.").read();
    let repeat = keys.flag("repeat", false).help("It happens again after each rest while it lasts.").read();
    if repeat.value && rest.sound && rest.value < Duration::from_secs(1) {
        keys.mistake(&repeat, "repeat needs rest_s of at least 1");
    }
    let at_end = keys
        .flag("at_end", false)
        .example("true")
        .help("Do it all again when it is over, with \"phase\": \"end\" instead of \"begin\".")
        .read();
    let actions = actions(keys, &name, &at_end, mqtt);
    Rule {
        name: name.value,
        condition,
        hold,
        gap,
        rest: rest.value,
        repeat: repeat.value,
        at_end: at_end.value,
        actions,
        limit: keys
            .seconds("limit_s", 10.0, 0.1..=300.0)
            .help("For the request, and for the program, which is then killed with all that it started.")
            .get(),
    }
}

/// The rule in a message.
fn called(name: &Read<String>) -> String {
    if name.value.is_empty() { "a rule".to_owned() } else { format!("rule {:?}", name.value) }
}

fn name(keys: &mut Keys<'_, '_>, names: &mut Vec<String>) -> Read<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = keys
        .maybe("name", |name: String| match (1..=32).contains(&name.len()) && name.chars().all(plain) {
            true => Ok(name),
            false => Err(Unfit::new(format_args!("{name:?} is no name (1 to 32 of a-z, A-Z, 0-9, - and _)"))),
        })
        .example("\"smile\"")
        .help("Needed, and unique; stands in messages, logs and metrics.")
        .read();
    match &name.value {
        None if name.sound => keys.mistake(&name, "a rule needs a name, such as name = \"smile\""),
        Some(given) if names.contains(given) => {
            keys.mistake(
                &name,
                format_args!("there are two rules called {given:?}: give each a name of its own"),
            );
        }
        _ => names.extend(name.value.clone()),
    }
    if names.len() == MOST_RULES + 1 {
        keys.mistake(&name, format_args!("more than {MOST_RULES} rules"));
    }
    name.map(Option::unwrap_or_default)
}

fn condition(keys: &mut Keys<'_, '_>, name: &Read<String>) -> Condition {
    let emotion = keys
        .maybe("emotion", states)
        .example("[\"happy\", \"surprise\"]")
        .help(
            "What the primary face shows: an emotion, \"uncertain\", \"any\" (a face at all) or \"none\" (no face), or a \
             list of them. While the camera is off or lost nothing holds, also not \"none\".",
        )
        .read();
    let sure = keys.number("min_confidence", 0.0, 0.0..=1.0).help("How sure it must be.").read();
    let people = keys
        .maybe("person", people)
        .example("\"any\"")
        .help(
            "Whose face is seen, also beside the primary one: a name that was enrolled, \"any\" (of them), \"unknown\" (a \
             face without a name), or a list of them. Needs people.enabled.",
        )
        .read();
    let fewest = keys.integer("min_faces", 0, 0..=100).example("1").help("Least number of faces.").read();
    let most = keys.integer("max_faces", 100, 0..=100).help("Greatest number of faces.").read();
    let asked = emotion.written || people.written || fewest.written || most.written;
    if !asked {
        let rule = called(name);
        keys.mistake(
            &emotion,
            format_args!("{rule} needs a condition: emotion, person, min_faces or max_faces"),
        );
    }
    let faceless = "does not go with the emotion \"none\", which is no face";
    let states = emotion.value.clone().unwrap_or_else(any_face);
    let nobody = states.contains(&State::None);
    if nobody && people.value.is_some() {
        keys.mistake(&people, faceless);
    }
    if nobody && fewest.value > 0 {
        keys.mistake(&fewest, faceless);
    } else if nobody && sure.value > 0.0 {
        keys.mistake(&sure, faceless);
    }
    if fewest.value > most.value {
        let message = format!("{} is less than min_faces ({})", most.value, fewest.value);
        keys.mistake(if most.written { &most } else { &fewest }, message);
    } else if !nobody && emotion.sound && most.value == 0 {
        keys.mistake(&most, "without a face there is no emotion: write emotion = \"none\"");
    }
    Condition {
        states,
        min_confidence: sure.value as f32,
        min_faces: fewest.value,
        max_faces: if most.written { most.value } else { usize::MAX },
        people: people.value,
    }
}

fn people(names: Names) -> Result<Vec<Who>, Unfit> {
    if names.0.is_empty() {
        return Err(Unfit::new("names nobody"));
    }
    let who = |name: String| match name.as_str() {
        "any" => Ok(Who::Anybody),
        "unknown" => Ok(Who::Unknown),
        _ => name.parse().map(Who::Named).map_err(|error: NoName| Unfit::new(error)),
    };
    names.0.into_iter().map(who).collect()
}

/// Every state that a face can be in.
fn any_face() -> Vec<State> {
    Emotion::ALL.into_iter().map(State::Emotion).chain([State::Uncertain]).collect()
}

fn states(Names(names): Names) -> Result<Vec<State>, Unfit> {
    let mut states = Vec::new();
    for name in names {
        match name.as_str() {
            "any" => states.extend(any_face()),
            "none" => states.push(State::None),
            "uncertain" => states.push(State::Uncertain),
            name => {
                let emotion: Emotion = name.parse().map_err(|error: UnknownEmotion| {
                    Unfit::new(format_args!("{error}; also any, none, uncertain"))
                })?;
                states.push(State::Emotion(emotion));
            }
        }
    }
    if states.is_empty() { Err(Unfit::new("an empty list is never shown")) } else { Ok(states) }
}

fn actions(keys: &mut Keys<'_, '_>, name: &Read<String>, at_end: &Read<bool>, mqtt: &Mqtt) -> Vec<Action> {
    let (published, publish) = publish(keys, at_end, mqtt);
    let url = keys
        .maybe("post", |text: String| url(&text))
        .example("\"http://homeassistant.local:8123/api/webhook/smile\"")
        .help("POST the facts as JSON to this URL.")
        .read();
    let token_file =
        keys.file("token_file").help("For post: a file of one line, which is sent as bearer token.").read();
    if token_file.value.is_some() && !url.written {
        keys.mistake(&token_file, "is for post, which is not there");
    }
    let words = keys
        .maybe("command", command)
        .example("[\"/bin/true\", \"argument\"]")
        .help(
            "Run a program with arguments, without a shell, as the daemon's user, with the facts as JSON on its standard \
             input. What it writes goes to the log.",
        )
        .read();
    if !published.written && !url.written && !words.written {
        let rule = called(name);
        keys.mistake(&published, format_args!("{rule} needs something to do: publish, post or command"));
    }
    let post = url.value.map(|url| Action::Post { url, token_file: token_file.value });
    publish.into_iter().chain(post).chain(words.value.map(Action::Command)).collect()
}

/// The key `publish`, and what it asks for.
fn publish(keys: &mut Keys<'_, '_>, at_end: &Read<bool>, mqtt: &Mqtt) -> (Read<()>, Option<Action>) {
    let topic = keys
        .maybe("publish", |topic: String| topic_of_rule(topic, mqtt))
        .example("\"~/rule/smile\"")
        .help("Publish to an MQTT topic; ~/ is the base topic.")
        .read();
    let payload = keys
        .maybe("payload", published)
        .example("\"ON\"")
        .help("What is published; without it the facts as JSON.")
        .read();
    let end_payload = keys
        .maybe("end_payload", published)
        .example("\"OFF\"")
        .help("What is published when it is over; without it the payload.")
        .read();
    let retain = keys.flag("retain", false).help("The broker keeps the message.").read();
    let missing = "is for publish, which is not there";
    if !topic.written {
        let extra = [payload.written, end_payload.written, retain.written];
        match extra {
            [true, ..] => keys.mistake(&payload, missing),
            [_, true, _] => keys.mistake(&end_payload, missing),
            [_, _, true] => keys.mistake(&retain, missing),
            _ => {}
        }
    } else if end_payload.written && at_end.sound && !at_end.value {
        keys.mistake(&end_payload, "needs at_end = true, too");
    }
    let (topic, written) = topic.split();
    let action = topic.map(|topic| Action::Publish {
        topic,
        payload: payload.value,
        end_payload: end_payload.value,
        retain: retain.value,
    });
    (written, action)
}

fn topic_of_rule(topic: String, mqtt: &Mqtt) -> Result<TopicName, Unfit> {
    if mqtt.broker.is_none() {
        return Err(Unfit::new("there is no broker: set mqtt.url"));
    }
    // Home Assistant's abbreviation for a base topic.
    let full = match topic.strip_prefix("~/") {
        Some(rest) => format!("{}/{rest}", mqtt.base_topic),
        None => topic.clone(),
    };
    full.parse().map_err(|why| Unfit::new(format_args!("{topic:?} is no topic to publish to: it {why}")))
}

/// What is published; a packet has at most a mebibyte, its topic included.
fn published(text: String) -> Result<String, Unfit> {
    const LONGEST: usize = (1 << 20) - (1 << 17);
    if text.len() <= LONGEST {
        Ok(text)
    } else {
        Err(Unfit::new(format_args!("it has {} bytes, at most {LONGEST} can be published", text.len())))
    }
}

fn url(text: &str) -> Result<Secret, Unfit> {
    let secret = Secret::from(text.to_owned());
    let bad = || Unfit::new(format_args!("{secret} is no URL (http://HOST[:PORT]/PATH or https://…)"));
    let uri: ureq::http::Uri = text.parse().map_err(|_| bad())?;
    let authority = uri.authority().ok_or_else(bad)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad());
    }
    if authority.as_str().contains('@') {
        return Err(Unfit::new("a URL here holds no user name or password: use token_file"));
    }
    authority.as_str().parse::<HostPort>().map_err(|why| Unfit::new(format_args!("{secret} {why}")))?;
    Ok(secret)
}

fn command(words: Vec<String>) -> Result<Vec<Secret>, Unfit> {
    match words.first().map(String::as_str) {
        None | Some("") => Err(Unfit::new("no program to run ([\"/path/of/program\", \"argument\", …])")),
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            let message = "is neither an absolute path nor a name to be found in PATH";
            Err(Unfit::new(format_args!("{program:?} {message}")))
        }
        Some(_) if words.iter().any(|word| word.contains('\0')) => Err(Unfit::new("no argument holds a NUL")),
        Some(_) => Ok(words.into_iter().map(Secret::from).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Config, ConfigError};

    fn parse(lines: &str) -> Result<Rules, ConfigError> {
        Config::parse(&format!("[[rules.rule]]\n{lines}\n"), "t", &BTreeMap::new()).map(|config| config.rules)
    }

    #[test]
    fn what_is_no_rule_is_said_with_line_and_key() {
        let cases = [
            ("emotion = \"happy\"", "t:1: rules.rule.name: a rule needs a name"),
            ("name = \"a b\"", "t:2: rules.rule.name: \"a b\" is no name"),
            ("name = \"a\"", "t:1: rules.rule.emotion: rule \"a\" needs a condition"),
            ("name = \"a\"\nemotion = \"glee\"", "t:3: rules.rule.emotion: unknown emotion \"glee\""),
            (
                "name = \"a\"\nemotion = 3",
                "t:3: rules.rule.emotion: invalid type: integer `3`, expected a name or",
            ),
            ("name = \"a\"\nemotion = []", "t:3: rules.rule.emotion: an empty list"),
            ("name = \"a\"\nemotion = \"sad\"", "t:1: rules.rule.publish: rule \"a\" needs something to do"),
            (
                "name = \"a\"\nemotion = \"none\"\nmin_faces = 1",
                "t:4: rules.rule.min_faces: does not go with",
            ),
            ("name = \"a\"\nmin_faces = 3\nmax_faces = 2", "t:4: rules.rule.max_faces: 2 is less than"),
            (
                "name = \"a\"\nmin_faces = 1\npublish = \"a/#\"",
                "t:4: rules.rule.publish: \"a/#\" is no topic to publish to: it holds + or #",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npost = \"ftp://x/y\"",
                "t:4: rules.rule.post: ftp://x/… is no URL",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npost = \"http://u:p@x/\"",
                "t:4: rules.rule.post: a URL here holds no",
            ),
            ("name = \"a\"\nmin_faces = 1\ncommand = []", "t:4: rules.rule.command: no program"),
            (
                "name = \"a\"\nmin_faces = 1\ncommand = [\"./x\"]",
                "t:4: rules.rule.command: \"./x\" is neither",
            ),
            ("name = \"a\"\nmin_faces = 1\ncommand = \"x\"", "t:4: rules.rule.command: invalid type: string"),
            (
                "name = \"a\"\nmin_faces = 1\nretain = true\npost = \"http://x/\"",
                "t:4: rules.rule.retain: is for publish",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npublish = \"x\"\nend_payload = \"OFF\"",
                "t:5: rules.rule.end_payload: needs at_end",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npublish = \"x\"\nrest_s = 0\nrepeat = true",
                "t:6: rules.rule.repeat: ",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npublish = \"x\"\nfor_s = -1",
                "t:5: rules.rule.for_s: -1 is out of range",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npublish = \"x\"\n[[rules.rule]]\nname = \"a\"\nmin_faces = 2\npublish = \"y\"",
                "t:6: rules.rule.name: there are two rules called \"a\"",
            ),
        ];
        for (lines, message) in cases {
            let error = parse(lines).expect_err(lines).to_string();
            assert!(error.lines().any(|line| line.starts_with(message)), "{lines:?}: {error}");
        }
    }

    #[test]
    fn mistakes_that_other_sections_or_the_command_line_make() {
        let without_broker =
            "[mqtt]\nurl = \"\"\n[[rules.rule]]\nname = \"a\"\nmin_faces = 1\npublish = \"x\"\n";
        let error = Config::parse(without_broker, "t", &BTreeMap::new()).expect_err("no broker").to_string();
        assert_eq!(error, "t:6: rules.rule.publish: there is no broker: set mqtt.url");
        let set = BTreeMap::from([("rules.rule".to_owned(), "[{ name = \"a\" }]".to_owned())]);
        let error = Config::parse("", "t", &set).expect_err("no condition").to_string();
        assert!(error.starts_with("rules.rule.emotion: rule \"a\" needs a condition"), "{error}");
    }

    #[test]
    fn a_rule_may_do_several_things() {
        let lines = "name = \"smile\"\nemotion = [\"happy\", \"joy\"]\nat_end = true\npublish = \"~/smile\"\n\
                     payload = \"ON\"\npost = \"http://house/hook\"\ncommand = [\"/bin/true\", \"a b\"]";
        let rules = parse(lines).expect("valid").rules;
        let [rule] = rules.as_slice() else { panic!("{rules:?}") };
        let happy = State::Emotion(Emotion::Happy);
        assert_eq!(rule.condition.states, [happy, happy]);
        assert_eq!(rule.actions.len(), 3);
        let Action::Publish { topic, payload, .. } = &rule.actions[0] else { panic!("{:?}", rule.actions) };
        assert!(topic.as_str().starts_with("emotiond/") && topic.as_str().ends_with("/smile"), "{topic}");
        assert_eq!(payload.as_deref(), Some("ON"));
    }
}
