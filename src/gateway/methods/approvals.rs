//! `exec.approval.*` and `exec.approvals.*`: questions to people, standing grants, and the exec approvals document.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{Error, Result, now_ms};
use crate::runtime::approvals::{self, Answer, Question, document, shape};
use crate::sandbox::SandboxLevel;
use crate::state::{ApprovalRow, ApprovalStatus};
use crate::tools::ApprovalRequest;
use crate::tools::policy::{ExecApprovals, ExecPolicy, fingerprint};

const DECISIONS: &[&str] = &["allow-once", "allow-always", "deny"];
/// A day: no question waits longer.
const MAX_WAIT_MS: i64 = 24 * 3_600_000;
const ID: Param =
    Param::required("id", Type::Key, "the approval; the beginning of its id is enough while it is pending");

const fn ignored(name: &'static str, kind: Type) -> Param {
    Param::optional(name, kind, "accepted for OpenClaw's clients; has no effect")
}

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "exec.approval.list",
        summary: "Approvals that nobody has decided, oldest first",
        params: &[],
        result: || json!({"type": "array", "items": {"type": "object"}}),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(list(call)),
    },
    Method {
        name: "exec.approval.get",
        summary: "One approval, decided or not",
        params: &[ID],
        result: approval_schema,
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(get(call)),
    },
    Method {
        name: "exec.approval.request",
        summary: "Asks people about a command of the caller's; answers with the decision, or at once with twoPhase",
        params: &[
            Param::optional("command", Type::Text(64 * 1024), "the command as a line; or give commandArgv"),
            Param::optional("commandArgv", Type::Texts(1000, 64 * 1024), "program and arguments"),
            Param::optional("id", Type::Key, "name of the approval; a fresh one without it"),
            Param::optional("cwd", Type::Text(4096), "directory it would start in"),
            Param::optional("env", Type::Object, "environment it would get; only its digest is kept"),
            Param::optional("agentId", Type::Key, "for which agent; the default agent without it"),
            Param::optional("sessionKey", Type::Key, "for which conversation"),
            Param::optional("warningText", Type::Text(4096), "why a person is asked"),
            Param::optional(
                "timeoutMs",
                Type::Integer(1, MAX_WAIT_MS),
                "how long it can be decided; as configured without it",
            ),
            Param::optional(
                "twoPhase",
                Type::Boolean,
                "answer when the question is put; exec.approval.waitDecision waits",
            ),
            ignored("host", Type::Text(100)),
            ignored("nodeId", Type::Text(200)),
            ignored("security", Type::Text(100)),
            ignored("ask", Type::Text(100)),
            ignored("resolvedPath", Type::Text(4096)),
        ],
        result: || {
            object_schema(
                &[("id", "string"), ("createdAtMs", "integer"), ("expiresAtMs", "integer")],
                &[("decision", "any"), ("status", "string")],
            )
        },
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(request(call)),
    },
    Method {
        name: "exec.approval.waitDecision",
        summary: "Waits until an approval is decided; decision is null when nobody does in time",
        params: &[
            ID,
            Param::optional(
                "timeoutMs",
                Type::Integer(1, MAX_WAIT_MS),
                "how long to wait; until it expires without it",
            ),
        ],
        result: || {
            object_schema(
                &[("id", "string"), ("status", "string")],
                &[("decision", "any"), ("resolvedBy", "any"), ("createdAtMs", "integer"), ("expiresAtMs", "integer")],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(wait(call)),
    },
    Method {
        name: "exec.approval.resolve",
        summary: "Decides an approval; only the first decision counts",
        params: &[
            ID,
            Param::required("decision", Type::OneOf(DECISIONS), "allow-once, allow-always or deny"),
            Param::optional("reviewer", Type::Text(200), "who decides, for the record"),
            Param::optional(
                "grantExpiresInDays",
                Type::Integer(1, 3650),
                "how long an allow-always holds; as configured without it",
            ),
        ],
        result: || object_schema(&[("ok", "boolean")], &[("approval", "object")]),
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(resolve(call)),
    },
    Method {
        name: "exec.approval.grants.list",
        summary: "What allow-always decisions allow, newest first",
        params: &[Param::optional("limit", Type::Integer(1, 1000), "most grants; all without it")],
        result: || object_schema(&[("grants", "array")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(grants(call)),
    },
    Method {
        name: "exec.approval.grants.revoke",
        summary: "Takes a standing grant back: the same call asks again",
        params: &[Param::required("grantId", Type::Key, "the grant")],
        result: || object_schema(&[("ok", "boolean"), ("grantId", "string")], &[]),
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(revoke(call)),
    },
    Method {
        name: "exec.approvals.get",
        summary: "The exec approvals: rules and allow lists by agent",
        params: &[],
        result: snapshot_schema,
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(get_document(call)),
    },
    Method {
        name: "exec.approvals.set",
        summary: "Replaces the exec approvals",
        params: &[
            Param::required("file", Type::Object, "{version: 1, defaults, agents}"),
            Param::optional("baseHash", Type::Key, "hash of exec.approvals.get; needed if there are any"),
        ],
        result: snapshot_schema,
        scope: Scope::Admin,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(set_document(call)),
    },
];

fn approval_schema() -> Value {
    object_schema(
        &[
            ("id", "string"),
            ("kind", "string"),
            ("status", "string"),
            ("createdAtMs", "integer"),
            ("request", "object"),
        ],
        &[
            ("expiresAtMs", "integer"),
            ("decision", "any"),
            ("resolvedBy", "any"),
            ("resolvedAtMs", "any"),
            ("reason", "any"),
            ("agentId", "any"),
            ("sessionKey", "any"),
            ("runId", "any"),
            ("ts", "any"),
        ],
    )
}

fn snapshot_schema() -> Value {
    object_schema(
        &[
            ("path", "string"),
            ("exists", "boolean"),
            ("hash", "string"),
            ("file", "object"),
            ("resolvedDefaults", "object"),
        ],
        &[],
    )
}

/// Who a call came from, for the record.
fn caller(call: &Call) -> String {
    match &call.caller.connection {
        Some(connection) => format!("gateway client {}", connection.id),
        None => "gateway client".to_owned(),
    }
}

async fn list(call: Call) -> Result<Value> {
    let pending = call.services.runtime.pending_approvals().await?;
    Ok(pending.iter().map(shape::approval).collect())
}

async fn get(call: Call) -> Result<Value> {
    Ok(shape::approval(&call.services.runtime.approval(call.args.required("id")?).await?))
}

async fn request(call: Call) -> Result<Value> {
    let runtime = &call.services.runtime;
    let argv: Vec<&str> = call.args.list("commandArgv").iter().filter_map(Value::as_str).collect();
    let command = match call.args.text("command") {
        Some(command) if !command.trim().is_empty() => command.to_owned(),
        _ if !argv.is_empty() => argv.join(" "),
        _ => return Err(Error::user("exec.approval.request: there is no command").hint("give command or commandArgv")),
    };
    let config = runtime.config();
    let agent = match call.args.text("agentId") {
        Some(id) => config
            .view
            .agent(&id.into())
            .ok_or_else(|| Error::not_found(format!("no agent {id}")).hint("openclaw agents list"))?,
        None => config.view.default_agent(),
    };
    let binding = json!({
        "argv": if argv.is_empty() { vec![command.as_str()] } else { argv }, "cwd": call.args.text("cwd"),
        "environment": call.args.get("env").map(|env| data_encoding::HEXLOWER.encode(&fingerprint(env))),
    });
    let configured = agent.tools.exec.approval_timeout_seconds.saturating_mul(1000);
    let timeout = call.args.integer("timeoutMs").map_or(configured, i64::unsigned_abs);
    let question = Question {
        id: call.args.text("id").map(str::to_owned),
        agent_id: agent.id.clone(),
        session_key: call.args.text("sessionKey").map(str::to_owned),
        run_id: None,
        tool_call_id: None,
        request: ApprovalRequest {
            kind: "exec",
            tool: "exec.approval.request".to_owned(),
            summary: command,
            reason: call.args.text("warningText").unwrap_or("a client asks").to_owned(),
            fingerprint: fingerprint(&binding),
            binding,
            may_stand: false,
            allow_unanswered: false,
        },
        timeout: Duration::from_millis(timeout),
    };
    let row = runtime.ask_approval(question, CancellationToken::new()).await?;
    if call.args.flag("twoPhase") == Some(true) {
        return Ok(json!({
            "id": row.approval_id, "status": "accepted", "createdAtMs": row.created_at, "expiresAtMs": row.expires_at,
        }));
    }
    let decided = runtime.await_approval(&row.approval_id, None).await?.unwrap_or(row);
    Ok(decision(&decided))
}

/// `{id, status, decision, …}`; an end without a decision is `null`, a cancelled one too.
fn decision(row: &ApprovalRow) -> Value {
    let decided = matches!(row.status, ApprovalStatus::Allowed | ApprovalStatus::Denied);
    json!({
        "id": row.approval_id, "status": row.status.as_str(), "decision": if decided { row.decision.as_deref() } else { None },
        "resolvedBy": row.decided_by, "createdAtMs": row.created_at, "expiresAtMs": row.expires_at,
    })
}

async fn wait(call: Call) -> Result<Value> {
    let runtime = &call.services.runtime;
    let row = runtime.approval(call.args.required("id")?).await?;
    let limit = call.args.integer("timeoutMs").map(|limit| Duration::from_millis(limit.unsigned_abs()));
    let decided = runtime.await_approval(&row.approval_id, limit).await?.unwrap_or(row);
    Ok(decision(&decided))
}

async fn resolve(call: Call) -> Result<Value> {
    let answer = Answer::parse(call.args.required("decision")?)
        .ok_or_else(|| Error::internal("a decision that was checked is unknown"))?;
    let by = call.args.text("reviewer").filter(|by| !by.trim().is_empty()).map_or_else(|| caller(&call), str::to_owned);
    let days = call.args.integer("grantExpiresInDays").map(i64::unsigned_abs);
    let row = call.services.runtime.resolve_approval(call.args.required("id")?, answer, &by, days).await?;
    Ok(json!({"ok": true, "approval": shape::approval(&row)}))
}

async fn grants(call: Call) -> Result<Value> {
    let limit = call.args.count("limit").unwrap_or(usize::MAX);
    let grants = call.services.read(|tx| tx.standing_grants(now_ms())).await?;
    let grants: Vec<Value> = grants.iter().take(limit).map(shape::grant).collect();
    Ok(json!({"grants": grants}))
}

async fn revoke(call: Call) -> Result<Value> {
    let (id, by) = (call.args.required("grantId")?.to_owned(), caller(&call));
    let grant = id.clone();
    call.services.runtime.store().write(move |tx| approvals::revoke(tx, &grant, &by)).await?;
    Ok(json!({"ok": true, "grantId": id}))
}

async fn get_document(call: Call) -> Result<Value> {
    let snapshot = call.services.read(document::load).await?;
    Ok(shown(&call, &snapshot))
}

async fn set_document(call: Call) -> Result<Value> {
    let document = ExecApprovals::parse(call.args.get("file").cloned().unwrap_or_default())?;
    let (base, by) = (call.args.text("baseHash").map(str::to_owned), caller(&call));
    let store = call.services.runtime.store();
    let snapshot = store.write(move |tx| document::replace(tx, &document, base.as_deref(), &by, now_ms())).await?;
    Ok(shown(&call, &snapshot))
}

fn shown(call: &Call, snapshot: &document::Snapshot) -> Value {
    let runtime = &call.services.runtime;
    let config = runtime.config();
    let agent = config.view.default_agent();
    let level = agent.sandbox.level.as_deref().and_then(SandboxLevel::parse).unwrap_or(SandboxLevel::Strict);
    let policy = ExecPolicy::new(&agent.tools, &snapshot.document, "", level);
    shape::document(snapshot, &runtime.paths().database().display().to_string(), &policy)
}
