//! The section `[rules]`: what is meant, and how it is read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::check::Places;
use super::raw::{OVERRIDDEN, RawRule, RawRules};
use super::{ConfigError, Mqtt};
use crate::vocabulary::emotion::{Emotion, State, UnknownEmotion};
use crate::vocabulary::name::{Name, NoName};

/// Each may keep a process or a connection busy.
const MOST_RULES: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    pub rules: Vec<Rule>,
}

/// When `condition` has held for `hold`, `actions` are done.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique; stands in messages, logs and metrics.
    pub name: String,
    pub condition: Condition,
    pub hold: Duration,
    /// Interruptions that are shorter do not count.
    pub gap: Duration,
    /// Between two beginnings.
    pub rest: Duration,
    /// Begins again after each rest while the condition holds.
    pub repeat: bool,
    /// The actions are also done when the condition has ended.
    pub at_end: bool,
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
    pub min_faces: usize,
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
    Named(Name),
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To an MQTT topic; without a payload the facts as JSON.
    Publish { topic: String, payload: Option<String>, end_payload: Option<String>, retain: bool },
    /// The facts as JSON to a URL, with a bearer token where a file holds one.
    Post { url: String, token_file: Option<PathBuf> },
    /// A program and its arguments, with the facts as JSON on its standard input.
    Command(Vec<String>),
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

pub fn rules(raw: RawRules, places: &Places<'_>, mqtt: &Mqtt) -> Result<Rules, ConfigError> {
    let Some(list) = raw.rule else { return Ok(Rules::default()) };
    let overridden = list.span() == OVERRIDDEN;
    let mut rules: Vec<Rule> = Vec::new();
    for entry in list.into_inner() {
        let span = entry.span();
        let rule = rule(entry, places, mqtt).and_then(|rule| {
            if rules.iter().any(|other| other.name == rule.name) {
                let message =
                    format!("there are two rules called {:?}: give each a name of its own", rule.name);
                return Err(places.error(span.clone(), "rules.rule.name", message));
            }
            if rules.len() == MOST_RULES {
                let message = format!("more than {MOST_RULES} rules");
                return Err(places.error(span, "rules.rule", message));
            }
            Ok(rule)
        });
        rules.push(rule.map_err(|error| without_line(error, overridden))?);
    }
    Ok(Rules { rules })
}

/// What was not read from the file has no line in it.
fn without_line(error: ConfigError, overridden: bool) -> ConfigError {
    match error {
        ConfigError::Invalid { message, .. } if overridden => {
            ConfigError::Invalid { place: "rules.rule".to_owned(), message }
        }
        error => error,
    }
}

fn rule(entry: Spanned<RawRule>, places: &Places<'_>, mqtt: &Mqtt) -> Result<Rule, ConfigError> {
    let span = entry.span();
    let mut raw = entry.into_inner();
    let Some(name) = raw.name.take() else {
        return Err(places.error(span, "rules.rule.name", "a rule needs a name, such as name = \"smile\""));
    };
    let name = places.value("rules.rule.name", Some(name), String::new(), |name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=32).contains(&name.len()) && name.chars().all(plain) {
            Ok(name)
        } else {
            Err(format!("{name:?} is no name (1 to 32 of a-z, A-Z, 0-9, - and _)"))
        }
    })?;
    let condition = condition(&mut raw, places, &span, &name)?;
    let actions = actions(&mut raw, places, &span, &name, mqtt)?;
    let rest = places.seconds("rules.rule.rest_s", raw.rest_s, 60.0, 0.0..=86_400.0)?;
    let repeat_span = raw.repeat.as_ref().map(Spanned::span);
    let repeat = raw.repeat.is_some_and(Spanned::into_inner);
    if repeat && rest < Duration::from_secs(1) {
        let message = "repeat needs rest_s of at least 1";
        return Err(places.error(repeat_span.unwrap_or(span), "rules.rule.repeat", message));
    }
    Ok(Rule {
        name,
        condition,
        hold: places.seconds("rules.rule.for_s", raw.for_s, 3.0, 0.0..=86_400.0)?,
        gap: places.seconds("rules.rule.gap_s", raw.gap_s, 0.0, 0.0..=3600.0)?,
        rest,
        repeat,
        at_end: raw.at_end.is_some_and(Spanned::into_inner),
        actions,
        limit: places.seconds("rules.rule.limit_s", raw.limit_s, 10.0, 0.1..=300.0)?,
    })
}

fn condition(
    raw: &mut RawRule,
    places: &Places<'_>,
    span: &std::ops::Range<usize>,
    name: &str,
) -> Result<Condition, ConfigError> {
    let people_span = raw.person.as_ref().map(Spanned::span);
    let people =
        places.value("rules.rule.person", raw.person.take(), None, |names| people(names).map(Some))?;
    if raw.emotion.is_none() && raw.min_faces.is_none() && raw.max_faces.is_none() && people.is_none() {
        let message = format!("rule {name:?} needs a condition: emotion, person, min_faces or max_faces");
        return Err(places.error(span.clone(), "rules.rule.emotion", message));
    }
    let states = places.value("rules.rule.emotion", raw.emotion.take(), any_face(), states)?;
    let nobody = states.contains(&State::None);
    if nobody && people.is_some() {
        let message = "does not go with the emotion \"none\", which is no face";
        return Err(places.error(people_span.unwrap_or(span.clone()), "rules.rule.person", message));
    }
    let faces_span = raw.max_faces.as_ref().or(raw.min_faces.as_ref()).map(Spanned::span);
    let min_faces = places.integer("rules.rule.min_faces", raw.min_faces.take(), 0, 0..=100)?;
    let max_faces = places.integer("rules.rule.max_faces", raw.max_faces.take(), usize::MAX, 0..=100)?;
    if min_faces > max_faces {
        let message = format!("{max_faces} is less than min_faces ({min_faces})");
        return Err(places.error(faces_span.unwrap_or(span.clone()), "rules.rule.max_faces", message));
    }
    let sure_span = raw.min_confidence.as_ref().map(Spanned::span);
    let min_confidence =
        places.number("rules.rule.min_confidence", raw.min_confidence.take(), 0.0, 0.0..=1.0)? as f32;
    if nobody && (min_faces > 0 || min_confidence > 0.0) {
        let key = if min_faces > 0 { "rules.rule.min_faces" } else { "rules.rule.min_confidence" };
        let at = if min_faces > 0 { faces_span } else { sure_span };
        let message = "does not go with the emotion \"none\", which is no face";
        return Err(places.error(at.unwrap_or(span.clone()), key, message));
    }
    if !nobody && max_faces == 0 {
        let message = "without a face there is no emotion: write emotion = \"none\"";
        return Err(places.error(faces_span.unwrap_or(span.clone()), "rules.rule.max_faces", message));
    }
    Ok(Condition { states, min_confidence, min_faces, max_faces, people })
}

fn people(names: Names) -> Result<Vec<Who>, String> {
    if names.0.is_empty() {
        return Err("names nobody".to_owned());
    }
    let who = |name: String| match name.as_str() {
        "any" => Ok(Who::Anybody),
        "unknown" => Ok(Who::Unknown),
        _ => name.parse().map(Who::Named).map_err(|error: NoName| error.to_string()),
    };
    names.0.into_iter().map(who).collect()
}

/// Every state that a face can be in.
fn any_face() -> Vec<State> {
    Emotion::ALL.into_iter().map(State::Emotion).chain([State::Uncertain]).collect()
}

fn states(Names(names): Names) -> Result<Vec<State>, String> {
    let mut states = Vec::new();
    for name in names {
        match name.as_str() {
            "any" => states.extend(any_face()),
            "none" => states.push(State::None),
            "uncertain" => states.push(State::Uncertain),
            name => {
                let emotion: Emotion = name
                    .parse()
                    .map_err(|error: UnknownEmotion| format!("{error}; also any, none, uncertain"))?;
                states.push(State::Emotion(emotion));
            }
        }
    }
    if states.is_empty() { Err("an empty list is never shown".to_owned()) } else { Ok(states) }
}

fn actions(
    raw: &mut RawRule,
    places: &Places<'_>,
    span: &std::ops::Range<usize>,
    name: &str,
    mqtt: &Mqtt,
) -> Result<Vec<Action>, ConfigError> {
    let mut actions = Vec::new();
    actions.extend(publish(raw, places, mqtt)?);
    let token_span = raw.token_file.as_ref().map(Spanned::span);
    let token_file = places.path(raw.token_file.take());
    match raw.post.take() {
        Some(address) => {
            let url = places.value("rules.rule.post", Some(address), String::new(), url)?;
            actions.push(Action::Post { url, token_file });
        }
        None if token_file.is_some() => {
            let message = "is for post, which is not there";
            return Err(places.error(token_span.unwrap_or(span.clone()), "rules.rule.token_file", message));
        }
        None => {}
    }
    if let Some(words) = raw.command.take() {
        let words = places.value("rules.rule.command", Some(words), Vec::new(), command)?;
        actions.push(Action::Command(words));
    }
    if actions.is_empty() {
        let message = format!("rule {name:?} needs something to do: publish, post or command");
        return Err(places.error(span.clone(), "rules.rule.publish", message));
    }
    Ok(actions)
}

fn publish(raw: &mut RawRule, places: &Places<'_>, mqtt: &Mqtt) -> Result<Option<Action>, ConfigError> {
    let spans = [
        ("payload", raw.payload.as_ref().map(Spanned::span)),
        ("end_payload", raw.end_payload.as_ref().map(Spanned::span)),
        ("retain", raw.retain.as_ref().map(Spanned::span)),
    ];
    let Some(topic) = raw.publish.take() else {
        let extra = spans.into_iter().find_map(|(key, span)| Some((key, span?)));
        return match extra {
            Some((key, span)) => {
                Err(places.error(span, &format!("rules.rule.{key}"), "is for publish, which is not there"))
            }
            None => Ok(None),
        };
    };
    let at_end = raw.at_end.as_ref().is_some_and(|at_end| *at_end.get_ref());
    if let (_, Some(span)) = &spans[1]
        && !at_end
    {
        return Err(places.error(span.clone(), "rules.rule.end_payload", "needs at_end = true, too"));
    }
    let topic = places.value("rules.rule.publish", Some(topic), String::new(), |topic| {
        if mqtt.broker.is_none() {
            return Err("there is no broker: set mqtt.url".to_owned());
        }
        // Home Assistant's abbreviation for a base topic.
        let full = match topic.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", mqtt.base_topic),
            None => topic.clone(),
        };
        let allowed = !full.contains(['#', '+', '\0']) && !full.starts_with('$');
        // MQTT 3.1.1, 1.5.3: a 16-bit length.
        if allowed && !topic.is_empty() && full.len() <= 65_535 {
            Ok(full)
        } else {
            Err(format!("{topic:?} is no topic to publish to (no +, # or leading $; ~/ is the base topic)"))
        }
    })?;
    Ok(Some(Action::Publish {
        topic,
        payload: raw.payload.take().map(Spanned::into_inner),
        end_payload: raw.end_payload.take().map(Spanned::into_inner),
        retain: raw.retain.take().is_some_and(Spanned::into_inner),
    }))
}

fn url(text: String) -> Result<String, String> {
    let bad = || format!("{text:?} is no URL (http://HOST[:PORT]/PATH or https://…)");
    let uri: ureq::http::Uri = text.parse().map_err(|_| bad())?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or_else(bad)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad());
    }
    if authority.as_str().contains('@') {
        return Err("a URL here holds no user name or password: use token_file".to_owned());
    }
    Ok(text)
}

fn command(words: Vec<String>) -> Result<Vec<String>, String> {
    match words.first().map(String::as_str) {
        None | Some("") => Err("no program to run ([\"/path/of/program\", \"argument\", …])".to_owned()),
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            Err(format!("{program:?} is neither an absolute path nor a name to be found in PATH"))
        }
        Some(_) if words.iter().any(|word| word.contains('\0')) => Err("no argument holds a NUL".to_owned()),
        Some(_) => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;

    fn parse(lines: &str) -> Result<Rules, String> {
        Config::parse(&format!("[[rules.rule]]\n{lines}\n"), "t", &BTreeMap::new())
            .map(|config| config.rules)
            .map_err(|error| error.to_string())
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
                "t:4: rules.rule.publish: \"a/#\" is no topic",
            ),
            (
                "name = \"a\"\nmin_faces = 1\npost = \"ftp://x/y\"",
                "t:4: rules.rule.post: \"ftp://x/y\" is no URL",
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
                "t:5: rules.rule.name: there are two rules called \"a\"",
            ),
        ];
        for (lines, message) in cases {
            let error = parse(lines).expect_err(lines);
            assert!(error.starts_with(message), "{lines:?}: {error}");
        }
        let without_broker =
            "[mqtt]\nurl = \"\"\n[[rules.rule]]\nname = \"a\"\nmin_faces = 1\npublish = \"x\"\n";
        let error = Config::parse(without_broker, "t", &BTreeMap::new()).expect_err("no broker").to_string();
        assert_eq!(error, "t:6: rules.rule.publish: there is no broker: set mqtt.url");
        let set = BTreeMap::from([("rules.rule".to_owned(), "[{ name = \"a\" }]".to_owned())]);
        let error = Config::parse("", "t", &set).expect_err("no condition").to_string();
        assert!(error.starts_with("rules.rule: rule \"a\" needs a condition"), "{error}");
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
        assert!(topic.starts_with("emotiond/") && topic.ends_with("/smile"), "{topic}");
        assert_eq!(payload.as_deref(), Some("ON"));
    }
}
