//! What the tests of the wire APIs share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::decoder::Decoder;
use super::failure::Failure;
use crate::providers::sse::SseParser;
use crate::providers::types::{Delta, ModelAnswer, ModelRequest, ThinkingLevel, ToolSpec};
use crate::session::message::{ChatMessage, ContentBlock, Context};

type Replayed = (Vec<Delta>, Option<Failure>);

/// Runs a decoder over a body that arrives in these pieces.
fn replay(mut decoder: Box<dyn Decoder>, pieces: &[&[u8]]) -> Replayed {
    let mut parser = SseParser::new(1 << 20);
    let mut out = Vec::new();
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece, &mut events).expect("small events");
        for event in events.drain(..) {
            if let Err(failure) = decoder.event(&event, &mut out) {
                return (out, Some(failure));
            }
            if matches!(out.last(), Some(Delta::Done { .. })) {
                return (out, None);
            }
        }
    }
    let failure = decoder.end(&mut out).err();
    (out, failure)
}

/// Replays a recorded stream whole, cut in two at every byte, byte by byte, with CRLF and with comments in between; all of these
/// must give the same, and `Done` exactly once and last.
pub(crate) fn checked(decoder: fn() -> Box<dyn Decoder>, stream: &str) -> Replayed {
    let expected = replay(decoder(), &[stream.as_bytes()]);
    let same = |bytes: &[u8], cut: usize, what: &str| {
        let found = replay(decoder(), &[&bytes[..cut], &bytes[cut..]]);
        assert!(without_ids(&found) == without_ids(&expected), "{what}, cut at {cut}: {found:?}");
    };
    let bytes = stream.as_bytes();
    for cut in 0..bytes.len() {
        same(bytes, cut, "cut");
    }
    let crlf = stream.replace('\n', "\r\n");
    for cut in (0..crlf.len()).step_by(7) {
        same(crlf.as_bytes(), cut, "CRLF");
    }
    let commented = format!(": hello\n\n{}", stream.replace("\n\n", "\n\n: keep-alive\n\n:\n\n"));
    same(commented.as_bytes(), 3, "comments");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert!(without_ids(&replay(decoder(), &single)) == without_ids(&expected), "byte by byte");
    let done = expected.0.iter().filter(|delta| matches!(delta, Delta::Done { .. })).count();
    assert_eq!(done, usize::from(expected.1.is_none()), "one Done, or a failure: {expected:?}");
    expected
}

/// Generated tool call ids differ between runs.
fn without_ids((deltas, failure): &Replayed) -> String {
    let deltas: Vec<Delta> = deltas
        .iter()
        .map(|delta| match delta {
            Delta::ToolCallStart { index, name, .. } => {
                Delta::ToolCallStart { index: *index, id: "".into(), name: name.clone() }
            }
            other => other.clone(),
        })
        .collect();
    format!("{deltas:?} {failure:?}")
}

/// Decodes a whole JSON answer.
pub(crate) fn whole(mut decoder: Box<dyn Decoder>, body: &Value) -> Result<Vec<Delta>, Failure> {
    let mut out = Vec::new();
    decoder.whole(body.to_string().as_bytes(), &mut out)?;
    Ok(out)
}

/// The finished answer of some deltas.
pub(crate) fn fold(deltas: &[Delta]) -> ModelAnswer {
    let mut answer = ModelAnswer::default();
    for delta in deltas {
        answer.apply(delta);
    }
    answer.finish();
    answer
}

/// A user message.
pub(crate) fn user(text: &str) -> Arc<ChatMessage> {
    Arc::new(ChatMessage::User { content: vec![ContentBlock::text(text)] })
}

/// A request with a system prompt and one tool.
pub(crate) fn request(model: &str, messages: Context) -> ModelRequest {
    let ls = ToolSpec {
        name: "ls".into(),
        description: "List files.".into(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
    };
    ModelRequest {
        model: model.into(),
        system: "You help.".into(),
        messages,
        tools: Arc::from([ls]),
        max_tokens: None,
        thinking: ThinkingLevel::Off,
        temperature: None,
        session: None,
    }
}

/// Text and image in; thinking, text, two calls (one with broken arguments) by `provider`; results with an image and an error; text.
pub(crate) fn conversation(provider: &str) -> Context {
    conversation_signed(provider, "SIG")
}

/// [`conversation`] with another signature on the thinking.
pub(crate) fn conversation_signed(provider: &str, signature: &str) -> Context {
    let result = |id: &str, content: Vec<ContentBlock>, is_error| {
        Arc::new(ChatMessage::ToolResult { tool_call_id: id.into(), tool_name: "ls".into(), content, is_error })
    };
    vec![
        Arc::new(ChatMessage::User {
            content: vec![ContentBlock::text("What is this?"), ContentBlock::image("iVBORw==", "image/png")],
        }),
        Arc::new(ChatMessage::Assistant {
            content: vec![
                ContentBlock::thinking("Look first.", Some(signature.into())),
                ContentBlock::text("Looking."),
                ContentBlock::Other(json!({"type": "unheard-of"})),
                ContentBlock::tool_call("call_1".into(), "ls", json!({"path": "."})),
                ContentBlock::tool_call("call_2".into(), "ls", json!("not json")),
            ],
            provider: Some(provider.into()),
            model: None,
        }),
        result("call_1", vec![ContentBlock::text("a.txt"), ContentBlock::image("/9j/", "image/jpeg")], false),
        result("call_2", vec![ContentBlock::text("bad arguments")], true),
        user("Go on."),
    ]
}

/// 5,000 messages must not take noticeable time, even unoptimised.
pub(crate) fn assert_fast(body: impl Fn(&ModelRequest) -> Vec<u8>) {
    let messages = (0..1_000).flat_map(|_| conversation("anthropic")).collect();
    let request = request("m", messages);
    let best = (0..5)
        .map(|_| {
            let begin = Instant::now();
            assert!(body(&request).len() > 500_000);
            begin.elapsed()
        })
        .min()
        .expect("some runs");
    assert!(best < Duration::from_millis(400), "{best:?}");
}
