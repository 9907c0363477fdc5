//! `edit`: exact replacements in one file.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::replace::{Edit as Replacement, first_changed_line, replace};
use super::support::{Failure, Job, count, lookup, run, spec};
use super::{Tool, ToolContext, ToolOutput, diff};
use crate::fs::WriteOptions;
use crate::providers::ToolSpec;

/// Largest file that can be edited, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The tool.
pub(super) struct Edit {
    spec: ToolSpec,
}

impl Default for Edit {
    fn default() -> Self {
        let text = |description| json!({ "type": "string", "description": description });
        let properties = json!({
            "path": text("File, relative to the workspace"),
            "oldText": text("Text that occurs exactly once"),
            "newText": text("What takes its place"),
            "edits": {
                "type": "array",
                "description": "Several replacements, instead of oldText and newText",
                "items": {
                    "type": "object",
                    "properties": { "oldText": { "type": "string" }, "newText": { "type": "string" } },
                    "required": ["oldText", "newText"],
                },
            },
        });
        let description = "Replace text in a file. Each oldText must match the file exactly, white space included, and occur once. \
            All edits apply to the original and must not overlap.";
        Self { spec: spec("edit", description, properties, &["path"]) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    path: String,
    old_text: Option<String>,
    new_text: Option<String>,
    #[serde(default)]
    edits: Vec<Replacement>,
}

impl Tool for Edit {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, edit))
    }

    fn parallel(&self) -> bool {
        false
    }
}

fn edit(job: &Job, arguments: Arguments) -> Result<ToolOutput, Failure> {
    let Arguments { path, old_text, new_text, mut edits } = arguments;
    match (old_text, new_text) {
        (Some(old_text), Some(new_text)) => edits.push(Replacement { old_text, new_text }),
        (None, None) => {}
        _ => return Err(Failure::new("oldText and newText belong together; one of them is missing.")),
    }
    if edits.is_empty() {
        return Err(Failure::new("Nothing to do: give oldText and newText, or edits: [{oldText, newText}]."));
    }
    let place = job.locate(&path)?;
    let data = place.files.read(&place.path, MAX_FILE).map_err(|error| lookup(&place, error))?;
    let Ok(before) = String::from_utf8(data) else {
        return Err(Failure::new(format!("{place} is not UTF-8 text, so it cannot be edited as text.")));
    };
    let after =
        replace(&before, &edits).map_err(|problem| Failure::new(format!("{place} was not changed. {problem}.")))?;
    job.check()?;
    let options = WriteOptions { must_exist: true, ..WriteOptions::default() };
    let written = place.files.write_with(&place.path, after.as_bytes(), &options)?;
    let first = first_changed_line(&before, &after);
    let diff = diff::unified(&place.to_string(), &before, &after);
    let text = format!("Edited {place}: {}, from line {first}.", count(edits.len(), "replacement", "replacements"));
    Ok(ToolOutput::text(text).with_details(json!({
        "path": place.to_string(),
        "bytes": written.bytes,
        "lines": after.lines().count(),
        "edits": edits.len(),
        "firstChangedLine": first,
        "added": diff.added,
        "removed": diff.removed,
        "diff": diff.text,
    })))
}
