//! What the installed `ffmpeg` can do.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Asked once.
#[derive(Clone, Copy, Debug)]
pub struct Ffmpeg {
    /// The option that hands on each frame once: before 5.1 it had another name.
    pub rate_option: &'static str,
    /// Whether it can turn HDR into what everybody sees (`zscale`, of libzimg).
    pub zscale: bool,
    /// Whether it puts the tiles together that a phone's HEIC consists of.
    pub heif_tiles: bool,
}

impl Ffmpeg {
    pub fn installed() -> Self {
        static INSTALLED: OnceLock<Ffmpeg> = OnceLock::new();
        *INSTALLED.get_or_init(|| {
            let version = version(&said(&["-version"]));
            let older = |than| version.is_some_and(|version| version < than);
            let zscale = said(&["-filters"]).split_ascii_whitespace().any(|word| word == "zscale");
            Self {
                rate_option: if older((5, 1)) { "-vsync" } else { "-fps_mode" },
                zscale,
                heif_tiles: !older((7, 1)),
            }
        })
    }
}

/// Empty when it is not installed, which its next call tells.
fn said(args: &[&str]) -> String {
    let output = Command::new("ffmpeg").arg("-hide_banner").args(args).stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Of `ffmpeg version 5.1.9-0+deb12u1 …`; builds from the source tree have no such number and are newer.
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.strip_prefix("ffmpeg version ")?.split([' ', '-', '+']).next()?;
    let (major, rest) = word.trim_start_matches('n').split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let known = [("4.4.2-0ubuntu0.22.04.1", Some((4, 4))), ("5.1.9-0+deb12u1", Some((5, 1)))];
        for (text, expected) in known.into_iter().chain([("n7.1", Some((7, 1))), ("N-118-g1", None)]) {
            assert_eq!(version(&format!("ffmpeg version {text} Copyright")), expected, "{text}");
        }
    }
}
