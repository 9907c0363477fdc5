//! Changes to the configuration file: everything that is not touched stays byte for byte.
//!
//! An edit becomes a few splices of the text (`splice.rs`), planned from the difference between what is there and what is
//! wanted (`reconcile.rs`). The result is loaded before it is written (`commit.rs`); what would not load is refused. Values that
//! come from an `$include`d file are not edited: the error names that file.

mod apply;
mod commit;
mod diff;
mod items;
mod reconcile;
mod sentinel;
mod splice;
mod store;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::error::{Problem, SourceFile, combine};
use super::json5::parse;
use super::path::{Segment, parse as parse_path};
use super::redact::restore_comments;
use super::{Edit, EditOutcome, LoadOptions, LoadedConfig, loader, parse_json5};
use crate::core::{Error, Result};

/// Applies edits surgically (comments, order, `${VAR}` texts stay), validates the result, rotates `.bak`, writes atomically.
/// `base_hash`: refuse with Conflict if the file changed since.
pub fn edit(options: &LoadOptions, edits: &[Edit], base_hash: Option<&str>, dry_run: bool) -> Result<EditOutcome> {
    let plan = edits
        .iter()
        .map(|edit| match edit {
            Edit::Set { path, value } => Ok(Step { path: target(path)?, change: Change::Set(value.clone()) }),
            Edit::Unset { path } => Ok(Step { path: target(path)?, change: Change::Unset }),
            Edit::Merge { path, value } => Ok(Step { path: parse_path(path)?, change: Change::Merge(value.clone()) }),
        })
        .collect::<Result<Vec<_>>>()?;
    steps(options, &plan, base_hash, dry_run)
}

/// RFC 7396-like patch of a JSON5 object: objects merge, arrays and scalars replace, null deletes. `replace_paths` replace
/// instead of merge.
pub fn patch(
    options: &LoadOptions,
    raw: &str,
    replace_paths: &[String],
    base_hash: Option<&str>,
    dry_run: bool,
) -> Result<EditOutcome> {
    let value = parse_json5(raw)?;
    if !value.is_object() {
        return Err(Error::user("a configuration patch must be an object")
            .hint("Write for example `{gateway: {port: 18790}}`; `null` removes a key."));
    }
    let mut plan = Vec::new();
    let mut rest = value.clone();
    for path in replace_paths {
        let path_segments = target(path)?;
        let Some(replacement) = super::path::value_at(&value, &path_segments) else {
            return Err(Error::user(format!("the patch has no value at the path to replace, `{path}`")));
        };
        apply::remove(&mut rest, &path_segments);
        let change = if replacement.is_null() { Change::Unset } else { Change::Set(replacement.clone()) };
        plan.push(Step { path: path_segments, change });
    }
    plan.push(Step { path: Vec::new(), change: Change::Merge(rest) });
    steps(options, &plan, base_hash, dry_run)
}

/// Replaces the whole text after validation (`config.set {raw}`); redaction marks in it are put back from the current
/// file.
pub fn replace(options: &LoadOptions, raw: &str, base_hash: Option<&str>, dry_run: bool) -> Result<EditOutcome> {
    let lock = store::Lock::take(&loader::config_path(options), dry_run)?;
    let before = commit::current(options, base_hash)?;
    let file = SourceFile { path: before.path.clone(), text: raw.to_owned() };
    let parsed = parse(raw, 0).map_err(|error| combine(&[Problem::syntax(&file, error)], None))?;
    let text = sentinel::restore_text(raw, &parsed.root, before.own.as_ref(), &before.raw)?;
    let text = restore_comments(&text, &before.raw);
    commit::commit(options, &before, text, dry_run, &lock)
}

/// Keeps a copy of a configuration that works, for the day the file is broken: `openclaw.json.last-good`, mode 0600.
/// Call it when the gateway has started with it.
pub fn mark_last_good(loaded: &LoadedConfig) -> Result<()> {
    if loaded.exists { store::write_last_good(&loaded.path, &loaded.raw) } else { Ok(()) }
}

/// One change with its path parsed.
struct Step {
    path: Vec<Segment>,
    change: Change,
}

enum Change {
    Set(Value),
    Unset,
    Merge(Value),
}

fn target(path: &str) -> Result<Vec<Segment>> {
    let segments = parse_path(path)?;
    if segments.is_empty() {
        return Err(Error::user("a configuration path is needed").hint("Write for example `gateway.port`."));
    }
    Ok(segments)
}

fn steps(options: &LoadOptions, plan: &[Step], base_hash: Option<&str>, dry_run: bool) -> Result<EditOutcome> {
    let lock = store::Lock::take(&loader::config_path(options), dry_run)?;
    let before = commit::current(options, base_hash)?;
    if before.own.is_none() && !before.raw.trim().is_empty() {
        return Err(before.error());
    }
    let mut text = if before.raw.trim().is_empty() { "{}\n".to_owned() } else { before.raw.clone() };
    for step in plan {
        text = apply::step(&before, text, step)?;
    }
    let unchanged = before.raw.trim().is_empty() && text == "{}\n";
    let text = if unchanged { before.raw.clone() } else { text };
    let outcome = commit::commit(options, &before, text, dry_run, &lock)?;
    Ok(outcome)
}
