//! How a turn ended, whoever ran it.

use serde_json::{Value, json};

use crate::cli::client::rpc_error;
use crate::cli::error::Stop;
use crate::core::{Error, ErrorKind};
use crate::runtime::RunOutcome;

/// The end of a turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ending {
    /// `ok`, `error`, `aborted`, `interrupted`.
    pub(super) status: String,
    pub(super) text: String,
    pub(super) error: Option<Value>,
    pub(super) usage: Value,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) stop_reason: Value,
}

impl Ending {
    /// From a run of this process.
    pub(super) fn of_run(outcome: &RunOutcome) -> Self {
        Self {
            status: outcome.status.as_str().to_owned(),
            text: outcome.text.clone(),
            error: outcome.error.clone(),
            usage: json!(outcome.usage),
            provider: outcome.provider.clone(),
            model: outcome.model.clone(),
            stop_reason: json!(outcome.stop_reason),
        }
    }

    /// From a `chat` event, if it is the last one.
    pub(super) fn of_chat(payload: &Value) -> Option<Self> {
        let status = match payload["state"].as_str()? {
            "final" => "ok",
            "aborted" => "aborted",
            "error" => "error",
            _ => return None,
        };
        let message = &payload["message"];
        let error = payload.get("errorDetail").filter(|detail| detail.is_object()).cloned();
        let error =
            error.or_else(|| payload.get("errorMessage").map(|text| json!({ "code": "provider", "message": text })));
        Some(Self {
            status: status.to_owned(),
            text: text_of(&message["content"]),
            error,
            usage: payload.get("usage").or_else(|| message.get("usage")).cloned().unwrap_or_default(),
            provider: string(&message["provider"]),
            model: string(&message["model"]),
            stop_reason: payload["stopReason"].clone(),
        })
    }

    /// From the answer of `agent.wait`, or of `agent` for a run that had ended before; `None` while it goes on.
    pub(super) fn of_answer(answer: &Value) -> Option<Self> {
        let status @ ("ok" | "error" | "aborted" | "interrupted") = answer["status"].as_str()? else { return None };
        let texts = ["/terminalReply/text", "/result/payloads/0/text", "/result/text", "/text"];
        let text = texts.iter().find_map(|path| answer.pointer(path)).map(string).unwrap_or_default();
        let meta = answer.pointer("/result/meta/agentMeta").unwrap_or(answer);
        Some(Self {
            status: status.to_owned(),
            text,
            error: answer.get("error").filter(|error| !error.is_null()).cloned(),
            usage: meta.get("usage").cloned().unwrap_or_default(),
            provider: string(&meta["provider"]),
            model: string(&meta["model"]),
            stop_reason: answer["stopReason"].clone(),
        })
    }

    /// What the command ends with.
    pub(super) fn stop(&self, details: Value) -> Result<(), Stop> {
        match self.status.as_str() {
            "ok" => Ok(()),
            "aborted" => Err(Error::new(ErrorKind::Cancelled, "the reply was stopped")
                .why("somebody aborted the run; what came before is kept")
                .hint("send the message again, or ask the agent to go on")
                .details(details)
                .into()),
            "interrupted" => Err(Error::new(ErrorKind::Unavailable, "the reply was interrupted")
                .why("the process that ran it ended; what came before is kept")
                .hint("send the message again, or ask the agent to go on")
                .details(details)
                .into()),
            _ => {
                let error = match &self.error {
                    Some(Value::String(text)) => rpc_error(&json!({ "code": "provider", "message": text })),
                    Some(error) => rpc_error(error),
                    None => Error::new(ErrorKind::Unavailable, "the run failed").hint("openclaw logs says more"),
                };
                Err(if error.data().is_some() { error } else { error.details(details) }.into())
            }
        }
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Text of a message's content: a string, or the text blocks of a list.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ProviderErrorClass;

    #[test]
    fn a_final_chat_event_ends_the_turn() {
        assert_eq!(Ending::of_chat(&json!({"state": "delta", "deltaText": "x"})), None);
        let end = Ending::of_chat(&json!({
            "state": "final", "stopReason": "stop", "usage": {"totalTokens": 7},
            "message": {"content": [{"type": "text", "text": "hi"}], "provider": "p", "model": "m"},
        }))
        .expect("the end");
        assert_eq!((end.status.as_str(), end.text.as_str(), end.model.as_str()), ("ok", "hi", "m"));
        assert!(end.stop(Value::Null).is_ok());
    }

    #[test]
    fn a_provider_error_keeps_its_kind() {
        let end = Ending::of_chat(&json!({
            "state": "error", "errorMessage": "m",
            "errorDetail": {"code": "provider", "class": "auth", "message": "anthropic: key refused", "hint": "check"},
        }))
        .expect("the end");
        let Err(Stop::Error(error)) = end.stop(Value::Null) else { panic!("it failed") };
        assert_eq!(error.kind(), ErrorKind::Provider(ProviderErrorClass::Auth));
        assert_eq!(error.message(), "anthropic: key refused");
    }

    #[test]
    fn an_answer_may_carry_the_end() {
        assert_eq!(Ending::of_answer(&json!({"status": "accepted"})), None);
        assert_eq!(Ending::of_answer(&json!({"status": "timeout"})), None);
        let end =
            Ending::of_answer(&json!({"status": "ok", "result": {"payloads": [{"text": "t"}]}})).expect("the end");
        assert_eq!(end.text, "t");
        let end = Ending::of_answer(&json!({"status": "aborted"})).expect("the end");
        assert!(matches!(end.stop(Value::Null), Err(Stop::Error(error)) if error.kind() == ErrorKind::Cancelled));
    }
}
