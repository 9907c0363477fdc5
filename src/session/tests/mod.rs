//! Laws and examples of the session module.

mod context;
mod envelope;
mod growth;
mod projection;
mod repair;
mod soup;
mod timeline;
mod tip;
mod tree;
mod wire;

use std::sync::Arc;

use serde_json::{Value, json};

use super::event::{AgentResponse, Event, MessageReceived, StateChanged, ToolCalled, ToolResult};
use super::{ChatMessage, ContentBlock};
use crate::core::{EventId, ToolCallId};

/// An event with short ids; the time is given.
fn event(id: &str, parent: &str, ts: i64, body: impl Into<super::EventBody>) -> Arc<Event> {
    let parent = (!parent.is_empty()).then(|| EventId::from(parent));
    Arc::new(Event::with_id(EventId::from(id), parent, ts, None, body))
}

fn user(text: &str) -> MessageReceived {
    MessageReceived { content: vec![ContentBlock::text(text)], ..MessageReceived::default() }
}

fn answer(content: Vec<ContentBlock>) -> AgentResponse {
    AgentResponse { content, ..AgentResponse::default() }
}

fn says(text: &str) -> AgentResponse {
    answer(vec![ContentBlock::text(text)])
}

fn call(id: &str) -> ContentBlock {
    ContentBlock::tool_call(ToolCallId::from(id), "read", json!({"path": id}))
}

fn called(id: &str) -> ToolCalled {
    ToolCalled { tool_call_id: ToolCallId::from(id), tool: "read".into(), params: json!({}), ..ToolCalled::default() }
}

fn result(id: &str, text: &str) -> ToolResult {
    ToolResult {
        tool_call_id: ToolCallId::from(id),
        tool: "read".into(),
        content: vec![ContentBlock::text(text)],
        success: true,
        ..ToolResult::default()
    }
}

fn set(key: &str, value: impl Into<Value>) -> StateChanged {
    StateChanged::new(key, value.into())
}

/// One line per message: `U text`, `A text call:id`, `R id text`, `R! id text` for errors.
fn lines(context: &[Arc<ChatMessage>]) -> String {
    fn blocks(content: &[ContentBlock]) -> String {
        let words = content.iter().map(|block| match block.as_tool_call() {
            Some((id, name, arguments)) => format!("{name}:{id}{arguments}"),
            None => block.as_text().unwrap_or("(other)").replace('\n', "|"),
        });
        words.collect::<Vec<_>>().join(" + ")
    }
    let lines = context.iter().map(|message| match &**message {
        ChatMessage::User { content } => format!("U {}", blocks(content)),
        ChatMessage::Assistant { content, .. } => format!("A {}", blocks(content)),
        ChatMessage::ToolResult { tool_call_id, content, is_error, .. } => {
            format!("R{} {tool_call_id} {}", if *is_error { "!" } else { "" }, blocks(content))
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
