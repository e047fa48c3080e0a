//! Standard output that may end before the program does: `emotiond devices | head`, a full disk.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Writes a line to standard output, as `println!` does, which panics where nobody reads any more.
macro_rules! say {
    () => {
        $crate::cli::out::line(format_args!(""))
    };
    ($($words:tt)*) => {
        $crate::cli::out::line(format_args!($($words)*))
    };
}

/// Writes a line. Where nobody reads any more there is nothing left to do: the program ends, well. Where the line
/// cannot be written it ends with the reason.
pub fn line(words: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let Err(error) = out.write_fmt(words).and_then(|()| out.write_all(b"\n")) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("emotiond: unable to write to standard output: {error}");
    std::process::exit(1);
}
