//! When a rule fires. Pure: observations and their time in, firings out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Condition, Rule, Who};
use crate::vocabulary::emotion::{Face, Observation};
use crate::vocabulary::wire::Phase;

/// A rule's actions are to be done.
#[derive(Clone, Debug)]
pub struct Firing {
    pub rule: Arc<Rule>,
    pub phase: Phase,
    /// For how long the condition has held, or had.
    pub held: Duration,
}

/// The rules and what each remembers.
#[derive(Debug, Default)]
pub struct Triggers(Vec<Trigger>);

#[derive(Debug)]
struct Trigger {
    rule: Arc<Rule>,
    stretch: Option<Stretch>,
    /// The newest beginning, also of an earlier stretch.
    began: Option<Instant>,
}

/// A time in which the condition holds, interrupted for less than the rule's gap.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    since: Instant,
    held_at: Instant,
    /// A beginning was told of.
    told: bool,
}

impl Triggers {
    /// Takes over `rules`; one that has not changed goes on as if nothing had happened. What began by one that is
    /// not there any more ends.
    pub fn replace(&mut self, rules: &[Rule]) -> Vec<Firing> {
        let mut old = std::mem::take(&mut self.0);
        self.0 = rules
            .iter()
            .map(|rule| match old.iter().position(|trigger| *trigger.rule == *rule) {
                Some(index) => old.swap_remove(index),
                None => Trigger { rule: Arc::new(rule.clone()), stretch: None, began: None },
            })
            .collect();
        old.iter_mut().filter_map(Trigger::ended).collect()
    }

    /// Nothing is observed any more: what began ends.
    pub fn close(&mut self) -> Vec<Firing> {
        self.0.iter_mut().filter_map(Trigger::ended).collect()
    }

    /// Which rules fire. `seen` is `None` while no picture comes: no condition holds then, also not that
    /// nobody is there.
    pub fn observe(&mut self, seen: Option<&Observation>, now: Instant) -> Vec<Firing> {
        self.0
            .iter_mut()
            .filter_map(|trigger| {
                let holds = seen.is_some_and(|seen| holds(&trigger.rule.condition, seen));
                trigger.step(holds, now)
            })
            .collect()
    }
}

fn holds(condition: &Condition, seen: &Observation) -> bool {
    condition.states.contains(&seen.state)
        && seen.confidence >= condition.min_confidence
        && (condition.min_faces..=condition.max_faces).contains(&seen.faces.len())
        && condition.people.as_ref().is_none_or(|who| seen.faces.iter().any(|face| is_one(face, who)))
}

/// Whether the face is one of those asked for; a person counts once the configured check is passed.
fn is_one(face: &Face, who: &[Who]) -> bool {
    let person = face.person.as_ref();
    let checked = person.filter(|person| person.checked);
    who.iter().any(|who| match who {
        Who::Anybody => checked.is_some(),
        Who::Unknown => person.is_none(),
        Who::Named(name) => checked.is_some_and(|person| person.name == *name),
    })
}

impl Trigger {
    fn step(&mut self, holds: bool, now: Instant) -> Option<Firing> {
        if !holds {
            return self.interrupted(now);
        }
        let stretch = self.stretch.get_or_insert(Stretch { since: now, held_at: now, told: false });
        stretch.held_at = now;
        let held = now.saturating_duration_since(stretch.since);
        let rested = self.began.is_none_or(|began| now.saturating_duration_since(began) >= self.rule.rest);
        if held < self.rule.hold || !rested || (stretch.told && !self.rule.repeat) {
            return None;
        }
        stretch.told = true;
        self.began = Some(now);
        Some(Firing { rule: Arc::clone(&self.rule), phase: Phase::Begin, held })
    }

    fn interrupted(&mut self, now: Instant) -> Option<Firing> {
        let gap = self.rule.gap;
        let over = |stretch: &mut Stretch| now.saturating_duration_since(stretch.held_at) >= gap;
        if !self.stretch.as_mut().is_some_and(over) {
            return None;
        }
        self.ended()
    }

    /// The stretch is over, and that is told where its beginning was.
    fn ended(&mut self) -> Option<Firing> {
        let stretch = self.stretch.take()?;
        let held = stretch.held_at.saturating_duration_since(stretch.since);
        (stretch.told && self.rule.at_end).then(|| Firing {
            rule: Arc::clone(&self.rule),
            phase: Phase::End,
            held,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;
    use crate::vocabulary::emotion::{Detection, Emotion, Landmarks, Person, Scores, State};
    use crate::vocabulary::frame::Rect;

    const HAPPY: State = State::Emotion(Emotion::Happy);
    const SAD: State = State::Emotion(Emotion::Sad);

    fn rules(lines: &str) -> Vec<Rule> {
        let text = format!("[[rules.rule]]\nname = \"a\"\npublish = \"x\"\n{lines}\n");
        Config::parse(&text, "t", &BTreeMap::new()).expect("valid").rules.rules
    }

    fn triggers(lines: &str) -> Triggers {
        let mut triggers = Triggers::default();
        triggers.replace(&rules(lines));
        triggers
    }

    fn seen(state: State, confidence: f32, faces: usize) -> Observation {
        let face = Face {
            id: 1,
            visible: true,
            detection: Detection {
                bounds: Rect::default(),
                core: Rect::default(),
                score: 0.9,
                landmarks: Landmarks::default(),
            },
            scores: Scores::default(),
            state,
            confidence,
            person: None,
        };
        Observation { faces: vec![face; faces], state, confidence }
    }

    /// What fires when `states` are seen from their second on, looked at ten times a second for
    /// `end` seconds; `None`: no picture.
    fn run(triggers: &mut Triggers, states: &[(f64, Option<State>)], end: f64) -> Vec<(f64, Phase, f64)> {
        let start = Instant::now();
        let mut fired = Vec::new();
        for tenth in 0..=(end * 10.0) as u64 {
            let s = tenth as f64 / 10.0;
            let state = states.iter().rev().find(|(from, _)| *from <= s).and_then(|(_, state)| *state);
            let seen = state.map(|state| seen(state, 0.8, usize::from(state != State::None)));
            let now = start + Duration::from_millis(tenth * 100);
            let all = triggers.observe(seen.as_ref(), now);
            fired.extend(all.into_iter().map(|firing| (s, firing.phase, firing.held.as_secs_f64())));
        }
        fired
    }

    #[test]
    fn it_fires_once_when_the_emotion_has_lasted() {
        let mut smile = triggers("emotion = \"happy\"\nfor_s = 3\nrest_s = 0");
        let changes = [(0.0, Some(SAD)), (1.0, Some(HAPPY)), (3.5, Some(SAD)), (5.0, Some(HAPPY))];
        assert_eq!(run(&mut smile, &changes, 20.0), [(8.0, Phase::Begin, 3.0)]);
    }

    #[test]
    fn it_rests_and_fires_late_rather_than_not_at_all() {
        let mut smile = triggers("emotion = \"happy\"\nfor_s = 1\nrest_s = 5\nat_end = true");
        let changes = [(0.0, Some(HAPPY)), (2.0, Some(SAD)), (3.0, Some(HAPPY)), (7.0, Some(SAD))];
        let fired = run(&mut smile, &changes, 20.0);
        let expected = [
            (1.0, Phase::Begin, 1.0),
            (2.0, Phase::End, 1.9),
            (6.0, Phase::Begin, 3.0),
            (7.0, Phase::End, 3.9),
        ];
        assert_eq!(fired, expected);
    }

    #[test]
    fn it_repeats_when_told_to() {
        let mut smile = triggers("emotion = \"happy\"\nfor_s = 1\nrest_s = 2\nrepeat = true");
        let fired = run(&mut smile, &[(0.0, Some(HAPPY))], 6.0);
        let times: Vec<f64> = fired.iter().map(|(s, ..)| *s).collect();
        assert_eq!(times, [1.0, 3.0, 5.0]);
    }

    #[test]
    fn a_short_interruption_does_not_count() {
        let changes = [(0.0, Some(HAPPY)), (1.0, Some(SAD)), (1.4, Some(HAPPY)), (4.0, Some(SAD))];
        let mut strict = triggers("emotion = \"happy\"\nfor_s = 3");
        assert!(run(&mut strict, &changes, 10.0).is_empty());
        let mut patient = triggers("emotion = \"happy\"\nfor_s = 3\ngap_s = 0.5\nat_end = true");
        assert_eq!(run(&mut patient, &changes, 10.0), [(3.0, Phase::Begin, 3.0), (4.4, Phase::End, 3.9)]);
    }

    #[test]
    fn without_pictures_nobody_is_not_none() {
        let mut empty = triggers("emotion = \"none\"\nfor_s = 2\nat_end = true");
        assert!(run(&mut empty, &[(0.0, None)], 10.0).is_empty());
        let changes = [(0.0, Some(State::None)), (4.0, None)];
        assert_eq!(run(&mut empty, &changes, 10.0), [(2.0, Phase::Begin, 2.0), (4.0, Phase::End, 3.9)]);
    }

    #[test]
    fn confidence_and_number_of_faces_are_asked_for() {
        let fires = |lines: &str, state, confidence, faces| {
            let mut triggers = triggers(&format!("{lines}\nfor_s = 0"));
            !triggers.observe(Some(&seen(state, confidence, faces)), Instant::now()).is_empty()
        };
        assert!(fires("emotion = \"happy\"\nmin_confidence = 0.7", HAPPY, 0.7, 1));
        assert!(!fires("emotion = \"happy\"\nmin_confidence = 0.7", HAPPY, 0.69, 1));
        assert!(fires("emotion = [\"sad\", \"happy\"]", SAD, 0.5, 1));
        assert!(fires("min_faces = 2\nmax_faces = 3", State::Uncertain, 0.2, 3));
        assert!(!fires("min_faces = 2\nmax_faces = 3", HAPPY, 0.9, 4));
        assert!(!fires("min_faces = 2", HAPPY, 0.9, 1));
        assert!(fires("emotion = \"any\"", State::Uncertain, 0.2, 1));
        assert!(!fires("emotion = \"any\"", State::None, 0.0, 0));
    }

    #[test]
    fn a_person_counts_when_checked_and_beside_others() {
        let fires = |who: &str, people: &[Option<(&str, bool)>]| {
            let mut seen = seen(HAPPY, 0.8, people.len());
            for (face, person) in seen.faces.iter_mut().zip(people) {
                face.person =
                    person.map(|(name, checked)| Person { name: name.parse().expect("name"), checked });
            }
            let mut triggers = triggers(&format!("person = {who}\nfor_s = 0"));
            !triggers.observe(Some(&seen), Instant::now()).is_empty()
        };
        let (anna, unchecked) = (Some(("anna", true)), Some(("anna", false)));
        assert!(fires("\"anna\"", &[None, anna]));
        assert!(!fires("\"anna\"", &[unchecked]));
        assert!(!fires("[\"bert\", \"carl\"]", &[anna]));
        assert!(fires("[\"bert\", \"any\"]", &[anna]));
        assert!(!fires("\"any\"", &[None]));
        assert!(fires("\"unknown\"", &[anna, None]));
        assert!(!fires("\"unknown\"", &[unchecked]), "known, though not checked");
    }

    #[test]
    fn an_unchanged_rule_survives_a_reload() {
        let lines = "emotion = \"happy\"\nfor_s = 0\nrest_s = 60";
        let mut smile = triggers(lines);
        let now = Instant::now();
        let happy = seen(HAPPY, 0.8, 1);
        assert_eq!(smile.observe(Some(&happy), now).len(), 1);
        smile.replace(&rules(lines));
        assert!(smile.observe(Some(&happy), now).is_empty(), "it still rests");
        assert!(smile.replace(&rules("emotion = \"happy\"\nfor_s = 0\nrest_s = 30")).is_empty(), "no at_end");
        assert_eq!(smile.observe(Some(&happy), now).len(), 1, "another rule");
    }

    #[test]
    fn what_began_ends_with_its_rule_and_with_the_daemon() {
        let lines = "emotion = \"happy\"\nfor_s = 0\nat_end = true";
        let happy = seen(HAPPY, 0.8, 1);
        let mut smile = triggers(lines);
        smile.observe(Some(&happy), Instant::now());
        let phases = |firings: Vec<Firing>| firings.iter().map(|firing| firing.phase).collect::<Vec<_>>();
        assert_eq!(phases(smile.replace(&[])), [Phase::End]);
        assert!(smile.close().is_empty());
        let mut smile = triggers(lines);
        smile.observe(Some(&happy), Instant::now());
        assert_eq!(phases(smile.close()), [Phase::End]);
        assert!(smile.close().is_empty(), "once");
    }
}
