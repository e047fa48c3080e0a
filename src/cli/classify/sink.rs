//! Where results go.

use std::io;

use anyhow::Context;

use super::args::ClassifyArgs;
use super::copies::{self, Originals};
use super::subtitles::Subtitles;
use super::summary::Summary;
use super::table::{Earlier, Table};
use super::text;
use super::timeline::{self, Timeline};
use crate::cli::status::OutputClosed;
use crate::vocabulary::wire;

/// Where results go.
pub struct Sink<'a> {
    args: &'a ClassifyArgs,
    lines: text::Lines,
    table: Option<Table>,
    timeline: Option<Timeline>,
    subtitles: Option<Subtitles>,
    pub summary: Summary,
}

impl<'a> Sink<'a> {
    /// Makes sure that files can be written before any work is done, and that none is an input.
    pub fn open(args: &'a ClassifyArgs, originals: &Originals, earlier: &Earlier) -> anyhow::Result<Self> {
        for path in [&args.csv, &args.timeline, &args.subtitles].into_iter().flatten() {
            copies::spare(path, originals)?;
        }
        let replace = args.force || args.resume;
        let table = args.csv.as_deref().map(|path| Table::create(path, replace, earlier)).transpose()?;
        if let Some(path) = args.timeline.as_deref() {
            timeline::check(path, replace)?;
        }
        if let Some(path) = args.subtitles.as_deref() {
            copies::begin(path, replace)?;
        }
        Ok(Self {
            args,
            lines: text::Lines::default(),
            table,
            timeline: args.timeline.is_some().then(Timeline::default),
            subtitles: args.subtitles.is_some().then(Subtitles::default),
            summary: Summary::default(),
        })
    }

    pub fn photo(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        self.summary.photo(picture);
        let text = if self.args.json { json(picture)? } else { text::photo(picture) };
        self.put(&text, picture)
    }

    /// A frame of a film that was looked at.
    pub fn frame(&mut self, picture: &wire::Picture) -> anyhow::Result<()> {
        if let Some(timeline) = &mut self.timeline {
            timeline.add(picture);
        }
        if let Some(subtitles) = &mut self.subtitles {
            subtitles.add(picture);
        }
        let lines = self.lines.frame(picture);
        let text = if self.args.json { json(picture)? } else { lines };
        self.put(&text, picture)
    }

    /// After a film's last frame.
    pub fn film_over(&mut self, source: &str) -> anyhow::Result<()> {
        self.summary.film();
        let text = self.lines.film_over(source);
        if self.args.json || self.args.csv_on_stdout() {
            eprint!("{text}");
            return Ok(());
        }
        print(&text)
    }

    fn put(&mut self, text: &str, picture: &wire::Picture) -> anyhow::Result<()> {
        if let Some(table) = &mut self.table {
            table.add(picture)?;
        }
        if self.args.csv_on_stdout() { Ok(()) } else { print(text) }
    }

    pub fn finish(&mut self) -> anyhow::Result<()> {
        if let (Some(timeline), Some(path)) = (self.timeline.take(), &self.args.timeline)
            && !timeline.is_empty()
        {
            timeline.save(path, self.args.force || self.args.resume)?;
        }
        if let (Some(subtitles), Some(path)) = (self.subtitles.take(), &self.args.subtitles)
            && !subtitles.is_empty()
        {
            subtitles.save(path, self.args.force || self.args.resume)?;
        }
        self.finish_table()
    }

    /// Keeps the rows of what was done.
    pub fn finish_table(&mut self) -> anyhow::Result<()> {
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
