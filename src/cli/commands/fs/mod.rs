//! `openclaw fs`: the virtual files of agents, through the gateway if one runs, else in the database itself.
//!
//! Both ways run the same `vfs.*` methods (`tree`); what is here asks them and shows the answers.

mod cat;
mod change;
mod export;
mod list;
mod past;
mod put;
mod tree;
mod usage;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::error::Outcome;

/// Flags of `fs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  openclaw fs ls                            what an agent keeps
  openclaw fs put report.pdf in/            copy a file in
  openclaw fs diff before                   what changed since the snapshot `before`
  openclaw fs restore notes.md --at 41      make a file what it was at revision 41")]
pub(crate) struct FsArgs {
    #[command(subcommand)]
    command: FsCommand,
}

#[derive(Debug, Subcommand)]
enum FsCommand {
    /// List a directory.
    Ls(list::LsArgs),
    /// Print a file.
    Cat(cat::CatArgs),
    /// Copy a file of this machine in; - is stdin.
    Put(put::PutArgs),
    /// Remove a file, or a directory with -r.
    Rm(change::RmArgs),
    /// Move a file or directory.
    Mv(change::MvArgs),
    /// Make a directory and its missing parents.
    Mkdir(change::MkdirArgs),
    /// What changed between two revisions or snapshots.
    Diff(past::DiffArgs),
    /// The versions of a file.
    History(past::HistoryArgs),
    /// Make a file or everything what it was.
    Restore(past::RestoreArgs),
    /// Name the present state; without a name, list the snapshots.
    Snapshot(past::SnapshotArgs),
    /// Copy files out into an empty directory of this machine.
    Export(export::ExportArgs),
    /// How much there is, and how much there may be.
    Usage(usage::UsageArgs),
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: FsArgs) -> Outcome {
    match args.command {
        FsCommand::Ls(args) => list::run(context, &args),
        FsCommand::Cat(args) => cat::run(context, &args),
        FsCommand::Put(args) => put::run(context, &args),
        FsCommand::Rm(args) => change::remove(context, &args),
        FsCommand::Mv(args) => change::rename(context, &args),
        FsCommand::Mkdir(args) => change::make_directory(context, &args),
        FsCommand::Diff(args) => past::diff(context, &args),
        FsCommand::History(args) => past::history(context, &args),
        FsCommand::Restore(args) => past::restore(context, &args),
        FsCommand::Snapshot(args) => past::snapshot(context, &args),
        FsCommand::Export(args) => export::run(context, &args),
        FsCommand::Usage(args) => usage::run(context, &args),
    }
}
