//! `emotiond classify` on photos, folders and films, and on all that can be wrong with them.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{ImageFormat, RgbImage};
use serde_json::Value;

pub fn portrait() -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("third_party/portrait.png");
    image::open(path).expect("the portrait: run `make test`").to_rgb8()
}

/// The portrait with half the sides.
pub fn small() -> RgbImage {
    image::imageops::thumbnail(&portrait(), 256, 256)
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub fn emotiond() -> Command {
    Command::new(env!("CARGO_BIN_EXE_emotiond"))
}

/// `emotiond classify` with its arguments.
pub fn classify(args: &[&str]) -> Output {
    emotiond().arg("classify").args(args).stdin(Stdio::null()).output().expect("emotiond starts")
}

pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

/// The program's own messages.
pub fn errors(output: &Output) -> Vec<String> {
    let text = std::str::from_utf8(&output.stderr).expect("UTF-8");
    text.lines().filter_map(|line| line.strip_prefix("emotiond: ")).map(ToOwned::to_owned).collect()
}

pub fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn sources(output: &Output, folder: &Path) -> Vec<String> {
    let source = |line: Value| line["source"].as_str().expect("a path").to_owned();
    let below = |source: String| source.trim_start_matches(text(folder)).trim_start_matches('/').to_owned();
    json_lines(output).into_iter().map(source).map(below).collect()
}

/// All files below `folder`, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(text(path.strip_prefix(folder).expect("below")).to_owned());
            }
        }
    }
    files.sort();
    files
}

/// A film of the portrait that slowly moves, with a tone as sound, 25 frames a second.
pub fn film(path: &Path, seconds: u32) {
    let portrait = path.with_extension("still.png");
    small().save(&portrait).expect("saved");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-loop", "1", "-framerate", "25", "-i"])
        .arg(&portrait)
        .args(["-f", "lavfi", "-i", "sine=440", "-t", &seconds.to_string()])
        .args(["-vf", "crop=240:200:8+8*sin(t*3):0", "-pix_fmt", "yuv420p", "-g", "10"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"])
        .arg(path)
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
    fs::remove_file(portrait).expect("removed");
}

/// What ffprobe says of `entry` of a film's stream `stream`.
pub fn probed(path: &Path, stream: &str, entry: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", stream, "-of", "csv=p=0", "-show_entries"])
        .arg(format!("stream={entry}"))
        .arg(path)
        .output()
        .expect("ffprobe runs");
    stdout(&output).trim().to_owned()
}

#[test]
fn every_format_is_read_and_its_copy_keeps_it() {
    let folder = tempfile::tempdir().expect("folder");
    let (photos, out) = (folder.path().join("photos"), folder.path().join("out"));
    fs::create_dir(&photos).expect("folder");
    for name in ["a.JPG", "b.png", "c.webp", "d.bmp", "e.tiff", "f.gif"] {
        small().save(photos.join(name)).expect("saved");
    }
    // Upright only after the quarter turn that its Exif data ask for.
    let mut jpeg = Cursor::new(Vec::new());
    image::imageops::rotate270(&portrait()).write_to(&mut jpeg, ImageFormat::Jpeg).expect("encoded");
    let exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let jpeg = jpeg.into_inner();
    fs::write(photos.join("g.jpeg"), [&jpeg[..2], exif, &jpeg[2..]].concat()).expect("writes");

    let output = classify(&["--json", "--out", text(&out), text(&photos)]);
    assert!(output.status.success(), "{:?}", errors(&output));
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 7);
    for line in &lines {
        assert_eq!(line["faces"][0]["emotion"], "happy", "{line}");
    }
    assert_eq!(files(&out), ["a.JPG", "b.png", "c.webp", "d.bmp", "e.tiff", "f.gif.png", "g.jpeg"]);
    for name in files(&out) {
        let original = image::open(photos.join(name.trim_end_matches(".gif.png"))).ok();
        let bytes = fs::read(out.join(&name)).expect("reads");
        let copy = image::load_from_memory(&bytes).expect("a picture").to_rgb8();
        let Some(original) = original.filter(|_| name != "g.jpeg") else { continue };
        // The happy box and bar are yellow; the portrait has none of it there.
        let yellow = copy.pixels().filter(|p| p[0] > 230 && p[1] > 190 && p[2] < 110).count();
        assert!(yellow > 300, "{name}: {yellow}");
        assert_eq!(copy.dimensions(), (original.width(), original.height()), "{name}");
    }
    let side = image::open(out.join("g.jpeg")).expect("a picture").to_rgb8();
    let skin = side.get_pixel(226, 150);
    assert!(skin[0] > skin[2] + 20, "upright: the cheek is where it is in the portrait, {skin:?}");
}

#[test]
fn a_folder_keeps_its_order_and_its_bad_file_is_skipped() {
    let folder = tempfile::tempdir().expect("folder");
    let photos = folder.path().join("photos");
    fs::create_dir_all(photos.join("b/deep")).expect("folders");
    let mut expected = Vec::new();
    for n in 0..24 {
        let name = match n % 3 {
            0 => format!("a{n:02}.png"),
            1 => format!("b/{n:02}.jpg"),
            _ => format!("b/deep/{n:02}.jpg"),
        };
        // Of many sizes, so that the workers overtake each other.
        let side = if n % 4 == 0 { 512 } else { 64 };
        image::imageops::thumbnail(&portrait(), side, side).save(photos.join(&name)).expect("saved");
        expected.push(name);
    }
    // A folder stands among the files by its name, and "deep" after all numbers.
    expected.sort();
    fs::write(photos.join("a05.jpg"), "").expect("writes");
    symlink("../..", photos.join("b/deep/loop")).expect("links");
    let before = fs::read(photos.join("a00.png")).expect("reads");

    let out = photos.join("marked");
    let output = classify(&["--json", text(&photos), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(1), "something was skipped");
    assert_eq!(sources(&output, &photos), expected);
    let said = errors(&output);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with("a05.jpg: the file is empty (copy it again)"), "{said:?}");
    assert!(said[1].contains("b/deep/loop: it is a link back to "), "{said:?}");
    assert!(!output.stderr.contains(&b'\r') && !output.stderr.contains(&0x1b), "no progress in a pipe");
    assert_eq!(files(&out).len(), 24);
    assert_eq!(fs::read(photos.join("a00.png")).expect("reads"), before, "originals are not touched");

    // Again: what was written is neither read nor replaced.
    fs::write(out.join("a00.png"), "mine").expect("writes");
    let again = classify(&["--json", text(&photos), "--out", text(&out)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(errors(&again)[0].ends_with("marked/a00.png: it exists (replace it with --force)"));
    assert_eq!(fs::read(out.join("a00.png")).expect("reads"), b"mine");
    let forced = classify(&["--json", "--force", text(&photos), "--out", text(&out)]);
    assert_eq!(sources(&forced, &photos), expected);
    assert_ne!(fs::read(out.join("a00.png")).expect("reads"), b"mine");
    // Not even --force writes over an original.
    let onto = classify(&["--force", text(&photos.join("a00.png")), "--out", text(&photos)]);
    assert!(errors(&onto)[0].contains("a00.png: it is an original"), "{:?}", errors(&onto));
    assert_eq!(fs::read(photos.join("a00.png")).expect("reads"), before);
}

#[test]
fn a_photo_comes_on_standard_input() {
    let mut jpeg = Cursor::new(Vec::new());
    small().write_to(&mut jpeg, ImageFormat::Jpeg).expect("encoded");
    let mut child = emotiond()
        .args(["classify", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("pipe").write_all(jpeg.get_ref()).expect("written");
    let output = child.wait_with_output().expect("ends");
    let lines = json_lines(&output);
    assert_eq!((&lines[0]["source"], &lines[0]["faces"][0]["emotion"]), (&"-".into(), &"happy".into()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("TensorFlow"), "the runtime speaks of itself: {said}");

    assert_eq!(
        errors(&classify(&["-"])),
        ["unable to decode standard input: the file is empty (copy it again)"]
    );
    let twice = classify(&["-", "-"]);
    assert_eq!(twice.status.code(), Some(2), "{:?}", errors(&twice));
}

#[test]
fn a_film_is_followed_marked_and_plotted() {
    let folder = tempfile::tempdir().expect("folder");
    let clip = folder.path().join("clip.mov");
    film(&clip, 4);
    let path = |name: &str| folder.path().join(name);
    let (table, plot, out) = (path("t.csv"), path("plot.png"), path("out"));
    let output = classify(&[
        text(&clip),
        "--json",
        "--csv",
        text(&table),
        "--timeline",
        text(&plot),
        "--out",
        text(&out),
    ]);
    assert!(output.status.success(), "{:?}", errors(&output));
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 100);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(line["frame"], n);
        let time = line["time_s"].as_f64().expect("a number");
        assert!((time - n as f64 / 25.0).abs() < 1e-9, "{line}");
        assert_eq!(line["faces"][0]["id"], 1, "{line}");
        assert_eq!(line["faces"][0]["emotion"], "happy", "{line}");
    }
    let rows = fs::read_to_string(&table).expect("reads");
    assert_eq!(rows.lines().count(), 101);
    assert!(rows.starts_with("source,frame,time_s,picture_width,picture_height,face,x,y,width,height,score,emotion,confidence,angry,disgust,"));
    assert!(image::open(&plot).expect("a plot").width() > 1000);

    let copy = out.join("clip.mov");
    assert_eq!(probed(&copy, "v:0", "codec_name,width,height,nb_read_frames"), "h264,480,400,100");
    assert_eq!(probed(&copy, "a:0", "codec_name"), "aac");
    assert_eq!(
        probed(&copy, "a:0", "nb_read_frames"),
        probed(&clip, "a:0", "nb_read_frames"),
        "the whole sound"
    );
    assert_eq!(files(&out), ["clip.mov"]);

    // Every tenth frame; nothing is replaced, and a second film has ids of its own.
    let output = classify(&["--json", "--every", "10", text(&clip), text(&clip)]);
    let frames: Vec<_> = json_lines(&output)
        .iter()
        .map(|line| (line["frame"].as_u64(), line["faces"][0]["id"].as_u64()))
        .collect();
    assert_eq!(frames, (0..20).map(|n| (Some(n % 10 * 10), Some(1))).collect::<Vec<_>>());
    let refused = classify(&[text(&clip), "--csv", text(&table)]);
    assert_eq!(
        errors(&refused),
        [format!("unable to write {}: it exists (replace it with --force)", table.display())]
    );
    let lines = classify(&[text(&clip)]);
    assert!(stdout(&lines).ends_with("clip.mov: 1 face in 100 frames\n"), "{}", stdout(&lines));
    assert_eq!(stdout(&lines).lines().count(), 3, "{}", stdout(&lines));
    assert!(stdout(&lines).contains("clip.mov: face 1: happy 4.0 s\n"), "{}", stdout(&lines));
    let two = classify(&[text(&clip), text(&clip), "--timeline", text(&path("two.png"))]);
    assert_eq!(two.status.code(), Some(2));
    assert!(errors(&two)[0].starts_with("--timeline plots one film, and 2 are named"));
}

#[test]
fn a_film_with_a_broken_middle_is_read_around_it() {
    let folder = tempfile::tempdir().expect("folder");
    let clip = folder.path().join("clip.mkv");
    film(&clip, 6);
    let whole = json_lines(&classify(&["--json", text(&clip)]));
    let mut bytes = fs::read(&clip).expect("reads");
    let middle = bytes.len() / 2;
    // A Matroska's clusters are found again after it.
    for (n, byte) in bytes[middle..middle + 3000].iter_mut().enumerate() {
        *byte = (n * 89 % 251) as u8;
    }
    let broken = folder.path().join("broken.mkv");
    fs::write(&broken, bytes).expect("writes");
    let out = folder.path().join("out");
    let output = classify(&["--json", text(&broken), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(1));
    let [said] = &errors(&output)[..] else { panic!("{:?}", errors(&output)) };
    assert!(
        said.contains("broken.mkv: the film is damaged near ") && said.contains(" s, the rest was read: "),
        "{said}"
    );
    let lines = json_lines(&output);
    assert!(lines.len() > 110, "{} of 150 frames", lines.len());
    // What could be decoded is as in the whole film, at the same times; what could not is left out.
    let mut same = 0;
    for line in &lines {
        let whole = whole.iter().find(|whole| whole["time_s"] == line["time_s"]).expect("a time of the film");
        same += usize::from(line["faces"][0]["box"] == whole["faces"][0]["box"]);
    }
    assert!(same * 10 > lines.len() * 9, "{same} of {}", lines.len());
    assert_eq!(probed(&out.join("broken.mkv"), "v:0", "nb_read_frames"), lines.len().to_string());
}

#[test]
fn films_and_photos_that_are_none() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("writes");
        text(&path).to_owned()
    };
    // 20,000 x 10,000 in a header of 54 bytes.
    let mut huge = Cursor::new(Vec::new());
    RgbImage::new(4, 4).write_to(&mut huge, ImageFormat::Bmp).expect("encoded");
    let mut huge = huge.into_inner();
    huge[18..22].copy_from_slice(&20_000_i32.to_le_bytes());
    huge[22..26].copy_from_slice(&10_000_i32.to_le_bytes());
    let cases = [
        (path("empty.jpg", b""), "unable to decode", "the file is empty"),
        (path("empty.mp4", b""), "unable to decode", "the file is empty"),
        (path("text.mp4", b"dear diary"), "unable to decode", "it is neither a photo nor a film"),
        (path("text", b"dear diary"), "unable to decode", "it is neither a photo nor a film"),
        (
            path("huge.bmp", &huge),
            "unable to decode",
            "20000x10000 pixels are beyond the limit of 100 megapixels",
        ),
        ("/nowhere/a.mp4".to_owned(), "unable to read", "No such file"),
        ("/nowhere/a".to_owned(), "unable to read", "No such file"),
    ];
    for (path, action, reason) in &cases {
        let output = classify(&[path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        let [said] = &errors(&output)[..] else { panic!("{path}: {:?}", errors(&output)) };
        assert!(said.starts_with(&format!("{action} {path}: ")) && said.contains(reason), "{said}");
    }
    let empty = tempfile::tempdir().expect("folder");
    let output = classify(&[text(empty.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output)[0].starts_with("there is no photo or film in "), "{:?}", errors(&output));
}

#[test]
fn a_folder_without_permission_is_said_and_skipped() {
    let folder = tempfile::tempdir().expect("folder");
    let closed = folder.path().join("b-closed");
    fs::create_dir(&closed).expect("folder");
    for name in ["a.png", "b-closed/hidden.png", "c.png"] {
        small().save(folder.path().join(name)).expect("saved");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("closed");
    let args = [env!("CARGO_BIN_EXE_emotiond"), "classify", "--json", text(folder.path())];
    // Root may read everything, unless it has given that up.
    let output = if rustix::process::geteuid().is_root() {
        Command::new("setpriv").arg("--bounding-set=-dac_override,-dac_read_search").args(args).output()
    } else {
        Command::new(args[0]).args(&args[1..]).output()
    };
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("opened");
    let output = output.expect("emotiond starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(sources(&output, folder.path()), ["a.png", "c.png"]);
    assert_eq!(
        errors(&output),
        [format!("unable to read {}: Permission denied (os error 13)", closed.display())]
    );
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().expect("folder");
    let (photo, clip) = (folder.path().join("a.bmp"), folder.path().join("clip.mkv"));
    small().save(&photo).expect("saved");
    film(&clip, 3);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let output = emotiond().args(["classify", text(&photo)]).stdout(full).output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        errors(&output),
        ["unable to write to standard output: No space left on device (os error 28)"]
    );
    let output = classify(&[text(&photo), "--csv", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors(&output), ["unable to write /dev/full: No space left on device (os error 28)"]);

    // No file may be longer than 8 blocks of 1024 bytes; the signal that would come with that is ignored.
    let out = folder.path().join("out");
    let output = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_emotiond")])
        .args(["classify", "--json", text(&photo), text(&clip), "--out", text(&out)])
        .output()
        .expect("bash runs");
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert_eq!(said.len(), 2, "{said:?}");
    for (said, name) in said.iter().zip(["a.bmp", "clip.mkv"]) {
        assert!(said.starts_with(&format!("unable to write {}/{name}: ", out.display())), "{said}");
        assert!(said.contains("File too large"), "{said}");
    }
    assert!(json_lines(&output).len() >= 75, "the film's frames are told all the same");
    assert_eq!(files(&out), [""; 0]);
}

#[test]
fn two_inputs_do_not_share_a_copy() {
    let folder = tempfile::tempdir().expect("folder");
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in ["one", "two"] {
        fs::create_dir(folder.path().join(name)).expect("folder");
        paths.push(folder.path().join(name).join("a.png"));
        small().save(paths.last().expect("a path")).expect("saved");
    }
    let out = folder.path().join("out");
    for command in ["classify", "crop"] {
        let args = [command, text(&paths[0]), text(&paths[1]), "--out", text(&out)];
        let output = emotiond().args(args).output().expect("starts");
        assert_eq!(output.status.code(), Some(1));
        let [said] = &errors(&output)[..] else { panic!("{:?}", errors(&output)) };
        assert!(said.contains("two/a.png: it is that of ") && said.contains("one/a.png"), "{said}");
    }
}
