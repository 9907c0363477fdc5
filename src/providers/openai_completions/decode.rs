//! Stream chunks, and whole completions from servers that do not stream.

use serde::Deserialize;
use serde_json::Value;

use super::tool_calls::{Piece, ToolCalls};
use crate::providers::endpoint::decoder::{Decoder, parse};
use crate::providers::endpoint::failure::{Failure, error_object};
use crate::providers::sse::SseEvent;
use crate::providers::types::Delta;
use crate::session::message::{StopReason, Usage};

/// Where servers put reasoning: DeepSeek, llama.cpp and others; OpenRouter, vLLM and Ollama.
pub(crate) const REASONING_FIELDS: [&str; 2] = ["reasoning_content", "reasoning"];

#[derive(Deserialize)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Tokens>,
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: Option<u64>,
    delta: Option<Message>,
    message: Option<Message>,
    finish_reason: Option<String>,
    /// Moonshot puts it here.
    usage: Option<Tokens>,
}

#[derive(Default, Deserialize)]
struct Message {
    /// Text, or a list of parts.
    #[serde(default)]
    content: Value,
    #[serde(default)]
    reasoning_content: Value,
    #[serde(default)]
    reasoning: Value,
    refusal: Option<String>,
    tool_calls: Option<Vec<Piece>>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(rename = "prompt_tokens")]
    prompt: Option<u64>,
    #[serde(rename = "completion_tokens")]
    completion: Option<u64>,
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached tokens.
    #[serde(rename = "prompt_cache_hit_tokens")]
    prompt_cache_hit: Option<u64>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

/// The block that text or reasoning goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

/// Decoder of one call.
#[derive(Default)]
pub(crate) struct CompletionsDecoder {
    started: bool,
    next: usize,
    open: Option<(Kind, usize)>,
    calls: ToolCalls,
    refused: bool,
    finish_reason: Option<String>,
}

impl CompletionsDecoder {
    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if !chunk.error.is_null() {
            return Err(Failure::object(None, &chunk.error));
        }
        if !self.started {
            self.started = true;
            out.push(Delta::Start { response_id: chunk.id, model: chunk.model });
        }
        let mut usage = chunk.usage;
        // Only the first choice is ever asked for.
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(message) = choice.delta.or(choice.message) {
                self.message(message, out);
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.finish_reason = Some(reason);
            }
            usage = usage.or(choice.usage);
        }
        if let Some(tokens) = usage {
            out.push(Delta::Usage(usage_of(&tokens)));
        }
        Ok(())
    }

    fn message(&mut self, message: Message, out: &mut Vec<Delta>) {
        // Some servers send the same reasoning under both names.
        let [content_name, plain_name] = REASONING_FIELDS;
        for (field, value) in [(content_name, message.reasoning_content), (plain_name, message.reasoning)] {
            if let Value::String(text) = value
                && !text.is_empty()
            {
                self.thinking(field, text, out);
                break;
            }
        }
        match message.content {
            Value::String(text) => self.text(text, out),
            Value::Array(parts) => {
                for part in &parts {
                    if let Some(text) = part.get("text").and_then(Value::as_str) {
                        self.text(text.to_owned(), out);
                    }
                }
            }
            _ => {}
        }
        if let Some(text) = message.refusal.filter(|text| !text.is_empty()) {
            self.refused = true;
            self.text(text, out);
        }
        for piece in message.tool_calls.into_iter().flatten() {
            self.open = None;
            self.calls.piece(piece, &mut self.next, out);
        }
    }

    fn text(&mut self, text: String, out: &mut Vec<Delta>) {
        if !text.is_empty() {
            let (index, _) = self.block(Kind::Text);
            out.push(Delta::Text { index, text });
        }
    }

    fn thinking(&mut self, field: &str, text: String, out: &mut Vec<Delta>) {
        let (index, fresh) = self.block(Kind::Thinking);
        if fresh {
            // The signature says in which field the text is to be sent back.
            out.push(Delta::ThinkingSignature { index, signature: field.to_owned(), redacted: false });
        }
        out.push(Delta::Thinking { index, text });
    }

    /// The open block of this kind, or the next one; the flag says which.
    fn block(&mut self, kind: Kind) -> (usize, bool) {
        match self.open {
            Some((open, index)) if open == kind => (index, false),
            _ => {
                let index = self.next;
                self.next += 1;
                self.open = Some((kind, index));
                (index, true)
            }
        }
    }

    fn done(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let stop_reason = match self.finish_reason.as_deref() {
            Some("length" | "max_tokens" | "model_length") => StopReason::Length,
            Some("content_filter" | "refusal") => StopReason::Refusal,
            Some("error") => {
                return Err(Failure::new(
                    crate::core::ProviderErrorClass::Overloaded,
                    "gave up in the middle of the answer (finish_reason error)",
                ));
            }
            _ if self.refused => StopReason::Refusal,
            // Several servers write `stop` also when there are tool calls.
            _ if self.calls.any() => StopReason::ToolUse,
            _ => StopReason::Stop,
        };
        out.push(Delta::Done { stop_reason });
        Ok(())
    }
}

impl Decoder for CompletionsDecoder {
    fn event(&mut self, event: &SseEvent, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if event.data.trim() == "[DONE]" {
            if self.finish_reason.is_none() && self.next == 0 {
                return Err(Failure::protocol("ended the stream without an answer"));
            }
            return self.done(out);
        }
        if event.data.trim().is_empty() {
            return Ok(());
        }
        self.chunk(parse(&event.data)?, out)
    }

    fn whole(&mut self, body: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        let broken = |error: &serde_json::Error| Failure::broken_event(&String::from_utf8_lossy(body), error);
        let value: Value = serde_json::from_slice(body).map_err(|error| broken(&error))?;
        if value.get("choices").is_none() {
            return Err(match error_object(&value) {
                Some(error) => Failure::object(None, error),
                None => Failure::protocol("answered with JSON that is not a completion"),
            });
        }
        self.chunk(Chunk::deserialize(value).map_err(|error| broken(&error))?, out)?;
        self.end(out)
    }

    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.finish_reason.is_none() { Err(Failure::cut()) } else { self.done(out) }
    }

    fn settled(&self) -> bool {
        self.finish_reason.is_some()
    }
}

fn usage_of(tokens: &Tokens) -> Usage {
    let prompt = tokens.prompt.unwrap_or(0);
    let completion = tokens.completion.unwrap_or(0);
    let details = tokens.prompt_tokens_details.as_ref();
    let cached = details.and_then(|details| details.cached_tokens).or(tokens.prompt_cache_hit).unwrap_or(0);
    let written = details.and_then(|details| details.cache_write_tokens).unwrap_or(0);
    let reasoning = tokens.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens).unwrap_or(0);
    // xAI counts reasoning beside the completion, not in it; the total tells.
    let beside = reasoning > 0 && tokens.total == Some(prompt + completion + reasoning);
    let output = if beside { completion + reasoning } else { completion };
    let cache_read = cached.min(prompt);
    let cache_write = written.min(prompt - cache_read);
    let input = prompt - cache_read - cache_write;
    Usage { input, output, cache_read, cache_write, total_tokens: prompt + output, ..Usage::default() }
}
