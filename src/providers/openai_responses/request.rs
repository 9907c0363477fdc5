//! Request bodies.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::providers::endpoint::json::{
    DataUrl, arguments_text, cache_key, call_id, image_of, joined_text, text_of, to_bytes,
};
use crate::providers::openai_completions::has_minimal_effort;
use crate::providers::types::{ModelRequest, ThinkingLevel};
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock};

/// Longest tool call id the API takes.
const LONGEST_ID: usize = 64;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: &'a str,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    stream: bool,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
    strict: bool,
}

#[derive(Serialize)]
struct Reasoning {
    effort: &'static str,
    summary: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Typed(TypedItem<'a>),
    /// A reasoning item exactly as it came.
    Reasoning(&'a RawValue),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TypedItem<'a> {
    Message { role: &'static str, content: Vec<Part<'a>> },
    FunctionCall { call_id: Cow<'a, str>, name: &'a str, arguments: String },
    FunctionCallOutput { call_id: Cow<'a, str>, output: Output<'a> },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    InputText { text: &'a str },
    InputImage { image_url: DataUrl<'a>, detail: &'static str },
    OutputText { text: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

/// The body of `POST /v1/responses`. `provider` is the id whose reasoning items are sent back; `openai_host` allows what only
/// OpenAI's own servers are known to take.
pub(crate) fn body(request: &ModelRequest, provider: &str, openai_host: bool) -> Vec<u8> {
    let effort = match request.thinking {
        ThinkingLevel::Off => None,
        ThinkingLevel::Minimal if has_minimal_effort(&request.model) => Some("minimal"),
        ThinkingLevel::Minimal | ThinkingLevel::Low => Some("low"),
        ThinkingLevel::Medium => Some("medium"),
        ThinkingLevel::High => Some("high"),
    };
    to_bytes(
        request,
        &Body {
            model: &request.model,
            instructions: request.system.trim(),
            input: input(request, provider),
            // Without `strict: false` the API rewrites schemas so that every property is required.
            tools: request
                .tools
                .iter()
                .map(|tool| Tool {
                    name: &tool.name,
                    description: &tool.description,
                    parameters: &tool.parameters,
                    strict: false,
                })
                .collect(),
            stream: true,
            store: false,
            max_output_tokens: request.max_tokens,
            // Reasoning models refuse it.
            temperature: request.temperature.filter(|_| effort.is_none()),
            reasoning: effort.map(|effort| Reasoning { effort, summary: "auto" }),
            // Models that do not reason refuse it.
            include: effort.map(|_| ["reasoning.encrypted_content"]),
            prompt_cache_key: request.session.as_deref().filter(|_| openai_host).map(cache_key),
        },
    )
}

fn input<'a>(request: &'a ModelRequest, provider: &str) -> Vec<Item<'a>> {
    let mut out = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        match &**message {
            ChatMessage::User { content } => {
                let parts: Vec<Part<'_>> = content.iter().filter_map(input_part).collect();
                if !parts.is_empty() {
                    out.push(Item::Typed(TypedItem::Message { role: "user", content: parts }));
                }
            }
            ChatMessage::Assistant { content, provider: from, .. } => {
                push_assistant(content, from.as_deref() == Some(provider), &mut out);
            }
            ChatMessage::ToolResult { tool_call_id, content, .. } => {
                let output = if content.iter().any(|block| image_of(block).is_some()) {
                    Output::Parts(content.iter().filter_map(input_part).collect())
                } else {
                    Output::Text(joined_text(content))
                };
                out.push(Item::Typed(TypedItem::FunctionCallOutput {
                    call_id: call_id(tool_call_id, LONGEST_ID),
                    output,
                }));
            }
        }
    }
    out
}

fn input_part(block: &ContentBlock) -> Option<Part<'_>> {
    text_of(block)
        .map(|text| Part::InputText { text })
        .or_else(|| image_of(block).map(|image_url| Part::InputImage { image_url, detail: "auto" }))
}

fn push_assistant<'a>(content: &'a [ContentBlock], ours: bool, out: &mut Vec<Item<'a>>) {
    for block in content {
        match block {
            ContentBlock::Known(KnownBlock::Thinking { signature: Some(item), .. }) if ours => {
                out.extend(reasoning_item(item).map(Item::Reasoning));
            }
            ContentBlock::Known(KnownBlock::ToolCall { id, name, arguments, .. }) => {
                out.push(Item::Typed(TypedItem::FunctionCall {
                    call_id: call_id(id, LONGEST_ID),
                    name,
                    arguments: arguments_text(arguments),
                }));
            }
            other => {
                if let Some(text) = text_of(other) {
                    let content = vec![Part::OutputText { text }];
                    out.push(Item::Typed(TypedItem::Message { role: "assistant", content }));
                }
            }
        }
    }
    // The API refuses a reasoning item that nothing follows, as an aborted turn leaves it.
    while matches!(out.last(), Some(Item::Reasoning(_))) {
        out.pop();
    }
}

/// The stored item, if it is one and can stand without the server's memory.
fn reasoning_item(signature: &str) -> Option<&RawValue> {
    #[derive(serde::Deserialize)]
    struct Probe<'a> {
        #[serde(rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        encrypted_content: Option<&'a RawValue>,
    }
    // dropped: a signature that is not such an item came from elsewhere and is of no use here
    let probe: Probe<'_> = serde_json::from_str(signature).ok()?;
    if probe.kind != "reasoning" || probe.encrypted_content.is_none_or(|content| content.get() == "null") {
        return None;
    }
    serde_json::from_str(signature).ok()
}
