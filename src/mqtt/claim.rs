//! Who may speak for a device's id. Pure: what happens and when comes in, what to do goes out.
//!
//! Two devices with one id, mostly a copied memory card, would each write over what the other says.
//! So each run says on the topic `instance` who it is before it says anything else. One that holds
//! the id answers; the newcomer then says why it keeps still, and leaves. Each run has a client
//! identifier of its own, since a broker throws out a client when another comes with its identifier.
//!
//! An answer is waited for only where there may be somebody to give it: where the broker keeps that the device
//! is `online`. What it keeps comes before what is published later, the question included, so once the
//! question has come back it is known.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long one that holds this device's id may take to say so.
const ANSWER: Duration = Duration::from_millis(1500);

/// A broker that acknowledges no subscription in this time is none to wait for.
const SUBSCRIPTION: Duration = Duration::from_secs(5);

/// An `instance` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Names one run of the program.
    pub instance: String,
    /// Speaks for the id already; false in a question.
    pub holds: bool,
    /// When it began to, in milliseconds since 1970; 0 in a question.
    pub since_ms: u64,
    /// The machine, for people.
    pub host: String,
}

impl Claim {
    /// A question by this machine.
    pub fn new(instance: String) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { instance, holds: false, since_ms: 0, host }
    }

    /// Both sides come to the same answer: who holds goes before who asks, then who held first.
    fn goes_before(&self, other: &Self) -> bool {
        let rank = |claim: &Self| (!claim.holds, claim.since_ms, claim.instance.clone());
        rank(self) < rank(other)
    }
}

/// Where this device stands with the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no connection.
    Connecting,
    /// Connected, and not yet known whether the id is free; at the latest it is then.
    Asking { until: Instant },
    /// The id is this device's: everything may be said.
    Holding,
    /// Another goes before; `held`: this one has spoken for the id until now.
    Yielding { other: Claim, held: bool },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Say who this is.
    Say,
    /// Say everything from now on.
    Hold,
    /// Say who this is, and everything once more, which another may have written over.
    Restate,
    /// Leave; [`Phase::Yielding`] says to whom.
    Yield,
}

/// This device's side.
#[derive(Clone, Debug)]
pub struct Speaker {
    claim: Claim,
    phase: Phase,
    /// What this device says comes back to it, so the broker passes it on.
    heard_itself: bool,
    /// Somebody may hold the id: the broker keeps `online`, or somebody did at the last connection.
    taken: bool,
}

impl Speaker {
    pub const fn new(claim: Claim) -> Self {
        Self { claim, phase: Phase::Connecting, heard_itself: false, taken: false }
    }

    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    pub const fn heard_itself(&self) -> bool {
        self.heard_itself
    }

    pub fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Asking { .. })
    }

    pub fn is_holding(&self) -> bool {
        self.phase == Phase::Holding
    }

    /// The broker has taken the connection.
    pub fn connected(&mut self, now: Instant) {
        self.phase = Phase::Asking { until: now + SUBSCRIPTION };
    }

    /// The broker has taken the subscriptions. One that held the id before goes on at once.
    pub fn subscribed(&mut self, now: Instant) -> Step {
        if self.claim.holds {
            self.phase = Phase::Holding;
            Step::Hold
        } else {
            self.phase = Phase::Asking { until: now + ANSWER };
            Step::Say
        }
    }

    /// What the broker keeps of the device's availability.
    pub fn kept(&mut self, online: bool) {
        self.taken |= online;
    }

    /// Somebody has spoken for the id; `kept`: some time ago.
    pub fn heard(&mut self, other: Claim, kept: bool) -> Option<Step> {
        if kept {
            self.heard_itself = true;
            return None;
        }
        if other.instance == self.claim.instance {
            self.heard_itself = true;
            // By now it is known what the broker keeps.
            return (self.is_asking() && !self.taken).then(|| self.hold());
        }
        if other.goes_before(&self.claim) {
            self.phase = Phase::Yielding { other, held: self.is_holding() };
            return Some(Step::Yield);
        }
        // What another has said that holds the id stands on the broker until now.
        Some(if other.holds { Step::Restate } else { Step::Say })
    }

    /// Nobody has answered until `now`.
    pub fn due(&mut self, now: Instant) -> Option<Step> {
        matches!(self.phase, Phase::Asking { until } if now >= until).then(|| self.hold())
    }

    fn hold(&mut self) -> Step {
        self.phase = Phase::Holding;
        Step::Hold
    }

    /// Has begun to say everything, at this time by the wall clock; a second time the first moment stays.
    pub const fn began(&mut self, now_ms: u64) {
        if !self.claim.holds {
            self.claim.holds = true;
            self.claim.since_ms = now_ms;
        }
    }

    /// The connection is over. Who has yielded asks again, and waits for the answer.
    pub fn ended(&mut self) {
        let yielded = matches!(self.phase, Phase::Yielding { .. });
        if yielded {
            self.claim.holds = false;
            self.claim.since_ms = 0;
        }
        self.phase = Phase::Connecting;
        self.heard_itself = false;
        self.taken = yielded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(instance: &str, since_ms: Option<u64>) -> Claim {
        Claim {
            instance: instance.to_owned(),
            holds: since_ms.is_some(),
            since_ms: since_ms.unwrap_or(0),
            host: String::new(),
        }
    }

    fn asking(start: Instant) -> Speaker {
        let mut speaker = Speaker::new(claim("m", None));
        speaker.connected(start);
        assert_eq!(speaker.subscribed(start), Step::Say);
        speaker
    }

    #[test]
    fn one_of_two_goes_before() {
        let (asks, other) = (claim("a", None), claim("b", None));
        let (first, second) = (claim("z", Some(1)), claim("a", Some(2)));
        for (winner, loser) in [(&asks, &other), (&first, &asks), (&first, &second), (&second, &asks)] {
            assert!(winner.goes_before(loser) && !loser.goes_before(winner), "{winner:?} {loser:?}");
        }
    }

    #[test]
    fn a_free_id_is_held_once_the_question_is_back() {
        let start = Instant::now();
        let mut speaker = asking(start);
        speaker.kept(false);
        assert_eq!(speaker.heard(claim("m", None), false), Some(Step::Hold));
        speaker.began(5);
        assert_eq!(speaker.claim(), &claim("m", Some(5)));
        // One that asks is told, one that held at the same time, but later, is corrected.
        assert_eq!(speaker.heard(claim("a", None), false), Some(Step::Say));
        assert_eq!(speaker.heard(claim("a", Some(6)), false), Some(Step::Restate));
        speaker.ended();
        speaker.connected(start);
        assert_eq!(speaker.subscribed(start), Step::Hold, "nobody is asked twice");
    }

    #[test]
    fn an_answer_is_waited_for_where_there_may_be_one() {
        let start = Instant::now();
        let mut speaker = asking(start);
        speaker.kept(true);
        assert_eq!(speaker.heard(claim("m", None), false), None);
        assert_eq!(speaker.due(start + ANSWER / 2), None);
        assert_eq!(speaker.due(start + ANSWER), Some(Step::Hold));
        // A broker that does not pass on the question may hide an answer, too.
        assert_eq!(asking(start).due(start + ANSWER), Some(Step::Hold));
        let mut silent = Speaker::new(claim("m", None));
        silent.connected(start);
        assert_eq!(silent.due(start + ANSWER), None);
        assert_eq!(silent.due(start + SUBSCRIPTION), Some(Step::Hold));
    }

    #[test]
    fn who_yields_asks_again_and_waits() {
        let start = Instant::now();
        let mut speaker = asking(start);
        speaker.heard(claim("m", None), false);
        speaker.began(5);
        assert_eq!(speaker.heard(claim("x", Some(3)), true), None, "one from the past");
        assert_eq!(speaker.heard(claim("x", Some(3)), false), Some(Step::Yield));
        assert_eq!(speaker.phase(), &Phase::Yielding { other: claim("x", Some(3)), held: true });
        speaker.ended();
        speaker.connected(start);
        assert_eq!(speaker.subscribed(start), Step::Say);
        assert_eq!(speaker.heard(claim("m", None), false), None);
        assert_eq!(speaker.heard(claim("x", Some(3)), false), Some(Step::Yield));
        assert_eq!(speaker.phase(), &Phase::Yielding { other: claim("x", Some(3)), held: false });
    }
}
