//! What a decoding `ffmpeg` says on its standard error: the frames' times, and what is wrong.

use std::io::{BufRead, BufReader, Read};
use std::process::ChildStderr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use super::child::{MAX_MESSAGES, one_line};
use super::options::Range;

/// Longest line that is looked at; side data can be longer.
const MAX_LINE: u64 = 4096;

/// A frame as `showinfo` tells of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Number among all decoded frames, from 0.
    pub index: u64,
    /// Seconds since the film's start; `None` where the film does not say.
    pub seconds: Option<f64>,
}

/// What was wrong.
#[derive(Debug, Default)]
pub struct Complaints {
    /// The start of it, as one line; empty when nothing was.
    pub text: String,
    /// When, in seconds, the last frame before the first complaint was.
    pub near: f64,
}

/// The child's standard error, read by a thread of its own.
#[derive(Debug)]
pub struct Log {
    thread: JoinHandle<Complaints>,
    frames: Receiver<Shown>,
}

impl Log {
    /// `late_entry`: the film begins within a group of pictures, so that what is said before its first
    /// whole frame is no damage.
    pub fn read(stderr: ChildStderr, range: Range, late_entry: bool) -> Self {
        let (sender, frames) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut parser =
                Parser { range, sender, time_base: None, decoded: 0, last: 0.0, said: Vec::new(), at: None };
            parser.read(BufReader::new(stderr));
            parser.finish(late_entry)
        });
        Self { thread, frames }
    }

    /// The next frame that was let through; `None` when the child says no more.
    pub fn frame(&self) -> Option<Shown> {
        self.frames.recv().ok()
    }

    /// Waits for the child to end.
    pub fn finish(self) -> Complaints {
        drop(self.frames);
        self.thread.join().unwrap_or_default()
    }
}

struct Parser {
    range: Range,
    sender: Sender<Shown>,
    /// Seconds a tick, numerator and denominator.
    time_base: Option<(f64, f64)>,
    decoded: u64,
    /// Of the last frame.
    last: f64,
    said: Vec<u8>,
    /// Frames and seconds before the first complaint.
    at: Option<(u64, f64)>,
}

impl Parser {
    /// Reads to the end, so that the child never waits.
    fn read(&mut self, mut stderr: impl BufRead) {
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut stderr).take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => self.line(&line),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if let Some((_, rest)) = text.split_once("[info] ") {
            if text.starts_with("[Parsed_showinfo_") {
                self.showinfo(rest);
            }
            return;
        }
        let severe = ["[error] ", "[fatal] ", "[panic] "];
        let Some(level) = severe.into_iter().find(|level| text.contains(level)) else { return };
        // Of two frames at one time, which are handed on all the same.
        if text.contains("onotonic") || text.contains("Last message repeated") {
            return;
        }
        self.at.get_or_insert((self.decoded, self.last));
        if self.said.len() < MAX_MESSAGES {
            self.said.extend_from_slice(text.replacen(level, "", 1).as_bytes());
        }
    }

    /// `config in time_base: 1/25, …`, which also comes when the film's pictures change, or
    /// `n:   0 pts:      0 pts_time:0 …`, whose seconds are rounded to six digits.
    fn showinfo(&mut self, text: &str) {
        if let Some(rest) = text.strip_prefix("config in time_base: ") {
            let base = rest.split(',').next().and_then(|base| base.split_once('/'));
            self.time_base = base.and_then(|(n, d)| Some((n.trim().parse().ok()?, d.trim().parse().ok()?)));
            return;
        }
        if !text.starts_with("n:") {
            return;
        }
        let ticks = text.split_once(" pts:").and_then(|(_, rest)| rest.split_ascii_whitespace().next());
        let ticks = ticks.and_then(|ticks| ticks.parse::<f64>().ok());
        let seconds = ticks.zip(self.time_base).map(|(ticks, (n, d))| ticks * (n / d));
        let shown = Shown { index: self.decoded, seconds };
        self.decoded += 1;
        self.last = seconds.unwrap_or(self.last);
        if self.range.holds(seconds) {
            // Nobody listens to a film that was let go.
            let _ = self.sender.send(shown);
        }
    }

    fn finish(self, late_entry: bool) -> Complaints {
        // Before the first frame `ffmpeg` says of a late entry what it says of damage.
        let (frames, near) = self.at.unwrap_or_default();
        let entry = late_entry && frames == 0 && self.decoded > 0;
        Complaints { text: if entry { String::new() } else { one_line(&self.said) }, near }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SAID: &str = "[info] Input #0, mpegts, from 'file:a.ts':\n\
        [h264 @ 0x5581] [error] non-existing PPS 0 referenced\n\
        [Parsed_showinfo_0 @ 0x55d1] [info] config in time_base: 1/90000, frame_rate: 25/1\n\
        [Parsed_showinfo_0 @ 0x55d1] [info] n:   0 pts: 126000 pts_time:1.4     pos: 5 fmt:rgb24\n\
        [Parsed_showinfo_0 @ 0x55d1] [info]   side data - User Data\n\
        [Parsed_showinfo_0 @ 0x55d1] [info] n:   1 pts:  NOPTS pts_time:NOPTS   pos: 5 fmt:rgb24\n\
        [Parsed_showinfo_0 @ 0x55d1] [info] config in time_base: 1/25, frame_rate: 25/1\n\
        [Parsed_showinfo_0 @ 0x55d1] [info] n:   2 pts:  50001 pts_time:2000.04 pos: 5 fmt:rgb24\n";

    fn parsed(said: &str, range: Range, late_entry: bool) -> (Vec<Shown>, Complaints) {
        let (sender, frames) = mpsc::channel();
        let mut parser =
            Parser { range, sender, time_base: None, decoded: 0, last: 0.0, said: Vec::new(), at: None };
        parser.read(said.as_bytes());
        let complaints = parser.finish(late_entry);
        (frames.iter().collect(), complaints)
    }

    #[test]
    fn frames_have_their_own_times() {
        let (frames, complaints) = parsed(SAID, Range::default(), true);
        let seconds: Vec<_> = frames.iter().map(|frame| (frame.index, frame.seconds)).collect();
        assert_eq!(seconds, [(0, Some(126_000.0 * (1.0 / 90_000.0))), (1, None), (2, Some(2000.04))]);
        assert_eq!(complaints.text, "");
        let from = Range { from: Duration::from_secs(2), to: None };
        let late: Vec<u64> = parsed(SAID, from, true).0.iter().map(|frame| frame.index).collect();
        assert_eq!(late, [2], "numbers are the film's");
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let (_, complaints) = parsed(SAID, Range::default(), false);
        assert_eq!((complaints.text.as_str(), complaints.near), ("non-existing PPS 0 referenced", 0.0));
        let later = SAID.replacen("[h264 @ 0x5581] [error] non-existing PPS 0 referenced\n", "", 1)
            + "[h264 @ 0x5581] [error] concealing 300 errors\n";
        let (_, complaints) = parsed(&later, Range::default(), true);
        assert_eq!((complaints.text.as_str(), complaints.near), ("concealing 300 errors", 2000.04));
    }
}
