//! Strategies: events that make no sense together, on purpose.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::core::{EventId, RunId, ToolCallId};
use crate::session::event::{
    AgentResponse, Event, EventBody, MessageReceived, MessageSent, SessionEnded, SessionStarted, StateChanged,
    ToolCalled, ToolResult,
};
use crate::session::message::{Cost, KnownBlock};
use crate::session::{ChatMessage, ContentBlock, StopReason, Usage};

/// Any JSON, nested a little.
pub(super) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no NaN", |number| number.is_finite()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), object(inner).prop_map(Value::Object)]
    })
}

/// An object whose names are often ones we use ourselves.
fn object(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    vec((name(), values), 0..4).prop_map(|members| members.into_iter().collect())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z_]{1,6}",
        prop::sample::select(vec![
            "id",
            "kind",
            "data",
            "ts",
            "runId",
            "parentId",
            "content",
            "usage",
            "stopReason",
            "text",
            "type",
            "redacted",
            "thinkingSignature",
            "attachments",
            "durationMs",
            "extra",
            "version",
            "input",
            "cost",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Unknown members for an object.
pub(super) fn extra() -> impl Strategy<Value = Map<String, Value>> {
    object(json_value())
}

fn tool_call_id() -> impl Strategy<Value = ToolCallId> {
    prop_oneof![
        8 => prop::sample::select(vec!["t1", "t2", "t3"]).prop_map(ToolCallId::from),
        1 => prop::sample::select(vec!["", "t1-2", "call|fc_1", "t 1", "é"]).prop_map(ToolCallId::from),
        1 => "[a-z|]{60,70}".prop_map(ToolCallId::from),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z]{1,5}", 1 => prop::sample::select(vec!["", " ", "\n\t", "\u{3000}"]).prop_map(str::to_owned)]
}

fn arguments() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!({"path": "a"})),
        1 => json_value(),
        1 => prop::sample::select(vec!["{\"a\":1}", "{\"a\":", "", "[]"]).prop_map(Value::from),
    ]
}

fn block() -> impl Strategy<Value = ContentBlock> {
    prop_oneof![
        4 => text().prop_map(ContentBlock::text),
        2 => (tool_call_id(), prop::sample::select(vec!["read", "", "no/way", "x y"]), arguments())
            .prop_map(|(id, name, arguments)| ContentBlock::tool_call(id, name, arguments)),
        1 => (text(), prop::option::of(text())).prop_map(|(text, signature)| ContentBlock::thinking(text, signature)),
        1 => (text(), text()).prop_map(|(data, kind)| ContentBlock::image(data, kind)),
        1 => json_value().prop_map(|value| ContentBlock::from_json(json!({"type": "audio", "x": value}))),
        1 => Just(ContentBlock::Known(KnownBlock::Thinking {
            thinking: String::new(),
            signature: Some("s".into()),
            redacted: true,
            extra: Map::new(),
        })),
    ]
}

fn blocks() -> impl Strategy<Value = Vec<ContentBlock>> {
    vec(block(), 0..4)
}

/// Any message.
pub(super) fn message() -> impl Strategy<Value = Arc<ChatMessage>> {
    let message = prop_oneof![
        blocks().prop_map(|content| ChatMessage::User { content }),
        blocks().prop_map(|content| ChatMessage::Assistant { content, provider: None, model: Some("m".into()) }),
        (tool_call_id(), blocks(), any::<bool>()).prop_map(|(tool_call_id, content, is_error)| {
            ChatMessage::ToolResult { tool_call_id, tool_name: "read".into(), content, is_error }
        }),
    ];
    message.prop_map(Arc::new)
}

fn event_id() -> impl Strategy<Value = EventId> {
    (0..14_u8).prop_map(|number| EventId::new(format!("e{number}")))
}

fn usage() -> impl Strategy<Value = Usage> {
    (any::<u64>(), 0.0..10.0_f64).prop_map(|(input, total)| Usage {
        input,
        cost: Cost { total, ..Cost::default() },
        ..Usage::default()
    })
}

fn state_change() -> impl Strategy<Value = StateChanged> {
    prop_oneof![
        3 => event_id().prop_map(|id| StateChanged::new("tip", json!(id))),
        1 => Just(StateChanged::new("tip", Value::Null)),
        2 => (event_id(), text()).prop_map(|(id, summary)| {
            StateChanged::new("compaction", json!({"summary": summary, "firstKeptEventId": id}))
        }),
        1 => json_value().prop_map(|value| StateChanged::new("compaction", value)),
        1 => text().prop_map(|summary| StateChanged::new("branchSummary", json!({"summary": summary}))),
        2 => ("[ab]", json_value()).prop_map(|(key, value)| StateChanged::new(key, value)),
    ]
}

fn body() -> impl Strategy<Value = EventBody> {
    prop_oneof![
        1 => extra().prop_map(|extra| SessionStarted { extra, ..SessionStarted::default() }.into()),
        4 => blocks().prop_map(|content| MessageReceived { content, ..MessageReceived::default() }.into()),
        2 => (tool_call_id(), json_value()).prop_map(|(tool_call_id, params)| {
            ToolCalled { tool_call_id, tool: "read".into(), params, ..ToolCalled::default() }.into()
        }),
        3 => (tool_call_id(), blocks(), any::<bool>()).prop_map(|(tool_call_id, content, success)| {
            ToolResult { tool_call_id, tool: "read".into(), content, success, ..ToolResult::default() }.into()
        }),
        4 => (blocks(), prop::option::of(usage())).prop_map(|(content, usage)| {
            AgentResponse { content, usage, stop_reason: Some(StopReason::Aborted), ..AgentResponse::default() }.into()
        }),
        1 => blocks().prop_map(|content| MessageSent { content, ..MessageSent::default() }.into()),
        5 => state_change().prop_map(EventBody::from),
        1 => "[xy]".prop_map(|reason| SessionEnded::new(reason).into()),
    ]
}

/// Events that repeat ids with other content, name parents that do not exist, follow themselves in loops, and share
/// times.
pub(super) fn events() -> impl Strategy<Value = Vec<Arc<Event>>> {
    vec(
        (event_id(), prop::option::weighted(0.9, event_id()), 0..6_i64, prop::option::of("[rs]"), body()).prop_map(
            |(id, parent, ts, run, body)| Arc::new(Event::with_id(id, parent, ts, run.map(RunId::from), body)),
        ),
        0..24,
    )
}

/// Events of a well-formed log: fresh ids, each follows an earlier one.
pub(super) fn log() -> impl Strategy<Value = Vec<Arc<Event>>> {
    vec((any::<prop::sample::Index>(), 0..4_u8, -1..3_i64, body()), 0..24).prop_map(|steps| {
        let mut log: Vec<Arc<Event>> = Vec::new();
        let mut ts = 100;
        for (number, (pick, near, step, body)) in steps.into_iter().enumerate() {
            ts += step;
            let parent = match (log.last(), near) {
                (None, _) => None,
                (Some(last), 1..) => Some(last.id.clone()),
                (Some(_), 0) => Some(pick.get(&log).id.clone()),
            };
            log.push(Arc::new(Event::with_id(EventId::new(format!("e{number}")), parent, ts, None, body)));
        }
        log
    })
}
