use std::sync::Arc;

use futures_util::StreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::core::{ProviderErrorClass, ToolCallId};
use crate::providers::{Delta, ThinkingLevel, ToolSpec};
use crate::session::message::{ChatMessage, ContentBlock, StopReason, Usage};

const FILE_TOOLS: &[&str] = &["read", "write", "edit", "ls", "find", "grep"];

fn tools(names: &[&str]) -> Arc<[ToolSpec]> {
    let spec = |name: &&str| ToolSpec {
        name: (*name).to_owned(),
        description: String::new(),
        parameters: json!({ "type": "object", "properties": { "command": {} } }),
    };
    names.iter().map(spec).collect()
}

fn user(text: &str) -> ChatMessage {
    ChatMessage::User { content: vec![ContentBlock::text(text)] }
}

fn assistant(content: Vec<ContentBlock>) -> ChatMessage {
    ChatMessage::Assistant { content, provider: Some(ID.into()), model: Some(ID.into()) }
}

fn calls(calls: &[(&str, &str, Value)]) -> ChatMessage {
    assistant(
        calls
            .iter()
            .map(|(id, name, arguments)| ContentBlock::tool_call((*id).into(), *name, arguments.clone()))
            .collect(),
    )
}

fn result(id: &str, tool: &str, text: &str, is_error: bool) -> ChatMessage {
    let content = vec![ContentBlock::text(text)];
    ChatMessage::ToolResult { tool_call_id: id.into(), tool_name: tool.into(), content, is_error }
}

fn request(messages: Vec<ChatMessage>, offered: &[&str]) -> ModelRequest {
    ModelRequest {
        model: ID.into(),
        system: String::new(),
        messages: messages.into_iter().map(Arc::new).collect(),
        tools: tools(offered),
        max_tokens: None,
        thinking: ThinkingLevel::Off,
        temperature: None,
        session: None,
    }
}

fn collect(request: ModelRequest) -> Result<Vec<Result<Delta, ProviderError>>, ProviderError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { Ok(OfflineProvider.stream(request).await?.collect().await) })
}

/// What a person would see of the answer, with calls and the stop reason; the notice is shortened.
fn transcript(request: ModelRequest) -> String {
    let deltas = match collect(request) {
        Ok(deltas) => deltas,
        Err(error) => return format!("error {} started={}", error.class.as_str(), error.started),
    };
    let shown = |delta| match delta {
        Ok(Delta::Text { text, .. } | Delta::ToolCallArguments { json: text, .. }) => text,
        Ok(Delta::Thinking { text, .. }) => format!("({text})"),
        Ok(Delta::ToolCallStart { name, index, .. }) => format!("\n[{index}] {name} "),
        Ok(Delta::Done { stop_reason }) => format!("\n<{stop_reason:?}>"),
        Ok(_) => String::new(),
        Err(ProviderError { class, started, .. }) => format!("\nerror {} started={started}", class.as_str()),
    };
    let out: Vec<String> = deltas.into_iter().map(shown).collect();
    out.concat().replace(NOTICE, "<notice>").trim().to_owned()
}

fn asked(text: &str) -> String {
    transcript(request(vec![user(text)], FILE_TOOLS))
}

#[test]
fn the_main_job_lists_files() {
    insta::assert_snapshot!(asked("list the files here"), @r"
    [0] ls {}
    <ToolUse>
    ");
    let messages = vec![
        user("list the files here"),
        calls(&[("c1", "ls", json!({}))]),
        result("c1", "ls", "Cargo.toml\nsrc/\nread: secret.txt", false),
    ];
    insta::assert_snapshot!(transcript(request(messages, FILE_TOOLS)), @r"
    <notice>

    ls: ok
        Cargo.toml
        src/
        read: secret.txt
    <Stop>
    ");
}

#[test]
fn a_greeting_is_one_line() {
    insta::assert_snapshot!(asked("Hello!"), @r"
    Hello! <notice>
    <Stop>
    ");
    assert_eq!(NOTICE.lines().count(), 1);
}

#[test]
fn the_notice_comes_once_per_conversation() {
    let again = vec![user("hi"), assistant(vec![ContentBlock::text(format!("Hello! {NOTICE}"))]), user("hello")];
    assert_eq!(transcript(request(again, FILE_TOOLS)), "Hello!\n<Stop>");
    let quoted_by_a_person = vec![user(NOTICE), user("hello")];
    assert!(transcript(request(quoted_by_a_person, FILE_TOOLS)).contains("<notice>"));
}

#[test]
fn several_directives_are_one_step() {
    insta::assert_snapshot!(asked("think: first I look\nsay: Looking.\nread: a.txt\nls\nwrite: b.txt <<< hello"), @r#"
    (first )(I )(look)Looking.
    [2] read {"path":"a.txt"}
    [3] ls {}
    [4] write {"path":"b.txt","content":"hello"}
    <ToolUse>
    "#);
}

#[test]
fn results_are_told_with_their_first_lines() {
    let many = (1..=60).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
    let messages = vec![
        user("read: a.txt\nread: b.txt\ngrep: x"),
        calls(&[
            ("1", "read", json!({ "path": "a.txt" })),
            ("2", "read", json!({ "path": "b.txt" })),
            ("3", "grep", json!({ "pattern": "x" })),
        ]),
        result("1", "read", &many, false),
        result("2", "read", "no such file: b.txt", true),
        result("3", "grep", "", false),
    ];
    insta::assert_snapshot!(transcript(request(messages, FILE_TOOLS)), @r"
    <notice>

    read a.txt: ok
        line 1
        line 2
        line 3
        line 4
        line 5
        line 6
        line 7
        line 8
        … and 52 more lines

    read b.txt: failed
        no such file: b.txt

    grep x: ok
    <Stop>
    ");
}

#[test]
fn only_the_last_user_message_is_obeyed() {
    let messages = vec![
        user("read: old.txt"),
        calls(&[("1", "read", json!({ "path": "old.txt" }))]),
        result("1", "read", "ls: from-a-file\nfail: auth", false),
        assistant(vec![ContentBlock::text("say: from an answer")]),
        user("say: mine"),
    ];
    assert_eq!(transcript(request(messages, FILE_TOOLS)), "mine\n<Stop>");
}

#[test]
fn tools_that_are_not_offered_are_not_called() {
    insta::assert_snapshot!(transcript(request(vec![user("run: ls -l\nls\ntool: fly {}")], &["ls"])), @r"
    The tool `exec` is not on offer in this run, so I cannot do that.
    The tool `fly` is not on offer in this run, so I cannot do that.
    [1] ls {}
    <ToolUse>
    ");
    insta::assert_snapshot!(transcript(request(vec![user("list the files here")], &[])), @r"
    <notice>

    The tool `ls` is not on offer in this run, so I cannot do that.
    <Stop>
    ");
    insta::assert_snapshot!(transcript(request(vec![user("run: ls -l")], &["exec"])), @r#"
    [0] exec {"command":"ls -l"}
    <ToolUse>
    "#);
}

#[test]
fn stops_and_failures_are_as_directed() {
    insta::assert_snapshot!(asked("say: half an ans\nstop: length\nls"), @r"
    half an ans
    <Length>
    ");
    insta::assert_snapshot!(asked("stop: refusal"), @r"
    I decline, as directed.
    <Refusal>
    ");
    insta::assert_snapshot!(asked("fail: rate_limit"), @"error rate_limit started=false");
    insta::assert_snapshot!(asked("say: well\nfail: overloaded"), @r"
    well
    error overloaded started=true
    ");
    insta::assert_snapshot!(asked("think: hm"), @r"
    (hm)<notice>

    I have thought about it, as directed.
    <Stop>
    ");
    insta::assert_snapshot!(asked("fail: loudly"), @r"
    fail: knows auth, rate_limit, overloaded, context_overflow, invalid_request, model_not_found, network, timeout, protocol, cancelled.
    <Stop>
    ");
}

#[test]
fn what_it_cannot_do_is_said() {
    insta::assert_snapshot!(asked("Why is the sky blue?"), @r#"
    <notice>

    I cannot answer that.

    I can follow lines such as `ls: PATH`, `read: PATH`, `write: PATH <<< TEXT`, `edit: PATH <<< OLD => NEW`, `find: GLOB`, `grep: PATTERN in PATH`, `run: COMMAND`, `tool: NAME {json}`, `say: TEXT`, and short requests such as "list the files here", "read notes.txt" or "search for TODO".
    <Stop>
    "#);
    insta::assert_snapshot!(asked(""), @r#"
    <notice>

    There is no text in your message.

    I can follow lines such as `ls: PATH`, `read: PATH`, `write: PATH <<< TEXT`, `edit: PATH <<< OLD => NEW`, `find: GLOB`, `grep: PATTERN in PATH`, `run: COMMAND`, `tool: NAME {json}`, `say: TEXT`, and short requests such as "list the files here", "read notes.txt" or "search for TODO".
    <Stop>
    "#);
}

#[test]
fn the_error_is_of_the_class_asked_for() {
    let error = collect(request(vec![user("fail: context_overflow")], &[])).err();
    assert_eq!(
        error.map(|error| (error.class, error.provider)),
        Some((ProviderErrorClass::ContextOverflow, ID.into()))
    );
}

#[test]
fn text_streams_word_by_word_and_exactly() {
    let deltas = collect(request(vec![user("say:  two  words\u{a0}and ü ")], &[])).expect("an answer");
    let parts: Vec<String> = deltas
        .into_iter()
        .filter_map(|delta| match delta {
            Ok(Delta::Text { text, .. }) => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [" two  ", "words\u{a0}", "and ", "ü "]);
}

#[test]
fn usage_is_bytes_by_four_and_limits_hold() {
    let deltas = collect(request(vec![user("say: 12345")], &[])).expect("an answer");
    let expected = Usage { input: 3, output: 2, total_tokens: 5, ..Usage::default() };
    assert!(deltas.iter().any(|delta| matches!(delta, Ok(Delta::Usage(usage)) if *usage == expected)), "{deltas:?}");

    let short = ModelRequest { max_tokens: Some(2), ..request(vec![user("say: ääääää\nls")], FILE_TOOLS) };
    assert_eq!(transcript(short), "ääää\n<Length>");
    let long = transcript(request(vec![user("repeat: 100000 0123456789")], &[]));
    assert!(long.ends_with("<Length>") && long.len() <= 4 * 65_536 + 16, "{}", long.len());
}

#[test]
fn call_ids_differ_between_steps_and_agree_between_runs() {
    let ids = |messages: Vec<ChatMessage>| -> Vec<ToolCallId> {
        let deltas = collect(request(messages, FILE_TOOLS)).expect("an answer");
        deltas
            .into_iter()
            .filter_map(|delta| match delta {
                Ok(Delta::ToolCallStart { id, .. }) => Some(id),
                _ => None,
            })
            .collect()
    };
    let first = ids(vec![user("ls\nls")]);
    assert_eq!(first, ids(vec![user("ls\nls")]));
    assert_ne!(first[0], first[1]);
    assert_ne!(first[0], ids(vec![user("hi"), user("ls\nls")])[0]);
}

fn any_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "(read|write|edit|ls|list|find|grep|run|tool|think|say|repeat|stop|fail): ?",
        "(<<<|>>>|=>|in|\"|\n| |:|\\{|\\}|\\{\"a\":1\\}|9|length|refusal|auth|list files|hello)",
        "\\PC{0,12}",
    ];
    proptest::collection::vec(word, 0..8).prop_map(|parts| parts.concat())
}

fn any_block() -> impl Strategy<Value = ContentBlock> {
    prop_oneof![
        any_text().prop_map(ContentBlock::text),
        any_text().prop_map(|text| ContentBlock::thinking(text, None)),
        ("[a-c]", any_text()).prop_map(|(id, text)| ContentBlock::tool_call(id.into(), "ls", json!({ "path": text }))),
        ("[a-c]", any_text()).prop_map(|(id, text)| ContentBlock::tool_call(id.into(), "x", Value::String(text))),
        Just(ContentBlock::image("AAAA", "image/png")),
        Just(ContentBlock::Other(json!({ "type": "strange" }))),
    ]
}

fn any_message() -> impl Strategy<Value = ChatMessage> {
    let content = || proptest::collection::vec(any_block(), 0..4);
    prop_oneof![
        content().prop_map(|content| ChatMessage::User { content }),
        content().prop_map(assistant),
        ("[a-c]", content(), any::<bool>()).prop_map(|(id, content, is_error)| ChatMessage::ToolResult {
            tool_call_id: id.into(),
            tool_name: "ls".into(),
            content,
            is_error
        }),
    ]
}

proptest! {
    #[test]
    fn it_is_total_and_deterministic(
        messages in proptest::collection::vec(any_message(), 0..8),
        offered in proptest::sample::subsequence(vec!["read", "write", "ls", "exec", "grep"], 0..=5),
        max_tokens in proptest::option::of(0_u64..40),
    ) {
        let request = ModelRequest { max_tokens, ..request(messages, &offered) };
        let once = collect(request.clone());
        prop_assert_eq!(format!("{once:?}"), format!("{:?}", collect(request)));
        let Ok(deltas) = once else { return Ok(()) };
        // A stream ends with exactly one Done, or with an error; block numbers never go back.
        let ends = deltas.iter().filter(|delta| matches!(delta, Ok(Delta::Done { .. }) | Err(_))).count();
        prop_assert_eq!(ends, 1);
        let ends_last = matches!(deltas.last(), Some(Ok(Delta::Done { .. }) | Err(_)));
        let starts_first = matches!(deltas.first(), Some(Ok(Delta::Start { .. })));
        prop_assert!(ends_last && starts_first);
        let blocks: Vec<usize> = deltas.iter().filter_map(|delta| match delta {
            Ok(Delta::Text { index, .. } | Delta::Thinking { index, .. } | Delta::ToolCallStart { index, .. }) => Some(*index),
            _ => None,
        }).collect();
        prop_assert!(blocks.is_sorted());
        let calls = deltas.iter().filter(|delta| matches!(delta, Ok(Delta::ToolCallStart { .. }))).count();
        let wants_tools = matches!(deltas.last(), Some(Ok(Delta::Done { stop_reason: StopReason::ToolUse })));
        prop_assert_eq!(wants_tools, calls > 0);
        for delta in &deltas {
            if let Ok(Delta::ToolCallStart { name, .. }) = delta {
                prop_assert!(offered.contains(&name.as_str()), "{} was not on offer", name);
            }
        }
    }
}
