//! `openai-completions`: Chat Completions (<https://platform.openai.com/docs/api-reference/chat>) and what is compatible with it:
//! Ollama, llama.cpp, vLLM, LM Studio, LiteLLM, OpenRouter, DeepSeek and others.

mod decode;
mod request;
#[cfg(test)]
mod tests;
mod tool_calls;

pub(super) use decode::{CompletionsDecoder, REASONING_FIELDS};
pub(super) use request::{body, has_minimal_effort};
