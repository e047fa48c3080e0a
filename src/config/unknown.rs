//! Keys that there are not: what replaces them, or what may have been meant.

/// Removed keys (`section.key`) or sections, with what is to be used in their place.
pub type Removed = [(&'static str, &'static str)];

/// What is said of a removed key; `None`: it never was one.
pub fn gone(removed: &Removed, key: &str) -> Option<String> {
    removed.iter().find(|(old, _)| *old == key).map(|(_, instead)| format!("is gone: use {instead}"))
}

/// What somebody who wrote `unknown` may have meant.
pub fn meant(unknown: &str, known: &[&str]) -> String {
    let far = |name: &str| strsim::damerau_levenshtein(&unknown.to_lowercase(), name);
    match known.iter().filter(|name| far(name) <= 1 + unknown.len() / 4).min_by_key(|name| far(name)) {
        Some(name) => format!("did you mean {name}?"),
        None if known.len() == 1 => format!("expected {}", known[0]),
        None => format!("expected one of {}", known.join(", ")),
    }
}
