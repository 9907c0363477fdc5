//! `write`: a whole file.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::{Failure, Job, count, run, spec};
use super::{Tool, ToolContext, ToolOutput};
use crate::fs::WriteOptions;
use crate::providers::ToolSpec;

/// The tool.
pub(super) struct Write {
    spec: ToolSpec,
}

impl Default for Write {
    fn default() -> Self {
        let properties = json!({
            "path": { "type": "string", "description": "File, relative to the workspace" },
            "content": { "type": "string", "description": "The whole content" },
        });
        let description =
            "Create a file, or replace all of it. Missing directories are made. For a change in a file, use edit.";
        Self { spec: spec("write", description, properties, &["path", "content"]) }
    }
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    content: String,
}

impl Tool for Write {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, write))
    }

    fn parallel(&self) -> bool {
        false
    }
}

fn write(job: &Job, arguments: Arguments) -> Result<ToolOutput, Failure> {
    let Arguments { path, content } = arguments;
    let place = job.locate(&path)?;
    let options = WriteOptions { create_parents: true, ..WriteOptions::default() };
    let written = place.files.write_with(&place.path, content.as_bytes(), &options)?;
    let verb = if written.created { "Created" } else { "Replaced" };
    let lines = content.lines().count();
    let text = format!("{verb} {place} ({} bytes, {}).", written.bytes, count(lines, "line", "lines"));
    Ok(ToolOutput::text(text).with_details(json!({
        "path": place.to_string(),
        "bytes": written.bytes,
        "lines": lines,
        "created": written.created,
    })))
}
