//! `sessions.*`.

mod change;
mod follow;
mod list;
mod past;

use super::spec::{Lifetime, Method, Param, Scope, Type, object_schema};

const KEY: Param = Param::required("key", Type::Key, "the conversation");
const AGENT: Param = Param::optional("agentId", Type::Key, "the agent; without it the one the key names");
const SESSION_ID: Param =
    Param::optional("sessionId", Type::Key, "an earlier transcript of the conversation; without it the current one");

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "sessions.list",
        summary: "The conversations, last used first",
        params: list::PARAMS,
        result: list::schema,
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(list::list(call)),
    },
    Method {
        name: "sessions.describe",
        summary: "One conversation",
        params: &[KEY, AGENT],
        result: || object_schema(&[("session", "object")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(list::describe(call)),
    },
    Method {
        name: "sessions.patch",
        summary: "Changes properties of a conversation; null clears one",
        params: change::PATCH_PARAMS,
        result: || {
            object_schema(
                &[
                    ("ok", "boolean"),
                    ("path", "string"),
                    ("key", "string"),
                    ("entry", "object"),
                    ("resolved", "object"),
                ],
                &[],
            )
        },
        scope: Scope::Write,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(change::patch(call)),
    },
    Method {
        name: "sessions.reset",
        summary: "Starts a fresh transcript under the same key; the old one is kept",
        params: &[KEY, AGENT, Param::optional("reason", Type::OneOf(&["new", "reset"]), "why; reset without it")],
        result: || {
            object_schema(&[("ok", "boolean"), ("key", "string"), ("entry", "object"), ("resolved", "object")], &[])
        },
        scope: Scope::Admin,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(change::reset(call)),
    },
    Method {
        name: "sessions.delete",
        summary: "Removes a conversation, and its transcript unless deleteTranscript is false",
        params: &[
            KEY,
            AGENT,
            Param::optional("deleteTranscript", Type::Boolean, "also delete the messages; true without it"),
        ],
        result: || {
            object_schema(&[("ok", "boolean"), ("key", "string"), ("deleted", "boolean"), ("archived", "array")], &[])
        },
        scope: Scope::Admin,
        lifetime: Lifetime::ToTheEnd,
        handler: |call| Box::pin(change::delete(call)),
    },
    Method {
        name: "sessions.subscribe",
        summary: "From now on this WebSocket gets sessions.changed and session.message of all conversations; with parameters it also answers the list",
        params: list::PARAMS,
        result: || object_schema(&[("subscribed", "boolean")], &[("list", "object")]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(follow::subscribe(call)),
    },
    Method {
        name: "sessions.unsubscribe",
        summary: "Ends sessions.subscribe",
        params: &[],
        result: || object_schema(&[("subscribed", "boolean")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(std::future::ready(follow::unsubscribe(&call))),
    },
    Method {
        name: "sessions.messages.subscribe",
        summary: "From now on this WebSocket gets chat, agent and session.message events of one conversation",
        params: &[
            KEY,
            AGENT,
            Param::optional(
                "includeApprovals",
                Type::Boolean,
                "answer with the approvals that wait in this conversation",
            ),
        ],
        result: || object_schema(&[("subscribed", "boolean"), ("key", "string")], &[("approvalReplay", "object")]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(follow::messages_subscribe(call)),
    },
    Method {
        name: "sessions.messages.unsubscribe",
        summary: "Ends sessions.messages.subscribe of one conversation",
        params: &[KEY, AGENT],
        result: || object_schema(&[("subscribed", "boolean"), ("key", "string")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(std::future::ready(follow::messages_unsubscribe(&call))),
    },
    Method {
        name: "sessions.timeline",
        summary: "Every stored event of a conversation, in order: messages, tool calls, results, changes",
        params: &[
            KEY,
            AGENT,
            SESSION_ID,
            Param::optional("after", Type::Integer(0, i64::MAX), "only events behind this sequence number"),
            Param::optional("limit", Type::Integer(1, 1000), "events of this page; 200 without it"),
        ],
        result: || {
            object_schema(
                &[
                    ("key", "string"),
                    ("agentId", "string"),
                    ("sessionId", "string"),
                    ("events", "array"),
                    ("hasMore", "boolean"),
                    ("lastSeq", "integer"),
                ],
                &[("nextAfter", "integer")],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(past::timeline(call)),
    },
    Method {
        name: "sessions.stateAt",
        summary: "The conversation as it was after an event: messages, values, usage",
        params: &[
            KEY,
            AGENT,
            SESSION_ID,
            Param::optional("seq", Type::Integer(0, i64::MAX), "sequence number of the event; without it the last"),
        ],
        result: || {
            object_schema(
                &[
                    ("key", "string"),
                    ("agentId", "string"),
                    ("sessionId", "string"),
                    ("seq", "integer"),
                    ("state", "object"),
                ],
                &[],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(past::state_at(call)),
    },
];
