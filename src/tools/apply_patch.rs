//! `apply_patch`: several files in one call, all or none.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::patch::{Planned, parse, plan};
use super::support::{Failure, Job, cut, run, spec};
use super::{Tool, ToolContext, ToolOutput, diff};
use crate::fs::FileChange;
use crate::providers::ToolSpec;

/// Bytes of all diffs together that are kept for clients.
const MAX_DIFFS: usize = 64 * 1024;

/// The tool.
pub(super) struct ApplyPatch {
    spec: ToolSpec,
}

impl Default for ApplyPatch {
    fn default() -> Self {
        let properties = json!({
            "input": { "type": "string", "description": "The patch, from *** Begin Patch to *** End Patch" },
        });
        let description = "Change several files at once; nothing is changed unless everything fits.\n\
            *** Begin Patch\n*** Add File: <path>\n+<each line>\n*** Delete File: <path>\n*** Update File: <path>\n\
            *** Move to: <path> (optional)\n@@ <optional: a line above the place, such as a function's first>\n\
            <space><unchanged line>\n-<old line>\n+<new line>\n*** End Patch\n\
            Give three unchanged lines before and after a change. Chunks of a file go from its top to its end.";
        Self { spec: spec("apply_patch", description, properties, &["input"]) }
    }
}

#[derive(Deserialize)]
struct Arguments {
    input: String,
}

impl Tool for ApplyPatch {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, |job, arguments| apply_patch(job, &arguments)))
    }

    fn parallel(&self) -> bool {
        false
    }
}

fn apply_patch(job: &Job, arguments: &Arguments) -> Result<ToolOutput, Failure> {
    let patch = parse(&arguments.input)?;
    let (files, planned) = plan(job, &patch)?;
    job.check()?;
    let mut summary = Summary::default();
    let mut changes = Vec::with_capacity(planned.len());
    for file in planned {
        summary.add(&file);
        changes.push(file.change);
    }
    files.apply(&changes)?;
    Ok(summary.output())
}

/// What is told about a patch that was made.
#[derive(Default)]
struct Summary {
    created: Vec<String>,
    changed: Vec<String>,
    deleted: Vec<String>,
    files: Vec<Value>,
    diff: String,
    added: usize,
    removed: usize,
}

impl Summary {
    fn add(&mut self, file: &Planned) {
        let after = match &file.change {
            FileChange::Write { data, .. } => Some(data.as_slice()),
            FileChange::Remove { .. } => None,
        };
        let (list, what) = match (file.existed, after) {
            (_, None) => (&mut self.deleted, "deleted"),
            (false, _) if file.moved_from.is_none() => (&mut self.created, "added"),
            _ => (&mut self.changed, "modified"),
        };
        list.push(file.shown.clone());
        let mut entry = json!({ "path": file.shown, "change": what });
        if let Some(from) = &file.moved_from {
            entry["movedFrom"] = json!(from);
        }
        self.files.push(entry);
        // What is no text has no lines to compare.
        let text = |data: Option<&[u8]>| data.map_or(Some(String::new()), |data| String::from_utf8(data.to_vec()).ok());
        if let (Some(before), Some(after)) = (text(file.before.as_deref()), text(after)) {
            let diff = diff::unified(&file.shown, &before, &after);
            self.added += diff.added;
            self.removed += diff.removed;
            if self.diff.len() < MAX_DIFFS {
                self.diff.push_str(&diff.text);
            }
        }
    }

    fn output(self) -> ToolOutput {
        let mut text = "Success. Updated the following files:".to_owned();
        for (mark, paths) in [("A", &self.created), ("M", &self.changed), ("D", &self.deleted)] {
            for path in paths {
                text.extend(["\n", mark, " ", path]);
            }
        }
        ToolOutput::text(text).with_details(json!({
            "files": self.files,
            "added": self.added,
            "removed": self.removed,
            "diff": cut(&self.diff, MAX_DIFFS),
        }))
    }
}
