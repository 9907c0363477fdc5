//! The exec approvals document in the database.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::core::{Error, ErrorKind, Result};
use crate::state::{AuditRow, ReadTx, WriteTx};
use crate::tools::policy::{AllowEntry, ExecApprovals, Used};

/// Where it is among the typed values.
const SCOPE: &str = "exec_approvals";
const KEY: &str = "document";
/// Uses of an entry are noted at most this often.
const NOTE_EVERY_MS: i64 = 10_000;

/// The document as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Whether there is one; without, everything is empty.
    pub exists: bool,
    /// Its content.
    pub document: ExecApprovals,
    /// Changes with the content, but not with the notes of last uses.
    pub hash: String,
}

/// Reads it.
pub fn load(tx: &ReadTx<'_>) -> Result<Snapshot> {
    let stored: Option<Value> = tx.kv_get(SCOPE, KEY)?;
    let exists = stored.is_some();
    let document = match stored {
        Some(value) => ExecApprovals::parse(value)
            .map_err(|error| Error::new(ErrorKind::State, "the stored exec approvals cannot be used").source(error))?,
        None => ExecApprovals::default(),
    };
    Ok(Snapshot { exists, hash: hash(&document), document })
}

/// Replaces it. With `base_hash`, only if it has not changed since; without, only if there is none.
pub fn replace(
    tx: &WriteTx<'_>,
    document: &ExecApprovals,
    base_hash: Option<&str>,
    by: &str,
    at: i64,
) -> Result<Snapshot> {
    let present = load(tx)?;
    match base_hash {
        Some(base) if base != present.hash => {
            return Err(Error::new(ErrorKind::Conflict, "the exec approvals have changed meanwhile")
                .why("baseHash is not the hash of what is there")
                .hint("read them again, make the change there, and send it with the new hash")
                .details(json!({"hash": present.hash})));
        }
        None if present.exists => {
            return Err(Error::user("the hash of the exec approvals that are replaced is missing")
                .hint("read them with exec.approvals.get, and send its hash as baseHash"));
        }
        _ => {}
    }
    let mut document = document.clone();
    for (agent, rules) in &mut document.agents {
        for (index, entry) in rules.allowlist.iter_mut().enumerate() {
            entry.id.get_or_insert_with(|| format!("{agent}-{at}-{index}"));
        }
    }
    tx.kv_put(SCOPE, KEY, &document)?;
    let hash = hash(&document);
    tx.record_audit(&AuditRow {
        at,
        actor: by.to_owned(),
        action: "approvals.set".to_owned(),
        outcome: "ok",
        agent_id: None,
        session_key: None,
        run_id: None,
        target: Some("exec approvals".to_owned()),
        details: json!({"before": present.hash, "after": hash}),
    })?;
    Ok(Snapshot { exists: true, document, hash })
}

/// Notes when and for what entries were used last.
pub(in crate::runtime) fn note_use(
    tx: &WriteTx<'_>,
    agent: &str,
    entries: &[Used],
    command: &str,
    at: i64,
) -> Result<()> {
    let mut snapshot = load(tx)?;
    let mut changed = false;
    let command: String = command.chars().take(500).collect();
    for (id, rules) in &mut snapshot.document.agents {
        if id != agent && id != "*" {
            continue;
        }
        for entry in &mut rules.allowlist {
            let Some(used) = entries.iter().find(|used| is_of(used, entry)) else { continue };
            if entry.last_used_at.is_none_or(|last| at - last >= NOTE_EVERY_MS) {
                entry.last_used_at = Some(at);
                entry.last_used_command = Some(crate::core::redact::text(&command).into_owned());
                entry.last_resolved_path = Some(used.resolved.display().to_string());
                changed = true;
            }
        }
    }
    if changed && snapshot.exists { tx.kv_put(SCOPE, KEY, &snapshot.document) } else { Ok(()) }
}

fn is_of(used: &Used, entry: &AllowEntry) -> bool {
    used.pattern == entry.pattern && used.arg_pattern == entry.arg_pattern
}

fn hash(document: &ExecApprovals) -> String {
    let mut document = document.clone();
    for entry in document.agents.values_mut().flat_map(|rules| &mut rules.allowlist) {
        (entry.last_used_at, entry.last_used_command, entry.last_resolved_path) = (None, None, None);
    }
    data_encoding::HEXLOWER.encode(digest(&SHA256, json!(document).to_string().as_bytes()).as_ref())
}
