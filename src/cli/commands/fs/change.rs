//! `openclaw fs rm`, `mv`, `mkdir`.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{one_line, quantity};
use crate::state::Access;

use super::tree::{Tree, TreeArgs};

/// Longest path shown.
const SHOWN: usize = 200;

/// Flags of `fs rm`.
#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// File or directory.
    #[arg(value_name = "PATH")]
    path: String,
    /// A directory with everything below it, too.
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Flags of `fs mv`.
#[derive(Debug, Args)]
pub(super) struct MvArgs {
    /// What to move.
    #[arg(value_name = "FROM")]
    from: String,
    /// Its other path.
    #[arg(value_name = "TO")]
    to: String,
    /// Replace a file by a file, or an empty directory by a directory.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Flags of `fs mkdir`.
#[derive(Debug, Args)]
pub(super) struct MkdirArgs {
    /// Directory.
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Removes a file or directory. What it was stays in the history.
pub(super) fn remove(context: &Context, args: &RmArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Write)?;
    let answer = tree.call("vfs.remove", json!({ "path": args.path, "recursive": args.recursive }))?;
    let removed = answer["removed"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0); // dropped: only shown
    let what = quantity(removed, "file or directory", "files and directories");
    let text = format!("removed {} ({what})", one_line(&args.path, SHOWN));
    context.out.done(answer, &text)
}

/// Moves a file or directory.
pub(super) fn rename(context: &Context, args: &MvArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Write)?;
    let answer = tree.call("vfs.rename", json!({ "from": args.from, "to": args.to, "replace": args.replace }))?;
    let text = format!("moved {} to {}", one_line(&args.from, SHOWN), one_line(&args.to, SHOWN));
    context.out.done(answer, &text)
}

/// Makes a directory.
pub(super) fn make_directory(context: &Context, args: &MkdirArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Write)?;
    let answer = tree.call("vfs.mkdir", json!({ "path": args.path }))?;
    context.out.done(answer, &format!("{} is a directory", one_line(&args.path, SHOWN)))
}
