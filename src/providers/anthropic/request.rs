//! Request bodies.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::model::{ModelRules, ThinkingForm};
use crate::providers::endpoint::json::{Arguments, call_id, image_of, text_of, to_bytes};
use crate::providers::openai_completions::REASONING_FIELDS;
use crate::providers::types::{ModelRequest, ThinkingLevel};
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock};

/// Longest tool call id the API takes.
const LONGEST_ID: usize = 64;
/// The API's smallest thinking budget, in tokens.
const SMALLEST_BUDGET: u64 = 1_024;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Arguments<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "base64")]
struct Source<'a> {
    media_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "ephemeral")]
struct CacheControl {}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thinking {
    Enabled {
        budget_tokens: u64,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
}

#[derive(Serialize)]
struct OutputConfig {
    effort: &'static str,
}

/// The body of `POST /v1/messages`. `provider` is the id whose thinking signatures are sent back.
pub(crate) fn body(request: &ModelRequest, provider: &str) -> Vec<u8> {
    let rules = ModelRules::of(&request.model);
    let max_tokens = request.max_tokens.unwrap_or(rules.max_tokens).max(1);
    let mut messages = messages(request, provider);
    let thinking = thinking(request.thinking, rules, max_tokens, &messages);
    let output_config = match thinking {
        Some(Thinking::Adaptive { .. }) => Some(OutputConfig { effort: effort(request.thinking) }),
        _ => None,
    };
    // With thinking the API takes only its own default temperature.
    let temperature = request.temperature.filter(|_| rules.sampling && thinking.is_none());

    let mut tools: Vec<Tool<'_>> = request
        .tools
        .iter()
        .map(|tool| Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.parameters,
            cache_control: None,
        })
        .collect();
    if let Some(last) = tools.last_mut() {
        last.cache_control = Some(CacheControl {});
    }
    let system = (!request.system.trim().is_empty())
        .then(|| [Block::Text { text: &request.system, cache_control: Some(CacheControl {}) }]);
    // The newest end is written to the cache; the one before it is where the last call wrote.
    for message in messages.iter_mut().rev().filter(|message| message.role == "user").take(2) {
        if let Some(last) = message.content.last_mut() {
            last.mark_for_cache();
        }
    }
    to_bytes(
        request,
        &Body {
            model: &request.model,
            max_tokens,
            stream: true,
            system,
            tools,
            messages,
            thinking,
            output_config,
            temperature,
        },
    )
}

/// Turns alternate: neighbours of one role are merged, and results come before what the person says next.
fn messages<'a>(request: &'a ModelRequest, provider: &str) -> Vec<Message<'a>> {
    let mut out: Vec<Message<'a>> = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        let (role, content) = match &**message {
            ChatMessage::User { content } => ("user", content.iter().filter_map(text_or_image).collect()),
            ChatMessage::Assistant { content, provider: from, .. } => {
                let ours = from.as_deref() == Some(provider);
                ("assistant", content.iter().filter_map(|block| assistant_block(block, ours)).collect())
            }
            ChatMessage::ToolResult { tool_call_id, content, is_error, .. } => (
                "user",
                vec![Block::ToolResult {
                    tool_use_id: call_id(tool_call_id, LONGEST_ID),
                    content: content.iter().filter_map(text_or_image).collect(),
                    is_error: *is_error,
                    cache_control: None,
                }],
            ),
        };
        if content.is_empty() {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.role == role => last.content.extend(content),
            _ => out.push(Message { role, content }),
        }
    }
    out
}

fn text_or_image(block: &ContentBlock) -> Option<Block<'_>> {
    if let Some(text) = text_of(block) {
        return Some(Block::Text { text, cache_control: None });
    }
    let image = image_of(block)?;
    Some(Block::Image { source: Source { media_type: image.mime_type, data: image.data }, cache_control: None })
}

fn assistant_block(block: &ContentBlock, ours: bool) -> Option<Block<'_>> {
    match block {
        ContentBlock::Known(KnownBlock::Thinking { signature: Some(data), redacted: true, .. })
            if ours && is_signature(data) =>
        {
            Some(Block::RedactedThinking { data })
        }
        ContentBlock::Known(KnownBlock::Thinking { thinking, signature: Some(signature), .. })
            if ours && is_signature(signature) =>
        {
            Some(Block::Thinking { thinking, signature })
        }
        ContentBlock::Known(KnownBlock::ToolCall { id, name, arguments, .. }) => {
            Some(Block::ToolUse { id: call_id(id, LONGEST_ID), name, input: Arguments(arguments), cache_control: None })
        }
        other => text_of(other).map(|text| Block::Text { text, cache_control: None }),
    }
}

/// One provider may offer models behind several APIs; what the OpenAI decoders keep as a signature is not one here.
fn is_signature(text: &str) -> bool {
    !text.starts_with('{') && !REASONING_FIELDS.contains(&text)
}

impl Block<'_> {
    fn mark_for_cache(&mut self) {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => *cache_control = Some(CacheControl {}),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => {}
        }
    }
}

fn thinking(level: ThinkingLevel, rules: ModelRules, max_tokens: u64, messages: &[Message<'_>]) -> Option<Thinking> {
    if level == ThinkingLevel::Off {
        return None;
    }
    match rules.thinking {
        ThinkingForm::Adaptive => {
            // Since the models that refuse sampling parameters the text is left out unless asked for.
            Some(Thinking::Adaptive { display: (!rules.sampling).then_some("summarized") })
        }
        ThinkingForm::Budget if in_a_tool_loop_without_thinking(messages) => None,
        ThinkingForm::Budget => {
            let wanted = match level {
                ThinkingLevel::Off | ThinkingLevel::Minimal => SMALLEST_BUDGET,
                ThinkingLevel::Low => 4_096,
                ThinkingLevel::Medium => 10_240,
                ThinkingLevel::High => 24_576,
            };
            // The budget counts towards max_tokens; a quarter stays for the reply itself.
            let budget = wanted.min(max_tokens - max_tokens.div_ceil(4));
            (budget >= SMALLEST_BUDGET).then_some(Thinking::Enabled { budget_tokens: budget })
        }
    }
}

/// With a budget the API refuses to continue a tool loop whose assistant turn does not begin with thinking, which is so after a change of
/// provider or level in the middle of it.
fn in_a_tool_loop_without_thinking(messages: &[Message<'_>]) -> bool {
    let [.., assistant, results] = messages else { return false };
    assistant.role == "assistant"
        && results.content.iter().any(|block| matches!(block, Block::ToolResult { .. }))
        && !matches!(assistant.content.first(), Some(Block::Thinking { .. } | Block::RedactedThinking { .. }))
}

fn effort(level: ThinkingLevel) -> &'static str {
    match level {
        ThinkingLevel::Off | ThinkingLevel::Minimal | ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High => "high",
    }
}
