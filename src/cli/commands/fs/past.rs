//! `openclaw fs diff`, `history`, `restore`, `snapshot`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Meaning, Table, absolute, bytes, one_line, quantity};
use crate::state::Access;

use super::tree::{Tree, TreeArgs, moment};

/// Longest name shown.
const SHOWN: usize = 200;
/// Hexadecimal digits of a hash that are shown to people.
const SHORT_HASH: usize = 12;

/// Flags of `fs diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// A revision or a snapshot.
    #[arg(value_name = "FROM")]
    from: String,
    /// The same.
    #[arg(value_name = "TO", default_value = "now")]
    to: String,
    /// Only what is at or below this path.
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,
    /// Most changes.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: u32,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Flags of `fs history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// File or directory.
    #[arg(value_name = "PATH")]
    path: String,
    /// Most versions, the newest first.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
    /// Times in UTC.
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Flags of `fs restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// File or directory; everything without it.
    #[arg(value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,
    /// The revision or snapshot.
    #[arg(long, value_name = "REVISION")]
    at: String,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Flags of `fs snapshot`.
#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    /// Its name; without one, all snapshots are listed.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT", requires = "name")]
    note: Option<String>,
    /// Forget the snapshot of that name.
    #[arg(long, requires = "name", conflicts_with = "note")]
    drop: bool,
    /// Times in UTC.
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    tree: TreeArgs,
}

/// Shows what changed.
pub(super) fn diff(context: &Context, args: &DiffArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let (from, to) = (moment(Some(&args.from)), moment(Some(&args.to)));
    let answer = tree.call("vfs.diff", json!({ "from": from, "to": to, "path": args.path, "limit": args.limit }))?;
    let changes = answer["changes"].as_array().map_or(&[][..], Vec::as_slice);
    if changes.is_empty() && context.out.is_text() {
        context.out.note("nothing changed");
        return Ok(());
    }
    context.out.data(&answer, "changes", || changed(context, changes))?;
    if answer["truncated"] == true && context.out.is_text() {
        context.out.note("there are more changes; a larger --limit shows them");
    }
    Ok(())
}

/// Shows the versions of a path.
pub(super) fn history(context: &Context, args: &HistoryArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let answer = tree.call("vfs.history", json!({ "path": args.path, "limit": args.limit }))?;
    context.out.data(&answer, "versions", || {
        let mut table = Table::new([
            Column::new("REVISION").right(),
            Column::new("UNTIL").right(),
            Column::new("WHEN"),
            Column::new("SIZE").right(),
            Column::new("HASH").optional(2),
            Column::new("RUN").id().optional(1),
        ]);
        for version in answer["versions"].as_array().into_iter().flatten() {
            let size = version["size"].as_u64().unwrap_or(0);
            let until = version["ended"].as_i64().map_or_else(|| "now".to_owned(), |ended| ended.to_string());
            table.row([
                Cell::new(version["revision"].to_string()),
                Cell::new(until),
                Cell::new(absolute(version["modifiedAt"].as_i64().unwrap_or(0), args.utc)),
                Cell::new(bytes(size)).full(size.to_string()),
                hash(version),
                Cell::new(version["runId"].as_str().unwrap_or("-")),
            ]);
        }
        context.out.table(&table)
    })
}

/// Makes something what it was.
pub(super) fn restore(context: &Context, args: &RestoreArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Write)?;
    let at = moment(Some(&args.at));
    let answer = tree.call("vfs.restore", json!({ "path": args.path, "at": at }))?;
    let total = answer["total"].as_u64().and_then(|total| usize::try_from(total).ok()).unwrap_or(0); // dropped: only shown
    let mut text = if total == 0 {
        "it is so already; nothing changed".to_owned()
    } else {
        format!("restored {}, revision {}", quantity(total, "path", "paths"), answer["revision"])
    };
    if let Some(changes) = answer["changes"].as_array().filter(|changes| !changes.is_empty()) {
        text = format!("{}\n{text}", changed(context, changes));
    }
    context.out.done(answer, &text)
}

/// Takes, drops or lists snapshots.
pub(super) fn snapshot(context: &Context, args: &SnapshotArgs) -> Outcome {
    let Some(name) = &args.name else { return snapshots(context, args) };
    let tree = Tree::new(context, &args.tree, Access::Write)?;
    let answer = tree.call("vfs.snapshot", json!({ "name": name, "note": args.note, "drop": args.drop }))?;
    let shown = one_line(name, SHOWN);
    let text = if args.drop {
        format!("dropped the snapshot {shown}")
    } else {
        format!("the snapshot {shown} is revision {}", answer["snapshot"]["revision"])
    };
    context.out.done(answer, &text)
}

fn snapshots(context: &Context, args: &SnapshotArgs) -> Outcome {
    let tree = Tree::new(context, &args.tree, Access::Read)?;
    let answer = tree.call("vfs.snapshots", json!({}))?;
    context.out.data(&answer, "snapshots", || {
        let mut table = Table::new([
            Column::new("NAME").id(),
            Column::new("REVISION").right(),
            Column::new("TAKEN"),
            Column::new("NOTE").text().optional(1),
        ]);
        for snapshot in answer["snapshots"].as_array().into_iter().flatten() {
            table.row([
                Cell::new(snapshot["name"].as_str().unwrap_or_default()),
                Cell::new(snapshot["revision"].to_string()),
                Cell::new(absolute(snapshot["createdAt"].as_i64().unwrap_or(0), args.utc)),
                Cell::new(snapshot["note"].as_str().unwrap_or_default()),
            ]);
        }
        context.out.table(&table)
    })
}

/// One line a change.
fn changed(context: &Context, changes: &[Value]) -> String {
    let mut table = Table::new([
        Column::new("CHANGE"),
        Column::new("BEFORE").right().optional(2),
        Column::new("AFTER").right().optional(3),
        Column::new("HASH").optional(1),
        Column::new("PATH").id(),
    ]);
    for change in changes {
        let what = change["change"].as_str().unwrap_or_default();
        let meaning = match what {
            "created" => Meaning::Ok,
            "deleted" => Meaning::Error,
            _ => Meaning::Accent,
        };
        let size = |side: &Value| match side["size"].as_u64() {
            Some(_) if side["kind"] == "directory" => Cell::new("dir"),
            Some(size) => Cell::new(bytes(size)).full(size.to_string()),
            None => Cell::new("-"),
        };
        table.row([
            Cell::new(what).meaning(meaning),
            size(&change["before"]),
            size(&change["after"]),
            hash(&change["after"]),
            Cell::new(change["path"].as_str().unwrap_or_default()),
        ]);
    }
    context.out.table(&table)
}

fn hash(node: &Value) -> Cell {
    match node["hash"].as_str() {
        Some(hash) => Cell::new(hash.get(..SHORT_HASH).unwrap_or(hash)).full(hash),
        None => Cell::new("-"),
    }
}
