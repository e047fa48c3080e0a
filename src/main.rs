//! The program `emotiond`: arguments, logging, exit status.

use std::process::ExitCode;

use clap::Parser;

use emotiond::cli::{self, Args};

fn main() -> ExitCode {
    let args = Args::parse();
    match cli::run(args) {
        Ok(status) => status.into(),
        Err(error) => {
            for line in cli::lines(&error) {
                eprintln!("emotiond: {line}");
            }
            cli::Status::of(&error).into()
        }
    }
}
