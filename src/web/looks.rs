//! What the page is told of how emotions look: a style sheet and a module that are made once.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::overlay::{Look, look};
use crate::vocabulary::emotion::{Emotion, State};

fn states() -> impl Iterator<Item = (&'static str, Look)> {
    let emotions = Emotion::ALL.into_iter().map(State::Emotion);
    emotions.chain([State::Uncertain, State::None]).map(|state| (state.name(), look(state)))
}

/// A variable a state, such as `--happy`, for light and for dark pages.
pub fn css() -> String {
    let (mut light, mut dark) = (String::new(), String::new());
    for (name, look) in states() {
        let _ = write!(light, "--{name}: {}; ", look.light);
        let _ = write!(dark, "--{name}: {}; ", look.dark);
    }
    format!(":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n")
}

/// `EMOTIONS`, names in their order, and `LOOKS` by state: `color`, and `brows`, `eyes` and `mouth` of a face in a
/// square of 64.
pub fn module() -> String {
    let names = json!(Emotion::ALL.map(Emotion::name));
    let looks: Map<String, Value> = states()
        .map(|(name, Look { color: [red, green, blue], face, .. })| {
            let color = format!("#{red:02x}{green:02x}{blue:02x}");
            let look = json!({ "color": color, "brows": face.brows, "eyes": face.eyes, "mouth": face.mouth });
            (name.to_owned(), look)
        })
        .collect();
    format!("export const EMOTIONS = {names};\nexport const LOOKS = {};\n", Value::Object(looks))
}
