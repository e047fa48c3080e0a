//! The keys of a section: each is named, described and read in one expression,
//!
//! ```ignore
//! timeout: keys.seconds("timeout_s", 5.0, 0.5..=300.0).help("Without a picture for so long …").get(),
//! ```
//!
//! from which the shipped configuration and the manual's table are made, too. A mistake does not end the reading: the
//! key then has its default, and all mistakes are told together.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::document::{Document, Item, Items, Mistake, Offset};
use super::unknown::{Removed, gone, meant};

/// Why a value is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

impl Unfit {
    /// `message` completes "KEY: …".
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// What the manual says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// `camera`, or `rules.rule` for the keys of each of a list of tables.
    pub section: String,
    /// The key's name within its section.
    pub key: &'static str,
    /// In TOML; `None`: without the key it is as its text says.
    pub default: Option<String>,
    /// In TOML, to be shown where the default would not tell enough.
    pub example: Option<String>,
    /// Such as `seconds`; empty: none.
    pub unit: &'static str,
    /// Range or choices; empty: its text says.
    pub limits: String,
    /// What it does, in a sentence or two.
    pub help: &'static str,
}

/// What the manual says of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSection {
    pub name: &'static str,
    pub help: &'static str,
}

/// A reading of a whole document.
#[derive(Debug)]
pub struct Reading<'a> {
    document: Document<'a>,
    removed: &'static Removed,
    pub mistakes: Vec<Mistake>,
    pub keys: Vec<Described>,
    pub sections: Vec<DescribedSection>,
    /// Where keys are written.
    pub places: Vec<(String, Offset)>,
}

impl<'a> Reading<'a> {
    pub fn new(document: Document<'a>, removed: &'static Removed) -> Self {
        Self {
            document,
            removed,
            mistakes: Vec::new(),
            keys: Vec::new(),
            sections: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Reads the section `name`.
    pub fn section<T>(
        &mut self,
        name: &'static str,
        help: &'static str,
        read: impl FnOnce(&mut Keys<'_, 'a>) -> T,
    ) -> T {
        self.sections.push(DescribedSection { name, help });
        let section = self.document.sections.remove(name);
        let offset = section.as_ref().and_then(|section| section.offset);
        let items = match section.map(|section| section.items) {
            Some(Ok(items)) => items,
            None => Items::new(),
            Some(Err(kind)) => {
                let message = format!("invalid type: {kind}, expected a table, [{name}]");
                self.mistakes.push(Mistake { offset, key: name.to_owned(), message });
                Items::new()
            }
        };
        self.table(name.to_owned(), offset, items, read)
    }

    fn table<T>(
        &mut self,
        name: String,
        offset: Offset,
        items: Items<'a>,
        read: impl FnOnce(&mut Keys<'_, 'a>) -> T,
    ) -> T {
        let mut keys = Keys { reading: self, name, offset, items, known: Vec::new() };
        let value = read(&mut keys);
        keys.refuse_unknown();
        value
    }

    /// Refuses the sections that were not read.
    pub fn refuse_unknown_sections(&mut self) {
        let known: Vec<&str> = self.sections.iter().map(|section| section.name).collect();
        let unknown = std::mem::take(&mut self.document.sections);
        for (name, section) in unknown {
            let message = match gone(self.removed, &name) {
                Some(message) => message,
                None => match self.keys.iter().find(|key| key.key == name) {
                    Some(key) => {
                        format!("a key outside of its section, did you mean {}.{name}?", key.section)
                    }
                    None => format!("unknown section, {}", meant(&name, &known)),
                },
            };
            self.mistakes.push(Mistake { offset: section.offset, key: name, message });
        }
    }
}

/// The keys of one table.
#[derive(Debug)]
pub struct Keys<'r, 'a> {
    reading: &'r mut Reading<'a>,
    name: String,
    offset: Offset,
    /// What was not read yet.
    items: Items<'a>,
    known: Vec<&'static str>,
}

/// A key's value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    pub value: T,
    key: String,
    /// Of the table, where the key is not written.
    offset: Offset,
    /// False: the default.
    pub written: bool,
    /// False: a mistake was found in it, and `value` is the default.
    pub sound: bool,
}

impl<T> Read<T> {
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Read<U> {
        let Self { value, key, offset, written, sound } = self;
        Read { value: convert(value), key, offset, written, sound }
    }

    /// The value, and where it stands.
    pub fn split(self) -> (T, Read<()>) {
        let Self { value, key, offset, written, sound } = self;
        (value, Read { value: (), key, offset, written, sound })
    }
}

impl<'a> Keys<'_, 'a> {
    fn key<T>(
        &mut self,
        key: &'static str,
        default: T,
        shown: Option<String>,
        read: impl FnOnce(&Item<'a>) -> Result<T, (Offset, String)>,
    ) -> Key<'_, T> {
        self.known.push(key);
        let name = format!("{}.{key}", self.name);
        let item = self.items.remove(key);
        let offset = item.as_ref().map_or(self.offset, |item| item.offset);
        let written = item.is_some();
        if written {
            self.reading.places.push((name.clone(), offset));
        }
        let (value, sound) = match item.as_ref().map(read) {
            None => (default, true),
            Some(Ok(value)) => (value, true),
            Some(Err((offset, message))) => {
                self.reading.mistakes.push(Mistake { offset, key: name.clone(), message });
                (default, false)
            }
        };
        let section = self.name.clone();
        Key {
            read: Read { value, key: name, offset, written, sound },
            described: Described {
                section,
                key,
                default: shown,
                example: None,
                unit: "",
                limits: String::new(),
                help: "",
            },
            all: &mut self.reading.keys,
        }
    }

    fn converted<W: DeserializeOwned, T>(
        &mut self,
        key: &'static str,
        default: T,
        shown: Option<String>,
        convert: impl FnOnce(W) -> Result<T, Unfit>,
    ) -> Key<'_, T> {
        self.key(key, default, shown, |item| {
            convert(item.read()?).map_err(|unfit| (item.offset, unfit.to_string()))
        })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, default: bool) -> Key<'_, bool> {
        self.converted(key, default, Some(default.to_string()), Ok)
    }

    /// A whole number.
    pub fn integer<T: TryFrom<i64> + fmt::Display>(
        &mut self,
        key: &'static str,
        default: T,
        range: RangeInclusive<i64>,
    ) -> Key<'_, T> {
        let shown = default.to_string();
        let limits = limits(&range);
        let in_range = |value| {
            let fits = T::try_from(value).ok().filter(|_| range.contains(&value));
            fits.ok_or_else(|| Unfit::new(format_args!("{value} is out of range ({limits})")))
        };
        let mut key = self.converted(key, default, Some(shown), in_range);
        key.described.limits = limits.clone();
        key
    }

    /// A number.
    pub fn number(&mut self, key: &'static str, default: f64, range: RangeInclusive<f64>) -> Key<'_, f64> {
        let limits = limits(&range);
        let in_range = |value: f64| match range.contains(&value) {
            true => Ok(value),
            false => Err(Unfit::new(format_args!("{value} is out of range ({limits})"))),
        };
        let mut key = self.converted(key, default, Some(format!("{default:?}")), in_range);
        key.described.limits = limits.clone();
        key
    }

    /// A time in seconds.
    pub fn seconds(
        &mut self,
        key: &'static str,
        default: f64,
        range: RangeInclusive<f64>,
    ) -> Key<'_, Duration> {
        self.number(key, default, range).unit("seconds").map(Duration::from_secs_f64)
    }

    /// One of a few words.
    pub fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        default: T,
        choices: &[(&'static str, T)],
    ) -> Key<'_, T> {
        let shown = choices.iter().find(|(_, choice)| *choice == default).map(|(name, _)| quoted(name));
        let find = |text: String| {
            let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
            found.ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                Unfit::new(format_args!("{text:?} is none of {}", names.join(", ")))
            })
        };
        let mut key = self.converted(key, default, shown, find);
        key.described.limits = choices.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ");
        key
    }

    /// One of a few whole numbers.
    pub fn steps<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        default: T,
        steps: &[(i64, T)],
    ) -> Key<'_, T> {
        let shown = steps.iter().find(|(_, step)| *step == default).map(|(number, _)| number.to_string());
        let numbers = steps.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(", ");
        let find = |written: i64| {
            let found = steps.iter().find(|(number, _)| *number == written).map(|(_, step)| *step);
            found.ok_or_else(|| Unfit::new(format_args!("{written} is none of {numbers}")))
        };
        let mut key = self.converted(key, default, shown, find);
        key.described.limits = numbers.clone();
        key
    }

    /// What `parse` makes of a text.
    pub fn text<T: fmt::Display, E: fmt::Display>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Key<'_, T> {
        let shown = quoted(&default.to_string());
        self.converted(key, default, Some(shown), |text: String| parse(&text).map_err(Unfit::new))
    }

    /// What `parse` makes of a text, of which `none` means none.
    pub fn optional<T: fmt::Display, E: fmt::Display>(
        &mut self,
        key: &'static str,
        none: &'static str,
        default: Option<T>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Key<'_, Option<T>> {
        let shown = quoted(&default.as_ref().map_or_else(|| none.to_owned(), ToString::to_string));
        self.converted(key, default, Some(shown), |text: String| match text == none {
            true => Ok(None),
            false => parse(&text).map(Some).map_err(Unfit::new),
        })
    }

    /// A file's path; an empty one counts as not written.
    pub fn file(&mut self, key: &'static str) -> Key<'_, Option<PathBuf>> {
        self.converted(key, None, Some(quoted("")), |path: String| {
            Ok(Some(path).filter(|path| !path.is_empty()).map(PathBuf::from))
        })
    }

    /// A file's path or a name; an empty one counts as not written.
    pub fn path(&mut self, key: &'static str, default: &str) -> Key<'_, PathBuf> {
        self.converted(key, PathBuf::from(default), Some(quoted(default)), |path: String| {
            Ok(PathBuf::from(if path.is_empty() { default } else { &path }))
        })
    }

    /// What `convert` makes of a list or a table, which is empty by default.
    pub fn list<W: DeserializeOwned, T: Default>(
        &mut self,
        key: &'static str,
        empty: &str,
        convert: impl FnOnce(W) -> Result<T, Unfit>,
    ) -> Key<'_, T> {
        self.converted(key, T::default(), Some(empty.to_owned()), convert)
    }

    /// What has no default.
    pub fn maybe<W: DeserializeOwned, T>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(W) -> Result<T, Unfit>,
    ) -> Key<'_, Option<T>> {
        self.converted(key, None, None, |written| convert(written).map(Some))
    }

    /// Each of a list of tables.
    pub fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Keys<'_, 'a>) -> T) -> Vec<T> {
        self.known.push(key);
        let name = format!("{}.{key}", self.name);
        // Without one there is still something to describe.
        let sample = self.reading.mistakes.len();
        self.reading.table(name.clone(), None, Items::new(), &mut read);
        self.reading.mistakes.truncate(sample);
        let told = self.reading.keys.len();
        let Some(item) = self.items.remove(key) else { return Vec::new() };
        let tables = item.tables().unwrap_or_else(|kind| {
            let message = format!("invalid type: {kind}, expected tables, [[{name}]]");
            self.reading.mistakes.push(Mistake { offset: item.offset, key: name.clone(), message });
            Vec::new()
        });
        let mut values = Vec::new();
        for (offset, items) in tables {
            values.push(self.reading.table(name.clone(), offset, items, &mut read));
            self.reading.keys.truncate(told);
        }
        values
    }

    /// What is wrong with what was `read`, seen together with other keys.
    pub fn mistake<T>(&mut self, read: &Read<T>, message: impl fmt::Display) {
        self.reading.mistakes.push(Mistake {
            offset: read.offset,
            key: read.key.clone(),
            message: message.to_string(),
        });
    }

    fn refuse_unknown(&mut self) {
        for (key, item) in std::mem::take(&mut self.items) {
            let name = format!("{}.{key}", self.name);
            let message = gone(self.reading.removed, &name)
                .unwrap_or_else(|| format!("unknown key, {}", meant(&key, &self.known)));
            self.reading.mistakes.push(Mistake { offset: item.offset, key: name, message });
        }
    }
}

/// A key that was read and is still being described.
#[derive(Debug)]
pub struct Key<'k, T> {
    read: Read<T>,
    described: Described,
    all: &'k mut Vec<Described>,
}

impl<'k, T> Key<'k, T> {
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.described.unit = unit;
        self
    }

    pub fn help(mut self, help: &'static str) -> Self {
        self.described.help = help;
        self
    }

    /// What is shown in place of the default, in TOML.
    pub fn example(mut self, example: &str) -> Self {
        self.described.example = Some(example.to_owned());
        self
    }

    fn map<U>(self, convert: impl FnOnce(T) -> U) -> Key<'k, U> {
        Key { read: self.read.map(convert), described: self.described, all: self.all }
    }

    /// The value.
    pub fn get(self) -> T {
        self.read().value
    }

    /// The value and where it stands, for what is asked of several keys.
    pub fn read(self) -> Read<T> {
        self.all.push(self.described);
        self.read
    }
}

fn limits<T: fmt::Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start(), range.end())
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOVED: &Removed = &[("lamp.power", "lamp.watts"), ("bulb", "[lamp]")];

    /// The lamp's watts, and all mistakes.
    fn read(text: &str) -> (u32, Vec<(String, String)>) {
        let (document, mistakes) = Document::parse(text);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let mut reading = Reading::new(document, REMOVED);
        let watts = reading
            .section("lamp", "", |keys| keys.integer("watts", 5, 1..=9).unit("W").help("Power.").get());
        reading.refuse_unknown_sections();
        (watts, reading.mistakes.into_iter().map(|mistake| (mistake.key, mistake.message)).collect())
    }

    #[test]
    fn a_wrong_value_is_told_and_its_default_taken() {
        assert_eq!(read("[lamp]\nwatts = 7\n"), (7, vec![]));
        let (watts, mistakes) = read("[lamp]\nwatts = 0\n");
        assert_eq!(watts, 5);
        assert_eq!(mistakes, [("lamp.watts".to_owned(), "0 is out of range (1 to 9)".to_owned())]);
    }

    #[test]
    fn what_was_removed_names_what_replaces_it() {
        let told = |text| {
            read(text).1.into_iter().map(|(key, message)| format!("{key}: {message}")).collect::<Vec<_>>()
        };
        assert_eq!(told("[lamp]\npower = 7\n"), ["lamp.power: is gone: use lamp.watts"]);
        assert_eq!(told("[bulb]\nwatts = 7\n"), ["bulb: is gone: use [lamp]"]);
        assert_eq!(told("[lamp]\nwats = 7\n"), ["lamp.wats: unknown key, did you mean watts?"]);
        assert_eq!(told("[lamp]\nWATTS = 7\n"), ["lamp.WATTS: unknown key, did you mean watts?"]);
        assert_eq!(told("[lmap]\n"), ["lmap: unknown section, did you mean lamp?"]);
        assert_eq!(told("[lamp]\ncolour = 7\n"), ["lamp.colour: unknown key, expected watts"]);
    }
}
