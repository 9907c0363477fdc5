use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{answer, call, called, event, lines, result, says, set, soup, user};
use crate::session::event::{AgentResponse, Event, MessageReceived, MessageSent, SessionStarted};
use crate::session::projection::project;
use crate::session::{ChatMessage, ContentBlock, EventBody, StopReason};

fn chain(bodies: Vec<EventBody>) -> Vec<Arc<Event>> {
    let mut parent = String::new();
    let mut events = Vec::new();
    for (number, body) in (0..).zip(bodies) {
        let id = format!("e{number}");
        events.push(event(&id, &parent, number, body));
        parent = id;
    }
    events
}

fn context_of(bodies: Vec<EventBody>) -> String {
    lines(&project(chain(bodies)).context())
}

#[test]
fn a_turn_with_tools() {
    insta::assert_snapshot!(context_of(vec![
        SessionStarted::default().into(),
        user("list").into(),
        answer(vec![ContentBlock::text("looking"), call("c1"), call("c2")]).into(),
        called("c1").into(),
        called("c2").into(),
        result("c2", "two").into(),
        result("c1", "one").into(),
        says("done").into(),
        MessageSent { content: vec![ContentBlock::text("done")], ..MessageSent::default() }.into(),
    ]), @r#"
    U list
    A looking + read:c1{"path":"c1"} + read:c2{"path":"c2"}
    R c1 one
    R c2 two
    A done
    "#);
}

#[test]
fn failed_and_aborted_answers() {
    let failed = AgentResponse { stop_reason: Some(StopReason::Error), error: Some("boom".into()), ..answer(vec![]) };
    let partial = vec![ContentBlock::text("I was say"), call("c1")];
    let aborted = AgentResponse { stop_reason: Some(StopReason::Aborted), ..answer(partial) };
    insta::assert_snapshot!(context_of(vec![
        user("one").into(),
        failed.into(),
        user("two").into(),
        aborted.into(),
        user("three").into(),
    ]), @r#"
    U one
    U two
    A I was say + read:c1{"path":"c1"}
    R! c1 The tool call was interrupted and gave no result. It may have taken effect in part; check before repeating it.
    U three
    "#);
}

#[test]
fn nothing_but_content_reaches_the_model() {
    let secret = json!({"id": "+4912345", "name": "Alice"});
    let message = MessageReceived {
        content: vec![ContentBlock::text("hi"), ContentBlock::from_json(json!({"type": "audio", "data": "x"}))],
        sender: Some(secret.clone()),
        provenance: Some(secret.clone()),
        attachments: vec![secret],
        idempotency_key: Some("key-1".into()),
        ..MessageReceived::default()
    };
    let context = project(chain(vec![message.into()])).context();
    assert_eq!(*context, [Arc::new(ChatMessage::User { content: vec![ContentBlock::text("hi")] })]);
}

#[test]
fn excluded_messages_stay_out() {
    let excluded = |text: &str| -> MessageReceived {
        let mut message = user(text);
        message.extra.insert("excludeFromContext".into(), Value::Bool(true));
        message
    };
    assert_eq!(context_of(vec![excluded("/status").into(), user("hi").into()]), "U hi");
}

fn compacted(value: Value) -> Vec<EventBody> {
    vec![
        user("one").into(),
        says("1").into(),
        user("two").into(),
        says("2").into(),
        set("compaction", value).into(),
        user("three").into(),
    ]
}

#[test]
fn a_compaction_replaces_what_is_before_the_first_kept_event() {
    let summary = json!({"summary": "we counted", "firstKeptEventId": "e2"});
    insta::assert_snapshot!(context_of(compacted(summary)), @r"
    U [Summary of the earlier conversation]||we counted
    U two
    A 2
    U three
    ");
}

#[test]
fn a_compaction_without_a_kept_event_keeps_what_follows() {
    let expected = "U [Summary of the earlier conversation]||we counted\nU three";
    for id in [json!("nowhere"), json!("e5"), json!("e4"), json!(3), Value::Null] {
        assert_eq!(context_of(compacted(json!({"summary": "we counted", "firstKeptEventId": id}))), expected);
    }
    assert_eq!(context_of(compacted(json!({"summary": "we counted"}))), expected);
}

#[test]
fn a_compaction_without_a_summary_is_none() {
    let whole = "U one\nA 1\nU two\nA 2\nU three";
    for value in [json!({"summary": " ", "firstKeptEventId": "e2"}), json!({"firstKeptEventId": "e2"}), json!(7)] {
        assert_eq!(context_of(compacted(value)), whole);
    }
    let mut taken_back = compacted(json!({"summary": "s", "firstKeptEventId": "e2"}));
    taken_back.push(set("compaction", Value::Null).into());
    assert_eq!(context_of(taken_back), whole);
}

#[test]
fn the_newest_compaction_on_the_path_counts() {
    let mut bodies = compacted(json!({"summary": "old", "firstKeptEventId": "e2"}));
    bodies.push(says("3").into());
    bodies.push(set("compaction", json!({"summary": "young", "firstKeptEventId": "e3"})).into());
    bodies.push(set("compaction", json!({"summary": ""})).into());
    bodies.push(user("four").into());
    let events = chain(bodies);
    let mut state = project(events.clone());
    insta::assert_snapshot!(lines(&state.context()), @r"
    U [Summary of the earlier conversation]||young
    A 2
    U three
    A 3
    U four
    ");
    state.apply(event("p", "e1", 99, set("tip", "e1")));
    assert_eq!(lines(&state.context()), "U one\nA 1", "another branch has no compaction");
}

#[test]
fn a_cut_between_call_and_result_is_repaired() {
    let bodies = vec![
        user("one").into(),
        answer(vec![call("c1")]).into(),
        result("c1", "x").into(),
        says("1").into(),
        set("compaction", json!({"summary": "s", "firstKeptEventId": "e2"})).into(),
    ];
    assert_eq!(context_of(bodies), "U [Summary of the earlier conversation]||s\nA 1");
}

#[test]
fn a_branch_summary_stands_at_its_place() {
    let bodies = vec![
        user("one").into(),
        says("1").into(),
        set("branchSummary", json!({"summary": "tried tea", "fromId": "x"})).into(),
        set("branchSummary", "tried coffee").into(),
        set("branchSummary", json!({"fromId": "x"})).into(),
        user("two").into(),
    ];
    insta::assert_snapshot!(context_of(bodies), @r"
    U one
    A 1
    U [Summary of another branch of this conversation]||tried tea
    U [Summary of another branch of this conversation]||tried coffee
    U two
    ");
}

proptest! {
    #[test]
    fn every_context_is_valid(events in prop_oneof![soup::events(), soup::log()]) {
        let context = project(events).context();
        prop_assert_eq!(super::repair::violation(&context), None);
    }
}
