//! How emotions look, in pictures and on the page.

use crate::vocabulary::emotion::{Emotion, State};

/// Colours, and a drawn face, so that an emotion is told by its shape, too.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Behind black text; chosen to differ in lightness, too, for the colour-blind. Red, green, blue.
    pub color: [u8; 3],
    /// Of bars and strips on a light page, as CSS has it.
    pub light: &'static str,
    /// The same on a dark one.
    pub dark: &'static str,
    /// As the page draws it.
    pub face: Drawing,
}

/// A face in a square of 64, about whose middle stands a head of radius 29.
#[derive(Clone, Copy, Debug)]
pub struct Drawing {
    /// SVG path data; empty, as `mouth` is, where there is no face.
    pub brows: &'static str,
    /// Radius of the eyes.
    pub eyes: f64,
    /// SVG path data.
    pub mouth: &'static str,
}

/// How a face or its absence is shown.
pub const fn look(state: State) -> Look {
    match state {
        State::None => {
            new([168, 174, 182], ("#c9d0d9", "#434b57"), Drawing { brows: "", eyes: 0.0, mouth: "" })
        }
        State::Uncertain => new(
            [168, 174, 182],
            ("#a3abb6", "#7f8894"),
            Drawing { brows: "M18 20h10M36 17h10", eyes: 3.2, mouth: "M21 45q5-4 11 0t11-3" },
        ),
        State::Emotion(Emotion::Angry) => new(
            [255, 118, 104],
            ("#e2493a", "#ff7668"),
            Drawing { brows: "M17 18l12 6M47 18l-12 6", eyes: 3.2, mouth: "M20 46q12-8 24 0" },
        ),
        State::Emotion(Emotion::Disgust) => new(
            [150, 208, 72],
            ("#6f9c1f", "#96d048"),
            Drawing { brows: "M17 22l11 2M47 18l-11 5", eyes: 2.6, mouth: "M19 45q6-7 12-3t14-3" },
        ),
        State::Emotion(Emotion::Fear) => new(
            [204, 150, 255],
            ("#9455dd", "#cc96ff"),
            Drawing { brows: "M17 21q6-5 11-4M36 17q5-1 11 4", eyes: 4.4, mouth: "M19 46q4-6 8 0t8 0 8 0" },
        ),
        State::Emotion(Emotion::Happy) => new(
            [255, 216, 66],
            ("#e0ab00", "#ffd842"),
            Drawing { brows: "M18 21q5-4 10 0M36 21q5-4 10 0", eyes: 3.2, mouth: "M18 37q14 17 28 0" },
        ),
        State::Emotion(Emotion::Sad) => new(
            [105, 175, 255],
            ("#2f7fd8", "#69afff"),
            Drawing { brows: "M17 24q6-1 11-5M36 19q5 4 11 5", eyes: 3.2, mouth: "M20 48q12-12 24 0" },
        ),
        State::Emotion(Emotion::Surprise) => new(
            [255, 160, 40],
            ("#e27c00", "#ffa028"),
            Drawing { brows: "M17 17q6-6 11-2M36 15q5-4 11 2", eyes: 4.4, mouth: "M32 39a6 7 0 1 0 .1 0" },
        ),
        State::Emotion(Emotion::Neutral) => new(
            [226, 230, 236],
            ("#7d8897", "#cfd5de"),
            Drawing { brows: "M18 20h10M36 20h10", eyes: 3.2, mouth: "M21 44h22" },
        ),
        State::Emotion(Emotion::Contempt) => new(
            [58, 212, 190],
            ("#0f9c84", "#3ad4be"),
            Drawing { brows: "M17 22h11M36 20q6-4 11-1", eyes: 3.2, mouth: "M20 44q14 3 24-6" },
        ),
    }
}

const fn new(color: [u8; 3], (light, dark): (&'static str, &'static str), face: Drawing) -> Look {
    Look { color, light, dark, face }
}
