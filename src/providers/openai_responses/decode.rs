//! Stream events, and whole responses from servers that do not stream.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::core::{ProviderErrorClass, ToolCallId};
use crate::providers::endpoint::decoder::{Decoder, parse};
use crate::providers::endpoint::failure::{Failure, error_object};
use crate::providers::sse::SseEvent;
use crate::providers::types::Delta;
use crate::session::message::{StopReason, Usage};

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.created", alias = "response.in_progress", alias = "response.queued")]
    Created { response: Response },
    #[serde(rename = "response.output_item.added")]
    ItemAdded {
        #[serde(default)]
        output_index: u64,
        item: Item,
    },
    #[serde(rename = "response.output_item.done")]
    ItemDone {
        #[serde(default)]
        output_index: u64,
        item: Item,
    },
    #[serde(rename = "response.output_text.delta")]
    Text(Part),
    #[serde(rename = "response.refusal.delta")]
    Refusal(Part),
    #[serde(rename = "response.reasoning_summary_text.delta")]
    Summary(Part),
    #[serde(rename = "response.reasoning_text.delta")]
    Reasoning(Part),
    #[serde(rename = "response.function_call_arguments.delta")]
    Arguments(Part),
    #[serde(rename = "response.function_call_arguments.done")]
    ArgumentsDone {
        #[serde(default)]
        output_index: u64,
        arguments: String,
    },
    #[serde(rename = "response.completed", alias = "response.done")]
    Completed { response: Response },
    #[serde(rename = "response.incomplete")]
    Incomplete { response: Response },
    #[serde(rename = "response.failed")]
    Failed { response: Response },
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        error: Value,
        code: Option<Value>,
        message: Option<String>,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    content_index: u64,
    #[serde(default)]
    summary_index: u64,
    delta: String,
}

#[derive(Deserialize)]
struct Response {
    id: Option<String>,
    model: Option<String>,
    status: Option<String>,
    #[serde(default)]
    error: Value,
    incomplete_details: Option<Incomplete>,
    usage: Option<Tokens>,
    output: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    encrypted_content: Option<String>,
    summary: Option<Value>,
    content: Option<Vec<ContentPart>>,
}

#[derive(Deserialize)]
struct ContentPart {
    text: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(rename = "input_tokens", default)]
    input: u64,
    #[serde(rename = "output_tokens", default)]
    output: u64,
    input_tokens_details: Option<InputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

/// Decoder of one call.
#[derive(Default)]
pub(crate) struct ResponsesDecoder {
    started: bool,
    items: HashMap<u64, State>,
    next: usize,
    called: bool,
    refused: bool,
}

/// What is known of one output item.
#[derive(Default)]
struct State {
    /// Block numbers by content index; calls and reasoning use 0.
    blocks: HashMap<u64, usize>,
    /// Arguments or text have come in parts.
    streamed: bool,
    last_summary: u64,
    finished: bool,
}

impl ResponsesDecoder {
    fn start(&mut self, response: &Response, out: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Delta::Start { response_id: response.id.clone(), model: response.model.clone() });
        }
    }

    fn block(&mut self, output: u64, content: u64) -> usize {
        let state = self.items.entry(output).or_default();
        *state.blocks.entry(content).or_insert_with(|| {
            let index = self.next;
            self.next += 1;
            index
        })
    }

    fn text(&mut self, output: u64, content: u64, text: String, out: &mut Vec<Delta>) {
        if !text.is_empty() {
            let index = self.block(output, content);
            self.items.entry(output).or_default().streamed = true;
            out.push(Delta::Text { index, text });
        }
    }

    fn thinking(&mut self, part: Part, out: &mut Vec<Delta>) {
        if part.delta.is_empty() {
            return;
        }
        let index = self.block(part.output_index, 0);
        let state = self.items.entry(part.output_index).or_default();
        let break_before = state.streamed && state.last_summary != part.summary_index;
        state.streamed = true;
        state.last_summary = part.summary_index;
        let text = if break_before { format!("\n\n{}", part.delta) } else { part.delta };
        out.push(Delta::Thinking { index, text });
    }

    fn call_start(&mut self, output: u64, item: &Item, out: &mut Vec<Delta>) {
        if self.items.get(&output).is_some_and(|state| !state.blocks.is_empty()) {
            return;
        }
        let Some(name) = item.name.as_deref().filter(|name| !name.is_empty()) else { return };
        let id = item.call_id.as_deref().or(item.id.as_deref()).filter(|id| !id.is_empty());
        let id = id.map_or_else(ToolCallId::generate, ToolCallId::from);
        let index = self.block(output, 0);
        self.called = true;
        out.push(Delta::ToolCallStart { index, id, name: name.to_owned() });
    }

    fn arguments(&mut self, output: u64, json: String, out: &mut Vec<Delta>) {
        let Some(state) = self.items.get_mut(&output) else { return };
        if let Some(index) = state.blocks.get(&0).filter(|_| !json.is_empty()) {
            state.streamed = true;
            out.push(Delta::ToolCallArguments { index: *index, json });
        }
    }

    /// The whole item: gives what was not streamed.
    fn item_done(&mut self, output: u64, item: Item, out: &mut Vec<Delta>) {
        let state = self.items.entry(output).or_default();
        if std::mem::replace(&mut state.finished, true) {
            return;
        }
        let streamed = state.streamed;
        match item.kind.as_str() {
            "function_call" => {
                self.call_start(output, &item, out);
                if !streamed {
                    self.arguments(output, item.arguments.unwrap_or_default(), out);
                }
            }
            "message" if !streamed => {
                for (number, part) in (0..).zip(item.content.into_iter().flatten()) {
                    self.refused |= part.refusal.is_some();
                    self.text(output, number, part.text.or(part.refusal).unwrap_or_default(), out);
                }
            }
            "reasoning" => self.reasoning_done(output, item, streamed, out),
            _ => {}
        }
    }

    fn reasoning_done(&mut self, output: u64, item: Item, streamed: bool, out: &mut Vec<Delta>) {
        let mut shown = streamed;
        if !streamed {
            let summaries = item.summary.as_ref().and_then(Value::as_array);
            let texts: Vec<&str> = summaries
                .into_iter()
                .flatten()
                .filter_map(|part| part.get("text").and_then(Value::as_str))
                .chain(item.content.iter().flatten().filter_map(|part| part.text.as_deref()))
                .filter(|text| !text.is_empty())
                .collect();
            if !texts.is_empty() {
                shown = true;
                let index = self.block(output, 0);
                out.push(Delta::Thinking { index, text: texts.join("\n\n") });
            }
        }
        if let Some(encrypted) = item.encrypted_content.filter(|content| !content.is_empty()) {
            let mut kept = Map::new();
            kept.insert("type".into(), "reasoning".into());
            if let Some(id) = item.id {
                kept.insert("id".into(), id.into());
            }
            kept.insert("summary".into(), item.summary.unwrap_or_else(|| Value::Array(Vec::new())));
            kept.insert("encrypted_content".into(), encrypted.into());
            let index = self.block(output, 0);
            let signature = Value::Object(kept).to_string();
            out.push(Delta::ThinkingSignature { index, signature, redacted: !shown });
        }
    }

    fn finish(&mut self, response: Response, out: &mut Vec<Delta>) -> Result<(), Failure> {
        self.start(&response, out);
        if response.status.as_deref() == Some("failed") || !response.error.is_null() {
            return Err(failure_of(&response.error));
        }
        for (output, item) in (0..).zip(response.output.into_iter().flatten()) {
            self.item_done(output, item, out);
        }
        if let Some(tokens) = response.usage {
            let cached = tokens.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
            let cache_read = cached.min(tokens.input);
            out.push(Delta::Usage(Usage {
                input: tokens.input - cache_read,
                output: tokens.output,
                cache_read,
                total_tokens: tokens.input + tokens.output,
                ..Usage::default()
            }));
        }
        let cut = (response.status.as_deref() == Some("incomplete"))
            .then(|| response.incomplete_details.and_then(|details| details.reason).unwrap_or_default());
        let stop_reason = match cut.as_deref() {
            Some("content_filter") => StopReason::Refusal,
            Some(_) => StopReason::Length,
            None if self.called => StopReason::ToolUse,
            None if self.refused => StopReason::Refusal,
            None => StopReason::Stop,
        };
        out.push(Delta::Done { stop_reason });
        Ok(())
    }
}

impl Decoder for ResponsesDecoder {
    fn event(&mut self, event: &SseEvent, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if event.data.trim() == "[DONE]" {
            return Err(Failure::cut());
        }
        match parse(&event.data)? {
            Event::Created { response } => self.start(&response, out),
            Event::ItemAdded { output_index, item } => {
                if item.kind == "function_call" {
                    // Arguments are empty here or come again, in parts or with the end of the item.
                    self.call_start(output_index, &item, out);
                }
            }
            Event::ItemDone { output_index, item } => self.item_done(output_index, item, out),
            Event::Text(part) => self.text(part.output_index, part.content_index, part.delta, out),
            Event::Refusal(part) => {
                self.refused = true;
                self.text(part.output_index, part.content_index, part.delta, out);
            }
            Event::Summary(part) | Event::Reasoning(part) => self.thinking(part, out),
            Event::Arguments(part) => self.arguments(part.output_index, part.delta, out),
            Event::ArgumentsDone { output_index, arguments } => {
                if self.items.get(&output_index).is_some_and(|state| !state.streamed) {
                    self.arguments(output_index, arguments, out);
                }
            }
            Event::Completed { response } => return self.finish(response, out),
            Event::Incomplete { mut response } => {
                response.status.get_or_insert_with(|| "incomplete".into());
                return self.finish(response, out);
            }
            Event::Failed { response } => return Err(failure_of(&response.error)),
            Event::Error { error, code, message } => {
                let flat = serde_json::json!({"code": code, "message": message});
                return Err(failure_of(if error.is_null() { &flat } else { &error }));
            }
            Event::Unknown => {}
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        let broken = |error: &serde_json::Error| Failure::broken_event(&String::from_utf8_lossy(body), error);
        let value: Value = serde_json::from_slice(body).map_err(|error| broken(&error))?;
        if !value.get("output").is_some_and(Value::is_array) {
            return Err(match error_object(&value) {
                Some(error) => Failure::object(None, error),
                None => Failure::protocol("answered with JSON that is not a response"),
            });
        }
        self.finish(Response::deserialize(value).map_err(|error| broken(&error))?, out)
    }

    fn end(&mut self, _out: &mut Vec<Delta>) -> Result<(), Failure> {
        Err(Failure::cut())
    }

    fn settled(&self) -> bool {
        false
    }
}

fn failure_of(error: &Value) -> Failure {
    if error.is_null() {
        return Failure::new(ProviderErrorClass::Overloaded, "failed in the middle of the answer without saying why");
    }
    Failure::object(None, error)
}
