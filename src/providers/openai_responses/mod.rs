//! `openai-responses`: the Responses API (<https://platform.openai.com/docs/api-reference/responses>), used without server-side state:
//! `store` is false and reasoning comes back encrypted, to be sent along with the next call.

mod decode;
mod request;
#[cfg(test)]
mod tests;

pub(super) use decode::ResponsesDecoder;
pub(super) use request::body;
