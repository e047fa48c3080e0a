//! Chance for jitter and for names that no other run has. Not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Any number; another each time.
pub fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// From 0 up to, but not, 1.
pub fn share() -> f64 {
    // 53 bits are what a double can tell apart.
    (number() >> 11) as f64 / (1u64 << 53) as f64
}

/// Eight hexadecimal digits that name one run of the program.
pub fn run_id() -> String {
    format!("{:08x}", number() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_spread_and_names_differ() {
        let shares: Vec<f64> = (0..1000).map(|_| share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        for tenth in 0..10 {
            let count = shares.iter().filter(|share| (*share * 10.0) as u32 == tenth).count();
            assert!((40..200).contains(&count), "{count} of 1000 in tenth {tenth}");
        }
        assert_ne!(run_id(), run_id());
        assert_eq!(run_id().len(), 8);
    }
}
