//! `vfs.diff`, `vfs.history`, `vfs.restore`, `vfs.snapshot`, `vfs.snapshots`.

use serde_json::{Value, json};

use super::read::DEFAULT_ROWS;
use super::{open, shapes};
use crate::core::Result;
use crate::fs::VirtualAgentFs;
use crate::gateway::methods::args::Args;

pub(super) fn diff(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let (from, to) = (open::moment(args, "from")?, open::moment(args, "to")?);
    let path = open::path(files, args, "path")?;
    let max = args.count("limit").unwrap_or(DEFAULT_ROWS);
    let differences = files.diff(&from, &to, &path)?;
    let changes: Vec<Value> = differences.iter().take(max).map(shapes::difference).collect();
    Ok(json!({
        "path": path.as_str(), "from": from.to_string(), "to": to.to_string(), "changes": changes,
        "truncated": differences.len() > max,
    }))
}

pub(super) fn history(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let path = open::path(files, args, "path")?;
    let max = args.count("limit").unwrap_or(DEFAULT_ROWS);
    let mut versions = files.history(&path, max.saturating_add(1))?;
    let truncated = versions.len() > max;
    versions.truncate(max);
    let versions: Vec<Value> = versions.iter().map(shapes::version).collect();
    Ok(json!({ "path": path.as_str(), "versions": versions, "truncated": truncated }))
}

pub(super) fn restore(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let (path, at) = (open::path(files, args, "path")?, open::moment(args, "at")?);
    let differences = files.restore(&path, &at)?;
    let changes: Vec<Value> = differences.iter().take(DEFAULT_ROWS).map(shapes::difference).collect();
    Ok(json!({
        "path": path.as_str(), "at": at.to_string(), "changes": changes, "total": differences.len(),
        "revision": files.usage()?.0.revision,
    }))
}

pub(super) fn snapshot(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let name = args.required("name")?;
    if args.flag("drop").unwrap_or(false) {
        files.drop_snapshot(name)?;
        return Ok(json!({ "name": name, "dropped": true }));
    }
    let snapshot = files.snapshot(name, args.text("note").unwrap_or_default())?;
    Ok(json!({ "name": name, "snapshot": shapes::snapshot(&snapshot) }))
}

pub(super) fn snapshots(files: &VirtualAgentFs, _args: &Args) -> Result<Value> {
    let snapshots: Vec<Value> = files.snapshots()?.iter().map(shapes::snapshot).collect();
    Ok(json!({ "snapshots": snapshots }))
}
