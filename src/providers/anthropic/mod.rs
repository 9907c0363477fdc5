//! `anthropic-messages`: the Messages API (<https://platform.claude.com/docs/en/api/messages>) and servers that imitate it.

mod decode;
mod model;
mod request;
#[cfg(test)]
mod tests;

pub(super) use decode::AnthropicDecoder;
pub(super) use request::body;
