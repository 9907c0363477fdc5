//! `agent`, `agent.wait`: run a turn, hear how it ended.

use std::time::Duration;

use serde_json::{Value, json};

use super::attachments::{self, MAX_ATTACHMENTS};
use super::outcome::outcome_json;
use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{AgentId, Error, ErrorKind, Result, RunId, SessionId, limits};
use crate::providers::ThinkingLevel;
use crate::runtime::{Accepted, AcceptedStatus, TurnRequest, modes};

/// Longest time a caller may ask for, a day.
const MAX_WAIT_MS: i64 = 86_400_000;
/// OpenClaw's default for `agent.wait`.
const DEFAULT_WAIT_MS: i64 = 30_000;
/// Sessions looked at for a transcript id; the exact one comes first.
const MATCHES: usize = 8;

/// What `agent` and `chat.send` have in common; [`submit`] reads them.
pub(super) const IDEMPOTENCY_KEY: Param = Param::required(
    "idempotencyKey",
    Type::Key,
    "a fresh id of yours; it becomes the run id, and sending it again starts nothing",
);
pub(super) const MODEL: Param = Param::optional("model", Type::Key, "provider/model or alias, for this run only");
pub(super) const THINKING: Param =
    Param::optional("thinking", Type::Key, "off, minimal, low, medium or high, for this run only");
pub(super) const FILESYSTEM_MODE: Param = Param::optional(
    "filesystemMode",
    Type::OneOf(&["disk", "vfs-scratch", "vfs-only"]),
    "files of this run; vfs-only keeps it away from the host, and an agent that has only that cannot be given more",
);
pub(super) const TRAJECTORY: Param = Param::optional(
    "trajectory",
    Type::Boolean,
    "keep what the model is sent and answers in this run, or do not; diagnostics.trajectory without it",
);
pub(super) const ATTACHMENTS: Param =
    Param::optional("attachments", Type::Objects(MAX_ATTACHMENTS), "files: {fileName, mimeType, content (base64)}");
pub(super) const DELIVER: Param =
    Param::optional("deliver", Type::Boolean, "send the reply to a channel; this gateway has none, so only false");

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "agent",
        summary: "Sends a message to an agent and answers at once; agent.wait tells how the run ended",
        params: &[
            Param::required("message", Type::Text(limits::MAX_MESSAGE_BYTES), "the text for the agent"),
            IDEMPOTENCY_KEY,
            Param::optional("sessionKey", Type::Key, "the conversation; without it the agent's main one"),
            Param::optional(
                "sessionId",
                Type::Key,
                "without sessionKey: the conversation with this transcript, else the one named explicit:<sessionId>; \
                 with it: refuse unless the conversation still has this transcript",
            ),
            Param::optional("agentId", Type::Key, "the agent; without it the default agent"),
            MODEL,
            THINKING,
            Param::optional(
                "timeout",
                Type::Integer(0, 86_400),
                "seconds until the run is stopped; 0 is the agent's own limit",
            ),
            Param::optional("channel", Type::Key, "where the message comes from; rpc without it"),
            Param::optional("extraSystemPrompt", Type::Text(65_536), "added to the system prompt of this run"),
            FILESYSTEM_MODE,
            TRAJECTORY,
            ATTACHMENTS,
            DELIVER,
        ],
        result: || {
            object_schema(
                &[
                    ("runId", "string"),
                    ("sessionKey", "string"),
                    ("sessionId", "string"),
                    ("agentId", "string"),
                    ("status", "string"),
                    ("acceptedAt", "integer"),
                ],
                &[("result", "object"), ("error", "object"), ("summary", "string")],
            )
        },
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(agent(call)),
    },
    Method {
        name: "agent.wait",
        summary: "Waits for the end of a run, also of one that has ended already",
        params: &[
            Param::required("runId", Type::Key, "the run"),
            Param::optional("timeoutMs", Type::Integer(0, MAX_WAIT_MS), "how long to wait; 30000 without it"),
        ],
        result: || {
            object_schema(
                &[("runId", "string"), ("status", "string")],
                &[
                    ("startedAt", "integer"),
                    ("endedAt", "integer"),
                    ("stopReason", "any"),
                    ("result", "object"),
                    ("error", "object"),
                    ("summary", "string"),
                ],
            )
        },
        scope: Scope::Write,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(wait(call)),
    },
];

async fn agent(call: Call) -> Result<Value> {
    let timeout = call.args.integer("timeout").filter(|seconds| *seconds > 0);
    let conversation = conversation(&call).await?;
    let timeout = timeout.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
    let accepted = submit(&call, conversation, timeout).await?;
    let mut answer = match &accepted.status {
        AcceptedStatus::Started => json!({"status": "accepted"}),
        AcceptedStatus::Queued(ahead) => json!({"status": "accepted", "queued": ahead}),
        AcceptedStatus::InFlight => json!({"status": "in_flight"}),
        AcceptedStatus::Finished(outcome) => outcome_json(outcome, Some(&accepted.session_id)),
    };
    answer["runId"] = json!(accepted.run_id);
    answer["sessionKey"] = json!(accepted.session_key);
    answer["sessionId"] = json!(accepted.session_id);
    answer["agentId"] = json!(accepted.agent_id);
    answer["acceptedAt"] = accepted.accepted_at.into();
    Ok(answer)
}

/// Where a message goes.
pub(super) struct Conversation {
    /// As sent; the agent's main one without it.
    pub(super) key: Option<String>,
    /// The transcript it must still have.
    pub(super) transcript: Option<SessionId>,
}

/// The conversation that `sessionKey` and `sessionId` mean together. OpenClaw's CLI sends the name it was given as
/// `sessionId` and, as `sessionKey`, `agent:<agent>:explicit:<name>`: that is a name, not a transcript.
async fn conversation(call: &Call) -> Result<Conversation> {
    let (key, agent) = (call.args.text("sessionKey"), call.args.text("agentId"));
    let Some(id) = call.args.session_id() else {
        return Ok(Conversation { key: key.map(Into::into), transcript: None });
    };
    let name = format!("explicit:{id}");
    if let Some(key) = key {
        let (canonical, _) = call.services.key(Some(key), agent)?;
        let (named, _) = call.services.key(Some(&name), canonical.agent().as_ref().map(AgentId::as_str))?;
        let transcript = (canonical != named).then_some(id);
        return Ok(Conversation { key: Some(key.to_owned()), transcript });
    }
    let (_, wanted) = call.services.key(None, agent)?;
    let any_agent = agent.is_none();
    let found = call
        .services
        .read(move |tx| {
            let entries = tx.sessions_matching(id.as_str(), MATCHES)?;
            Ok(entries.into_iter().find(|entry| entry.session_id == id && (any_agent || entry.agent_id == wanted)))
        })
        .await?;
    Ok(Conversation { key: Some(found.map_or(name, |entry| entry.key.to_string())), transcript: None })
}

/// Hands a message to the runtime. The caller's connection hears of the run from its first event on.
pub(super) async fn submit(call: &Call, conversation: Conversation, timeout: Option<Duration>) -> Result<Accepted> {
    let args = &call.args;
    if args.flag("deliver") == Some(true) {
        return Err(Error::user("the reply cannot be delivered to a channel")
            .why("this gateway has no channels; replies go to the caller and into the transcript")
            .hint("leave \"deliver\" out"));
    }
    if let Some(level) = args.text("thinking")
        && ThinkingLevel::parse(level).is_none()
    {
        return Err(
            Error::user(format!("there is no thinking level {level:?}")).hint("use off, minimal, low, medium or high")
        );
    }
    // Said here as well as by the runtime: who has heard of the shutdown must not get in before the runtime closes.
    if call.services.vitals.is_draining() {
        return Err(Error::new(ErrorKind::Unavailable, "the gateway is shutting down")
            .hint("send the message again in a moment"));
    }
    let key = args.required("idempotencyKey")?;
    let request = TurnRequest {
        session_key: conversation.key,
        session_id: conversation.transcript,
        agent_id: args.text("agentId").map(str::to_owned),
        content: attachments::content(args.required("message")?, args.list("attachments"))?,
        idempotency_key: Some(key.to_owned()),
        model: args.text("model").map(str::to_owned),
        thinking: args.text("thinking").map(str::to_owned),
        timeout,
        channel: args.text("channel").unwrap_or("rpc").to_owned(),
        extra_system_prompt: args.text("extraSystemPrompt").map(str::to_owned),
        filesystem_mode: args.text("filesystemMode").map(modes::parse).transpose()?,
        trajectory: args.flag("trajectory"),
    };
    let hub = &call.services.hub;
    let run = RunId::from(key);
    let connection = call.caller.connection.as_deref();
    let follows = connection.is_some_and(|connection| hub.follow_run(connection, &run));
    let accepted = call.services.runtime.submit(request).await;
    if let (Some(connection), true) = (connection, follows) {
        match &accepted {
            Ok(accepted) if !matches!(accepted.status, AcceptedStatus::Finished(_)) => {}
            Ok(_) | Err(_) => hub.unfollow_run(connection, &run),
        }
    }
    accepted
}

async fn wait(call: Call) -> Result<Value> {
    let run = RunId::from(call.args.required("runId")?);
    let patience = call.args.integer("timeoutMs").unwrap_or(DEFAULT_WAIT_MS);
    let patience = Duration::from_millis(patience.unsigned_abs());
    let waiting = call.services.runtime.wait(&run, Some(patience));
    let outcome = match &call.caller.connection {
        None => waiting.await?,
        Some(connection) => tokio::select! {
            outcome = waiting => outcome?,
            () = connection.gone.cancelled() => {
                return Err(Error::new(ErrorKind::Cancelled, "the caller of agent.wait is gone"));
            }
        },
    };
    let Some(outcome) = outcome else {
        return Ok(json!({"runId": run, "status": "timeout"}));
    };
    let row = call.services.read(move |tx| tx.run(&run)).await?;
    Ok(outcome_json(&outcome, row.as_ref().map(|row| &row.session_id)))
}
