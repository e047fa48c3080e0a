//! The manual (README.md and docs/) says what is so: its commands and configurations are parsed by the program, what it links
//! to and names is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use emotiond::cli::Args;
use emotiond::config::Config;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// A page's name, its text without fenced blocks, and those with their language and first line.
struct Page {
    name: String,
    prose: String,
    blocks: Vec<(String, usize, String)>,
}

fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.expect("entry").path());
    let mut paths: Vec<PathBuf> =
        docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    paths.sort();
    paths.insert(0, root().join("README.md"));
    assert!(paths.len() > 10, "{paths:?}");
    paths.iter().map(|path| page(path)).collect()
}

fn page(path: &Path) -> Page {
    let name = path.strip_prefix(root()).expect("in the repository").display().to_string();
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut block: Option<(String, usize, String)> = None;
    for (number, line) in read(&name).lines().enumerate() {
        match (line.strip_prefix("```"), block.take()) {
            (Some(language), None) => block = Some((language.to_owned(), number + 2, String::new())),
            (Some(_), Some(done)) => blocks.push(done),
            (None, Some((language, first, text))) => block = Some((language, first, text + line + "\n")),
            (None, None) => prose.extend([line, "\n"]),
        }
    }
    assert!(block.is_none(), "{name}: a block does not end");
    Page { name, prose, blocks }
}

impl Page {
    /// What stands between backticks in the text.
    fn spans(&self) -> impl Iterator<Item = &str> {
        self.prose.split('`').skip(1).step_by(2)
    }

    fn blocks<'a>(&'a self, language: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        let of = move |(of, _, _): &&(String, usize, String)| of == language;
        self.blocks.iter().filter(of).map(|(_, first, text)| (*first, text.as_str()))
    }

    /// The commands in blocks of shell, one each, without comments and `sudo`.
    fn commands(&self) -> Vec<String> {
        let lines = self.blocks("sh").flat_map(|(_, text)| text.lines());
        let without_comment = |line: &'_ str| line.split(" #").next().unwrap_or_default().to_owned();
        let one =
            |line: String| line.split("&&").flat_map(|part| part.split(" | ")).map(bare).collect::<Vec<_>>();
        lines.map(without_comment).flat_map(one).collect()
    }
}

fn bare(command: &str) -> String {
    let command = command.trim();
    let command = command.strip_prefix("sudo ").unwrap_or(command);
    command.strip_prefix("-u emotiond ").unwrap_or(command).to_owned()
}

fn parse_command(line: &str) -> Result<(), clap::Error> {
    let words = shell_words::split(line).expect(line);
    Args::try_parse_from(words).map(|_| ())
}

#[test]
fn commands_are_the_programs_own() {
    let mut found = 0;
    for page in pages() {
        for line in page.commands().iter().filter(|line| line.starts_with("emotiond ")) {
            found += 1;
            parse_command(line).unwrap_or_else(|error| panic!("{}: {line}: {error}", page.name));
        }
        for line in page.spans().filter(|span| span.starts_with("emotiond ")) {
            let missing = [
                ErrorKind::MissingRequiredArgument,
                ErrorKind::MissingSubcommand,
                ErrorKind::DisplayHelp,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ];
            match parse_command(line) {
                Err(error) if !missing.contains(&error.kind()) => panic!("{}: `{line}`: {error}", page.name),
                _ => found += 1,
            }
        }
    }
    assert!(found > 50, "{found}");
}

#[test]
fn targets_of_make_are_there() {
    let makefile = read("Makefile");
    for page in pages() {
        let commands = page.commands();
        let lines = commands.iter().map(String::as_str).chain(page.spans());
        for words in lines.filter_map(|line| line.strip_prefix("make ")) {
            for target in words.split_whitespace().filter(|word| !word.contains('=')) {
                let there = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
                assert!(there, "{}: make {target}", page.name);
            }
        }
    }
}

#[test]
fn configurations_are_valid_and_keys_known() {
    let sections: Vec<String> = toml_sections();
    let mut found = 0;
    for page in pages() {
        for (line, text) in page.blocks("toml") {
            found += 1;
            let place = format!("{}, block at line {line}", page.name);
            Config::parse(text, &place, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
        }
        for span in page.spans() {
            let (key, value) = span.split_once(" = ").unwrap_or((span, ""));
            let Some((section, name)) = key.split_once('.') else { continue };
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if !is_name || name == "json" || !sections.iter().any(|known| known == section) {
                continue;
            }
            found += 1;
            let set = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let said = Config::parse("", "", &set).err().map(|error| error.to_string()).unwrap_or_default();
            // Without a value all that counts is that the key is known.
            assert!(
                !said.contains("unknown") && (value.is_empty() || said.is_empty()),
                "{}: `{span}`: {said}",
                page.name
            );
        }
    }
    assert!(found > 60, "{found}");
}

fn toml_sections() -> Vec<String> {
    let shipped: toml::Table = read("config/emotiond.toml").parse().expect("TOML");
    shipped.keys().cloned().collect()
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

#[test]
fn links_and_files_are_there() {
    let pages = pages();
    let headings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| anchor(line.trim_start_matches('#')))
            .collect()
    };
    let mut found = 0;
    for page in &pages {
        let folder = root().join(&page.name).parent().expect("a folder").to_owned();
        for target in page.prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            found += 1;
            let (file, part) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(&page.name) } else { folder.join(file) };
            assert!(path.exists(), "{}: {target}", page.name);
            let text = if part.is_empty() { String::new() } else { fs::read_to_string(&path).expect(target) };
            assert!(
                part.is_empty() || headings(&text).iter().any(|own| own == part),
                "{}: {target}",
                page.name
            );
        }
        let ours = ["config/", "docs/", "models/", "scripts/", "src/", "systemd/", "tests/"];
        for span in page.spans().filter(|span| ours.iter().any(|folder| span.starts_with(folder))) {
            assert!(root().join(span).exists(), "{}: `{span}`", page.name);
        }
    }
    assert!(found > 50, "{found}");
    let readme = pages[0].prose.clone();
    for page in &pages[1..] {
        assert!(readme.contains(&format!("({})", page.name)), "README.md does not lead to {}", page.name);
    }
}

/// The sources below `folder`, one after the other.
fn sources(folder: &str) -> String {
    let files =
        walkdir::WalkDir::new(root().join(folder)).into_iter().map(|entry| entry.expect("entry").into_path());
    files.filter(|path| path.is_file()).map(|path| fs::read_to_string(&path).expect("text")).collect()
}

#[test]
fn messages_addresses_and_topics_are_the_programs_own() {
    let (all, web, topics) = (sources("src"), sources("src/web"), read("src/mqtt/topics.rs"));
    for page in pages() {
        let blocks = page.blocks.iter().map(|(_, _, text)| text.as_str());
        for text in blocks.chain([page.prose.as_str()]) {
            for rest in text.split("/api/v1/").skip(1) {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && !"./_".contains(c))
                    .unwrap_or(rest.len());
                let path = format!("\"/api/v1/{}\"", rest[..end].trim_end_matches('.'));
                assert!(web.contains(&path), "{}: {path}", page.name);
            }
        }
        let first_cells = page.prose.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        for cell in first_cells {
            let spans = cell.split('`').step_by(2);
            match page.name.as_str() {
                "docs/troubleshooting.md" => {
                    spans.for_each(|span| assert!(all.contains(span), "no {span:?} is said"))
                }
                "docs/mqtt.md" => {
                    spans.for_each(|span| assert!(topics.contains(&format!("{span}\"")), "no topic {span}"));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn figures_are_those_of_the_model() {
    let sidecar: Value = serde_json::from_str(&read("models/emotion.json")).expect("JSON");
    let readme = read("README.md");
    for key in ["publictest_accuracy", "publictest_top2"] {
        let figure = format!("{:.1} %", 100.0 * sidecar["figures"][key].as_f64().expect(key));
        assert!(readme.contains(&figure), "README.md: {key} is {figure}");
    }
}

#[test]
fn the_first_page_is_short() {
    assert!(read("README.md").lines().count() <= 130);
}
