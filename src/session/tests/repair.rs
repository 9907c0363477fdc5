use std::collections::HashSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{call, lines, soup};
use crate::core::ToolCallId;
use crate::session::message::KnownBlock;
use crate::session::repair::{BEGINNING, repair};
use crate::session::{ChatMessage, ContentBlock};

fn is_name(text: &str) -> bool {
    let legal = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    (1..=64).contains(&text.len()) && text.chars().all(legal)
}

fn shown(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Known(KnownBlock::Text { text, .. }) => !text.trim().is_empty(),
        ContentBlock::Known(KnownBlock::Image { data, mime_type, .. }) => !data.is_empty() && !mime_type.is_empty(),
        _ => false,
    }
}

/// What a provider would object to, judged independently of the repair.
pub(super) fn violation(messages: &[Arc<ChatMessage>]) -> Option<String> {
    let mut ids = HashSet::new();
    let mut expected: Vec<(ToolCallId, String)> = Vec::new();
    for (position, message) in messages.iter().enumerate() {
        let wrong = |what: &str| Some(format!("message {position} {what}"));
        if position == 0 && !matches!(**message, ChatMessage::User { .. }) {
            return wrong("is first and not the user's");
        }
        if !matches!(**message, ChatMessage::ToolResult { .. }) && !expected.is_empty() {
            return wrong("comes before a result");
        }
        match &**message {
            ChatMessage::User { content } => {
                if content.is_empty() || !content.iter().all(shown) {
                    return wrong("has bad blocks");
                }
            }
            ChatMessage::ToolResult { tool_call_id, tool_name, content, .. } => {
                if content.is_empty() || !content.iter().all(shown) {
                    return wrong("has bad blocks");
                }
                if expected.is_empty() || expected.remove(0) != (tool_call_id.clone(), tool_name.clone()) {
                    return wrong("answers another call");
                }
            }
            ChatMessage::Assistant { content, .. } => {
                let Some(ContentBlock::Known(last)) = content.last() else { return wrong("is empty") };
                if matches!(last, KnownBlock::Thinking { .. }) {
                    return wrong("ends with thinking");
                }
                for block in content {
                    match block {
                        ContentBlock::Known(KnownBlock::Text { text, .. }) if !text.trim().is_empty() => {}
                        ContentBlock::Known(KnownBlock::Thinking { .. }) => {}
                        ContentBlock::Known(KnownBlock::ToolCall { id, name, arguments, .. }) => {
                            if !arguments.is_object() || !is_name(name) || !is_name(id.as_str()) {
                                return wrong("has a malformed call");
                            }
                            if !ids.insert(id.clone()) {
                                return wrong("repeats a call id");
                            }
                            expected.push((id.clone(), name.clone()));
                        }
                        _ => return wrong("has bad blocks"),
                    }
                }
            }
        }
    }
    (!expected.is_empty()).then(|| "a result is missing at the end".to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn anything_becomes_valid_and_stays_as_it_is_then(messages in vec(soup::message(), 0..24)) {
        let repaired = repair(messages);
        prop_assert_eq!(violation(&repaired), None);
        let again = repair(repaired.clone());
        prop_assert_eq!(again.len(), repaired.len());
        prop_assert!(again.iter().zip(&repaired).all(|(one, other)| Arc::ptr_eq(one, other)));
    }

    #[test]
    fn the_repair_of_a_beginning_is_nearly_the_beginning_of_the_repair(messages in vec(soup::message(), 0..16), cut in 0..16_usize) {
        // A result may still arrive for the last calls; ids and everything before them are settled.
        let beginning = repair(messages[..cut.min(messages.len())].to_vec());
        let whole = repair(messages);
        let asks = |messages: &[Arc<ChatMessage>]| -> Vec<Arc<ChatMessage>> {
            messages.iter().filter(|message| !matches!(***message, ChatMessage::ToolResult { .. })).cloned().collect()
        };
        let (beginning, whole) = (asks(&beginning), asks(&whole));
        prop_assert_eq!(&whole[..beginning.len()], &beginning[..]);
    }

    #[test]
    fn what_people_and_models_said_is_kept(messages in vec(soup::message(), 0..16)) {
        let texts = |messages: &[Arc<ChatMessage>]| -> Vec<String> {
            let mut texts = Vec::new();
            for message in messages {
                if let ChatMessage::User { content } | ChatMessage::Assistant { content, .. } = &**message {
                    texts.extend(content.iter().filter_map(ContentBlock::as_text).map(str::to_owned));
                }
            }
            texts.retain(|text| !text.trim().is_empty() && text != BEGINNING);
            texts
        };
        let said = texts(&messages);
        prop_assert_eq!(texts(&repair(messages)), said);
    }
}

fn user(text: &str) -> Arc<ChatMessage> {
    Arc::new(ChatMessage::User { content: vec![ContentBlock::text(text)] })
}

fn assistant(content: Vec<ContentBlock>) -> Arc<ChatMessage> {
    Arc::new(ChatMessage::Assistant { content, provider: None, model: None })
}

fn result(id: &str, text: &str) -> Arc<ChatMessage> {
    Arc::new(ChatMessage::ToolResult {
        tool_call_id: id.into(),
        tool_name: "read".into(),
        content: vec![ContentBlock::text(text)],
        is_error: false,
    })
}

#[test]
fn a_result_belongs_to_the_last_call_with_its_id() {
    let messages = vec![
        user("go"),
        result("t", "before any call"),
        assistant(vec![call("t")]),
        assistant(vec![call("t"), call("u")]),
        user("steering"),
        result("u", "u"),
        result("t", "first"),
        result("t", "again"),
        assistant(vec![call("t")]),
        result("t", "third"),
    ];
    insta::assert_snapshot!(lines(&repair(messages)), @r#"
    U go
    A read:t{"path":"t"}
    R! t The tool call was interrupted and gave no result. It may have taken effect in part; check before repeating it.
    A read:t-2{"path":"t"} + read:u{"path":"u"}
    R t-2 first
    R u u
    U steering
    A read:t-3{"path":"t"}
    R t-3 third
    "#);
}

#[test]
fn two_calls_with_one_id_in_one_message_get_their_results_in_order() {
    let messages = vec![user("go"), assistant(vec![call("t"), call("t")]), result("t", "1"), result("t", "2")];
    insta::assert_snapshot!(lines(&repair(messages)), @r#"
    U go
    A read:t{"path":"t"} + read:t-2{"path":"t"}
    R t 1
    R t-2 2
    "#);
}

#[test]
fn a_conversation_begins_with_the_user() {
    assert_eq!(lines(&repair(vec![assistant(vec![ContentBlock::text("hi")])])), format!("U {BEGINNING}\nA hi"));
    assert_eq!(lines(&repair(vec![result("t", "x")])), "");
}

#[test]
fn arguments_become_objects() {
    let arguments = |value: Value| -> Value {
        let block = ContentBlock::tool_call("t".into(), "read", value);
        let repaired = repair(vec![user("go"), assistant(vec![block])]);
        let ChatMessage::Assistant { content, .. } = &*repaired[1] else { panic!("an assistant message") };
        content[0].as_tool_call().expect("a call").2.clone()
    };
    assert_eq!(arguments(json!("{\"a\": 1}")), json!({"a": 1}));
    assert_eq!(arguments(json!("{\"a\": ")), json!({"malformed_arguments": "{\"a\": "}));
    assert_eq!(arguments(json!([1])), json!({"malformed_arguments": [1]}));
    assert_eq!([arguments(Value::Null), arguments(json!(" "))], [json!({}), json!({})]);
}

#[test]
fn ids_and_names_of_other_makers_become_legal() {
    let long = "x".repeat(80);
    for id in ["call_1|fc_9", "", "a b", long.as_str()] {
        let block = ContentBlock::tool_call(id.into(), "functions.read", json!({}));
        let repaired = repair(vec![user("go"), assistant(vec![block]), result(id, "found")]);
        assert_eq!(violation(&repaired), None);
        assert!(lines(&repaired).ends_with(" found"), "the result still belongs to its call");
    }
    let ids = ["a|b", "a/b"].map(|id| ContentBlock::tool_call(id.into(), "functions.read", json!({})));
    insta::assert_snapshot!(lines(&repair(vec![user("go"), assistant(ids.to_vec()), result("a/b", "2"), result("a|b", "1")])), @r"
    U go
    A functions_read:a_b_e726b11905478f76{} + functions_read:a_b_e620c3190468cf61{}
    R a_b_e726b11905478f76 1
    R a_b_e620c3190468cf61 2
    ");
}

#[test]
fn many_calls_with_one_id_are_told_apart_quickly() {
    let mut messages = vec![user("go")];
    for _ in 0..3_000 {
        messages.push(assistant(vec![call("t")]));
        messages.push(result("t", "x"));
    }
    let repaired = repair(messages);
    assert_eq!(repaired.len(), 6_001);
    assert_eq!(violation(&repaired), None);
    assert!(
        matches!(&*repaired[6_000], ChatMessage::ToolResult { tool_call_id, .. } if tool_call_id.as_str() == "t-3000")
    );
}

#[test]
fn thinking_that_nothing_follows_goes() {
    let thinking = || ContentBlock::thinking("hm", Some("sig".into()));
    let messages = vec![
        user("go"),
        assistant(vec![thinking()]),
        assistant(vec![thinking(), ContentBlock::text("yes"), thinking()]),
        assistant(vec![ContentBlock::thinking("", None), ContentBlock::text("no"), ContentBlock::text(" \n")]),
    ];
    insta::assert_snapshot!(lines(&repair(messages)), @r"
    U go
    A (other) + yes
    A no
    ");
}
