//! `vfs.list`, `vfs.stat`, `vfs.read`, `vfs.usage`.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use super::{open, shapes};
use crate::core::{Error, Result};
use crate::fs::{EntryKind, FsError, VirtualAgentFs};
use crate::gateway::methods::args::Args;

/// Rows of an answer when the caller names no number.
pub(super) const DEFAULT_ROWS: usize = 1000;
/// Bytes of an answer when the caller names no number.
const DEFAULT_LENGTH: u64 = 1024 * 1024;

pub(super) fn list(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let (path, at) = (open::path(files, args, "path")?, open::moment(args, "at")?);
    let max = args.count("limit").unwrap_or(DEFAULT_ROWS);
    let after = args.text("after");
    let mut nodes = if args.flag("recursive").unwrap_or(false) {
        if files.node(&path, &at)?.kind != EntryKind::Directory {
            return Err(FsError::NotADirectory { path: path.to_string() }.into());
        }
        files.tree_at(&path, &at)?
    } else {
        let everything = if after.is_some() { usize::MAX - 1 } else { max.saturating_add(1) };
        files.nodes(&path, &at, everything)?.0
    };
    nodes.retain(|node| node.path != path && after.is_none_or(|after| node.path.as_str() > after));
    let truncated = nodes.len() > max;
    nodes.truncate(max);
    let entries: Vec<Value> = nodes.iter().map(shapes::node).collect();
    Ok(json!({ "path": path.as_str(), "entries": entries, "truncated": truncated }))
}

pub(super) fn stat(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let (path, at) = (open::path(files, args, "path")?, open::moment(args, "at")?);
    let node = files.node(&path, &at)?;
    Ok(json!({ "path": path.as_str(), "entry": shapes::node(&node) }))
}

pub(super) fn read(files: &VirtualAgentFs, args: &Args) -> Result<Value> {
    let (path, at) = (open::path(files, args, "path")?, open::moment(args, "at")?);
    let whole = |name: &str| args.integer(name).map(i64::unsigned_abs);
    let (offset, length) = (whole("offset").unwrap_or(0), whole("length").unwrap_or(DEFAULT_LENGTH));
    let (bytes, node) = files.read_range(&path, &at, offset, length)?;
    let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let (encoding, data) = match (args.text("encoding").unwrap_or("auto"), String::from_utf8(bytes)) {
        ("base64", Ok(text)) => ("base64", BASE64.encode(text.as_bytes())),
        (_, Ok(text)) => ("utf8", text),
        ("utf8", Err(_)) => {
            return Err(Error::user(format!("vfs.read: this part of {path} is not UTF-8 text"))
                .hint("ask for base64, or for another part"));
        }
        (_, Err(error)) => ("base64", BASE64.encode(error.as_bytes())),
    };
    Ok(json!({
        "path": path.as_str(), "encoding": encoding, "data": data, "offset": offset, "length": count, "size": node.size,
        "eof": offset.saturating_add(count) >= node.size, "revision": node.revision,
        "hash": node.hash.map(|hash| HEXLOWER.encode(&hash)),
    }))
}

pub(super) fn usage(files: &VirtualAgentFs, _args: &Args) -> Result<Value> {
    let (totals, limits) = files.usage()?;
    Ok(json!({
        "revision": totals.revision, "bytes": totals.bytes, "files": totals.files, "directories": totals.directories,
        "historyBytes": totals.history_bytes, "snapshotBytes": totals.held_bytes, "prunedBefore": totals.pruned,
        "limits": {
            "bytes": limits.max_bytes, "files": limits.max_files, "fileBytes": limits.max_file_bytes,
            "historyBytes": limits.history_bytes, "depth": limits.max_depth, "pathBytes": limits.max_path_bytes,
            "snapshots": limits.max_snapshots,
        },
        "namespaces": files.namespaces()?,
    }))
}
