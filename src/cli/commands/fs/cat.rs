//! `openclaw fs cat`.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::state::Access;

use super::tree::{Tree, TreeArgs, moment};

/// Flags of `fs cat`.
#[derive(Debug, Args)]
pub(super) struct CatArgs {
    /// File.
    #[arg(value_name = "PATH")]
    path: String,
    /// As it was at that revision or snapshot.
    #[arg(long, value_name = "REVISION")]
    at: Option<String>,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Prints a file, byte for byte; with `--json` as an object with its beginning.
pub(super) fn run(context: &Context, args: &CatArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let at = moment(args.at.as_ref());
    if context.out.is_text() {
        return tree.each_piece(&args.path, &at, |bytes| context.out.bytes(bytes));
    }
    context.out.object(&tree.call("vfs.read", json!({ "path": args.path, "at": at }))?)
}
