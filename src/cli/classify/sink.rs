//! Where results go.

use std::io;

use anyhow::Context;

use super::args::ClassifyArgs;
use super::table::Table;
use super::text;
use super::timeline::{self, Timeline};
use crate::vocabulary::wire;

/// Standard output was closed by who reads it.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct OutputClosed;

/// Where results go.
pub struct Sink<'a> {
    json: bool,
    lines: text::Lines,
    table: Option<Table>,
    timeline: Option<(Timeline, &'a ClassifyArgs)>,
}

impl<'a> Sink<'a> {
    /// Makes sure that files can be written before any work is done.
    pub fn open(args: &'a ClassifyArgs) -> anyhow::Result<Self> {
        let table = args.csv.as_deref().map(|path| Table::create(path, args.force)).transpose()?;
        if let Some(path) = args.timeline.as_deref() {
            timeline::check(path, args.force)?;
        }
        let timeline = args.timeline.is_some().then(|| (Timeline::default(), args));
        Ok(Self { json: args.json, lines: text::Lines::default(), table, timeline })
    }

    pub fn photo(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        let text = if self.json { json(picture)? } else { text::photo(picture) };
        self.put(&text, picture)
    }

    /// A frame of a film that was looked at.
    pub fn frame(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        if let Some((timeline, _)) = &mut self.timeline {
            timeline.add(picture);
        }
        let text = if self.json { json(picture)? } else { self.lines.frame(picture) };
        self.put(&text, picture)
    }

    /// After a film's last frame.
    pub fn film_over(&mut self, source: &str) -> anyhow::Result<()> {
        let text = self.lines.film_over(source);
        if self.json { Ok(()) } else { print(&text) }
    }

    fn put(&mut self, text: &str, picture: &wire::Picture) -> anyhow::Result<()> {
        if let Some(table) = &mut self.table {
            table.add(picture)?;
        }
        print(text)
    }

    pub fn finish(&mut self) -> anyhow::Result<()> {
        if let Some((timeline, args)) = self.timeline.take()
            && let Some(path) = &args.timeline
        {
            timeline.save(path, args.force)?;
        }
        self.table.take().map_or(Ok(()), Table::finish)
    }
}

fn json(picture: &wire::Picture) -> anyhow::Result<String> {
    Ok(serde_json::to_string(picture)? + "\n")
}

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        result => result.context("unable to write to standard output"),
    }
}
