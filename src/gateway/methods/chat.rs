//! `chat.*`: what chat clients use.

use std::time::Duration;

use serde_json::{Value, json};

use super::agent::{
    ATTACHMENTS, Conversation, DELIVER, FILESYSTEM_MODE, IDEMPOTENCY_KEY, MODEL, THINKING, TRAJECTORY, submit,
};
use super::rows;
use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{AgentId, Error, ErrorKind, Result, RunId, SessionKey, limits};
use crate::runtime::AcceptedStatus;
use crate::session::projection::message_json;
use crate::state::{ReadTx, SessionEntry};

/// Messages of a page when the caller names no number.
const DEFAULT_LIMIT: usize = 200;
/// Most messages of a page.
const MAX_LIMIT: i64 = 1000;
/// Most bytes of a page.
const MAX_BYTES: i64 = 20 * 1024 * 1024;

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "chat.send",
        summary: "Sends a message into a conversation and answers when it is stored; the reply comes as chat events",
        params: &[
            Param::required("sessionKey", Type::Key, "the conversation"),
            Param::required("message", Type::Text(limits::MAX_MESSAGE_BYTES), "the text"),
            IDEMPOTENCY_KEY,
            Param::optional("sessionId", Type::Key, "refuse unless the conversation still has this transcript"),
            Param::optional("agentId", Type::Key, "the agent; without it the one the key names"),
            MODEL,
            THINKING,
            Param::optional(
                "timeoutMs",
                Type::Integer(0, 86_400_000),
                "until the run is stopped; 0 is the agent's own limit",
            ),
            Param::optional("queueMode", Type::OneOf(&["followup"]), "a message during a run waits for its end"),
            FILESYSTEM_MODE,
            TRAJECTORY,
            ATTACHMENTS,
            DELIVER,
        ],
        result: || {
            object_schema(
                &[
                    ("runId", "string"),
                    ("status", "string"),
                    ("sessionKey", "string"),
                    ("sessionId", "string"),
                    ("serverTiming", "object"),
                ],
                &[("messageSeq", "integer")],
            )
        },
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(send(call)),
    },
    Method {
        name: "chat.history",
        summary: "The messages of a conversation, newest page first, each page in ascending order",
        params: &[
            Param::required("sessionKey", Type::Key, "the conversation"),
            Param::optional("agentId", Type::Key, "the agent; without it the one the key names"),
            Param::optional("limit", Type::Integer(1, MAX_LIMIT), "messages of this page; 200 without it"),
            Param::optional("offset", Type::Integer(0, i64::MAX), "newest messages to skip"),
            Param::optional(
                "cursor",
                Type::AnyOf(&[Type::Integer(1, i64::MAX), Type::Key]),
                "only messages before this sequence number (nextCursor of the page before)",
            ),
            Param::optional("maxBytes", Type::Integer(1024, MAX_BYTES), "end the page when it has so many bytes"),
        ],
        result: || {
            object_schema(
                &[
                    ("sessionKey", "string"),
                    ("messages", "array"),
                    ("hasMore", "boolean"),
                    ("totalMessages", "integer"),
                    ("defaults", "object"),
                    ("pendingInputs", "object"),
                ],
                &[
                    ("sessionId", "string"),
                    ("sessionInfo", "object"),
                    ("inFlightRun", "object"),
                    ("nextCursor", "integer"),
                ],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(history(call)),
    },
    Method {
        name: "chat.abort",
        summary: "Stops the running run of a conversation and those that wait, or only one of them; what was said is kept",
        params: &[
            Param::required("sessionKey", Type::Key, "the conversation"),
            Param::optional("runId", Type::Key, "only this run"),
            Param::optional("agentId", Type::Key, "the agent; without it the one the key names"),
        ],
        result: || object_schema(&[("ok", "boolean"), ("aborted", "boolean"), ("runIds", "array")], &[]),
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(abort(call)),
    },
];

async fn send(call: Call) -> Result<Value> {
    let (key, agent) = call.services.key(call.args.text("sessionKey"), call.args.text("agentId"))?;
    if let Some(expected) = call.args.session_id() {
        let current = call.services.read(move |tx| tx.session(&agent, &key)).await?;
        if let Some(entry) = current
            && entry.session_id != expected
        {
            return Err(Error::new(ErrorKind::Conflict, "the conversation was reset and has another transcript")
                .hint("load chat.history again, then send without sessionId or with the current one")
                .details(json!({"sessionId": entry.session_id})));
        }
    }
    let timeout = call.args.integer("timeoutMs").filter(|ms| *ms > 0);
    let conversation =
        Conversation { key: call.args.text("sessionKey").map(Into::into), transcript: call.args.session_id() };
    let accepted = submit(&call, conversation, timeout.map(|ms| Duration::from_millis(ms.unsigned_abs()))).await?;
    let status = match &accepted.status {
        AcceptedStatus::Started | AcceptedStatus::Queued(_) => "started",
        AcceptedStatus::InFlight => "in_flight",
        AcceptedStatus::Finished(outcome) => outcome.status.as_str(),
    };
    let took = u64::try_from(call.caller.received.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut answer = json!({
        "runId": accepted.run_id, "status": status, "sessionKey": accepted.session_key,
        "sessionId": accepted.session_id, "serverTiming": {"receivedToAckMs": took},
    });
    if let AcceptedStatus::Queued(ahead) = accepted.status {
        answer["queued"] = ahead.into();
    }
    if let Some(seq) = accepted.message_seq {
        answer["messageSeq"] = seq.into();
    }
    Ok(answer)
}

#[expect(clippy::unused_async, reason = "handlers are async")]
async fn abort(call: Call) -> Result<Value> {
    let (key, _) = call.services.key(call.args.text("sessionKey"), call.args.text("agentId"))?;
    let run = call.args.text("runId").map(RunId::from);
    let stopped = call.services.runtime.abort(&key, run.as_ref());
    Ok(json!({"ok": true, "aborted": !stopped.is_empty(), "runIds": stopped}))
}

/// What to read.
struct Wanted {
    limit: usize,
    offset: usize,
    before: Option<i64>,
    max_bytes: usize,
}

/// One page of a conversation.
struct Page {
    entry: SessionEntry,
    messages: Vec<Value>,
    has_more: bool,
    total: usize,
    oldest: Option<i64>,
}

async fn history(call: Call) -> Result<Value> {
    let args = &call.args;
    let (key, agent) = call.services.key(args.text("sessionKey"), args.text("agentId"))?;
    let wanted = Wanted {
        limit: args.count("limit").unwrap_or(DEFAULT_LIMIT),
        offset: args.count("offset").unwrap_or(0),
        before: cursor(args.get("cursor"))?,
        max_bytes: args.count("maxBytes").unwrap_or(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX)),
    };
    let (read_key, read_agent) = (key.clone(), agent.clone());
    let page = call.services.read(move |tx| read_page(tx, &read_agent, &read_key, &wanted)).await?;
    let runtime = &call.services.runtime;
    let pending: Vec<Value> = runtime
        .queued_messages(&key)
        .iter()
        .map(|(run, content)| json!({"runId": run, "message": {"role": "user", "content": content}}))
        .collect();
    let mut answer = json!({
        "sessionKey": key, "messages": [], "hasMore": false, "totalMessages": 0,
        "pendingInputs": {"total": pending.len(), "items": pending}, "defaults": rows::defaults(runtime),
    });
    if let Some(page) = page {
        answer["sessionId"] = json!(page.entry.session_id);
        answer["sessionInfo"] = rows::session_row(runtime, &page.entry, &key, &agent);
        answer["messages"] = page.messages.into();
        answer["hasMore"] = page.has_more.into();
        answer["totalMessages"] = page.total.into();
        if let (true, Some(oldest)) = (page.has_more, page.oldest) {
            answer["nextCursor"] = oldest.into();
        }
    }
    if let Some((run, text)) = runtime.in_flight_text(&key) {
        answer["inFlightRun"] = json!({"runId": run, "text": text});
    } else if let Some(run) = runtime.active_runs(&key).first() {
        answer["inFlightRun"] = json!({"runId": run, "text": ""});
    }
    Ok(answer)
}

fn cursor(value: Option<&Value>) -> Result<Option<i64>> {
    let Some(value) = value else { return Ok(None) };
    let number = super::spec::whole(value).or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match number {
        Some(seq) if seq > 0 => Ok(Some(seq)),
        _ => Err(Error::user("chat.history: the cursor is not one of this gateway's")
            .hint("use nextCursor of the page before, or leave it out")),
    }
}

fn read_page(tx: &ReadTx<'_>, agent: &AgentId, key: &SessionKey, wanted: &Wanted) -> Result<Option<Page>> {
    let Some(entry) = tx.session(agent, key)? else { return Ok(None) };
    // Tool calls and state changes lie between the messages.
    let chunk = wanted.limit.saturating_add(wanted.limit / 2).clamp(32, 1000);
    let mut page = Page { entry, messages: Vec::new(), has_more: false, total: 0, oldest: None };
    let (mut before, mut skip, mut bytes) = (wanted.before, wanted.offset, 0_usize);
    'pages: loop {
        let events = tx.events_tail(agent, &page.entry.session_id, before, chunk)?;
        let Some(first) = events.first() else { break };
        before = Some(first.seq);
        for stored in events.iter().rev() {
            let Some(message) = message_json(&stored.event, stored.seq) else { continue };
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if page.messages.len() == wanted.limit || bytes >= wanted.max_bytes {
                page.has_more = true;
                break 'pages;
            }
            bytes += approximate_size(&message);
            page.oldest = Some(stored.seq);
            page.messages.push(message);
        }
        if events.len() < chunk {
            break;
        }
    }
    page.messages.reverse();
    page.total = if page.has_more || wanted.before.is_some() {
        tx.count_messages(agent, &page.entry.session_id)?
    } else {
        page.messages.len() + wanted.offset - skip
    };
    Ok(Some(page))
}

/// Bytes of the JSON text, about: what counts are texts and images.
fn approximate_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(approximate_size).sum::<usize>() + list.len(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + 4 + approximate_size(value)).sum(),
        _ => 8,
    }
}
