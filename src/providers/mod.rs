//! Line 4: who answers. One request type, one delta stream, three wire APIs and the built-in `offline` model.
//!
//! [`endpoint::provider`] turns a base URL and a key into a [`Provider`]; `anthropic`, `openai_completions` and
//! `openai_responses` each hold one wire API as two pure halves, the request body and the stream decoder; [`http`] is the only
//! place that builds an HTTP client for models, [`retry`] the only one that repeats a call.
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures_util::StreamExt;
//! use openclaw::providers::offline::OfflineProvider;
//! use openclaw::providers::{ModelAnswer, ModelRequest, Provider};
//! use openclaw::session::message::plain_text;
//! use openclaw::session::{ChatMessage, ContentBlock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), openclaw::providers::ProviderError> {
//! let question = ChatMessage::User { content: vec![ContentBlock::text("say: hello")] };
//! let request = ModelRequest { messages: vec![Arc::new(question)], ..ModelRequest::default() };
//! let mut deltas = OfflineProvider::shared().stream(request).await?;
//! let mut answer = ModelAnswer::default();
//! while let Some(delta) = deltas.next().await {
//!     answer.apply(&delta?);
//! }
//! answer.finish();
//! assert!(plain_text(&answer.content).contains("hello"));
//! # Ok(())
//! # }
//! ```

mod answer;
mod anthropic;
pub mod catalog;
pub mod discovery;
pub mod endpoint;
pub mod http;
pub mod offline;
mod openai_completions;
mod openai_responses;
pub mod pricing;
pub mod registry;
pub mod retry;
pub mod sse;
pub mod types;

pub use endpoint::{AuthStyle, Endpoint, provider};
pub use http::HttpClient;
pub use registry::ProviderRegistry;
pub use types::*;
