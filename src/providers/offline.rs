//! The built-in `offline` model: deterministic, no network, no account. It makes the product usable, and testable, on a bare machine.
//!
//! It is not a language model and says so in one line of its first answer. What it can do:
//!
//! **Directives.** Lines of the *last user message* of these forms are followed; everything else in that message is then
//! ignored. Tool results and earlier messages are never searched for directives. Several directives that call tools become
//! several tool calls of one step; when the results are there, the answer tells what each gave.
//!
//! | line | does |
//! |---|---|
//! | `read: PATH` | calls `read` |
//! | `write: PATH <<< TEXT` | calls `write`; with nothing after `<<<`, the following lines up to a line `>>>` (or the end) are the text |
//! | `edit: PATH <<< OLD => NEW` | calls `edit`, replacing `OLD` by `NEW` |
//! | `ls: PATH`, `ls`, `list` | calls `ls` |
//! | `find: GLOB [in PATH]` | calls `find` |
//! | `grep: PATTERN [in PATH]` | calls `grep`; a pattern containing ` in ` can be put in double quotes |
//! | `run: COMMAND` | calls `exec` |
//! | `tool: NAME {json}` | calls any tool that is on offer |
//! | `think: TEXT` | reasons `TEXT` before the answer |
//! | `say: TEXT` | answers exactly `TEXT`, nothing before or after |
//! | `repeat: N TEXT` | answers `TEXT` N times, separated by spaces |
//! | `stop: length` or `stop: refusal` | ends the answer for that reason, calling no tools |
//! | `fail: CLASS` | fails like a provider: `auth`, `rate_limit`, `overloaded`, `context_overflow`, `invalid_request`, `model_not_found`, `network`, `timeout`, `protocol`, `cancelled`; after `say:`, `repeat:` or `think:` in the same message, fails midway |
//!
//! A directive whose tool is not on offer is answered with a sentence that says so.
//!
//! **Plain requests.** Short English requests to list, read or search files (`list the files here`, `read notes.txt`,
//! `search for TODO in src`, `find *.rs`) call the matching tool; greetings, thanks and `help` are answered.
//!
//! Tokens are counted as bytes ÷ 4, rounded up; nothing costs anything. `max_tokens` of a request is obeyed.

mod directive;
mod intent;
mod plan;
mod report;
mod stream;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{ModelInfo, ModelRequest, ModelStream, Provider, ProviderError};
use crate::session::message::Cost;

/// Provider id, model id and wire API of the built-in model.
pub const ID: &str = "offline";
/// Its context window in tokens. Nothing breaks beyond it.
pub const CONTEXT_WINDOW: u64 = 1_000_000;
/// Most output tokens of one answer.
pub const MAX_TOKENS: u64 = 65_536;

/// What the model says about itself, once per conversation.
pub const NOTICE: &str = "I am the built-in offline model, not a language model; for a real one set ANTHROPIC_API_KEY or OPENAI_API_KEY, \
     add models.providers to openclaw.json, or start Ollama.";

/// The built-in model.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineProvider;

impl OfflineProvider {
    /// The provider, ready to share.
    pub fn shared() -> Arc<dyn Provider> {
        Arc::new(Self)
    }
}

impl Provider for OfflineProvider {
    fn id(&self) -> &str {
        ID
    }

    fn stream(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        Box::pin(async move { stream::answer(&request) })
    }
}

/// The entry of the built-in model in model lists.
pub fn model_info() -> ModelInfo {
    ModelInfo {
        provider: ID.into(),
        id: ID.into(),
        name: "Offline (built in, not a language model)".into(),
        api: ID.into(),
        context_window: CONTEXT_WINDOW,
        max_tokens: MAX_TOKENS,
        reasoning: false,
        input: vec!["text".into()],
        cost: Cost::default(),
        available: true,
        local: true,
    }
}

#[cfg(test)]
mod tests;
