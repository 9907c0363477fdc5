//! The error people and programs see: a kind, what happened, why, and what to do next.
//!
//! Modules define their own `thiserror` enums and convert them into [`Error`] at their border. The kind alone
//! decides the exit code, the HTTP status and the JSON-RPC code; the table is in this file and nowhere else.

use std::fmt;

use serde_json::Value;

/// Result with the product's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model provider did not answer. Only the provider-side classes may be retried or failed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderErrorClass {
    /// The key is missing, wrong, or lacks permission (HTTP 401, 403).
    Auth,
    /// Too many requests or out of quota (HTTP 429); may carry `retry-after`.
    RateLimit,
    /// The provider is overloaded or broken (HTTP 5xx, 529, overloaded events).
    Overloaded,
    /// The conversation does not fit into the model's context window.
    ContextOverflow,
    /// The provider says that our request is malformed (other HTTP 4xx).
    InvalidRequest,
    /// The model or route does not exist there (HTTP 404).
    ModelNotFound,
    /// The connection could not be made or broke, or the stream ended early.
    Network,
    /// The provider stayed silent for longer than the configured time-out.
    Timeout,
    /// The answer is not of the documented form (HTML, broken JSON, wrong events).
    Protocol,
    /// The caller cancelled the call.
    Cancelled,
}

impl ProviderErrorClass {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Auth,
        Self::RateLimit,
        Self::Overloaded,
        Self::ContextOverflow,
        Self::InvalidRequest,
        Self::ModelNotFound,
        Self::Network,
        Self::Timeout,
        Self::Protocol,
        Self::Cancelled,
    ];

    /// The class with that name ([`ProviderErrorClass::as_str`]).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Stable name used in error data, events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::ContextOverflow => "context_overflow",
            Self::InvalidRequest => "invalid_request",
            Self::ModelNotFound => "model_not_found",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the fault is the provider's, so that a retry or another provider may help.
    pub fn is_provider_side(self) -> bool {
        matches!(self, Self::RateLimit | Self::Overloaded | Self::Network | Self::Timeout)
    }
}

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's input is wrong.
    User,
    /// The named thing does not exist.
    NotFound,
    /// The RPC method does not exist.
    MethodNotFound,
    /// The configuration is broken.
    Config,
    /// The caller is not authenticated, or not allowed.
    Auth,
    /// A policy forbids it.
    Policy,
    /// A model provider failed.
    Provider(ProviderErrorClass),
    /// A required sandbox guarantee is missing.
    Sandbox,
    /// The database or the state directory.
    State,
    /// No gateway, host or service answers.
    Unreachable,
    /// It took too long.
    Timeout,
    /// The caller or another person cancelled it.
    Cancelled,
    /// The thing changed or is in use; the caller's view is stale.
    Conflict,
    /// A bound was passed: body, frame, queue.
    TooLarge,
    /// Right now it cannot be done; later it may.
    Unavailable,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    /// Stable machine name, the `code` of `--json` errors and `error.data.kind` of JSON-RPC.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "invalid_input",
            Self::NotFound => "not_found",
            Self::MethodNotFound => "unknown_method",
            Self::Config => "config_invalid",
            Self::Auth => "unauthorized",
            Self::Policy => "refused_by_policy",
            Self::Provider(_) => "provider",
            Self::Sandbox => "sandbox",
            Self::State => "state",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Process exit code (`shared/design/UI.md` §10).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::User | Self::MethodNotFound | Self::TooLarge => 2,
            Self::NotFound => 3,
            Self::Auth | Self::Policy | Self::Sandbox => 4,
            Self::Unreachable => 5,
            Self::Timeout => 6,
            Self::Config => 8,
            Self::Cancelled => 130,
            Self::Provider(_) | Self::State | Self::Conflict | Self::Unavailable | Self::Internal => 1,
        }
    }

    /// HTTP status of a failed request.
    pub fn http_status(self) -> u16 {
        match self {
            Self::User => 400,
            Self::Auth => 401,
            Self::Policy | Self::Sandbox => 403,
            Self::NotFound | Self::MethodNotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Cancelled => 499,
            Self::Provider(_) | Self::Unreachable => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::Config | Self::State | Self::Internal => 500,
        }
    }

    /// JSON-RPC 2.0 error code: the reserved codes where they fit, -32000…-32099 for ours.
    pub fn rpc_code(self) -> i64 {
        match self {
            Self::User => -32602,
            Self::MethodNotFound => -32601,
            Self::Internal => -32603,
            Self::NotFound => -32004,
            Self::Auth => -32001,
            Self::Policy => -32003,
            Self::Config => -32005,
            Self::Provider(_) => -32010,
            Self::Sandbox => -32011,
            Self::State => -32012,
            Self::Unreachable => -32013,
            Self::Timeout => -32014,
            Self::Cancelled => -32015,
            Self::Conflict => -32009,
            Self::TooLarge => -32016,
            Self::Unavailable => -32017,
        }
    }
}

/// An error as it leaves a module: what happened, why, what to do.
#[derive(Debug)]
pub struct Error {
    inner: Box<ErrorInner>,
}

#[derive(Debug)]
struct ErrorInner {
    kind: ErrorKind,
    message: String,
    why: Option<String>,
    hint: Option<String>,
    details: Option<Value>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A new error; `message` is one sentence without a trailing full stop that says what happened.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(ErrorInner {
                kind,
                message: message.into(),
                why: None,
                hint: None,
                details: None,
                source: None,
            }),
        }
    }

    /// Bad input from the caller.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, message)
    }

    /// A named thing that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An invariant of ours that does not hold.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds the reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.inner.why = Some(why.into());
        self
    }

    /// Adds what the reader can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Adds machine-readable details (paths, limits, positions).
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.inner.details = Some(details);
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Why: the given reason, else the text of the underlying error.
    pub fn reason(&self) -> Option<String> {
        self.inner.why.clone().or_else(|| self.inner.source.as_ref().map(ToString::to_string))
    }

    /// What to do next.
    pub fn fix(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// Machine-readable details.
    pub fn data(&self) -> Option<&Value> {
        self.inner.details.as_ref()
    }

    /// The stable error object of `--json` output: `{code, message, why?, hint?, details?}`.
    pub fn to_json(&self) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("code".into(), self.kind().as_str().into());
        object.insert("message".into(), self.message().into());
        if let Some(why) = self.reason() {
            object.insert("why".into(), why.into());
        }
        if let Some(hint) = self.fix() {
            object.insert("hint".into(), hint.into());
        }
        if let ErrorKind::Provider(class) = self.kind() {
            object.insert("class".into(), class.as_str().into());
        }
        if let Some(details) = self.data() {
            object.insert("details".into(), details.clone());
        }
        Value::Object(object)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())?;
        if let Some(why) = self.reason() {
            write!(formatter, ": {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
