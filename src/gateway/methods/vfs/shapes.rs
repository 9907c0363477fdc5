//! Results as JSON.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::fs::virtual_fs::{Difference, Version};
use crate::fs::{EntryKind, VfsNode};
use crate::state::VfsSnapshot;

pub(super) fn node(node: &VfsNode) -> Value {
    json!({
        "path": node.path.as_str(),
        "name": node.path.name(),
        "kind": if node.kind == EntryKind::Directory { "directory" } else { "file" },
        "size": node.size,
        "mode": node.mode,
        "hash": node.hash.map(|hash| HEXLOWER.encode(&hash)),
        "revision": node.revision,
        "modifiedAt": node.modified_ms,
        "runId": node.run_id,
    })
}

pub(super) fn difference(difference: &Difference) -> Value {
    json!({
        "path": difference.path.as_str(),
        "change": difference.kind().as_str(),
        "before": difference.before.as_ref().map(node),
        "after": difference.after.as_ref().map(node),
    })
}

pub(super) fn version(version: &Version) -> Value {
    let mut row = node(&version.node);
    row["current"] = version.ended.is_none().into();
    row["ended"] = json!(version.ended);
    row["endedAt"] = json!(version.ended_ms);
    row["endedByRun"] = json!(version.ended_run_id);
    row["held"] = version.held.into();
    row
}

pub(super) fn snapshot(snapshot: &VfsSnapshot) -> Value {
    json!({
        "name": snapshot.name, "revision": snapshot.revision, "note": snapshot.note,
        "runId": snapshot.run_id, "createdAt": snapshot.created_at,
    })
}
