//! Who may speak for a device's id.
//!
//! Two devices with one id, mostly a copied memory card, would each write over what the other says.
//! So each run says on the topic `instance` who it is before it says anything else. One that holds
//! the id answers; the newcomer then says why it keeps still, and leaves. Each run has a client
//! identifier of its own, since a broker throws out a client when another comes with its identifier.

use serde::{Deserialize, Serialize};

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

    /// Begins to hold the id; a second time the first moment stays.
    pub fn hold(&mut self, now_ms: u64) {
        if !self.holds {
            (self.holds, self.since_ms) = (true, now_ms);
        }
    }

    pub fn give_up(&mut self) {
        (self.holds, self.since_ms) = (false, 0);
    }

    /// Both sides come to the same answer: who holds goes before who asks, then who held first.
    pub fn goes_before(&self, other: &Self) -> bool {
        let rank = |claim: &Self| (!claim.holds, claim.since_ms, claim.instance.clone());
        rank(self) < rank(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_goes_before() {
        let claim = |instance: &str, since: Option<u64>| {
            let mut claim = Claim::new(instance.to_owned());
            since.into_iter().for_each(|since| claim.hold(since));
            claim
        };
        let (asks, other) = (claim("a", None), claim("b", None));
        let (first, second) = (claim("z", Some(1)), claim("a", Some(2)));
        for (winner, loser) in [(&asks, &other), (&first, &asks), (&first, &second), (&second, &asks)] {
            assert!(winner.goes_before(loser) && !loser.goes_before(winner), "{winner:?} {loser:?}");
        }
    }
}
