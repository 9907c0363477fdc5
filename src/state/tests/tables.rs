use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Root, main_agent, session};
use crate::core::{ErrorKind, RunId};
use crate::session::Usage;
use crate::session::message::Cost;
use crate::state::{Artifact, InboundMessage, RunInsert, RunRow, RunState, Snapshot, UsageRow};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pairing {
    code: String,
    tries: u8,
}

#[test]
fn typed_values_by_scope_and_key() {
    let root = Root::new();
    let store = root.open();
    let pairing = Pairing { code: "ABCD".into(), tries: 3 };
    store
        .write_blocking(|tx| {
            tx.kv_put("pairing", "b", &Pairing { code: "X".into(), tries: 0 })?;
            tx.kv_put("pairing", "b", &Pairing { code: "ABCD".into(), tries: 3 })?;
            tx.kv_put("pairing", "a", &Pairing { code: "Y".into(), tries: 1 })?;
            tx.kv_put("pairing2", "b", &5)
        })
        .unwrap();
    assert_eq!(store.read_blocking(|tx| tx.kv_get("pairing", "b")).unwrap(), Some(pairing));
    assert_eq!(store.read_blocking(|tx| tx.kv_get::<Pairing>("pairing", "c")).unwrap(), None);
    let listed = store.read_blocking(|tx| tx.kv_list::<Pairing>("pairing")).unwrap();
    assert_eq!(listed.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let error = store.read_blocking(|tx| tx.kv_get::<Pairing>("pairing2", "b")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.message().contains("pairing2/b"), "{error}");
    assert!(store.write_blocking(|tx| tx.kv_delete("pairing", "a")).unwrap());
    assert!(!store.write_blocking(|tx| tx.kv_delete("pairing", "a")).unwrap());
}

fn run(id: &str) -> RunRow {
    RunRow {
        run_id: RunId::from(id),
        agent_id: main_agent(),
        session_key: "agent:main:main".into(),
        session_id: session("s"),
        state: RunState::Queued,
        created_at: 10,
        started_at: None,
        ended_at: None,
        owner: Some("boot".into()),
        lease_until: Some(99),
        deadline: Some(1000),
        epoch: 1,
        prepared: json!({"model": "offline"}),
        result: None,
    }
}

#[test]
fn a_run_ends_once() {
    let root = Root::new();
    let store = root.open();
    let id = RunId::from("r1");
    store
        .write_blocking(|tx| {
            assert_eq!(tx.insert_run(&run("r1"))?, RunInsert::Inserted);
            assert_eq!(tx.insert_run(&run("r2"))?, RunInsert::Inserted);
            assert_eq!(tx.insert_run(&RunRow { epoch: 7, ..run("r1") })?, RunInsert::Existing(run("r1")));
            Ok(())
        })
        .unwrap();
    assert_eq!(store.read_blocking(|tx| tx.run(&id)).unwrap(), Some(run("r1")));
    let set = |state, at, result: Option<serde_json::Value>| {
        store.write_blocking(move |tx| tx.set_run_state(&RunId::from("r1"), state, at, result.as_ref())).unwrap()
    };
    assert!(set(RunState::Running, 20, None));
    assert!(set(RunState::Running, 21, None), "again is harmless");
    assert!(!set(RunState::Queued, 22, None), "not back");
    assert_eq!(store.read_blocking(|tx| tx.unfinished_runs()).unwrap().len(), 2);
    assert!(set(RunState::Done, 30, Some(json!({"text": "hi"}))));
    for state in [RunState::Error, RunState::Aborted, RunState::Running, RunState::Queued, RunState::Done] {
        assert!(!set(state, 40, Some(json!("other"))));
    }
    let row = store.read_blocking(|tx| tx.run(&id)).unwrap().unwrap();
    assert_eq!((row.state, row.started_at, row.ended_at, row.lease_until), (RunState::Done, Some(20), Some(30), None));
    assert_eq!((row.owner, row.prepared, row.result), (None, json!({}), Some(json!({"text": "hi"}))));
    let unfinished = store.read_blocking(|tx| tx.unfinished_runs()).unwrap();
    assert_eq!(unfinished.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), ["r2"]);
    let error = store.write_blocking(|tx| tx.set_run_state(&RunId::from("nope"), RunState::Done, 1, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn usage_is_kept_when_a_session_goes() {
    let root = Root::new();
    let store = root.open();
    store
        .write_blocking(|tx| {
            tx.put_session(&super::entry("agent:main:main", "s", 1))?;
            tx.insert_run(&run("r1"))?;
            tx.put_artifact(
                &main_agent(),
                &RunId::from("r1"),
                &Artifact {
                    artifact_id: "a".into(),
                    kind: "media".into(),
                    metadata: json!({}),
                    blob: None,
                    created_at: 1,
                },
            )?;
            tx.record_usage(&UsageRow {
                agent_id: main_agent(),
                session_id: session("s"),
                run_id: RunId::from("r1"),
                provider: "p".into(),
                model: "m".into(),
                usage: Usage {
                    input: 5,
                    output: 7,
                    total_tokens: 12,
                    cost: Cost { total: 0.25, ..Cost::default() },
                    ..Usage::default()
                },
                at: 4,
                duration_ms: 8,
            })?;
            tx.delete_session(&main_agent(), &"agent:main:main".into(), true)
        })
        .unwrap();
    store
        .read_blocking(|tx| {
            assert_eq!(tx.run(&RunId::from("r1"))?, None);
            assert!(tx.artifacts(&main_agent(), &RunId::from("r1"))?.is_empty());
            let (total, cost): (i64, f64) = tx
                .connection()
                .query_row("SELECT total_tokens, cost_total FROM usage JOIN transcripts USING (transcript) WHERE session_id = 's'", [], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            assert_eq!((total, cost.to_bits()), (12, 0.25_f64.to_bits()));
            Ok(())
        })
        .unwrap();
}

#[test]
fn artifacts_belong_to_a_run() {
    let root = Root::new();
    let store = root.open();
    let artifact = |id: &str, blob: Option<Vec<u8>>| Artifact {
        artifact_id: id.into(),
        kind: "media".into(),
        metadata: json!({"name": id}),
        blob,
        created_at: 5,
    };
    let (first, second) = (artifact("a", Some(vec![0, 255, 1])), artifact("b", None));
    let expected = vec![first.clone(), second.clone()];
    store
        .write_blocking(move |tx| {
            let run = RunId::from("r");
            tx.put_artifact(&main_agent(), &run, &Artifact { blob: None, ..first.clone() })?;
            tx.put_artifact(&main_agent(), &run, &second)?;
            tx.put_artifact(&main_agent(), &run, &first)?;
            tx.put_artifact(&main_agent(), &RunId::from("other"), &first)
        })
        .unwrap();
    assert_eq!(store.read_blocking(|tx| tx.artifacts(&main_agent(), &RunId::from("r"))).unwrap(), expected);
    assert_eq!(store.write_blocking(|tx| tx.delete_artifacts(&main_agent(), &RunId::from("r"))).unwrap(), 2);
    assert_eq!(store.read_blocking(|tx| tx.artifacts(&main_agent(), &RunId::from("other"))).unwrap().len(), 1);
}

#[test]
fn agents_are_updated_in_place() {
    let root = Root::new();
    let store = root.open();
    store
        .write_blocking(|tx| {
            tx.upsert_agent(&main_agent(), &json!({"v": 1}), 1)?;
            tx.upsert_agent(&main_agent(), &json!({"v": 2}), 2)
        })
        .unwrap();
    assert_eq!(store.read_blocking(|tx| tx.agents()).unwrap(), [(main_agent(), json!({"v": 2}))]);
}

#[test]
fn a_redelivered_message_is_seen() {
    let root = Root::new();
    let store = root.open();
    let message = InboundMessage { channel: "telegram", account: "a", chat: "1", message_id: "9" };
    store
        .write_blocking(move |tx| {
            assert!(tx.claim_inbound(message, 5, Some(&RunId::from("r")))?);
            assert!(!tx.claim_inbound(message, 6, None)?);
            assert!(tx.claim_inbound(InboundMessage { chat: "2", ..message }, 7, None)?);
            assert_eq!(tx.forget_inbound_before(6)?, 1);
            assert!(tx.claim_inbound(message, 8, None)?);
            Ok(())
        })
        .unwrap();
}

#[test]
fn snapshots_are_positions() {
    let root = Root::new();
    let store = root.open();
    let snapshot = |id: &str, upto_seq| Snapshot {
        snapshot_id: id.into(),
        upto_seq,
        reason: "compaction".into(),
        metadata: json!({"tokens": 5}),
        created_at: upto_seq,
    };
    let (one, two) = (snapshot("one", 1), snapshot("two", 2));
    let (a, b) = (one.clone(), two.clone());
    store
        .write_blocking(move |tx| {
            tx.insert_snapshot(&main_agent(), &session("s"), &b)?;
            tx.insert_snapshot(&main_agent(), &session("s"), &a)
        })
        .unwrap();
    assert_eq!(store.read_blocking(|tx| tx.snapshots(&main_agent(), &session("s"))).unwrap(), [one.clone(), two]);
    assert_eq!(store.read_blocking(|tx| tx.snapshot(&main_agent(), &session("s"), "one")).unwrap(), Some(one.clone()));
    assert!(store.write_blocking(move |tx| tx.insert_snapshot(&main_agent(), &session("s"), &one)).is_err());
    assert!(store.write_blocking(|tx| tx.delete_snapshot(&main_agent(), &session("s"), "one")).unwrap());
    assert!(!store.write_blocking(|tx| tx.delete_snapshot(&main_agent(), &session("s"), "one")).unwrap());
}

#[test]
fn counts_name_what_is_stored() {
    let root = Root::new();
    let store = root.open();
    store
        .write_blocking(|tx| {
            tx.insert_run(&run("r1"))?;
            tx.append_events(&main_agent(), &session("s"), &[super::fresh("x"), super::fresh("y")])
        })
        .unwrap();
    insta::assert_json_snapshot!(store.read_blocking(|tx| tx.counts()).unwrap(), @r#"
    {
      "agents": 0,
      "sessions": 0,
      "transcripts": 1,
      "runs": 1,
      "usage": 0,
      "artifacts": 0,
      "approvals": 0,
      "cronJobs": 0,
      "outbox": 0,
      "events": 2,
      "unfinishedRuns": 1
    }
    "#);
}
