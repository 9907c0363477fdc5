//! Tells what tool calls gave.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use crate::core::ToolCallId;
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock};

/// Lines shown of the only result.
const LINES_ALONE: usize = 40;
/// Lines shown of each of several results.
const LINES_EACH: usize = 8;
/// Characters shown of a line.
const LINE_CHARS: usize = 200;

/// A report on the results in `turn` (the last user message and what follows); `None` if there are none.
pub(super) fn results(turn: &[Arc<ChatMessage>]) -> Option<String> {
    let results: Vec<Outcome<'_>> = turn.iter().filter_map(|message| Outcome::of(message, turn)).collect();
    let lines = if results.len() == 1 { LINES_ALONE } else { LINES_EACH };
    let parts: Vec<String> = results.iter().map(|outcome| outcome.shown(lines)).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

struct Outcome<'m> {
    tool: &'m str,
    about: Option<&'m str>,
    content: &'m [ContentBlock],
    is_error: bool,
}

impl<'m> Outcome<'m> {
    fn of(message: &'m ChatMessage, turn: &'m [Arc<ChatMessage>]) -> Option<Self> {
        let ChatMessage::ToolResult { tool_call_id, tool_name, content, is_error } = message else { return None };
        Some(Self { tool: tool_name, about: subject(turn, tool_call_id), content, is_error: *is_error })
    }

    fn shown(&self, limit: usize) -> String {
        let state = if self.is_error { "failed" } else { "ok" };
        let mut out = match self.about {
            Some(about) => format!("{} {}: {state}", self.tool, clipped(about)),
            None => format!("{}: {state}", self.tool),
        };
        let lines: Vec<&str> = self.content.iter().flat_map(lines_of).collect();
        for line in lines.iter().take(limit) {
            // Four columns make Markdown show the lines as they are.
            out.push_str("\n    ");
            out.push_str(&clipped(line));
        }
        if lines.len() > limit {
            write!(out, "\n    … and {} more lines", lines.len() - limit).expect("writing to a String cannot fail");
        }
        out
    }
}

/// What the call was about: its path, pattern or command.
fn subject<'m>(turn: &'m [Arc<ChatMessage>], id: &ToolCallId) -> Option<&'m str> {
    let calls = turn.iter().filter_map(|message| match message.as_ref() {
        ChatMessage::Assistant { content, .. } => Some(content),
        _ => None,
    });
    let (_, _, arguments) = calls.flatten().filter_map(ContentBlock::as_tool_call).rfind(|(call, ..)| *call == id)?;
    ["pattern", "path", "command"].into_iter().find_map(|key| arguments.get(key).and_then(Value::as_str))
}

fn lines_of(block: &ContentBlock) -> Vec<&str> {
    match block {
        ContentBlock::Known(KnownBlock::Text { text, .. }) => text.lines().collect(),
        ContentBlock::Known(KnownBlock::Image { .. }) => vec!["(an image)"],
        _ => Vec::new(),
    }
}

fn clipped(line: &str) -> String {
    let mut out: String =
        line.chars().take(LINE_CHARS).map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
    if line.chars().nth(LINE_CHARS).is_some() {
        out.push('…');
    }
    out
}
