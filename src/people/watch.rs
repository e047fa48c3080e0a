//! Who a followed face is: votes over time, so that one bad frame names nobody. Pure; the clock is handed
//! in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::align;
use super::gallery::{Limits, Nearest};
use crate::vocabulary::emotion::Landmarks;
use crate::vocabulary::name::Name;

/// Votes that are remembered.
const VOTES: usize = 5;

/// Votes that a name needs, and more than half of all that are remembered.
const ENOUGH: usize = 2;

/// Between two looks until the face has a name or five votes.
const SOON: Duration = Duration::from_millis(150);

/// Between two looks at a face that has a name, and at one that has none.
const LATER: Duration = Duration::from_secs(3);

/// How far [`align::turn`] must move to count as a turned head. From -0.1 to 0.2 is a head that is turned
/// by about twenty degrees; a face that speaks and nods stays within 0.15.
const TURNED: f32 = 0.3;

/// In what time the head must be turned.
const TURN_TIME: Duration = Duration::from_secs(6);

/// What is remembered of one followed face.
#[derive(Clone, Debug)]
pub struct Watch {
    next: Instant,
    votes: VecDeque<Option<Name>>,
    name: Option<Name>,
    /// Where the head pointed lately.
    turns: VecDeque<(Instant, f32)>,
    turned: bool,
}

impl Watch {
    pub const fn new(now: Instant) -> Self {
        Self { next: now, votes: VecDeque::new(), name: None, turns: VecDeque::new(), turned: false }
    }

    /// Whether the face is to be described in this frame.
    pub fn due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// The face could not be described: another frame may do.
    pub fn missed(&mut self, now: Instant) {
        self.next = now + SOON;
    }

    /// Takes the person nearest to the face, as its descriptor says.
    pub fn vote(&mut self, nearest: Option<Nearest>, limits: &Limits, now: Instant) {
        let vote = nearest.filter(|nearest| nearest.within(limits)).map(|nearest| nearest.name);
        if self.votes.len() == VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back(vote);
        let name = self.elected();
        if name != self.name {
            // What one person did counts for nobody else.
            self.turned = false;
            self.turns.clear();
            self.name = name;
        }
        let settled = self.name.is_some() || self.votes.len() == VOTES;
        self.next = now + if settled { LATER } else { SOON };
    }

    /// Notes where the head points.
    pub fn see(&mut self, points: &Landmarks, now: Instant) {
        if self.name.is_none() || self.turned {
            return;
        }
        self.turns.push_back((now, align::turn(points)));
        self.turns.retain(|(at, _)| now.saturating_duration_since(*at) <= TURN_TIME);
        let turns = || self.turns.iter().map(|(_, turn)| *turn);
        let (least, most) =
            (turns().fold(f32::INFINITY, f32::min), turns().fold(f32::NEG_INFINITY, f32::max));
        self.turned = most - least >= TURNED;
        if self.turned {
            self.turns.clear();
        }
    }

    /// Forgets who it is, as when other people are enrolled.
    pub fn reset(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// Who it is.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Whether that person has turned the head since.
    pub fn turned(&self) -> bool {
        self.turned
    }

    fn elected(&self) -> Option<Name> {
        let count = |name: &Name| self.votes.iter().flatten().filter(|vote| *vote == name).count();
        let enough = |name: &&Name| count(name) >= ENOUGH && 2 * count(name) > self.votes.len();
        self.votes.iter().flatten().find(enough).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::frame::Point;

    const LIMITS: Limits = Limits { threshold: 0.5, margin: 0.05 };

    fn near(name: &str, distance: f32) -> Option<Nearest> {
        Some(Nearest { name: name.parse().expect("name"), distance, next: 1.0 })
    }

    fn nose(x: f32) -> Landmarks {
        Landmarks {
            left_eye: Point { x: 1.0, y: 0.0 },
            nose: Point { x: 0.5 + x, y: 0.5 },
            ..Landmarks::default()
        }
    }

    /// Looks whenever one is due, for `seconds`; answers who it is and how many looks there were.
    fn run(watch: &mut Watch, start: Instant, seconds: f32, seen: &Option<Nearest>) -> (Option<String>, u32) {
        let mut looks = 0;
        for tenth in 0..(seconds * 10.0) as u64 {
            let now = start + Duration::from_millis(100 * tenth);
            if watch.due(now) {
                watch.vote(seen.clone(), &LIMITS, now);
                looks += 1;
            }
        }
        (watch.name().map(ToString::to_string), looks)
    }

    #[test]
    fn two_votes_name_a_face_and_it_is_looked_at_rarely_then() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        watch.vote(near("anna", 0.3), &LIMITS, start);
        assert_eq!(watch.name(), None, "one vote is none");
        let (name, looks) = run(&mut watch, start, 9.0, &near("anna", 0.3));
        assert_eq!((name.as_deref(), looks), (Some("anna"), 3));
    }

    #[test]
    fn a_stranger_stays_one_and_a_track_can_change_hands() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(run(&mut watch, start, 3.0, &near("anna", 0.6)), (None, 5));
        // Somebody else took the track over: three of the five last votes are bert's.
        let later = start + Duration::from_secs(10);
        let (name, looks) = run(&mut watch, later, 15.0, &near("bert", 0.3));
        assert_eq!((name.as_deref(), looks), (Some("bert"), 5));
        let (name, _) = run(&mut watch, later + Duration::from_secs(20), 15.0, &near("anna", 0.7));
        assert_eq!(name, None);
    }

    #[test]
    fn a_head_must_turn_after_it_has_a_name_and_within_some_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut watch = Watch::new(start);
        watch.see(&nose(-0.3), at(0));
        watch.vote(near("anna", 0.3), &LIMITS, at(0));
        watch.vote(near("anna", 0.3), &LIMITS, at(200));
        watch.see(&nose(0.3), at(300));
        assert!(!watch.turned(), "what came before the name does not count");
        watch.see(&nose(0.1), at(400));
        watch.see(&nose(-0.05), at(8000));
        assert!(!watch.turned(), "too slow");
        watch.see(&nose(0.26), at(9000));
        assert!(watch.turned());
        for ms in [10_000, 11_000, 12_000] {
            watch.vote(near("bert", 0.3), &LIMITS, at(ms));
        }
        assert_eq!((watch.name().map(Name::as_str), watch.turned()), (Some("bert"), false));
    }
}
