//! Checks the result of an edit and writes it.

use serde_json::{Value, json};

use super::super::error::{Fault, Problem, combine};
use super::super::json5::Node;
use super::super::loader::{self, Pipeline};
use super::super::path::{node_at, parse as parse_path};
use super::super::redact::{redact_raw, redact_raw_since};
use super::super::{EditOutcome, LoadOptions};
use super::{diff, store};
use crate::core::{Error, ErrorKind, Result};

/// The configuration before the edit; Conflict if it is not the one the caller saw.
pub(super) fn current(options: &LoadOptions, base_hash: Option<&str>) -> Result<Pipeline> {
    let before = loader::run(options)?;
    match base_hash {
        Some(expected) if expected != before.hash => {
            Err(store::changed(&before.path).details(json!({"expected": expected, "actual": before.hash})))
        }
        _ => Ok(before),
    }
}

/// Loads the result, refuses what would not load, and writes it unless this is a dry run or nothing changes.
pub(super) fn commit(
    options: &LoadOptions,
    before: &Pipeline,
    text: String,
    dry_run: bool,
    lock: &store::Lock,
) -> Result<EditOutcome> {
    let after = loader::run_text(options, before.path.clone(), text);
    // A variable that this shell lacks was lacking before: the edit is not to blame, and the gateway may well have it.
    let caused = |problem: &&Problem| {
        problem.fault != Fault::MissingVariable
            || !before.problems.iter().any(|known| known.key == problem.key && known.message == problem.message)
    };
    let problems: Vec<Problem> = after.problems.iter().filter(caused).cloned().collect();
    if !problems.is_empty() {
        return Err(refused(&problems));
    }
    let value = |own: &Option<Node>| own.as_ref().map_or_else(|| json!({}), Node::to_value);
    let changed_paths = diff::changed_paths(&value(&before.own), &value(&after.own));
    check_includes(&after, &changed_paths)?;
    let name = before.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let diff = diff::unified(&name, &redact_raw(&before.raw), &redact_raw_since(&after.raw, &before.raw));
    if !dry_run && after.raw != before.raw {
        lock.write(&before.path, before.exists.then_some(before.raw.as_str()), &after.raw)?;
    }
    Ok(EditOutcome { path: after.path, changed_paths, hash: after.hash, dry_run, warnings: after.warnings, diff })
}

/// The first problem in words, with the assurance that nothing was written.
fn refused(problems: &[Problem]) -> Error {
    let error = combine(problems, None);
    let why = match error.reason() {
        Some(reason) => format!("{}: {reason}", error.message()),
        None => error.message().to_owned(),
    };
    Error::new(ErrorKind::Config, "the change was refused because the result could not be loaded; nothing was written")
        .why(why)
        .hint("Change the value and try again.")
        .details(error.data().cloned().unwrap_or(Value::Null))
}

/// An edit beside an `$include` must have the effect it says: a value that the include still provides is not gone, and a
/// list that is joined with the include's list is not the list that was asked for.
fn check_includes(after: &Pipeline, changed: &[String]) -> Result<()> {
    if after.files.len() < 2 {
        return Ok(());
    }
    let Some(own) = &after.own else { return Ok(()) };
    for path in changed {
        let segments = parse_path(path)?;
        let Some(merged) = node_at(&after.merged, &segments) else { continue };
        let ineffective = match node_at(own, &segments) {
            None => true,
            Some(own) => own.is_array() && own.elements().len() != merged.elements().len(),
        };
        if ineffective {
            let provider = after.files.iter().skip(1).map(|file| file.path.display().to_string());
            let files: Vec<String> = match after.files.get(merged.span.file).filter(|_| merged.span.file != 0) {
                Some(file) => vec![file.path.display().to_string()],
                None => provider.collect(),
            };
            return Err(Error::new(
                ErrorKind::Config,
                format!("`{path}` also comes from {}, which this command does not edit", files.join(", ")),
            )
            .why("the change would not have the effect it asks for")
            .hint("Edit the included file by hand.")
            .details(json!({"key": path, "files": files})));
        }
    }
    Ok(())
}
