//! Putting streamed tool calls together, whatever the server leaves out.
//!
//! The API sends `index` with every piece and `id` and `name` with the first. Compatible servers omit the index or the id, send index 0 for
//! every call, or repeat id and name in each piece.

use serde_json::Value;

use crate::core::ToolCallId;
use crate::providers::types::Delta;

/// One entry of `delta.tool_calls` or `message.tool_calls`.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Piece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Debug, Default, serde::Deserialize)]
struct Function {
    name: Option<String>,
    #[serde(default)]
    arguments: Value,
}

/// The calls of one answer.
#[derive(Default)]
pub(super) struct ToolCalls {
    calls: Vec<Call>,
}

struct Call {
    /// The server's number, if it gives one.
    number: Option<u64>,
    /// The server's id, if it gives one.
    id: Option<String>,
    /// Our block number once the call was announced.
    block: Option<usize>,
    /// Arguments that came before the name.
    early: String,
}

impl ToolCalls {
    /// Whether the model called anything.
    pub(super) fn any(&self) -> bool {
        self.calls.iter().any(|call| call.block.is_some())
    }

    /// Takes a piece; `next` is the next free block number.
    pub(super) fn piece(&mut self, piece: Piece, next: &mut usize, out: &mut Vec<Delta>) {
        let id = piece.id.filter(|id| !id.is_empty());
        let (name, arguments) = match piece.function {
            Some(function) => (function.name.filter(|name| !name.is_empty()), text(function.arguments)),
            None => (None, String::new()),
        };
        let position = self.find(piece.index, id.as_deref(), name.is_some()).unwrap_or_else(|| {
            self.calls.push(Call { number: piece.index, id: id.clone(), block: None, early: String::new() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[position];
        if call.id.is_none() {
            call.id = id;
        }
        match (call.block, name) {
            (None, Some(name)) => {
                let index = *next;
                *next += 1;
                call.block = Some(index);
                let id = call.id.as_deref().map_or_else(ToolCallId::generate, ToolCallId::from);
                out.push(Delta::ToolCallStart { index, id, name });
                let json = std::mem::take(&mut call.early) + &arguments;
                if !json.is_empty() {
                    out.push(Delta::ToolCallArguments { index, json });
                }
            }
            (Some(index), _) if !arguments.is_empty() => out.push(Delta::ToolCallArguments { index, json: arguments }),
            (Some(_), _) => {}
            (None, None) => call.early.push_str(&arguments),
        }
    }

    /// The call a piece belongs to, if it has begun.
    fn find(&self, number: Option<u64>, id: Option<&str>, named: bool) -> Option<usize> {
        let known = |call: &Call| id.is_some() && call.id.as_deref() == id;
        match number {
            Some(_) => {
                let position = self.calls.iter().rposition(|call| call.number == number)?;
                let call = &self.calls[position];
                // The same number with another id and a name is another call.
                let other = named && id.is_some() && call.id.is_some() && !known(call) && call.block.is_some();
                if other { self.calls.iter().rposition(known) } else { Some(position) }
            }
            None if id.is_some() => self.calls.iter().rposition(known),
            None if named => None,
            None => self.calls.len().checked_sub(1),
        }
    }
}

/// Arguments are JSON in a string; some servers send the object itself.
fn text(arguments: Value) -> String {
    match arguments {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
