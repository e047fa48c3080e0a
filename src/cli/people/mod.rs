//! `emotiond people`: who is enrolled, enrolling, and how well people are told apart.

mod add;
mod camera;
mod compare;
mod kept;
mod nets;
mod test;
mod who;

use crate::cli::status::Status;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub enum PeopleCommand {
    /// Enrols a person from photos, or from the camera
    Add(add::AddArgs),
    /// Lists who is enrolled
    List(kept::ListArgs),
    /// Shows what is kept of a person
    Show(kept::ShowArgs),
    /// Removes people: nothing of them is kept
    Remove(kept::RemoveArgs),
    /// Writes the descriptors of people into a file
    Export(kept::ExportArgs),
    /// Takes over people from an exported file
    Import(kept::ImportArgs),
    /// Tells who is in photos
    Who(who::WhoArgs),
    /// Measures how well the enrolled photos are told apart
    Test(test::TestArgs),
    /// Measures the descriptor model on pairs of photos, as Labeled Faces in the Wild does
    Compare(compare::CompareArgs),
}

pub fn run(command: &PeopleCommand, config: &Config) -> anyhow::Result<Status> {
    match command {
        PeopleCommand::Add(args) => add::run(args, config),
        PeopleCommand::List(args) => kept::list(args, config),
        PeopleCommand::Show(args) => kept::show(args, config),
        PeopleCommand::Remove(args) => kept::remove(args, config),
        PeopleCommand::Export(args) => kept::export(args, config),
        PeopleCommand::Import(args) => kept::import(args, config),
        PeopleCommand::Who(args) => who::run(args, config),
        PeopleCommand::Test(args) => test::run(args, config),
        PeopleCommand::Compare(args) => compare::run(args, config),
    }
}
