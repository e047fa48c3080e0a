//! The law of the house: which module may use which, and which may read the clock, do I/O or start something.
//!
//! Read from the source's tokens, so that every form of a path counts: `use crate::{a, b}`, `super::c`, a path in the
//! middle of an expression or of a macro. Code under `#[cfg(test)]` may do what it likes.
//! `cargo test --test it architecture -- --nocapture` prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module right below `src/`.
struct Room {
    name: &'static str,
    /// The rooms that it uses. They stand above it in the table, so that there can be no circle.
    uses: &'static str,
    /// What reaches out of memory: the file below the room (`*`: any of them), and which of [`EFFECTS`].
    does: &'static [(&'static str, &'static str)],
}

const HOUSE: &[Room] = &[
    Room {
        name: "base",
        uses: "",
        does: &[
            ("atomic_file", "files"),
            ("clock", "clock"),
            ("part", "threads"),
            ("process_group", "files"),
            ("secret", "files"),
        ],
    },
    Room { name: "vocabulary", uses: "", does: &[] },
    Room { name: "config", uses: "base vocabulary", does: &[("*", "files")] },
    Room {
        name: "media",
        uses: "base vocabulary",
        does: &[("ffmpeg", "programs"), ("film", "files programs threads"), ("photo", "files programs")],
    },
    Room { name: "nets", uses: "base vocabulary", does: &[("*", "files")] },
    Room { name: "see", uses: "vocabulary config media nets", does: &[] },
    Room { name: "people", uses: "base vocabulary config nets see", does: &[("store", "files")] },
    Room { name: "pipeline", uses: "vocabulary config nets see people", does: &[("load", "files")] },
    Room { name: "tell", uses: "base vocabulary", does: &[("stats", "files")] },
    Room { name: "overlay", uses: "vocabulary", does: &[] },
    Room {
        name: "camera",
        uses: "base vocabulary config media",
        does: &[("*", "clock files programs threads devices")],
    },
    Room {
        name: "display",
        uses: "base vocabulary config",
        does: &[("*", "clock"), ("bus", "files devices"), ("preview", "files"), ("spi", "threads devices")],
    },
    Room {
        name: "mqtt",
        uses: "base vocabulary config",
        does: &[("*", "clock network"), ("connect", "files")],
    },
    Room {
        name: "rules",
        uses: "base vocabulary config",
        does: &[("action", "files network programs"), ("mod", "files network")],
    },
    Room {
        name: "web",
        uses: "base vocabulary config media tell overlay",
        does: &[("*", "clock network"), ("access", "files"), ("tls", "files")],
    },
    Room {
        name: "mcp",
        uses: "base vocabulary config media pipeline tell",
        does: &[("mod", "clock"), ("device", "files network")],
    },
    Room {
        name: "eval",
        uses: "vocabulary media nets see",
        does: &[("*", "files"), ("measure", "clock threads")],
    },
    Room {
        name: "daemon",
        uses: "base vocabulary config media people pipeline tell camera display mqtt rules web",
        does: &[("*", "clock threads"), ("enrolled", "files")],
    },
    Room {
        name: "cli",
        uses: "base vocabulary config media nets see people pipeline tell overlay camera display mqtt rules web mcp eval daemon",
        does: &[
            ("*", "clock files"),
            ("classify::encode", "programs"),
            ("progress", "threads"),
            ("workers", "threads"),
        ],
    },
];

/// What a module may do but compute, and the paths and methods (`.name`) that do it.
const EFFECTS: &[(&str, &[&str])] = &[
    (
        "clock",
        &[
            "std::time::Instant::now",
            "std::time::SystemTime",
            "jiff::Timestamp::now",
            "jiff::Zoned::now",
            "crate::base::clock::minute_of_day",
            ".elapsed",
        ],
    ),
    (
        "files",
        &[
            "std::fs",
            "crate::base::atomic_file",
            "libloading",
            "rustix::fs",
            "tempfile",
            "walkdir",
            ".canonicalize",
            ".exists",
            ".is_dir",
            ".is_file",
            ".metadata",
            ".read_dir",
        ],
    ),
    (
        "network",
        &[
            "axum_server",
            "rumqttc::AsyncClient",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
            "tokio::net",
            "ureq::Agent",
        ],
    ),
    ("programs", &["std::process::Command", "tokio::process"]),
    ("threads", &["std::thread::Builder", "std::thread::scope", "std::thread::sleep", "std::thread::spawn"]),
    ("devices", &["linux_embedded_hal", "v4l::Device"]),
];

/// A path as it is written and resolved, `crate::base::latest::Latest`, or a method, `.elapsed`.
type Used = BTreeSet<String>;

/// Every file of `src/` but the crate's two roots, as a module (`crate::base::latest`), with what it uses.
fn house() -> BTreeMap<String, Used> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = BTreeMap::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&source).expect("below src").with_extension("");
                let mut names: Vec<_> = below.iter().map(|name| name.to_str().expect("UTF-8")).collect();
                if names.last() == Some(&"mod") {
                    names.pop();
                }
                if !matches!(names[..], ["lib" | "main"]) {
                    texts.insert(
                        format!("crate::{}", names.join("::")),
                        fs::read_to_string(&path).expect("reads"),
                    );
                }
            }
        }
    }
    let known: BTreeSet<String> = texts.keys().cloned().collect();
    let used = |(module, text): (&String, &String)| {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{module}: {error}"));
        (module.clone(), resolved(module, &written(tokens), &known))
    };
    texts.iter().map(used).collect()
}

/// The paths that stand in the tokens, word by word, and methods. A brace after `::` is every path in it.
fn written(tokens: TokenStream) -> Vec<Vec<String>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(after) = test_code(&tokens[at..]) {
            at += after;
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(_) => at += path(&tokens[at..], &[], &mut found),
            TokenTree::Punct(dot) if dot.as_char() == '.' => {
                if let [_, TokenTree::Ident(name), TokenTree::Group(_), ..] = &tokens[at..] {
                    found.push(vec![format!(".{name}")]);
                }
                at += if matches!(tokens.get(at + 1), Some(TokenTree::Ident(_))) { 2 } else { 1 };
            }
            TokenTree::Group(group) => {
                found.extend(written(group.stream()));
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// Tokens of `#[cfg(test)] mod tests { … }` or of another item under it that ends with a brace or semicolon.
fn test_code(tokens: &[TokenTree]) -> Option<usize> {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else { return None };
    let is_test = hash.as_char() == '#' && attribute.stream().to_string().replace(' ', "") == "cfg(test)";
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    is_test.then(|| 3 + tokens[2..].iter().position(ends).expect("an item"))
}

/// Reads one path from where an identifier stands, below `parents`; says how many tokens it took.
fn path(tokens: &[TokenTree], parents: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let is =
        |at: usize, sign: char| matches!(&tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign);
    let mut words = parents.to_vec();
    let mut at = 0;
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        words.push(word.to_string());
        at += 1;
        if !(is(at, ':') && is(at + 1, ':')) {
            break;
        }
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(_)) => at += 2,
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut from = 0;
                while from < inner.len() {
                    from += if matches!(inner[from], TokenTree::Ident(_)) {
                        path(&inner[from..], &words, found)
                    } else {
                        1
                    };
                }
                return at + 3;
            }
            // `::*`, `::<T>`
            _ => break,
        }
    }
    if let (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(alias))) =
        (tokens.get(at), tokens.get(at + 1))
        && word == "as"
        && words.len() > 1
    {
        words.push(format!("as {alias}"));
        at += 2;
    }
    found.push(words);
    at.max(1)
}

/// Paths from the crate's root or from another crate's: `self`, `super`, child modules and what `use` has named are
/// followed. Names that nothing has brought in are left out.
fn resolved(module: &str, written: &[Vec<String>], known: &BTreeSet<String>) -> Used {
    let absolute = |words: &[String]| -> Option<Vec<String>> {
        let mut at: Vec<String> = module.split("::").map(str::to_owned).collect();
        let mut rest = words;
        match words.first()?.as_str() {
            "crate" => return Some(words.to_vec()),
            "self" if words.len() > 1 => rest = &words[1..],
            "super" if words.len() > 1 => {
                while rest.first().is_some_and(|word| word == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first if words.len() > 1 && known.contains(&format!("{module}::{first}")) => {}
            _ => return None,
        }
        at.extend(rest.iter().cloned());
        Some(at)
    };
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for words in written {
        let (plain, alias) = match words.last() {
            Some(last) if last.starts_with("as ") => (&words[..words.len() - 1], Some(last[3..].to_owned())),
            _ => (&words[..], None),
        };
        let mut full = absolute(plain).unwrap_or_else(|| plain.to_vec());
        if full.last().is_some_and(|last| last == "self") {
            full.pop();
        }
        if full.len() > 1 {
            let name = alias.or_else(|| full.last().cloned()).expect("a name");
            names.entry(name).or_insert(full);
        }
    }
    let mut used = Used::new();
    for words in written {
        let plain: Vec<String> = words.iter().filter(|word| !word.starts_with("as ")).cloned().collect();
        let full = absolute(&plain).unwrap_or_else(|| {
            let named = plain.first().filter(|_| plain.len() > 1).and_then(|first| names.get(first));
            named.map_or_else(|| plain.clone(), |path| path.iter().chain(&plain[1..]).cloned().collect())
        });
        used.insert(full.join("::"));
    }
    used
}

/// The file that a path leads to.
fn file_of<'a>(path: &str, house: &'a BTreeMap<String, Used>) -> Option<&'a str> {
    let mut path = path;
    loop {
        if let Some((file, _)) = house.get_key_value(path) {
            return Some(file);
        }
        path = path.rsplit_once("::")?.0;
    }
}

fn room_of(file: &str) -> &str {
    file.split("::").nth(1).expect("a module")
}

/// Whom each file uses.
fn edges(house: &BTreeMap<String, Used>) -> BTreeMap<&str, BTreeSet<&str>> {
    let of = |(file, used): (&'_ String, &Used)| -> BTreeSet<&str> {
        used.iter().filter_map(|path| file_of(path, house)).filter(|other| other != file).collect()
    };
    house.iter().map(|(file, used)| (file.as_str(), of((file, used)))).collect()
}

/// Some way round, if there is one.
fn circle<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn walk<'a>(
        at: &'a str,
        edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> bool {
        if let Some(start) = way.iter().position(|known| *known == at) {
            way.drain(..start);
            return true;
        }
        if done.contains(at) {
            return false;
        }
        way.push(at);
        if edges.get(at).into_iter().flatten().any(|next| walk(next, edges, way, done)) {
            return true;
        }
        way.pop();
        done.insert(at);
        false
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| {
        let mut way = Vec::new();
        walk(start, edges, &mut way, &mut done).then_some(way)
    })
}

/// The names in a list of the table.
fn words(list: &'static str) -> BTreeSet<&'static str> {
    list.split_whitespace().collect()
}

#[test]
fn rooms_use_what_the_table_says() {
    let house = house();
    let mut found: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (file, others) in edges(&house) {
        let uses = found.entry(room_of(file)).or_default();
        for other in others.into_iter().filter(|other| room_of(other) != room_of(file)) {
            uses.entry(room_of(other)).or_default().insert(file);
        }
    }
    let mut above: BTreeMap<&str, usize> = BTreeMap::new();
    for Room { name, uses, .. } in HOUSE {
        let (listed, found) =
            (words(uses), found.remove(name).unwrap_or_else(|| panic!("room {name} is gone")));
        for (other, files) in &found {
            assert!(listed.contains(other), "{name} uses {other}, which the table does not allow: {files:?}");
        }
        for other in listed {
            assert!(
                found.contains_key(other),
                "{name} does not use {other} any more: take it out of the table"
            );
            assert!(above.contains_key(other), "{name} uses {other}, which does not stand above it");
        }
        let floor = found.keys().map(|other| above[other] + 1).max().unwrap_or(1);
        above.insert(name, floor);
    }
    assert!(found.is_empty(), "modules that the table does not know: {:?}", found.keys());
    let arrows: usize = HOUSE.iter().map(|room| words(room.uses).len()).sum();
    println!("{} rooms on {} floors, {arrows} arrows", HOUSE.len(), above.values().max().expect("rooms"));
    for Room { name, uses, does } in HOUSE {
        let does: Vec<_> = does.iter().map(|(file, what)| format!("{file}: {what}")).collect();
        println!("{} {name:<10} -> {uses:<90} {}", above[name], does.join("; "));
    }
}

#[test]
fn no_files_go_in_circles() {
    let house = house();
    let files = edges(&house);
    assert!(circle(&files).is_none(), "{:?}", circle(&files));
}

#[test]
fn only_who_may_reaches_out_of_memory() {
    let house = house();
    let mut stale: BTreeSet<(&str, &str, &str)> = HOUSE
        .iter()
        .flat_map(|room| {
            room.does
                .iter()
                .flat_map(|(file, what)| words(what).into_iter().map(|what| (room.name, *file, what)))
        })
        .collect();
    for (file, used) in &house {
        let room = HOUSE.iter().find(|room| room.name == room_of(file)).expect("in the table");
        let inner = file.splitn(3, "::").nth(2).unwrap_or("mod");
        for (effect, ways) in EFFECTS {
            let does = |path: &&String| {
                ways.iter().any(|way| {
                    path.strip_prefix(way).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                })
            };
            let Some(path) = used.iter().find(does) else { continue };
            let allowed = room.does.iter().find(|(of, what)| {
                (*of == "*"
                    || inner == *of
                    || inner.strip_prefix(of).is_some_and(|rest| rest.starts_with("::")))
                    && words(what).contains(effect)
            });
            let Some((of, _)) = allowed else {
                panic!("{file} has {path}: {effect} that the table does not allow")
            };
            stale.remove(&(room.name, of, effect));
        }
    }
    assert!(stale.is_empty(), "done by nobody any more, take it out of the table: {stale:?}");
}

#[test]
fn every_form_of_a_path_is_seen() {
    let known: BTreeSet<String> =
        ["crate::a", "crate::a::b", "crate::c", "crate::d", "crate::d::e"].map(str::to_owned).into();
    for (text, path) in [
        ("use crate::{c, d::{self, e}};", "crate::d::e"),
        ("use crate::{c, d::{self, e}};", "crate::c"),
        ("use super::c::Thing;", "crate::c::Thing"),
        ("use crate::d; fn f() { println!(\"{}\", d::e::g()); }", "crate::d::e::g"),
        ("use crate::d as other; const X: u8 = other::e::G;", "crate::d::e::G"),
        ("use b::Thing;", "crate::a::b::Thing"),
        ("use std::{fs, io}; fn f() { fs::read(\"\"); }", "std::fs::read"),
        ("use std::time::Instant; fn f() -> Instant { Instant::now() }", "std::time::Instant::now"),
        ("fn f(start: Instant) { start.elapsed(); }", ".elapsed"),
    ] {
        let used = resolved("crate::a", &written(text.parse().expect("tokens")), &known);
        assert!(used.contains(path), "{text}: {used:?}");
    }
    let test = "#[cfg(test)] mod tests { use crate::c; }";
    assert!(resolved("crate::a", &written(test.parse().expect("tokens")), &known).is_empty());
}
