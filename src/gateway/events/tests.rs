use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::frame::EventFrame;
use super::outbox::{Outbox, Outgoing};
use super::{Hub, shapes};
use crate::core::RunId;
use crate::gateway::tuning::Tuning;
use crate::runtime::{RunEvent, RunEventBody, RunOutcome, RunStatus, RuntimeEvent};
use crate::session::{StopReason, Usage};

fn event(seq: u64, body: RunEventBody) -> RunEvent {
    RunEvent {
        run_id: "run-1".into(),
        session_key: "agent:main:main".into(),
        session_id: "s1".into(),
        agent_id: "main".into(),
        seq,
        ts: 1000,
        body,
    }
}

fn text(delta: &str) -> RunEventBody {
    RunEventBody::Text { delta: delta.into() }
}

fn outcome(status: RunStatus) -> RunOutcome {
    RunOutcome {
        run_id: "run-1".into(),
        status,
        text: "Hello".into(),
        stop_reason: Some(StopReason::Stop),
        error: None,
        usage: Usage::default(),
        provider: "offline".into(),
        model: "offline".into(),
        started_at: 1,
        ended_at: 2,
        steps: 1,
        tool_calls: 0,
    }
}

fn drain(outbox: &Outbox) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some((items, close)) = outbox.take().now_or_never() {
        all.extend(items.into_iter().map(|item| match item {
            Outgoing::Text(text) => serde_json::from_str(&text).expect("frames are JSON"),
            Outgoing::Ping => json!("ping"),
        }));
        if close.is_some() {
            break;
        }
    }
    all
}

fn render(frames: &[Arc<EventFrame>]) -> Vec<Value> {
    let outbox = Outbox::new(100, 100_000);
    for frame in frames {
        outbox.event(frame);
    }
    drain(&outbox)
}

#[test]
fn a_text_delta_is_an_agent_and_a_chat_notification() {
    let frames = render(&shapes::run_event(&event(3, text("a \"quoted\" line\n"))));
    let who = json!({"runId": "run-1", "sessionKey": "agent:main:main", "sessionId": "s1", "agentId": "main"});
    let with = |mut value: Value, more: Value| {
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    assert_eq!(
        frames,
        [
            json!({"jsonrpc": "2.0", "method": "agent", "params": with(who.clone(), json!({
                "stream": "assistant", "data": {"delta": "a \"quoted\" line\n"}, "seq": 3, "ts": 1000, "eventSeq": 1}))}),
            json!({"jsonrpc": "2.0", "method": "chat", "params": with(who, json!({
                "state": "delta", "deltaText": "a \"quoted\" line\n", "seq": 3, "ts": 1000, "eventSeq": 2}))}),
        ]
    );
}

#[test]
fn the_payload_of_every_event_is_what_a_connection_gets() {
    let end = |details| RunEventBody::ToolEnd {
        tool_call_id: "c".into(),
        name: "ls".into(),
        is_error: false,
        content: Vec::new(),
        details,
        duration_ms: 3,
    };
    let bodies = [
        RunEventBody::Started,
        RunEventBody::Model { provider: "p".into(), model: "m".into() },
        text("a \"b\"\u{1f600}\n"),
        RunEventBody::Thinking { delta: "hm".into() },
        RunEventBody::ToolStart { tool_call_id: "c".into(), name: "ls".into(), arguments: json!({"path": "."}) },
        progress("stdout", "one\n\"two\""),
        end(None),
        end(Some(json!({"entries": 2}))),
        RunEventBody::Usage { usage: Usage::default() },
        RunEventBody::Ended { outcome: Arc::new(outcome(RunStatus::Aborted)) },
    ];
    for body in bodies {
        let event = event(4, body);
        let frames = render(&shapes::run_event(&event));
        let mut sent = frames[0]["params"].clone();
        sent.as_object_mut().unwrap().remove("eventSeq");
        assert_eq!(frames[0]["method"], "agent");
        assert_eq!(shapes::agent_payload(&event), sent);
    }
}

fn progress(stream: &'static str, text: &str) -> RunEventBody {
    RunEventBody::ToolProgress { tool_call_id: "c".into(), name: "exec".into(), stream, text: text.into() }
}

#[test]
fn live_output_of_one_stream_is_joined_and_no_other() {
    let outbox = Outbox::new(4, 1_000_000);
    let said = [("stdout", "a"), ("stdout", "b"), ("stderr", "!"), ("stdout", "c")];
    for (seq, (stream, text)) in (1..).zip(said) {
        for frame in shapes::run_event(&event(seq, progress(stream, text))) {
            outbox.event(&frame);
        }
    }
    let mut shown = std::collections::BTreeMap::<String, String>::new();
    let frames = drain(&outbox);
    assert_eq!(frames.len(), 3);
    for frame in frames {
        let data = &frame["params"]["data"];
        assert_eq!((&frame["params"]["stream"], &data["phase"]), (&json!("command_output"), &json!("delta")));
        assert_eq!((&data["toolCallId"], &data["name"]), (&json!("c"), &json!("exec")));
        let source = data["source"].as_str().expect("a stream").to_owned();
        shown.entry(source).or_default().push_str(data["output"].as_str().expect("text"));
    }
    assert_eq!(shown["stdout"], "abc");
    assert_eq!(shown["stderr"], "!");
}

#[test]
fn every_end_has_exactly_one_chat_state() {
    for (status, state, phase) in [
        (RunStatus::Ok, "final", "end"),
        (RunStatus::Aborted, "aborted", "end"),
        (RunStatus::Error, "error", "error"),
        (RunStatus::Interrupted, "error", "error"),
    ] {
        let frames = render(&shapes::run_event(&event(9, RunEventBody::Ended { outcome: Arc::new(outcome(status)) })));
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0]["params"]["data"]["phase"], phase, "{status:?}");
        assert_eq!(frames[1]["params"]["state"], state, "{status:?}");
        assert_eq!(frames[1]["params"]["message"]["content"][0]["text"], "Hello");
    }
    let mut failed = outcome(RunStatus::Error);
    failed.error = Some(json!({"code": "provider", "class": "rate_limit", "message": "slow down"}));
    let frames = render(&shapes::run_event(&event(9, RunEventBody::Ended { outcome: Arc::new(failed) })));
    assert_eq!(frames[1]["params"]["errorKind"], "rate_limit");
    assert_eq!(frames[1]["params"]["errorMessage"], "slow down");
}

#[test]
fn a_half_full_queue_joins_deltas_and_loses_nothing() {
    let outbox = Outbox::new(8, 1_000_000);
    for number in 0..50_u64 {
        for frame in shapes::run_event(&event(number + 1, text(&format!("{number}\u{e9}\t")))) {
            outbox.event(&frame);
        }
    }
    assert!(!outbox.overflow.is_cancelled());
    let frames = drain(&outbox);
    assert!(frames.len() <= 8, "{}", frames.len());
    let expected = (0..50).map(|number| format!("{number}\u{e9}\t")).collect::<Vec<_>>().concat();
    for (method, pointer) in [("chat", "/params/deltaText"), ("agent", "/params/data/delta")] {
        let mine: Vec<&Value> = frames.iter().filter(|frame| frame["method"] == method).collect();
        let joined: String = mine.iter().map(|frame| frame.pointer(pointer).unwrap().as_str().unwrap()).collect();
        assert_eq!(joined, expected);
        assert_eq!(mine.last().unwrap()["params"]["seq"], 50, "a joined delta has the newest number");
    }
    let numbers: Vec<u64> = frames.iter().map(|frame| frame["params"]["eventSeq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=frames.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_is_a_slow_consumer() {
    let outbox = Outbox::new(4, 1_000_000);
    for _ in 0..5 {
        outbox.reply("{}".into());
    }
    assert!(outbox.overflow.is_cancelled());
    let (items, close) = outbox.take().now_or_never().unwrap();
    assert_eq!((items.len(), close.unwrap().code), (0, 1008));
    let outbox = Outbox::new(1000, 10_000);
    outbox.reply("x".repeat(10_001));
    assert!(outbox.overflow.is_cancelled());
}

#[test]
fn a_close_comes_after_what_is_queued() {
    let outbox = Outbox::new(1000, 1_000_000);
    for _ in 0..70 {
        outbox.reply("{}".into());
    }
    outbox.close(1012, "service restart");
    outbox.close(1008, "later");
    outbox.reply("not any more".into());
    let (first, close) = outbox.take().now_or_never().unwrap();
    assert_eq!((first.len(), close), (64, None));
    let (rest, close) = outbox.take().now_or_never().unwrap();
    assert_eq!((rest.len(), close.unwrap().code), (6, 1012));
}

#[test]
fn subscriptions_decide_who_hears() {
    let hub = Hub::default();
    let tuning = Tuning::default();
    let (starter, follower, lister) = (hub.connect(&tuning), hub.connect(&tuning), hub.connect(&tuning));
    let (run, key, other) = (RunId::from("r"), "agent:main:main".into(), "agent:main:other".into());
    hub.follow_run(&starter, &run);
    hub.follow_session(&follower, &key).unwrap();
    hub.follow_session(&starter, &key).unwrap();
    assert!(hub.follow_everything(&lister, true));
    assert!(!hub.follow_everything(&lister, true));
    let ids = |list: Vec<Arc<super::Connection>>| list.iter().map(|connection| connection.id).collect::<Vec<_>>();
    assert_eq!(ids(hub.run_audience(&run, &key)), [starter.id, follower.id]);
    assert_eq!(ids(hub.run_audience(&run, &other)), [starter.id]);
    assert_eq!(ids(hub.message_audience(&key)), [starter.id, follower.id, lister.id]);
    assert_eq!(ids(hub.list_audience()), [lister.id]);
    hub.forget_run(&run);
    assert!(hub.run_audience(&run, &other).is_empty());
    hub.disconnect(&follower);
    assert!(follower.gone.is_cancelled());
    assert_eq!(ids(hub.message_audience(&key)), [starter.id, lister.id]);
    assert!(hub.unfollow_session(&starter, &key));
    assert!(!hub.unfollow_session(&starter, &key));
    hub.resync(7);
    assert!(starter.outbox.take().now_or_never().is_none(), "who follows nothing lost nothing");
    assert_eq!(drain(&lister.outbox)[0]["params"]["missed"], 7);
    hub.config_changed("/x", "sha256:1");
    hub.config_changed("/x", "sha256:1");
    assert_eq!(drain(&lister.outbox).len(), 1);
}

#[tokio::test]
async fn the_pump_delivers_reports_loss_and_drains_at_the_end() {
    let hub = Arc::new(Hub::default());
    let connection = hub.connect(&Tuning::default());
    hub.follow_run(&connection, &RunId::from("run-1"));
    hub.follow_everything(&connection, true);
    let (sender, receiver) = tokio::sync::broadcast::channel(4);
    let run = |seq, body| Arc::new(RuntimeEvent::Run(Arc::new(event(seq, body))));
    for seq in 1..=6 {
        assert!(sender.send(run(seq, text("x"))).is_ok());
    }
    let stop = CancellationToken::new();
    let row = Arc::new(|_: &_, _: &_, _: &_| json!({"key": "row"}));
    let pump = tokio::spawn(super::pump(Arc::clone(&hub), receiver, row, Duration::from_hours(1), stop.clone()));
    let mut frames = Vec::new();
    while frames.len() < 9 {
        let (items, _) = connection.outbox.take().await;
        frames.extend(items);
    }
    stop.cancel();
    let entry = serde_json::from_value(json!({"sessionId": "s1"})).unwrap();
    let changed = RuntimeEvent::SessionChanged {
        session_key: "agent:main:main".into(),
        agent_id: "main".into(),
        reason: "agent.run.started",
        entry: Some(Arc::new(entry)),
    };
    assert!(sender.send(Arc::new(changed)).is_ok());
    assert!(sender.send(run(7, RunEventBody::Ended { outcome: Arc::new(outcome(RunStatus::Ok)) })).is_ok());
    assert!(sender.send(run(8, text("after the end nobody listens"))).is_ok());
    pump.await.unwrap();
    let Outgoing::Text(first) = &frames[0] else { panic!("a ping") };
    assert!(first.contains(r#""method":"resync""#) && first.contains(r#""missed":2"#), "{first}");
    let last = drain(&connection.outbox);
    let methods: Vec<&str> = last.iter().map(|frame| frame["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["sessions.changed", "agent", "chat"]);
    assert_eq!((&last[0]["params"]["phase"], &last[0]["params"]["session"]["key"]), (&json!("start"), &json!("row")));
}
