//! The shipped configuration and the manual's tables are what the keys say, and the keys take what they show.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use emotiond::config::{Config, Rules, describe};

const SHIPPED: &str = include_str!("../../config/emotiond.toml");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, "emotiond.toml", &BTreeMap::new()).map_err(|error| error.to_string())
}

/// Compares a file of the repository with what it should be; `BLESS=1` in the environment writes it.
fn assert_generated(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, expected).expect("writes");
    }
    let text = fs::read_to_string(&path).expect(file);
    let line = text.lines().zip(expected.lines()).position(|(is, should)| is != should);
    assert!(
        text == expected,
        "{file}: line {:?} is not what the keys say: BLESS=1 writes it",
        line.map(|at| at + 1)
    );
}

#[test]
fn the_file_is_what_the_keys_say() {
    assert_generated("config/emotiond.toml", &describe::file());
}

#[test]
fn the_manuals_tables_are_what_the_keys_say() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(page).expect("the page");
    let above = text.split("\n## `[").next().expect("what stands above the tables");
    assert_generated("docs/configuration.md", &format!("{above}{}", describe::tables()));
}

#[test]
fn as_it_is_it_changes_nothing() {
    assert_eq!(parse(SHIPPED), parse(""));
}

#[test]
fn switched_on_it_holds_the_defaults() {
    let switched_on: Vec<&str> =
        SHIPPED.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let mut config = parse(&switched_on.join("\n")).expect("valid");
    let defaults = parse("[device]\nid = \"living-room\"\nstate_dir = \"/var/lib/emotiond\"").expect("valid");
    assert_eq!(config.rules.rules.len(), 1, "the example");
    config.rules = Rules { rules: Vec::new() };
    assert_eq!(config, defaults);
}

#[test]
fn every_mistake_is_told_in_the_order_of_the_file() {
    let text = "\
fps = 3
[camera]
widht = 640
fps = 0
rotate = 45
[web]
listen = \"0.0.0.0:8080\"
max_body_mb = \"much\"
[colour]
red = 1
[[rules.rule]]
name = \"a b\"
emotion = \"glee\"
for_s = -1
[display]
bus = \"/dev/spidev0.0\"
dc_line = \"25\"
";
    let error = parse(text).expect_err("mistakes");
    let starts = [
        "emotiond.toml:1: fps: a key outside of its section, did you mean camera.fps?",
        "emotiond.toml:3: camera.widht: unknown key, did you mean width?",
        "emotiond.toml:4: camera.fps: 0 is out of range (1 to 240)",
        "emotiond.toml:5: camera.rotate: 45 is none of 0, 90, 180, 270",
        "emotiond.toml:7: web.listen: 0.0.0.0:8080 can be reached",
        "emotiond.toml:8: web.max_body_mb: invalid type: string \"much\", expected a whole number",
        "emotiond.toml:9: colour: unknown section",
        "emotiond.toml:11: rules.rule.publish: a rule needs something to do",
        "emotiond.toml:12: rules.rule.name: \"a b\" is no name",
        "emotiond.toml:13: rules.rule.emotion: unknown emotion \"glee\"",
        "emotiond.toml:14: rules.rule.for_s: -1 is out of range",
        "emotiond.toml:17: display.dc_line: invalid type: string \"25\", expected a whole number",
    ];
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), starts.len(), "{error}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line} is not {start}");
    }
}

#[test]
fn mistakes_of_syntax_hide_no_others() {
    let text = "\
[camera]
fps = 0
width =
enabled = True
[log]
level = \"loud\"
level = \"info\"
[display]
bus = '/dev/i2c-1
size = 1
[camera]
[mqtt
url = \"\"
";
    let error = parse(text).expect_err("mistakes");
    let lines: Vec<&str> = error.lines().filter_map(|line| line.strip_prefix("emotiond.toml:")).collect();
    let expected = [
        "2: camera.fps: 0 is out of range (1 to 240)",
        "3: camera.width: a value is expected: true, 3, 0.5, or a text in quotes",
        "4: camera.enabled: true is written in small letters",
        "6: log.level: \"loud\" is none of error, warn, info, debug, trace",
        "7: level stands twice",
        "9: display.bus: the closing `'` is missing",
        "10: display.size: invalid type: integer `1`, expected a string",
        "11: [camera] stands twice: put its keys together",
        "12: the closing `]` is missing",
    ];
    assert_eq!(lines, expected);
    let error =
        parse("[web]\nlive_fps = 0\nallowed_hosts = [\"a\"\nmax_viewers = 3\n[log]\nlevel = \"loud\"\n")
            .expect_err("open");
    let lines: Vec<&str> = error.lines().collect();
    let expected = [
        "emotiond.toml:2: web.live_fps: 0 is out of range (1 to 60)",
        "emotiond.toml:4: a list is not closed, or a comma is missing in it",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn overrides_of_any_kind_are_taken() {
    let set = |key: &str, value: &str| {
        let overrides = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Config::parse("[camera]\nfps = 5\nwidth = 320\n", "t", &overrides).map_err(|error| error.to_string())
    };
    assert_eq!(set("device.id", "123").expect("a text").device.id, "123");
    let camera = set("camera", "{ fps = 7 }").expect("a table").camera;
    assert_eq!((camera.fps, camera.width), (7, 320));
    let options = set("classifier.delegate_options.device", "0").expect_err("the CPU takes none");
    assert!(options.starts_with("classifier.delegate_options: delegate cpu takes none"), "{options}");
    for (key, value, message) in [
        ("camera.fps", "many", "camera.fps: invalid type: string \"many\", expected a whole number"),
        ("camera.fps", "1.5", "camera.fps: invalid type: floating point `1.5`, expected a whole number"),
        ("fps", "3", "fps: a key outside of its section, did you mean camera.fps?"),
        ("camera.fsp", "3", "camera.fsp: unknown key, did you mean fps?"),
        ("a b", "3", "a b: "),
    ] {
        let error = set(key, value).expect_err(key);
        assert!(error.starts_with(message) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn what_mqtt_and_http_cannot_send_is_refused() {
    let deep = "a/".repeat(195) + "a";
    let long = "x".repeat(65_500);
    let too_long = "x".repeat(65_536);
    let much = "x".repeat(1 << 20);
    let rule = |line: &str| {
        format!("[[rules.rule]]\nname = \"r\"\nemotion = \"happy\"\npublish = \"a/b\"\n{line}\n")
    };
    let cases = [
        ("[mqtt]\nbase_topic = \"a\\nb\"", "mqtt.base_topic: \"a\\nb\" is no base topic: it holds a control"),
        ("[mqtt]\nbase_topic = \"a\\u0000\"", "it holds a control character"),
        ("[mqtt]\nbase_topic = \"a/+\"", "it holds + or #"),
        ("[mqtt]\nbase_topic = \"$a\"", "it begins with $"),
        ("[mqtt]\nbase_topic = \"a/\"", "it has a slash at an end"),
        (&format!("[mqtt]\nbase_topic = \"{deep}\""), "it has more than 200 levels"),
        // What is put below it would not fit any more.
        (&format!("[mqtt]\nbase_topic = \"{long}\""), "it is longer than 65535 bytes"),
        (
            "[mqtt]\ndiscovery_prefix = \"#\"",
            "mqtt.discovery_prefix: \"#\" is no base topic: it holds + or #",
        ),
        ("[mqtt]\nusername = \"a\\u0001\"", "mqtt.username: it holds a control character"),
        (&format!("[mqtt]\nclient_id = \"{too_long}\""), "mqtt.client_id: it is longer than 65535 bytes"),
        ("[mqtt]\nurl = \"mqtt://house:99999\"", "mqtt.url: mqtt://house:99999 is no broker"),
        ("[mqtt]\nurl = \"mqtt://ho use\"", "mqtt.url: … is no broker"),
        (&rule("publish = \"a/#\"").replace("publish = \"a/b\"\n", ""), "it holds + or #"),
        (&rule("publish = \"\"").replace("publish = \"a/b\"\n", ""), "it is empty"),
        (&rule(&format!("payload = \"{much}\"")), "rules.rule.payload: it has 1048576 bytes"),
        (&rule("post = \"http://house:99999/a\""), "rules.rule.post: http://house:99999/… "),
    ];
    for (text, message) in cases {
        let error = parse(text).expect_err(message);
        assert!(error.contains(message) && error.lines().count() == 1, "{message:?} is not in {error:.300}");
    }
    // An editor's byte order mark is no mistake.
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("emotiond.toml");
    fs::write(&file, "\u{feff}[camera]\nfps = 7\n").expect("written");
    assert_eq!(Config::load(Some(&file), &BTreeMap::new()).expect("read").camera.fps, 7);
}

#[test]
fn no_password_is_told() {
    let mistakes = [
        "[mqtt]\nurl = \"mqtt://user:sesame@house\"",
        "[mqtt]\nurl = \"http://user:sesame@house\"",
        "[camera]\nsource = \"rtsp://user:sesame@camera/stream\"",
        "[camera]\nsource = \"replay:rtsp://user:sesame@camera/stream\"",
        "[camera]\nsource = \"command:ffmpeg -i 'rtsp://user:sesame@camera\"",
        "[camera]\nsource = \"command:curl --user 'me:sesame http://camera\"",
        "[[rules.rule]]\nname = \"r\"\nemotion = \"happy\"\npost = \"http://user:sesame@house/\"",
        "[[rules.rule]]\nname = \"r\"\nemotion = \"happy\"\npost = \"ftp://house/hook/sesame\"",
        "[[rules.rule]]\nname = \"r\"\nemotion = \"happy\"\npost = \"http://house:99999/hook/sesame\"",
        "[web]\nlisten = \"http://user:sesame@house\"",
        "[device]\nid = \"http://user:sesame@house\"",
    ];
    for text in mistakes {
        let error = parse(text).expect_err(text);
        assert!(!error.contains("sesame"), "{error}");
    }
    let right = "[camera]\nsource = \"command:ffmpeg -i rtsp://user:sesame@camera -f mjpeg -\"\n\
                 [[rules.rule]]\nname = \"r\"\nemotion = \"happy\"\npost = \"http://house/hook/sesame\"\n\
                 command = [\"/bin/chime\", \"--key\", \"sesame\"]";
    let config = parse(right).expect("right");
    assert!(!format!("{config:?}{:#?} {}", config, config.camera.source).contains("sesame"));
}
