//! Which frames of a film are looked at.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::status::UsageError;
use crate::media::film::FilmFrame;

/// How often a film is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Each frame whose number divides by it.
    Frames(NonZeroU64),
    /// The first frame of each stretch of the film's time that is as long.
    Time(Duration),
}

impl FromStr for Every {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        let wrong = || UsageError(format!("{text:?} is neither frames, as 5, nor seconds, as 0.5s"));
        match text.strip_suffix('s') {
            Some(seconds) => {
                let seconds = seconds.trim_end().parse().ok().filter(|seconds| *seconds >= 0.001);
                let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                time.map(Self::Time).ok_or_else(wrong)
            }
            None => text.parse().map(Self::Frames).map_err(|_| wrong()),
        }
    }
}

/// A time within a film: seconds, or as on a clock.
pub fn film_time(text: &str) -> Result<Duration, UsageError> {
    let wrong = || UsageError(format!("{text:?} is no time, as 90, 90.5, 1:30 or 1:02:03"));
    let mut parts = text.rsplit(':');
    let seconds: f64 = parts.next().and_then(|part| part.parse().ok()).ok_or_else(wrong)?;
    let whole = |part: Option<&str>| part.map_or(Ok(0), str::parse::<u32>).map_err(|_| wrong());
    let (minutes, hours) = (whole(parts.next())?, whole(parts.next())?);
    let clock = parts.next().is_none() && (!text.contains(':') || seconds < 60.0);
    let seconds = f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0 + seconds;
    Duration::try_from_secs_f64(seconds).ok().filter(|_| clock).ok_or_else(wrong)
}

/// Whose turn it is.
#[derive(Debug)]
pub struct Turns {
    every: Every,
    /// The stretch of [`Every::Time`] that was looked at last.
    last: Option<u128>,
}

impl Turns {
    pub const fn new(every: Every) -> Self {
        Self { every, last: None }
    }

    pub fn is_due(&mut self, frame: &FilmFrame) -> bool {
        match self.every {
            Every::Frames(every) => frame.index.is_multiple_of(every.get()),
            Every::Time(every) => {
                let stretch = Some(frame.time.as_nanos() / every.as_nanos().max(1));
                std::mem::replace(&mut self.last, stretch) != stretch
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_pauses_are_read() {
        let seconds = |text| film_time(text).map(|time| time.as_secs_f64()).ok();
        assert_eq!(["90.5", "1:30", "1:02:03"].map(seconds), [Some(90.5), Some(90.0), Some(3723.0)]);
        assert_eq!(["1:75", "-1", "a", "", "1:2:3:4", "inf"].map(seconds), [None; 6]);
        assert_eq!("0.5s".parse::<Every>().ok(), Some(Every::Time(Duration::from_millis(500))));
        assert!(matches!("5".parse(), Ok(Every::Frames(n)) if n.get() == 5));
        assert!(["0", "0s", "s", "-1s", "x"].iter().all(|text| text.parse::<Every>().is_err()));
    }

    #[test]
    fn a_look_each_stretch() {
        let mut turns = Turns::new(Every::Time(Duration::from_millis(500)));
        let frame = |index, time| FilmFrame { index, time: Duration::from_millis(time), rgb: Vec::new() };
        let looked = [0, 40, 460, 501, 900, 2100, 2200].map(|time| turns.is_due(&frame(0, time)));
        assert_eq!(looked, [true, false, false, true, false, true, false]);
    }
}
