//! What several inputs come to, on standard error.

use std::collections::BTreeMap;
use std::fmt;

use crate::cli::inputs::LeftOut;
use crate::vocabulary::wire;

#[derive(Debug, Default)]
pub struct Summary {
    photos: usize,
    films: usize,
    /// Of photos, by emotion.
    faces: BTreeMap<&'static str, usize>,
    pub unread: usize,
    pub left_out: LeftOut,
}

impl Summary {
    pub fn photo(&mut self, picture: &wire::Picture) {
        self.photos += 1;
        for face in &picture.faces {
            *self.faces.entry(face.emotion).or_default() += 1;
        }
    }

    pub const fn film(&mut self) {
        self.films += 1;
    }

    /// Whether it says more than what was said already.
    pub fn is_worth_it(&self) -> bool {
        self.photos + self.films + self.unread > 1 || !self.left_out.is_empty()
    }
}

impl fmt::Display for Summary {
    /// `24 photos: 31 faces (20 happy, 11 neutral); 1 film; 2 not read; 1 file left out: 1 .txt`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let mut parts = Vec::new();
        if self.photos > 0 {
            let mut kinds: Vec<_> = self.faces.iter().collect();
            kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let kinds: Vec<String> =
                kinds.into_iter().map(|(emotion, count)| format!("{count} {emotion}")).collect();
            let faces = match self.faces.values().sum() {
                0 => "no face".to_owned(),
                count => format!("{} ({})", counted(count, "face"), kinds.join(", ")),
            };
            parts.push(format!("{}: {faces}", counted(self.photos, "photo")));
        }
        if self.films > 0 {
            parts.push(counted(self.films, "film"));
        }
        if self.unread > 0 {
            parts.push(format!("{} not read", self.unread));
        }
        if !self.left_out.is_empty() {
            parts.push(self.left_out.to_string());
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line() {
        let mut summary = Summary { unread: 2, films: 1, ..Summary::default() };
        assert_eq!(summary.to_string(), "1 film; 2 not read");
        summary.photos = 2;
        assert_eq!(summary.to_string(), "2 photos: no face; 1 film; 2 not read");
        summary.faces = BTreeMap::from([("happy", 1), ("sad", 2)]);
        assert_eq!(summary.to_string(), "2 photos: 3 faces (2 sad, 1 happy); 1 film; 2 not read");
    }
}
