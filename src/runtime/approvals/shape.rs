//! OpenClaw's JSON of questions, grants and the document.

use serde_json::{Value, json};

use super::document::Snapshot;
use super::question::Answer;
use crate::state::ApprovalRow;
use crate::tools::policy::{ExecApprovals, ExecPolicy};

/// A question, as `exec.approval.requested` and `exec.approval.resolved` carry it.
pub fn approval(row: &ApprovalRow) -> Value {
    let asked = &row.request;
    let binding = &asked["binding"];
    let mut answers: Vec<&str> = Answer::ALL.map(Answer::as_str).to_vec();
    if asked["mayStand"] != true {
        answers.retain(|answer| *answer != Answer::AllowAlways.as_str());
    }
    // The shell is always first; what a person wants to see is what comes after it.
    let resolved = binding["executables"].as_array().and_then(|list| list.get(1).or_else(|| list.first()));
    json!({
        "id": row.approval_id,
        "kind": row.kind,
        "status": row.status.as_str(),
        "createdAtMs": row.created_at,
        "expiresAtMs": row.expires_at,
        "agentId": row.agent_id,
        "sessionKey": row.session_key,
        "runId": row.run_id,
        "request": {
            "command": asked["summary"],
            "commandArgv": binding["argv"],
            "cwd": binding["cwd"],
            "host": "gateway",
            "tool": row.tool,
            "agentId": row.agent_id,
            "sessionKey": row.session_key,
            "runId": row.run_id,
            "toolCallId": row.tool_call_id,
            "resolvedPath": resolved.map(|program| &program["path"]),
            "sandbox": binding["sandbox"],
            "warningText": asked["reason"],
            "allowedDecisions": answers,
            "fingerprint": row.request_hash.as_deref().map(|hash| data_encoding::HEXLOWER.encode(hash)),
        },
        "decision": row.decision,
        "resolvedBy": row.decided_by,
        "resolvedAtMs": row.decided_at,
        "ts": row.decided_at.unwrap_or(row.created_at),
        "reason": row.reason,
    })
}

/// A permission that stands.
pub fn grant(row: &ApprovalRow) -> Value {
    json!({
        "grantId": row.approval_id,
        "kind": row.kind,
        "agentId": row.agent_id,
        "tool": row.tool,
        "command": row.request["summary"],
        "cwd": row.request["binding"]["cwd"],
        "sandbox": row.request["binding"]["sandbox"],
        "createdAtMs": row.decided_at,
        "expiresAtMs": row.expires_at,
        "createdBy": row.decided_by,
    })
}

/// `exec.approvals.get`. `path` says where it is kept; `policy` is what holds for an agent that the document says nothing of.
pub fn document(snapshot: &Snapshot, path: &str, policy: &ExecPolicy) -> Value {
    json!({
        "path": path,
        "exists": snapshot.exists,
        "hash": snapshot.hash,
        "file": ExecApprovals::to_public(&snapshot.document),
        "resolvedDefaults": {
            "security": policy.security.as_str(), "ask": policy.ask.as_str(), "askFallback": policy.fallback.as_str(),
            "autoAllowSkills": false,
        },
    })
}
