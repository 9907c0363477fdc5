//! `openclaw fs usage`.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{bytes, count};
use crate::state::Access;

use super::tree::{Tree, TreeArgs};

/// Flags of `fs usage`.
#[derive(Debug, Args)]
pub(super) struct UsageArgs {
    #[command(flatten)]
    tree: TreeArgs,
}

/// Shows what an agent's files come to, over all namespaces.
pub(super) fn run(context: &Context, args: &UsageArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let answer = tree.call("vfs.usage", json!({}))?;
    context.out.data(&answer, "", || {
        let number = |pointer: &str| answer.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let of = |used: &str, limit: &str| format!("{} of {}", bytes(number(used)), bytes(number(limit)));
        let namespaces = answer["namespaces"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
        let entries = number("/files") + number("/directories");
        [
            format!("agent       {}", answer["agentId"].as_str().unwrap_or_default()),
            format!("files       {} of {}, with directories", count(entries), count(number("/limits/files"))),
            format!("size        {}", of("/bytes", "/limits/bytes")),
            format!("history     {}", of("/historyBytes", "/limits/historyBytes")),
            format!("snapshots   {} held", bytes(number("/snapshotBytes"))),
            format!("revision    {}", number("/revision")),
            format!("namespaces  {}", namespaces.collect::<Vec<_>>().join(", ")),
        ]
        .join("\n")
    })
}
