//! `openclaw fs ls`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Table, absolute, bytes, relative};
use crate::core::now_ms;
use crate::state::Access;

use super::tree::{Tree, TreeArgs, moment};

/// Flags of `fs ls`.
#[derive(Debug, Args)]
pub(super) struct LsArgs {
    /// Directory; the root without it.
    #[arg(value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,
    /// Everything below it, too.
    #[arg(short, long)]
    recursive: bool,
    /// As it was at that revision or snapshot.
    #[arg(long, value_name = "REVISION")]
    at: Option<String>,
    /// Most entries.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: u32,
    /// Times in UTC.
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Lists a directory.
pub(super) fn run(context: &Context, args: &LsArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let params = json!({
        "path": args.path, "recursive": args.recursive, "at": moment(args.at.as_ref()), "limit": args.limit,
    });
    let answer = tree.call("vfs.list", params)?;
    context.out.data(&answer, "entries", || table(context, args, &answer))?;
    if answer["truncated"] == true && context.out.is_text() {
        context.out.note("there are more entries; a larger --limit shows them");
    }
    Ok(())
}

fn table(context: &Context, args: &LsArgs, answer: &Value) -> String {
    let mut table = Table::new([
        Column::new("MODE").optional(2),
        Column::new("SIZE").right(),
        Column::new("REVISION").right().optional(3),
        Column::new("CHANGED").optional(1),
        Column::new("NAME").id(),
    ]);
    let now = now_ms();
    for entry in answer["entries"].as_array().into_iter().flatten() {
        let is_directory = entry["kind"] == "directory";
        let size = entry["size"].as_u64().unwrap_or(0);
        let changed = entry["modifiedAt"].as_i64().unwrap_or(0);
        let name = entry[if args.recursive { "path" } else { "name" }].as_str().unwrap_or_default();
        table.row([
            Cell::new(format!("{:o}", entry["mode"].as_u64().unwrap_or(0))),
            if is_directory { Cell::new("-") } else { Cell::new(bytes(size)).full(size.to_string()) },
            Cell::new(entry["revision"].to_string()),
            Cell::new(if args.utc { absolute(changed, true) } else { relative(now, changed) })
                .full(absolute(changed, args.utc)),
            Cell::new(if is_directory { format!("{name}/") } else { name.to_owned() }),
        ]);
    }
    context.out.table(&table)
}
