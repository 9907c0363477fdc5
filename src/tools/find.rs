//! `find`: files and directories by name.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ignore_rules::{PathGlob, notes, visit};
use super::support::{Failure, Job, SOFT_LIMIT, clamp, run, spec, with_notes};
use super::{Tool, ToolContext, ToolOutput};
use crate::fs::EntryKind;
use crate::providers::ToolSpec;

const DEFAULT_RESULTS: usize = 1000;
const MAX_RESULTS: usize = 10_000;

/// The tool.
pub(super) struct Find {
    spec: ToolSpec,
}

impl Default for Find {
    fn default() -> Self {
        let properties = json!({
            "pattern": { "type": "string", "description": "Glob: *.rs matches names anywhere, src/**/*.rs paths below path" },
            "path": { "type": "string", "description": "Where to search (default: the workspace)" },
            "limit": { "type": "integer", "description": "Most results (default 1000)" },
        });
        let description = "Find files and directories by glob. Leaves out .git and what .gitignore names.";
        Self { spec: spec("find", description, properties, &["pattern"]) }
    }
}

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
    limit: Option<i64>,
}

impl Tool for Find {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(run(context, arguments, |job, arguments| find(job, &arguments)))
    }

    fn parallel(&self) -> bool {
        true
    }
}

fn find(job: &Job, arguments: &Arguments) -> Result<ToolOutput, Failure> {
    let glob = PathGlob::parse(&arguments.pattern)?;
    let place = job.locate(&arguments.path)?;
    let start = &place.path;
    let limit = clamp(arguments.limit, DEFAULT_RESULTS, MAX_RESULTS);
    let mut text = String::new();
    let (mut results, mut full) = (0, false);
    let report = visit(job, &place, |found| {
        if !glob.matches(&found.path, start) {
            return Ok(true);
        }
        let shown = place.show(&found.path);
        if results == limit || text.len() + shown.len() > SOFT_LIMIT {
            full = true;
            return Ok(false);
        }
        results += 1;
        text.push_str(&shown);
        text.push_str(if found.entry.kind == EntryKind::Directory { "/\n" } else { "\n" });
        Ok(true)
    })?;
    let mut remarks = notes(&report);
    if full {
        remarks.insert(0, format!("Stopped after {results}; there are more. Narrow the pattern or the path"));
    }
    if results == 0 {
        remarks.insert(
            0,
            format!("Nothing below {place} matches {} (.git and what .gitignore names is left out)", arguments.pattern),
        );
    }
    Ok(ToolOutput::text(with_notes(text, &remarks)).with_details(json!({
        "path": place.to_string(),
        "pattern": arguments.pattern,
        "results": results,
        "truncated": full || report.truncated,
    })))
}
