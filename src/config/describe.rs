//! What there is to configure, as a file and as a table, made from the keys themselves.

use super::document::Document;
use super::keys::{Described, Reading};
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
    for (name, help, keys) in sections() {
        let is_list = name.contains('.');
        let header = if is_list { format!("# [[{name}]]\n") } else { format!("\n[{name}]\n") };
        text.push_str(&header);
        text.extend(wrapped(help).map(|line| format!("## {line}\n")));
        for key in keys {
            let value = key.example.as_ref().or(key.default.as_ref()).map_or("", String::as_str);
            text.extend(wrapped(&key.said()).map(|line| format!("## {line}\n")));
            text.push_str(&format!("# {} = {value}\n", key.key));
        }
    }
    text
}

/// The tables of `docs/configuration.md`, in Markdown.
pub fn tables() -> String {
    let mut text = String::new();
    for (name, help, keys) in sections() {
        let header = if name.contains('.') { format!("[[{name}]]") } else { format!("[{name}]") };
        text.push_str(&format!("\n## `{header}`\n"));
        if !help.is_empty() {
            text.push_str(&format!("\n{help}\n"));
        }
        if !keys.is_empty() {
            text.push_str("\n| key | default | range | what it does |\n| --- | --- | --- | --- |\n");
        }
        for key in keys {
            let default = key.default.as_ref().map(|default| format!("`{default}`")).unwrap_or_default();
            let row = [&format!("`{}`", key.key), &default, &key.range(), key.help];
            text.push_str(&format!("| {} |\n", row.map(|cell| cell.replace('|', "\\|")).join(" | ")));
        }
    }
    text
}

/// Sections and lists of tables with their help and keys, in the file's order.
fn sections() -> Vec<(String, &'static str, Vec<Described>)> {
    let mut reading = Reading::new(Document::default(), REMOVED);
    Config::read(&mut reading);
    let mut sections = Vec::new();
    for section in reading.sections {
        let of = |name: &str| reading.keys.iter().filter(|key| key.section == name).cloned().collect();
        sections.push((section.name.to_owned(), section.help, of(section.name)));
        let within = format!("{}.", section.name);
        if let Some(list) = reading.keys.iter().map(|key| &key.section).find(|name| name.starts_with(&within))
        {
            sections.push((list.clone(), "", of(list)));
        }
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

    fn said(&self) -> String {
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
