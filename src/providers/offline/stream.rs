//! Turns a plan into deltas, with usage and limits.

use futures_util::StreamExt;

use super::plan::{Plan, plan};
use super::{ID, MAX_TOKENS};
use crate::core::{ProviderErrorClass, ToolCallId};
use crate::providers::{Delta, ModelRequest, ModelStream, ProviderError};
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock, StopReason, Usage};

/// The answer to `request` as a stream that is ready at once.
pub(super) fn answer(request: &ModelRequest) -> Result<ModelStream, ProviderError> {
    let plan = plan(request);
    let silent = plan.text.is_empty() && plan.thinking.is_empty();
    match plan.fail {
        Some(class) if silent => Err(failure(class, false)),
        _ => {
            let items = deltas(plan, request);
            // Each delta spends some of the task's budget, so a long answer cannot keep other tasks from running.
            let stream = futures_util::stream::iter(items).then(|item| async move {
                tokio::task::coop::consume_budget().await;
                item
            });
            Ok(Box::pin(stream))
        }
    }
}

fn failure(class: ProviderErrorClass, started: bool) -> ProviderError {
    ProviderError {
        class,
        provider: ID.into(),
        message: format!("the message directed the offline model to fail with {}", class.as_str()),
        status: None,
        retry_after: None,
        started,
    }
}

fn deltas(plan: Plan, request: &ModelRequest) -> Vec<Result<Delta, ProviderError>> {
    let seen = Seen::of(request);
    let limit = request.max_tokens.unwrap_or(MAX_TOKENS).min(MAX_TOKENS);
    let mut budget = usize::try_from(limit).unwrap_or(usize::MAX).saturating_mul(4);
    let (thinking, thinking_cut) = clip(plan.thinking, &mut budget);
    let (text, text_cut) = clip(plan.text, &mut budget);
    let cut = thinking_cut || text_cut;

    let mut out =
        vec![Delta::Start { response_id: Some(format!("offline-{:016x}", seen.hash)), model: Some(ID.into()) }];
    let mut written = thinking.len() + text.len();
    let mut index = 0;
    if !thinking.is_empty() {
        out.extend(words(&thinking).map(|part| Delta::Thinking { index, text: part.to_owned() }));
        index += 1;
    }
    if !text.is_empty() {
        out.extend(words(&text).map(|part| Delta::Text { index, text: part.to_owned() }));
        index += 1;
    }
    if let Some(class) = plan.fail {
        return out.into_iter().map(Ok).chain([Err(failure(class, true))]).collect();
    }
    let calls = if cut { Vec::new() } else { plan.calls };
    let usual = if calls.is_empty() { StopReason::Stop } else { StopReason::ToolUse };
    for (number, (name, arguments)) in calls.into_iter().enumerate() {
        let json = arguments.to_string();
        written += name.len() + json.len();
        let id = ToolCallId::new(format!("offline-{:016x}-{number}", seen.hash));
        out.push(Delta::ToolCallStart { index: index + number, id, name });
        out.push(Delta::ToolCallArguments { index: index + number, json });
    }
    let (input, output) = (tokens(seen.bytes), tokens(written));
    out.push(Delta::Usage(Usage { input, output, total_tokens: input + output, ..Usage::default() }));
    out.push(Delta::Done { stop_reason: if cut { StopReason::Length } else { plan.stop.unwrap_or(usual) } });
    out.into_iter().map(Ok).collect()
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// Takes from `budget` (bytes) what `text` needs; cuts at a character if it is too little.
fn clip(mut text: String, budget: &mut usize) -> (String, bool) {
    let fits = text.len() <= *budget;
    if !fits {
        text.truncate(text.floor_char_boundary(*budget));
    }
    *budget -= text.len();
    (text, !fits)
}

/// The words with the white space after them: joined they are the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let gap = rest[word..].find(char::is_whitespace).map_or(rest.len(), |at| word + at);
        let end = rest[gap..].find(|c: char| !c.is_whitespace()).map_or(rest.len(), |at| gap + at);
        let (part, tail) = rest.split_at(end);
        rest = tail;
        (!part.is_empty()).then_some(part)
    })
}

/// Size and fingerprint of what the model was sent.
struct Seen {
    bytes: usize,
    /// FNV-1a, 64 bit: the same on every machine and in every release, so call ids are reproducible.
    hash: u64,
}

impl Seen {
    fn of(request: &ModelRequest) -> Self {
        let mut seen = Self { bytes: 0, hash: 0xcbf2_9ce4_8422_2325 };
        seen.add(&request.system);
        for message in &request.messages {
            seen.message(message);
        }
        for tool in request.tools.iter() {
            seen.add(&tool.name);
            seen.add(&tool.description);
            seen.add(&tool.parameters.to_string());
        }
        seen
    }

    fn message(&mut self, message: &ChatMessage) {
        let (mark, content) = match message {
            ChatMessage::User { content } => ("u", content),
            ChatMessage::Assistant { content, .. } => ("a", content),
            ChatMessage::ToolResult { tool_call_id, content, .. } => (tool_call_id.as_str(), content),
        };
        self.mix(mark);
        for block in content {
            self.block(block);
        }
    }

    fn block(&mut self, block: &ContentBlock) {
        match block {
            ContentBlock::Known(KnownBlock::Text { text, .. }) => self.add(text),
            ContentBlock::Known(KnownBlock::Thinking { thinking, .. }) => self.add(thinking),
            ContentBlock::Known(KnownBlock::Image { data, .. }) => self.add(data),
            ContentBlock::Known(KnownBlock::ToolCall { id, name, arguments, .. }) => {
                self.mix(id.as_str());
                self.add(name);
                self.add(&arguments.to_string());
            }
            ContentBlock::Other(value) => self.add(&value.to_string()),
        }
    }

    /// Counts and mixes.
    fn add(&mut self, text: &str) {
        self.bytes += text.len();
        self.mix(text);
    }

    fn mix(&mut self, text: &str) {
        // The end mark keeps ("ab", "c") apart from ("a", "bc").
        for byte in text.bytes().chain([0xff]) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
