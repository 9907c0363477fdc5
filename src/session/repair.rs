//! Makes any list of messages one that a provider accepts. Total: no input is refused, none makes it panic.
//!
//! The strictest of `anthropic-messages`, `openai-completions` and `openai-responses` decides. After [`repair`]:
//! 1. The first message is a user message. Before an assistant message that would be first, [`BEGINNING`] is put.
//! 2. No message is empty, no text is blank, no image is without data. User messages and tool results have text and
//!    images only, assistant messages text, thinking and tool calls only; other blocks are left out. A tool result
//!    left with nothing says [`NO_OUTPUT`]; other messages left with nothing go.
//! 3. An assistant message does not end with thinking (providers refuse thinking that nothing follows), nor is there
//!    thinking that has neither text nor signature.
//! 4. Right after an assistant message come the results of its tool calls, one each, in the order of the calls. A
//!    result belongs to the last assistant message before it that has a call with its id; the first one counts. A
//!    missing one becomes the error [`INTERRUPTED`]; those that belong to no call go.
//! 5. Call ids are unique in the whole list and match `[A-Za-z0-9_-]{1,64}`. The first call keeps its id, later ones
//!    get `-2`, `-3`, …; an id in another form is rewritten. Ids depend on earlier messages only, so a longer history
//!    does not change what a prompt cache has seen.
//! 6. Tool names match `[A-Za-z0-9_-]{1,64}`, a result has the name of its call, and arguments are an object: text that
//!    is an object in JSON becomes it, `null` and blank text become `{}`, anything else goes under [`MALFORMED`].
//!
//! Messages that need no change stay the same `Arc`s. Consecutive user messages and consecutive assistant messages are
//! legal in all three APIs and stay apart; whether a list ends with a user message is the caller's business.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::message::{ChatMessage, ContentBlock, Context, KnownBlock};
use super::steps;
use crate::core::ToolCallId;

/// Text of the user message put before a conversation that does not begin with one.
pub const BEGINNING: &str = "(The beginning of this conversation is not available.)";
/// Text of the result of a tool call that has none.
pub const INTERRUPTED: &str =
    "The tool call was interrupted and gave no result. It may have taken effect in part; check before repeating it.";
/// Text of a tool result that had no content.
pub const NO_OUTPUT: &str = "(no output)";
/// Name under which arguments that are not an object are kept.
pub const MALFORMED: &str = "malformed_arguments";
/// Longest tool name or call id, in bytes.
const MAX_NAME: usize = 64;

/// Repairs a list of messages; see the module.
pub fn repair(messages: Context) -> Context {
    arrange(messages.into_iter().filter_map(clean).collect())
}

/// Puts messages in order among themselves (points 1, 4 and 5) that are each [`clean`] already.
pub(super) fn arrange(messages: Context) -> Context {
    if is_arranged(&messages) {
        return messages;
    }
    let mut answers = match_results(&messages);
    let mut ids = CallIds::default();
    let mut repaired = Vec::with_capacity(messages.len() + 1);
    for (position, message) in messages.iter().enumerate() {
        steps::tick();
        match &**message {
            ChatMessage::User { .. } => repaired.push(Arc::clone(message)),
            ChatMessage::ToolResult { .. } => {}
            ChatMessage::Assistant { .. } => {
                if repaired.is_empty() {
                    repaired.push(Arc::new(ChatMessage::User { content: vec![ContentBlock::text(BEGINNING)] }));
                }
                let message = ids.make_unique(message);
                let results = answers.remove(&position).unwrap_or_default();
                let calls = tool_calls(&message).zip(results);
                let results: Vec<_> =
                    calls.map(|((id, name), result)| result_for(id, name, result.map(|at| &messages[at]))).collect();
                repaired.push(message);
                repaired.extend(results);
            }
        }
    }
    repaired
}

/// Whether there is nothing to do: the usual case, decided without copying anything.
fn is_arranged(messages: &[Arc<ChatMessage>]) -> bool {
    let mut ids = HashSet::new();
    let mut rest = messages.iter();
    let mut is_first = true;
    while let Some(message) = rest.next() {
        steps::tick();
        match &**message {
            ChatMessage::User { .. } => {}
            ChatMessage::ToolResult { .. } => return false,
            ChatMessage::Assistant { .. } if is_first => return false,
            ChatMessage::Assistant { .. } => {
                for (id, name) in tool_calls(message) {
                    let answered = match rest.next().map(|message| &**message) {
                        Some(ChatMessage::ToolResult { tool_call_id, tool_name, .. }) => {
                            tool_call_id == id && tool_name == name
                        }
                        _ => false,
                    };
                    if !answered || !ids.insert(id) {
                        return false;
                    }
                }
            }
        }
        is_first = false;
    }
    true
}

/// Puts one message in order by itself (points 2, 3 and 6, and the form of ids); `None` if nothing is left of it.
pub fn clean(message: Arc<ChatMessage>) -> Option<Arc<ChatMessage>> {
    if is_clean(&message) {
        return Some(message);
    }
    let cleaned = match &*message {
        ChatMessage::User { content } => {
            let content = shown_blocks(content);
            if content.is_empty() {
                return None;
            }
            ChatMessage::User { content }
        }
        ChatMessage::ToolResult { tool_call_id, tool_name, content, is_error } => {
            let mut content = shown_blocks(content);
            if content.is_empty() {
                content.push(ContentBlock::text(NO_OUTPUT));
            }
            ChatMessage::ToolResult {
                tool_call_id: ToolCallId::new(legal_id(tool_call_id.as_str())),
                tool_name: tool_name.clone(),
                content,
                is_error: *is_error,
            }
        }
        ChatMessage::Assistant { content, provider, model } => {
            let mut content: Vec<_> = content.iter().filter(|block| is_said(block)).map(legal_call).collect();
            let end = content.iter().rposition(|block| !is_thinking(block))?;
            content.truncate(end + 1);
            ChatMessage::Assistant { content, provider: provider.clone(), model: model.clone() }
        }
    };
    Some(Arc::new(cleaned))
}

fn is_clean(message: &ChatMessage) -> bool {
    match message {
        ChatMessage::User { content } => !content.is_empty() && content.iter().all(is_shown),
        ChatMessage::ToolResult { tool_call_id, content, .. } => {
            !content.is_empty() && content.iter().all(is_shown) && is_legal(tool_call_id.as_str())
        }
        ChatMessage::Assistant { content, .. } => {
            let legal = content.iter().all(|block| match block.as_tool_call() {
                Some((id, name, arguments)) => is_legal(id.as_str()) && is_legal(name) && arguments.is_object(),
                None => is_said(block),
            });
            legal && content.last().is_some_and(|block| !is_thinking(block))
        }
    }
}

/// Blocks a user message or a tool result may have.
fn is_shown(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Known(KnownBlock::Text { text, .. }) => !is_blank(text),
        ContentBlock::Known(KnownBlock::Image { data, mime_type, .. }) => !data.is_empty() && !mime_type.is_empty(),
        _ => false,
    }
}

/// Blocks an assistant message may have.
fn is_said(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Known(KnownBlock::Text { text, .. }) => !is_blank(text),
        ContentBlock::Known(KnownBlock::Thinking { thinking, signature, .. }) => {
            !is_blank(thinking) || signature.as_ref().is_some_and(|signature| !signature.is_empty())
        }
        ContentBlock::Known(KnownBlock::ToolCall { .. }) => true,
        _ => false,
    }
}

fn is_thinking(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::Known(KnownBlock::Thinking { .. }))
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn shown_blocks(content: &[ContentBlock]) -> Vec<ContentBlock> {
    content.iter().filter(|block| is_shown(block)).cloned().collect()
}

fn legal_call(block: &ContentBlock) -> ContentBlock {
    match block {
        ContentBlock::Known(KnownBlock::ToolCall { id, name, arguments, extra }) => {
            ContentBlock::Known(KnownBlock::ToolCall {
                id: ToolCallId::new(legal_id(id.as_str())),
                name: legal_name(name).into_owned(),
                arguments: legal_arguments(arguments),
                extra: extra.clone(),
            })
        }
        other => other.clone(),
    }
}

fn is_legal(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_legal_byte)
}

fn is_legal_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The legal characters of `text`, `_` for each of the others, at most `length` of them.
fn legal_characters(text: &str, length: usize) -> String {
    let legal = |character: char| u8::try_from(character).ok().filter(|byte| is_legal_byte(*byte));
    text.chars().take(length).map(|character| legal(character).map_or('_', char::from)).collect()
}

/// A tool name in the form of point 6.
pub fn legal_name(name: &str) -> Cow<'_, str> {
    if is_legal(name) {
        Cow::Borrowed(name)
    } else if name.is_empty() {
        Cow::Borrowed("unnamed")
    } else {
        Cow::Owned(legal_characters(name, MAX_NAME))
    }
}

/// A call id in the form of point 5: the id itself if it is legal; else its legal characters and a hash of the whole, so that different ids stay
/// different. A function of the id alone: a call and its result get the same.
pub fn legal_id(id: &str) -> Cow<'_, str> {
    if is_legal(id) {
        return Cow::Borrowed(id);
    }
    // FNV-1a, 64 bit: stable over releases, which the standard library's hasher does not promise.
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Cow::Owned(format!("{}_{hash:016x}", legal_characters(id, MAX_NAME - 17)))
}

fn legal_arguments(arguments: &Value) -> Value {
    match arguments {
        Value::Object(_) => arguments.clone(),
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if is_blank(text) => Value::Object(Map::new()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Value::Object(object),
            _ => malformed(arguments),
        },
        other => malformed(other),
    }
}

fn malformed(arguments: &Value) -> Value {
    Value::Object(Map::from_iter([(MALFORMED.to_owned(), arguments.clone())]))
}

/// `(id, name)` of the calls of a message, in order.
fn tool_calls(message: &ChatMessage) -> impl Iterator<Item = (&ToolCallId, &str)> {
    let content: &[ContentBlock] = match message {
        ChatMessage::Assistant { content, .. } => content,
        _ => &[],
    };
    content.iter().filter_map(ContentBlock::as_tool_call).map(|(id, name, _)| (id, name))
}

/// For every assistant message with calls, by position: where the result of each call is.
fn match_results(messages: &[Arc<ChatMessage>]) -> HashMap<usize, Vec<Option<usize>>> {
    /// The calls with one id in the last assistant message that has any.
    struct Open {
        message: usize,
        calls: Vec<usize>,
        answered: usize,
    }
    let mut open: HashMap<&ToolCallId, Open> = HashMap::new();
    let mut answers: HashMap<usize, Vec<Option<usize>>> = HashMap::new();
    for (position, message) in messages.iter().enumerate() {
        if let ChatMessage::ToolResult { tool_call_id, .. } = &**message {
            let Some(open) = open.get_mut(tool_call_id) else { continue };
            let Some(call) = open.calls.get(open.answered) else { continue };
            open.answered += 1;
            if let Some(results) = answers.get_mut(&open.message) {
                results[*call] = Some(position);
            }
            continue;
        }
        for (call, (id, _)) in tool_calls(message).enumerate() {
            let open = open.entry(id).or_insert(Open { message: position, calls: Vec::new(), answered: 0 });
            if open.message != position {
                *open = Open { message: position, calls: Vec::new(), answered: 0 };
            }
            open.calls.push(call);
            answers.entry(position).or_default().push(None);
        }
    }
    answers
}

fn result_for(id: &ToolCallId, name: &str, found: Option<&Arc<ChatMessage>>) -> Arc<ChatMessage> {
    let (content, is_error) = match found.map(|message| (message, &**message)) {
        Some((message, ChatMessage::ToolResult { tool_call_id, tool_name, content, is_error })) => {
            if tool_call_id == id && tool_name == name {
                return Arc::clone(message);
            }
            (content.clone(), *is_error)
        }
        _ => (vec![ContentBlock::text(INTERRUPTED)], true),
    };
    Arc::new(ChatMessage::ToolResult { tool_call_id: id.clone(), tool_name: name.to_owned(), content, is_error })
}

/// The call ids given out so far.
#[derive(Default)]
struct CallIds<'m> {
    taken: HashSet<Cow<'m, str>>,
    /// The suffix to try next, per id.
    next: HashMap<&'m str, u64>,
}

impl<'m> CallIds<'m> {
    /// The message with ids that no earlier message has.
    fn make_unique(&mut self, message: &'m Arc<ChatMessage>) -> Arc<ChatMessage> {
        let fresh: Vec<Option<ToolCallId>> = tool_calls(message).map(|(id, _)| self.take(id.as_str())).collect();
        if fresh.iter().all(Option::is_none) {
            return Arc::clone(message);
        }
        let mut message = ChatMessage::clone(message);
        if let ChatMessage::Assistant { content, .. } = &mut message {
            let calls = content.iter_mut().filter_map(|block| match block {
                ContentBlock::Known(KnownBlock::ToolCall { id, .. }) => Some(id),
                _ => None,
            });
            for (place, fresh) in calls.zip(fresh) {
                if let Some(fresh) = fresh {
                    *place = fresh;
                }
            }
        }
        Arc::new(message)
    }

    /// Takes `id`, or gives the one to use instead.
    fn take(&mut self, id: &'m str) -> Option<ToolCallId> {
        if self.taken.insert(Cow::Borrowed(id)) {
            return None;
        }
        let next = self.next.entry(id).or_insert(2);
        loop {
            let suffix = format!("-{next}");
            *next += 1;
            let room = MAX_NAME.saturating_sub(suffix.len());
            let fresh = legal_characters(id, room) + &suffix;
            if self.taken.insert(Cow::Owned(fresh.clone())) {
                return Some(ToolCallId::new(fresh));
            }
        }
    }
}
