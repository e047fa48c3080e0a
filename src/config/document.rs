//! The configuration as it is written: TOML with the place of every value, and what overrides it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// Byte offset in the file; `None`: overridden, or nowhere.
pub type Offset = Option<usize>;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub offset: Offset,
    /// `section.key`; empty where the file cannot be read as TOML.
    pub key: String,
    pub message: String,
}

/// What is written for a key.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    pub offset: Offset,
    value: DeValue<'a>,
    /// An override taken as text, for keys of which it is no value as it is.
    text: Option<DeValue<'a>>,
}

pub type Items<'a> = BTreeMap<String, Item<'a>>;

/// What is written below `[name]`.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    pub offset: Offset,
    /// What stands there instead, where it is no table.
    pub items: Result<Items<'a>, &'static str>,
}

impl<'a> Item<'a> {
    /// The value as `T`.
    ///
    /// # Errors
    /// The place and what was expected there.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, (Offset, String)> {
        let read =
            |value: &DeValue<'a>| T::deserialize(ValueDeserializer::from(Spanned::new(0..0, value.clone())));
        read(&self.value).or_else(|error| match self.text.as_ref().map(read) {
            Some(Ok(value)) => Ok(value),
            _ => {
                // In a list the element's own place.
                let within = error.span().map(|span| span.start).filter(|start| *start > 0);
                Err((self.offset.map(|own| within.unwrap_or(own)), said(&error)))
            }
        })
    }

    /// The tables of a list of tables.
    ///
    /// # Errors
    /// What stands there instead.
    pub fn tables(&self) -> Result<Vec<(Offset, Items<'a>)>, &'static str> {
        let array = self.value.as_array().ok_or_else(|| self.value.type_str())?;
        let in_file = self.offset.is_some();
        let table = |entry: &Spanned<DeValue<'a>>| {
            let table = entry.get_ref().as_table().ok_or_else(|| entry.get_ref().type_str())?;
            Ok((in_file.then_some(entry.span().start), items(table, in_file)))
        };
        array.iter().map(table).collect()
    }
}

fn items<'a>(table: &DeTable<'a>, in_file: bool) -> Items<'a> {
    table
        .iter()
        .map(|(key, value)| {
            let offset = in_file.then_some(key.span().start);
            (key.get_ref().to_string(), Item { offset, value: value.get_ref().clone(), text: None })
        })
        .collect()
}

/// The sections of a file, with the values that override it.
#[derive(Clone, Debug, Default)]
pub struct Document<'a> {
    pub sections: BTreeMap<String, Section<'a>>,
}

/// A key and a value that win over the file's, as they are typed on the command line.
#[derive(Clone, Debug)]
pub struct Override {
    key: String,
    /// TOML with the value as it is, and as a text.
    lines: [String; 2],
}

impl Override {
    pub fn new(key: &str, value: &str) -> Self {
        let quoted = toml::Value::String(value.to_owned());
        Self { key: key.to_owned(), lines: [format!("{key} = {value}"), format!("{key} = {quoted}")] }
    }
}

impl<'a> Document<'a> {
    /// What `text` says, with its mistakes of syntax; what can be read beside them is read all the same.
    pub fn parse(text: &'a str) -> (Self, Vec<Mistake>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mistake = |error: &Error| {
            let span = error.span().unwrap_or(0..0);
            let message = match (error.message(), text.get(span.clone())) {
                ("duplicate key", Some(key)) if is_header(text, span.start) => {
                    format!("[{key}] stands twice: put its keys together")
                }
                ("duplicate key", Some(key)) => format!("{key} stands twice"),
                _ => said(error),
            };
            Mistake { offset: Some(span.start), key: String::new(), message }
        };
        let in_array = errors.iter().position(|error| error.message().contains("array"));
        let told = match in_array {
            // What follows a list that is not closed is taken for its elements.
            Some(first) if errors.iter().any(|error| error.message().contains("unclosed array")) => first + 1,
            _ => errors.len(),
        };
        (Self::of(table.get_ref(), true), errors.iter().take(told).map(mistake).collect())
    }

    fn of(table: &DeTable<'a>, in_file: bool) -> Self {
        let section = |(name, item): (String, Item<'a>)| {
            let items = match &item.value {
                DeValue::Table(table) => Ok(items(table, in_file)),
                other => Err(other.type_str()),
            };
            (name, Section { offset: item.offset, items })
        };
        Self { sections: items(table, in_file).into_iter().map(section).collect() }
    }

    /// Takes the override's value, or its text where that is no value of the key's type.
    ///
    /// # Errors
    /// When its key is none.
    pub fn set(&mut self, new: &'a Override) -> Result<(), Mistake> {
        let parse = |line: &'a str| DeTable::parse(line).map(|table| Self::of(table.get_ref(), false));
        let texts = parse(&new.lines[1]).map_err(|error| Mistake {
            offset: None,
            key: new.key.clone(),
            message: said(&error),
        })?;
        let values = parse(&new.lines[0]).unwrap_or_else(|_| texts.clone());
        for (name, mut section) in values.sections {
            let texts = texts.sections.get(&name).and_then(|section| section.items.as_ref().ok());
            for (key, item) in section.items.iter_mut().flatten() {
                item.text = texts.and_then(|texts| texts.get(key)).map(|text| text.value.clone());
            }
            match (self.sections.get_mut(&name).map(|kept| &mut kept.items), section.items) {
                (Some(Ok(kept)), Ok(items)) => kept.extend(items),
                (_, items) => {
                    self.sections.insert(name, Section { offset: None, items });
                }
            }
        }
        Ok(())
    }
}

/// Whether the byte at `offset` is in a line such as `[camera]`.
fn is_header(text: &str, offset: usize) -> bool {
    let before = text.get(..offset).unwrap_or_default();
    before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('['))
}

/// The parser's message in the words of a user.
fn said(error: &Error) -> String {
    let message = error.message().replace('\n', ", ");
    let whole = [
        (
            "string values must be quoted, expected literal string",
            "a value is expected: true, 3, 0.5, or a text in quotes",
        ),
        ("key with no value, expected `=`", "a key without a value (key = value)"),
        ("invalid boolean, expected `true`", "true is written in small letters"),
        ("invalid boolean, expected `false`", "false is written in small letters"),
        ("invalid basic string, expected `\"`", "the closing `\"` is missing"),
        ("invalid literal string, expected `'`", "the closing `'` is missing"),
        ("unclosed table, expected `]`", "the closing `]` is missing"),
        (
            "missing comma between array elements, expected `,`",
            "a list is not closed, or a comma is missing in it",
        ),
        ("unexpected key or value, expected newline, `#`", "something stands behind the value"),
    ];
    let end = [
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a table"),
    ];
    if let Some((_, plain)) = whole.iter().find(|(toml, _)| *toml == message) {
        return (*plain).to_owned();
    }
    match end.iter().find_map(|(rust, plain)| message.strip_suffix(rust).map(|start| (start, plain))) {
        Some((start, plain)) => format!("{start}{plain}"),
        None => message,
    }
}
