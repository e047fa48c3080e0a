//! Which of a camera's formats, sizes and rates to ask for: pure.

use std::cmp::Reverse;

use crate::vocabulary::encoding::Encoding;

/// A duration in seconds as a fraction, as V4L2 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub numerator: u32,
    pub denominator: u32,
}

impl Interval {
    /// Frames a second; 0 for an interval of no meaning.
    pub fn fps(self) -> f64 {
        if self.numerator == 0 { 0.0 } else { f64::from(self.denominator) / f64::from(self.numerator) }
    }
}

/// The sizes that a driver lists for a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Discrete {
        width: u32,
        height: u32,
    },
    /// From least to most in steps; steps of 1 are V4L2's continuous sizes.
    Stepwise {
        width: Steps,
        height: Steps,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub min: u32,
    pub max: u32,
    pub step: u32,
}

impl Steps {
    /// The least value that reaches `wish`, or the greatest there is.
    fn reach(self, wish: u32) -> u32 {
        let step = self.step.max(1);
        let above = wish.saturating_sub(self.min).div_ceil(step);
        let most = self.max.saturating_sub(self.min) / step;
        self.min + above.min(most) * step
    }
}

/// The intervals that a driver lists for a format and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    Discrete(Interval),
    /// Any from the first to the second.
    Stepwise(Interval, Interval),
}

/// One thing that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    pub encoding: Encoding,
    pub fourcc: [u8; 4],
    pub width: u32,
    pub height: u32,
    /// `None` where the driver lists none.
    pub interval: Option<Interval>,
}

/// What the configuration wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
}

impl Wish {
    /// Of what a driver lists, the size to ask for.
    pub fn size(&self, size: Size) -> (u32, u32) {
        match size {
            Size::Discrete { width, height } => (width, height),
            Size::Stepwise { width, height } => (width.reach(self.width), height.reach(self.height)),
        }
    }

    /// Of what a driver lists, the interval to ask for.
    pub fn interval(&self, pause: Pause) -> Interval {
        match pause {
            Pause::Discrete(interval) => interval,
            Pause::Stepwise(shortest, longest) => {
                let wish = f64::from(self.fps);
                if wish > shortest.fps() {
                    shortest
                } else if wish < longest.fps() {
                    longest
                } else {
                    Interval { numerator: 1, denominator: self.fps }
                }
            }
        }
    }

    /// The best of the modes: reaches the size, then the rate, then is cheap to decode. Of those
    /// that reach the wish the least one, of those that do not the greatest.
    pub fn choose(&self, modes: &[Mode]) -> Option<Mode> {
        modes.iter().copied().min_by_key(|mode| (self.size_rank(mode), self.rate_rank(mode), mode.encoding))
    }

    fn size_rank(&self, mode: &Mode) -> (bool, i64) {
        let reached = mode.width >= self.width && mode.height >= self.height;
        let area = i64::from(mode.width) * i64::from(mode.height);
        (!reached, if reached { area } else { -area })
    }

    fn rate_rank(&self, mode: &Mode) -> (bool, Reverse<i64>) {
        // What says nothing about its rate is taken to keep up.
        let Some(interval) = mode.interval else { return (false, Reverse(0)) };
        // Thousandths: 30000/1001 counts as 30.
        let surplus = (interval.fps() * 1000.0) as i64 - i64::from(self.fps) * 1000;
        let reached = surplus > -500;
        (!reached, Reverse(if reached { -surplus.max(0) } else { surplus }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { width: 640, height: 480, fps: 30 };

    fn mode(encoding: Encoding, width: u32, height: u32, fps: u32) -> Mode {
        let fourcc =
            Encoding::ALL.iter().find(|(known, _)| *known == encoding).map_or(*b"????", |(_, code)| *code);
        let interval = Some(Interval { numerator: 1, denominator: fps });
        Mode { encoding, fourcc, width, height, interval }
    }

    fn best(wish: Wish, modes: &[Mode]) -> Mode {
        // The order of a driver's list must not matter.
        let chosen = wish.choose(modes).expect("some");
        let reversed: Vec<Mode> = modes.iter().rev().copied().collect();
        assert_eq!(wish.choose(&reversed), Some(chosen));
        chosen
    }

    #[test]
    fn a_webcam() {
        use Encoding::{Mjpeg, Yuyv};
        let modes = [
            mode(Yuyv, 320, 240, 30),
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 640, 480, 15),
            mode(Yuyv, 1280, 720, 10),
            mode(Mjpeg, 640, 480, 30),
            mode(Mjpeg, 640, 480, 60),
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 1920, 1080, 30),
        ];
        assert_eq!(best(WISH, &modes), mode(Yuyv, 640, 480, 30), "cheaper to decode");
        assert_eq!(best(Wish { fps: 60, ..WISH }, &modes), mode(Mjpeg, 640, 480, 60), "the rate");
        assert_eq!(best(Wish { fps: 12, ..WISH }, &modes), mode(Yuyv, 640, 480, 15), "not more");
        let hd = Wish { width: 1280, height: 720, fps: 30 };
        assert_eq!(best(hd, &modes), mode(Mjpeg, 1280, 720, 30), "the rate before the cost");
        assert_eq!(best(Wish { fps: 100, ..hd }, &modes), mode(Mjpeg, 1280, 720, 30), "the most");
        let between = Wish { width: 800, height: 600, fps: 30 };
        assert_eq!(best(between, &modes), mode(Mjpeg, 1280, 720, 30), "reaches the size");
        let huge = Wish { width: 4000, height: 3000, fps: 30 };
        assert_eq!(best(huge, &modes), mode(Mjpeg, 1920, 1080, 30), "the greatest there is");
        assert_eq!(WISH.choose(&[]), None);
    }

    #[test]
    fn colour_before_grey_and_ntsc_counts_as_thirty() {
        let ntsc = Mode {
            interval: Some(Interval { numerator: 1001, denominator: 30_000 }),
            ..mode(Encoding::Yuyv, 640, 480, 30)
        };
        assert_eq!(best(WISH, &[mode(Encoding::Grey, 640, 480, 30), ntsc]).encoding, Encoding::Yuyv);
        let silent = Mode { interval: None, ..mode(Encoding::Yuyv, 640, 480, 30) };
        assert_eq!(best(WISH, &[mode(Encoding::Mjpeg, 640, 480, 15), silent]), silent);
    }

    #[test]
    fn stepwise_sizes() {
        let steps = |min, max, step| Steps { min, max, step };
        let size = Size::Stepwise { width: steps(16, 1920, 16), height: steps(16, 1080, 8) };
        assert_eq!(WISH.size(size), (640, 480));
        assert_eq!(Wish { width: 641, height: 5, ..WISH }.size(size), (656, 16));
        assert_eq!(Wish { width: 4000, height: 4000, ..WISH }.size(size), (1920, 1080));
        let uneven = Size::Stepwise { width: steps(1, 100, 7), height: steps(1, 1, 0) };
        assert_eq!(WISH.size(uneven), (99, 1));
    }

    #[test]
    fn stepwise_intervals() {
        let interval = |numerator, denominator| Interval { numerator, denominator };
        let range = Pause::Stepwise(interval(1, 60), interval(1, 5));
        assert_eq!(WISH.interval(range), interval(1, 30));
        assert_eq!(Wish { fps: 90, ..WISH }.interval(range), interval(1, 60));
        assert_eq!(Wish { fps: 2, ..WISH }.interval(range), interval(1, 5));
    }
}
