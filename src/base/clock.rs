//! Wall-clock time as text; decisions use `std::time::Instant`, which never jumps.

use std::time::Instant;

use jiff::{Timestamp, Zoned};

/// RFC 3339, UTC, milliseconds: `2026-01-31T12:00:00.123Z`.
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The wall-clock time at which `instant` was, by the wall clock of now.
pub fn timestamp(instant: Instant) -> Timestamp {
    let age = instant.elapsed();
    Timestamp::now().checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Minutes since midnight in the system's time zone.
pub fn minute_of_day() -> u16 {
    let now = Zoned::now();
    60 * u16::from(now.hour().unsigned_abs()) + u16::from(now.minute().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_written() {
        let time = Timestamp::from_millisecond(1_769_860_800_000).expect("in range");
        assert_eq!(rfc3339(time), "2026-01-31T12:00:00.000Z");
    }
}
