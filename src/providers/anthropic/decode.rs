//! Stream events (<https://platform.claude.com/docs/en/build-with-claude/streaming>).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::core::ToolCallId;
use crate::providers::endpoint::decoder::{Decoder, parse};
use crate::providers::endpoint::failure::{Failure, error_object};
use crate::providers::sse::SseEvent;
use crate::providers::types::Delta;
use crate::session::message::{StopReason, Usage};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        #[serde(default)]
        index: usize,
        content_block: Block,
    },
    ContentBlockDelta {
        #[serde(default)]
        index: usize,
        delta: Part,
    },
    ContentBlockStop {
        #[serde(default)]
        index: usize,
    },
    MessageDelta {
        delta: Stop,
        #[serde(default)]
        usage: Option<Tokens>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Tokens>,
    #[serde(default)]
    content: Vec<Block>,
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: Option<String>,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        #[serde(default)]
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
    #[serde(rename = "cache_read_input_tokens")]
    cache_read: Option<u64>,
    #[serde(rename = "cache_creation_input_tokens")]
    cache_write: Option<u64>,
}

/// Decoder of one call.
#[derive(Default)]
pub(crate) struct AnthropicDecoder {
    /// The provider's block number → ours: block types we do not know get none.
    blocks: HashMap<usize, Open>,
    next: usize,
    usage: Usage,
    stop: Option<StopReason>,
}

struct Open {
    index: usize,
    /// Arguments that came with the start of the block; they count if no parts follow.
    whole_input: Option<String>,
}

impl AnthropicDecoder {
    fn block_start(&mut self, number: usize, block: Block, out: &mut Vec<Delta>) {
        let index = self.next;
        let mut whole_input = None;
        match block {
            Block::Text { text } => {
                if !text.is_empty() {
                    out.push(Delta::Text { index, text });
                }
            }
            Block::Thinking { thinking, signature } => {
                if !thinking.is_empty() {
                    out.push(Delta::Thinking { index, text: thinking });
                }
                if let Some(signature) = signature.filter(|signature| !signature.is_empty()) {
                    out.push(Delta::ThinkingSignature { index, signature, redacted: false });
                }
            }
            Block::RedactedThinking { data } => {
                out.push(Delta::ThinkingSignature { index, signature: data, redacted: true });
            }
            Block::ToolUse { id, name, input } => {
                let id = if id.is_empty() { ToolCallId::generate() } else { ToolCallId::from(id) };
                whole_input = input.as_object().filter(|input| !input.is_empty()).map(|_| input.to_string());
                out.push(Delta::ToolCallStart { index, id, name });
            }
            Block::Unknown => return,
        }
        self.next += 1;
        self.blocks.insert(number, Open { index, whole_input });
    }

    fn part(&mut self, number: usize, part: Part, out: &mut Vec<Delta>) {
        if !self.blocks.contains_key(&number) && matches!(part, Part::TextDelta { .. } | Part::ThinkingDelta { .. }) {
            // Some imitators leave out the start of the block.
            self.block_start(number, Block::Text { text: String::new() }, out);
        }
        let Some(open) = self.blocks.get_mut(&number) else { return };
        let index = open.index;
        match part {
            Part::TextDelta { text } if !text.is_empty() => out.push(Delta::Text { index, text }),
            Part::ThinkingDelta { thinking } if !thinking.is_empty() => {
                out.push(Delta::Thinking { index, text: thinking });
            }
            Part::SignatureDelta { signature } if !signature.is_empty() => {
                out.push(Delta::ThinkingSignature { index, signature, redacted: false });
            }
            Part::InputJsonDelta { partial_json } if !partial_json.is_empty() => {
                open.whole_input = None;
                out.push(Delta::ToolCallArguments { index, json: partial_json });
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, number: usize, out: &mut Vec<Delta>) {
        if let Some(Open { index, whole_input: Some(json) }) = self.blocks.remove(&number) {
            out.push(Delta::ToolCallArguments { index, json });
        }
    }

    /// Counts are cumulative; a field that is missing keeps its last value.
    fn tokens(&mut self, tokens: &Tokens, out: &mut Vec<Delta>) {
        let usage = &mut self.usage;
        usage.input = tokens.input.unwrap_or(usage.input);
        usage.output = tokens.output.unwrap_or(usage.output);
        usage.cache_read = tokens.cache_read.unwrap_or(usage.cache_read);
        usage.cache_write = tokens.cache_write.unwrap_or(usage.cache_write);
        usage.total_tokens = usage.input + usage.output + usage.cache_read + usage.cache_write;
        out.push(Delta::Usage(*usage));
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let stop_reason = self.stop.ok_or_else(Failure::cut)?;
        let mut open: Vec<usize> = self.blocks.keys().copied().collect();
        open.sort_unstable();
        for number in open {
            self.block_stop(number, out);
        }
        out.push(Delta::Done { stop_reason });
        Ok(())
    }
}

impl Decoder for AnthropicDecoder {
    fn event(&mut self, event: &SseEvent, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if event.data == "[DONE]" {
            return self.finish(out);
        }
        match parse(&event.data)? {
            Event::MessageStart { message } => {
                out.push(Delta::Start { response_id: message.id, model: message.model });
                if let Some(tokens) = &message.usage {
                    self.tokens(tokens, out);
                }
            }
            Event::ContentBlockStart { index, content_block } => self.block_start(index, content_block, out),
            Event::ContentBlockDelta { index, delta } => self.part(index, delta, out),
            Event::ContentBlockStop { index } => self.block_stop(index, out),
            Event::MessageDelta { delta, usage } => {
                if let Some(tokens) = &usage {
                    self.tokens(tokens, out);
                }
                self.stop = delta.stop_reason.as_deref().map(stop_reason).or(self.stop);
            }
            Event::MessageStop => {
                self.stop.get_or_insert(StopReason::Stop);
                return self.finish(out);
            }
            Event::Error { error } => return Err(Failure::object(None, &error)),
            Event::Unknown => {}
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::broken_event(&String::from_utf8_lossy(body), &error))?;
        if value.get("type").and_then(Value::as_str) != Some("message") {
            return Err(match error_object(&value) {
                Some(error) => Failure::object(None, error),
                None => Failure::protocol("answered with JSON that is not a message"),
            });
        }
        let message = Message::deserialize(value)
            .map_err(|error| Failure::broken_event(&String::from_utf8_lossy(body), &error))?;
        out.push(Delta::Start { response_id: message.id, model: message.model });
        for (number, block) in message.content.into_iter().enumerate() {
            self.block_start(number, block, out);
            self.block_stop(number, out);
        }
        if let Some(tokens) = &message.usage {
            self.tokens(tokens, out);
        }
        self.stop = message.stop_reason.as_deref().map(stop_reason);
        self.finish(out)
    }

    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        self.finish(out)
    }

    fn settled(&self) -> bool {
        self.stop.is_some()
    }
}

fn stop_reason(name: &str) -> StopReason {
    match name {
        "tool_use" => StopReason::ToolUse,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "refusal" => StopReason::Refusal,
        // `end_turn`, `stop_sequence`, `pause_turn`, and reasons of imitators.
        _ => StopReason::Stop,
    }
}
