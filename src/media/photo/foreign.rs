//! Photos in formats that other programs decode, where they are installed: HEIC and AVIF of phones,
//! JPEG XL, JPEG 2000.

use std::path::Path;
use std::process::{Command, Stdio};

use super::error::PhotoFault;
use crate::media::ffmpeg::Ffmpeg;

/// A format and who decodes it.
#[derive(Clone, Copy, Debug)]
pub struct Foreign {
    pub name: &'static str,
    /// What to do where none of the programs is installed.
    remedy: &'static str,
    /// Programs that take an input and an output file, the better one first, and how the output's name ends.
    converters: &'static [(&'static str, &'static str)],
    /// Whether `ffmpeg` decodes it, in the version here.
    ffmpeg: fn(Ffmpeg) -> bool,
}

const HEIC: Foreign = Foreign {
    name: "HEIC",
    remedy: "apt install libheif-examples, or convert it: heif-convert a.heic a.jpg",
    // As PNG it fails on colour profiles that libpng knows to be common and wrong.
    converters: &[("heif-dec", "jpg"), ("heif-convert", "jpg")],
    ffmpeg: |ffmpeg| ffmpeg.heif_tiles,
};

const AVIF: Foreign = Foreign {
    name: "AVIF",
    remedy: "apt install ffmpeg, or convert it: ffmpeg -i a.avif a.png",
    converters: &[("heif-dec", "jpg"), ("heif-convert", "jpg")],
    ffmpeg: |_| true,
};

const JPEG_XL: Foreign = Foreign {
    name: "JPEG XL",
    remedy: "apt install libjxl-tools, or convert it: djxl a.jxl a.png",
    converters: &[("djxl", "png")],
    ffmpeg: |_| true,
};

const JPEG_2000: Foreign = Foreign {
    name: "JPEG 2000",
    remedy: "apt install ffmpeg, or convert it: ffmpeg -i a.jp2 a.png",
    converters: &[],
    ffmpeg: |_| true,
};

/// Names of their files end so, in lower case.
pub const EXTENSIONS: [&str; 10] = ["heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "jpx", "jpf", "j2c"];

/// Which of them `bytes` begin with.
pub fn recognise(bytes: &[u8]) -> Option<Foreign> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12)? {
            b"avif" | b"avis" => Some(AVIF),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => Some(HEIC),
            _ => None,
        };
    }
    let begins = |start: &[u8]| bytes.starts_with(start);
    if begins(b"\xff\x0a") || begins(b"\0\0\0\x0cJXL \r\n\x87\n") {
        return Some(JPEG_XL);
    }
    (begins(b"\0\0\0\x0cjP  \r\n\x87\n") || begins(b"\xff\x4f\xff\x51")).then_some(JPEG_2000)
}

/// The photo as PNG or JPEG, upright.
pub fn to_own(bytes: &[u8], format: Foreign) -> Result<Vec<u8>, PhotoFault> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("photo");
    std::fs::write(&input, bytes)?;
    let mut ran = false;
    for (converter, ending) in format.converters {
        let output = folder.path().join("own").with_extension(ending);
        let done = run(Command::new(converter).arg(&input).arg(output));
        ran |= done.is_some();
        if let Some(own) = written(folder.path(), ending, done) {
            return Ok(own);
        }
    }
    if (format.ffmpeg)(Ffmpeg::installed()) {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file", "-i"]).arg(&input);
        command
            .args(["-frames:v", "1", "-update", "1", "-pix_fmt", "rgb24"])
            .arg(folder.path().join("own.png"));
        let done = run(&mut command);
        ran |= done.is_some();
        if let Some(own) = written(folder.path(), "png", done) {
            return Ok(own);
        }
    }
    Err(if ran {
        let reason = "the program that decodes it gives up".to_owned();
        PhotoFault::Damaged { format: format.name, reason }
    } else {
        PhotoFault::Foreign { format: format.name, remedy: format.remedy }
    })
}

/// Whether it succeeded; `None` when it is not installed.
fn run(command: &mut Command) -> Option<bool> {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().ok().map(|status| status.success())
}

/// A file of several pictures becomes several, of which the first is the photo. `heif-convert` succeeds also where
/// it has written nothing.
fn written(folder: &Path, ending: &str, done: Option<bool>) -> Option<Vec<u8>> {
    done.filter(|done| *done)?;
    let names = ["own", "own-1"].map(|name| folder.join(name).with_extension(ending));
    names.into_iter().find_map(|path| std::fs::read(path).ok().filter(|bytes| !bytes.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_beginning() {
        let name = |bytes: &[u8]| recognise(bytes).map(|format| format.name);
        assert_eq!(name(b"\0\0\0\x18ftypheic\0\0\0\0"), Some("HEIC"));
        assert_eq!(name(b"\0\0\0\x18ftypavif\0\0\0\0"), Some("AVIF"));
        assert_eq!(name(b"\0\0\0\x18ftypisom\0\0\0\0"), None, "a film");
        assert_eq!(name(b"\xff\x0a\xf8"), Some("JPEG XL"));
        assert_eq!(name(b"\xff\xd8\xff"), None);
    }
}
