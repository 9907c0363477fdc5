//! `ls`: one directory.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::{Failure, Job, SOFT_LIMIT, clamp, count, human_size, lookup, run, spec, with_notes};
use super::{Tool, ToolContext, ToolOutput};
use crate::fs::{Entry, EntryKind};
use crate::providers::ToolSpec;

const DEFAULT_ENTRIES: usize = 500;
/// Entries read of one directory; sorting needs them all.
const MAX_READ: usize = 100_000;

/// The tool.
pub(super) struct Ls {
    spec: ToolSpec,
}

impl Default for Ls {
    fn default() -> Self {
        let properties = json!({
            "path": { "type": "string", "description": "Directory (default: the workspace)" },
            "limit": { "type": "integer", "description": "Most entries (default 500)" },
        });
        let description = "List a directory: names with sizes, directories with a trailing /, hidden files included.";
        Self { spec: spec("ls", description, properties, &[]) }
    }
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default)]
    path: String,
    limit: Option<i64>,
}

impl Tool for Ls {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, |job, arguments| ls(job, &arguments)))
    }

    fn parallel(&self) -> bool {
        true
    }
}

fn ls(job: &Job, arguments: &Arguments) -> Result<ToolOutput, Failure> {
    let place = job.locate(&arguments.path)?;
    let listing = place.files.list_bounded(&place.path, MAX_READ).map_err(|error| lookup(&place, error))?;
    job.check()?;
    let limit = clamp(arguments.limit, DEFAULT_ENTRIES, MAX_READ);
    let mut text = String::new();
    let mut shown = 0;
    for entry in listing.entries.iter().take(limit) {
        let line = describe(entry);
        if text.len() + line.len() > SOFT_LIMIT {
            break;
        }
        text.push_str(&line);
        text.push('\n');
        shown += 1;
    }
    let total = listing.entries.len();
    let mut notes = Vec::new();
    if total == 0 {
        notes.push("The directory is empty.".to_owned());
    }
    if shown < total {
        notes.push(format!("{} more; give a larger limit, or use find", total - shown));
    }
    if listing.truncated {
        notes.push(format!("There are more than {MAX_READ} entries; use find"));
    }
    let odd = listing.entries.iter().take(shown).filter(|entry| entry.lossy_name).count();
    if odd > 0 {
        notes.push(format!("{} not UTF-8 and cannot be used as a path here", count(odd, "name is", "names are")));
    }
    Ok(ToolOutput::text(with_notes(text, &notes)).with_details(json!({
        "path": place.to_string(),
        "entries": total,
        "shown": shown,
        "truncated": shown < total || listing.truncated,
    })))
}

fn describe(entry: &Entry) -> String {
    let name = &entry.name;
    match entry.kind {
        EntryKind::Directory => format!("{name}/"),
        EntryKind::File => format!("{name}  {}", human_size(entry.size)),
        EntryKind::Symlink => format!("{name}  (symbolic link, not followed)"),
        EntryKind::Other => format!("{name}  (not a regular file)"),
    }
}
