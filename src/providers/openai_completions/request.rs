//! Request bodies.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::providers::endpoint::json::{
    DataUrl, arguments_text, cache_key, call_id, image_of, joined_text, text_of, to_bytes,
};
use crate::providers::types::{ModelRequest, ThinkingLevel, ToolSpec};
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock};

/// Longest tool call id OpenAI takes here.
const LONGEST_ID: usize = 40;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct Tool<'a> {
    function: &'a ToolSpec,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    User {
        #[serde(serialize_with = "user_content")]
        content: Vec<Part<'a>>,
    },
    Assistant(Assistant<'a>),
    Tool {
        tool_call_id: Cow<'a, str>,
        content: Cow<'a, str>,
    },
}

struct Assistant<'a> {
    content: Option<Cow<'a, str>>,
    tool_calls: Vec<ToolCall<'a>>,
    /// The field the reasoning came in, and its text.
    reasoning: Option<(&'a str, &'a str)>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: DataUrl<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct ToolCall<'a> {
    id: Cow<'a, str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: String,
}

/// The body of `POST /v1/chat/completions`. `provider` is the id whose reasoning is sent back; `openai_host` allows what only
/// OpenAI's own servers are known to take.
pub(crate) fn body(request: &ModelRequest, provider: &str, openai_host: bool) -> Vec<u8> {
    let reasoning_effort = effort(request.thinking, &request.model, openai_host);
    to_bytes(
        request,
        &Body {
            model: &request.model,
            messages: messages(request, provider),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools: request.tools.iter().map(|function| Tool { function }).collect(),
            max_tokens: request.max_tokens.filter(|_| !openai_host),
            max_completion_tokens: request.max_tokens.filter(|_| openai_host),
            // OpenAI's reasoning models refuse it.
            temperature: request.temperature.filter(|_| !(openai_host && reasoning_effort.is_some())),
            reasoning_effort,
            prompt_cache_key: request.session.as_deref().filter(|_| openai_host).map(cache_key),
        },
    )
}

fn effort(level: ThinkingLevel, model: &str, openai_host: bool) -> Option<&'static str> {
    Some(match level {
        ThinkingLevel::Off => return None,
        ThinkingLevel::Minimal if openai_host && has_minimal_effort(model) => "minimal",
        ThinkingLevel::Minimal | ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High => "high",
    })
}

/// `minimal` came with gpt-5 and went with gpt-5.1.
pub(crate) fn has_minimal_effort(model: &str) -> bool {
    model.strip_prefix("gpt-5").is_some_and(|rest| !rest.starts_with('.'))
}

fn messages<'a>(request: &'a ModelRequest, provider: &str) -> Vec<Message<'a>> {
    let mut out = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.trim().is_empty() {
        out.push(Message::System { content: &request.system });
    }
    // Reasoning is only wanted back within the tool loop it belongs to.
    let loop_begin =
        request.messages.iter().rposition(|message| matches!(**message, ChatMessage::User { .. })).unwrap_or(0);
    let mut longest_id = LONGEST_ID;
    let mut result_images: Vec<Part<'a>> = Vec::new();
    for (position, message) in request.messages.iter().enumerate() {
        if !matches!(**message, ChatMessage::ToolResult { .. }) {
            flush(&mut result_images, &mut out);
        }
        match &**message {
            ChatMessage::User { content } => push_user(content.iter().filter_map(part).collect(), &mut out),
            ChatMessage::Assistant { content, provider: from, .. } => {
                let ours = from.as_deref() == Some(provider);
                longest_id = if ours { usize::MAX } else { LONGEST_ID };
                let message = assistant_message(content, ours && position > loop_begin, longest_id);
                if message.content.is_some() || !message.tool_calls.is_empty() {
                    out.push(Message::Assistant(message));
                }
            }
            ChatMessage::ToolResult { tool_call_id, tool_name, content, .. } => {
                let text = joined_text(content);
                let images = content.iter().filter_map(image_of).map(image_part);
                let before = result_images.len();
                result_images.extend(images);
                let has_images = result_images.len() > before;
                if has_images {
                    let label = format!("Output of the tool {tool_name}:");
                    result_images.insert(before, Part::Text { text: label.into() });
                }
                let content = match (&*text, has_images) {
                    ("", true) => Cow::Borrowed("(see the image below)"),
                    ("", false) => Cow::Borrowed("(no output)"),
                    _ => text,
                };
                out.push(Message::Tool { tool_call_id: wire_id(tool_call_id, longest_id), content });
            }
        }
    }
    flush(&mut result_images, &mut out);
    out
}

/// A provider gets its own ids back as it made them; those of others are made to fit.
fn wire_id(id: &crate::core::ToolCallId, longest: usize) -> Cow<'_, str> {
    if longest == usize::MAX { Cow::Borrowed(id.as_str()) } else { call_id(id, longest) }
}

/// Tool messages cannot hold images, so they follow as a user message once all results of the turn are there.
fn flush<'a>(images: &mut Vec<Part<'a>>, out: &mut Vec<Message<'a>>) {
    if !images.is_empty() {
        push_user(std::mem::take(images), out);
    }
}

/// Neighbours are merged: several local chat templates insist that roles alternate.
fn push_user<'a>(parts: Vec<Part<'a>>, out: &mut Vec<Message<'a>>) {
    match out.last_mut() {
        _ if parts.is_empty() => {}
        Some(Message::User { content }) => content.extend(parts),
        _ => out.push(Message::User { content: parts }),
    }
}

fn part(block: &ContentBlock) -> Option<Part<'_>> {
    text_of(block).map(|text| Part::Text { text: Cow::Borrowed(text) }).or_else(|| image_of(block).map(image_part))
}

fn image_part(url: DataUrl<'_>) -> Part<'_> {
    Part::ImageUrl { image_url: ImageUrl { url } }
}

fn assistant_message(content: &[ContentBlock], with_reasoning: bool, longest_id: usize) -> Assistant<'_> {
    let text = joined_text(content);
    let reasoning = content.iter().find_map(|block| match block {
        ContentBlock::Known(KnownBlock::Thinking { thinking, signature: Some(field), .. })
            if with_reasoning && super::decode::REASONING_FIELDS.contains(&field.as_str()) =>
        {
            Some((field.as_str(), thinking.as_str()))
        }
        _ => None,
    });
    let tool_calls = content
        .iter()
        .filter_map(ContentBlock::as_tool_call)
        .map(|(id, name, arguments): (_, _, &Value)| ToolCall {
            id: wire_id(id, longest_id),
            function: Function { name, arguments: arguments_text(arguments) },
        })
        .collect();
    Assistant { content: (!text.is_empty()).then_some(text), tool_calls, reasoning }
}

impl Serialize for Assistant<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("content", &self.content)?;
        if let Some((field, text)) = self.reasoning {
            map.serialize_entry(field, text)?;
        }
        if !self.tool_calls.is_empty() {
            map.serialize_entry("tool_calls", &self.tool_calls)?;
        }
        map.end()
    }
}

/// A plain string unless there are images: every compatible server takes a string, not every one takes parts.
fn user_content<S: Serializer>(parts: &[Part<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            Part::Text { text } => Some(&**text),
            Part::ImageUrl { .. } => None,
        })
        .collect();
    match texts.as_deref() {
        Some([only]) => serializer.serialize_str(only),
        Some(several) => serializer.serialize_str(&several.join("\n")),
        None => serializer.collect_seq(parts),
    }
}
