//! What a provider is asked and what it answers.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::{Error, ProviderErrorClass, ToolCallId};
use crate::session::message::{ContentBlock, Context, Cost, StopReason, Usage};

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolSpec {
    /// Name, `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema (an object) of the arguments.
    pub parameters: Value,
}

/// How much the model should reason before it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingLevel {
    /// Not at all.
    #[default]
    Off,
    /// The least the provider offers.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

impl ThinkingLevel {
    /// Parses OpenClaw's level names (`off|minimal|low|medium|high|xhigh|adaptive|max|ultra`); the last four mean `High` here.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "off" | "none" => Self::Off,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" | "xhigh" | "adaptive" | "max" | "ultra" => Self::High,
            _ => return None,
        })
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A model the gateway can use.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Provider id, for example `anthropic`.
    pub provider: String,
    /// Model id as the provider knows it.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Wire API: `anthropic-messages`, `openai-completions`, `openai-responses`, `offline`.
    pub api: String,
    /// Context window in tokens.
    pub context_window: u64,
    /// Most output tokens of one reply.
    pub max_tokens: u64,
    /// Whether it can reason.
    pub reasoning: bool,
    /// Input kinds: `text`, `image`.
    pub input: Vec<String>,
    /// US dollars per million tokens.
    pub cost: Cost,
    /// Whether a key (or none needed) is at hand.
    pub available: bool,
    /// Found on this machine's loopback.
    pub local: bool,
}

impl ModelInfo {
    /// `provider/id`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }
}

/// One model call.
#[derive(Debug, Clone, Default)]
pub struct ModelRequest {
    /// Model id as the provider knows it.
    pub model: String,
    /// System prompt; empty means none.
    pub system: String,
    /// The conversation; already repaired.
    pub messages: Context,
    /// Tools on offer.
    pub tools: std::sync::Arc<[ToolSpec]>,
    /// Most output tokens; `None` = the model's own limit.
    pub max_tokens: Option<u64>,
    /// Reasoning effort.
    pub thinking: ThinkingLevel,
    /// Sampling temperature, if the caller set one.
    pub temperature: Option<f64>,
    /// Stable id of the session, for providers that key caches by it.
    pub session: Option<String>,
}

/// A piece of a model's answer, in order. `index` numbers the content blocks from 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// The provider accepted the call.
    Start {
        /// The provider's id of the response.
        response_id: Option<String>,
        /// The model that answers, if the provider says so.
        model: Option<String>,
    },
    /// More text.
    Text {
        /// Block number.
        index: usize,
        /// The new part.
        text: String,
    },
    /// More reasoning.
    Thinking {
        /// Block number.
        index: usize,
        /// The new part.
        text: String,
    },
    /// The signature (or opaque form) of a reasoning block.
    ThinkingSignature {
        /// Block number.
        index: usize,
        /// Signature; replaces an earlier one.
        signature: String,
        /// The text was withheld.
        redacted: bool,
    },
    /// A tool call begins.
    ToolCallStart {
        /// Block number.
        index: usize,
        /// Call id.
        id: ToolCallId,
        /// Tool name.
        name: String,
    },
    /// More of the tool call's arguments, as JSON text.
    ToolCallArguments {
        /// Block number.
        index: usize,
        /// The new part.
        json: String,
    },
    /// Tokens so far; later ones replace earlier ones. Costs are zero: the registry prices them.
    Usage(Usage),
    /// The answer is complete. Exactly one, last; a stream that ends without it is a `Network` error.
    Done {
        /// Why it stopped.
        stop_reason: StopReason,
    },
}

/// A provider's failure.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct ProviderError {
    /// What sort.
    pub class: ProviderErrorClass,
    /// Provider id.
    pub provider: String,
    /// What happened, in a sentence; contains no secret.
    pub message: String,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
    /// Some of the answer had arrived, so the call must not be repeated silently.
    pub started: bool,
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        let hint = match error.class {
            ProviderErrorClass::Auth => "check the provider's API key: openclaw models list shows which keys are found",
            ProviderErrorClass::RateLimit | ProviderErrorClass::Overloaded => {
                "wait a little and send the message again"
            }
            ProviderErrorClass::ContextOverflow => {
                "start a fresh session with sessions.reset, or choose a model with a larger context window"
            }
            ProviderErrorClass::InvalidRequest => {
                "the provider refused the request as malformed; openclaw logs shows its answer"
            }
            ProviderErrorClass::ModelNotFound => "choose another model: openclaw models list",
            ProviderErrorClass::Network | ProviderErrorClass::Timeout => {
                "check the network and models.providers.<id>.baseUrl"
            }
            ProviderErrorClass::Protocol => "check that models.providers.<id>.api matches what the baseUrl speaks",
            ProviderErrorClass::Cancelled => "",
        };
        let details = serde_json::json!({
            "provider": error.provider, "status": error.status,
            "retryAfterMs": error.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        });
        let out = Error::new(crate::core::ErrorKind::Provider(error.class), error.to_string()).details(details);
        if hint.is_empty() { out } else { out.hint(hint) }
    }
}

/// The deltas of one call. Dropping it cancels the call.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<Delta, ProviderError>> + Send>>;

/// Something that answers model requests.
pub trait Provider: Send + Sync {
    /// Provider id.
    fn id(&self) -> &str;
    /// Starts a call. Dropping the future or the stream cancels it (well within 50 ms, also while the server is silent).
    fn stream(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>>;
}

/// A whole answer, put together from deltas.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelAnswer {
    /// Blocks in order.
    pub content: Vec<ContentBlock>,
    /// Last usage seen.
    pub usage: Usage,
    /// Why it stopped; `None` while unfinished.
    pub stop_reason: Option<StopReason>,
    /// The provider's id of the response.
    pub response_id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
}
