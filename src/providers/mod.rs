//! Line 4: who answers. One request type, one delta stream, three wire APIs and the built-in `offline` model.
//!
//! [`endpoint::provider`] turns a base URL and a key into a [`Provider`]; `anthropic`, `openai_completions` and
//! `openai_responses` each hold one wire API as two pure halves, the request body and the stream decoder; [`http`] is the only
//! place that builds an HTTP client for models, [`retry`] the only one that repeats a call.

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
