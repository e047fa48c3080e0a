//! What there is to configure, as a file and as a table, made from the keys themselves.

use super::document::Document;
pub use super::keys::Described;
use super::keys::Reading;
use super::{Config, REMOVED};

/// Width of the file's comments.
const WIDTH: usize = 116;

const HEAD: &str = "\
## emotiond's configuration. Every key is optional and stands here, switched off, with its default.
## `emotiond check` names file, line and key of every mistake. SIGHUP (systemctl reload) takes over
## [smoothing], [rules], [log] and classifier.min_confidence; the rest needs a restart.
";

/// `config/emotiond.toml`: every key, switched off, with its default and what there is to say of it.
pub fn file() -> String {
    let mut text = HEAD.to_owned();
    for section in sections() {
        let off = if section.is_list() { "# " } else { "\n" };
        text.push_str(&format!("{off}{}\n", section.header()));
        text.extend(wrapped(section.help).map(|line| format!("## {line}\n")));
        for key in section.keys {
            text.extend(wrapped(&key.said()).map(|line| format!("## {line}\n")));
            text.push_str(&format!("# {} = {}\n", key.key, key.shown()));
        }
    }
    text
}

/// The tables of `docs/configuration.md`, in Markdown.
pub fn tables() -> String {
    let mut text = String::new();
    for section in sections() {
        text.push_str(&format!("\n## `{}`\n", section.header()));
        if !section.help.is_empty() {
            text.push_str(&format!("\n{}\n", section.help));
        }
        if !section.keys.is_empty() {
            text.push_str("\n| key | default | range | what it does |\n| --- | --- | --- | --- |\n");
        }
        for key in section.keys {
            let default = key.default.as_ref().map(|default| format!("`{default}`")).unwrap_or_default();
            let row = [&format!("`{}`", key.key), &default, &key.range(), key.help];
            text.push_str(&format!("| {} |\n", row.map(|cell| cell.replace('|', "\\|")).join(" | ")));
        }
    }
    text
}

/// A section, or each of a list of tables, and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `camera`, or `rules.rule` of a list.
    pub name: String,
    /// May be empty.
    pub help: &'static str,
    /// In the order of the file.
    pub keys: Vec<Described>,
}

impl Section {
    fn is_list(&self) -> bool {
        self.name.contains('.')
    }

    /// As TOML writes it.
    pub fn header(&self) -> String {
        let name = &self.name;
        if self.is_list() { format!("[[{name}]]") } else { format!("[{name}]") }
    }
}

/// All there is to configure, in the file's order.
pub fn sections() -> Vec<Section> {
    let mut reading = Reading::new(Document::default(), REMOVED);
    Config::read(&mut reading);
    let mut sections = Vec::new();
    for section in reading.sections {
        let of = |name: &str| reading.keys.iter().filter(|key| key.section == name).cloned().collect();
        let within = format!("{}.", section.name);
        let list = reading.keys.iter().map(|key| &key.section).find(|name| name.starts_with(&within));
        let list = list.map(|list| Section { name: list.clone(), help: "", keys: of(list) });
        sections.push(Section { name: section.name.to_owned(), help: section.help, keys: of(section.name) });
        sections.extend(list);
    }
    sections
}

impl Described {
    /// Range or choices with the unit.
    fn range(&self) -> String {
        [self.limits.as_str(), self.unit]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Example or default, in TOML.
    pub fn shown(&self) -> &str {
        self.example.as_ref().or(self.default.as_ref()).map_or("", String::as_str)
    }

    /// What it does, with range and unit.
    pub fn said(&self) -> String {
        match self.range() {
            range if range.is_empty() => self.help.to_owned(),
            range => format!("{} [{range}]", self.help),
        }
    }
}

/// `text` in lines.
fn wrapped(text: &str) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}
