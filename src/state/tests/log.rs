use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use serde_json::json;

use super::{Root, event, fresh, main_agent, received, session};
use crate::core::{AgentId, ErrorKind};
use crate::session::Event;
use crate::state::ReadTx;

#[test]
fn appended_events_come_back_in_order_and_unchanged() {
    let root = Root::new();
    let store = root.open();
    let odd = event(json!({"id": "odd", "parentId": "e1", "ts": -5, "runId": "r", "kind": "StateChanged",
        "data": {"key": "custom.x", "value": {"f": 0.1, "n": null, "t": "\u{0}\u{1F600}"}, "unknown": [1]}, "alsoUnknown": "kept"}));
    let events = vec![received("e1", "hello"), odd, fresh("third")];
    let stored = events.clone();
    let seqs = store.write_blocking(move |tx| tx.append_events(&main_agent(), &session("s"), &stored)).unwrap();
    assert_eq!(seqs, [1, 2, 3]);
    let read = store.read_blocking(|tx| tx.events(&main_agent(), &session("s"), 0, 100)).unwrap();
    assert_eq!(read.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(read.iter().map(|stored| (*stored.event).clone()).collect::<Vec<_>>(), events);
}

#[test]
fn an_event_is_stored_once() {
    let root = Root::new();
    let store = root.open();
    let first = received("0192f3a4-5b6c-7d8e-9f00-112233445566", "a");
    let append = |session_id: &'static str, events: Vec<Event>| {
        store.write_blocking(move |tx| tx.append_events(&main_agent(), &session(session_id), &events))
    };
    assert_eq!(append("s", vec![first.clone(), received("b", "b")]).unwrap(), [1, 2]);
    assert_eq!(append("s", vec![received("c", "c"), first.clone(), received("d", "d")]).unwrap(), [3, 1, 4]);
    assert_eq!(append("s", vec![received("e", "e"), received("e", "e")]).unwrap(), [5, 5]);
    assert_eq!(append("other", vec![first]).unwrap(), [1], "ids are unique within a session only");

    let error = append("s", vec![received("f", "f"), received("b", "changed")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let last = store.read_blocking(|tx| tx.last_seq(&main_agent(), &session("s"))).unwrap();
    assert_eq!(last, 5, "nothing of the refused append is stored");
}

#[test]
fn pages_forwards_and_backwards() {
    let root = Root::new();
    let store = root.open();
    for name in ["before", "s", "zafter"] {
        let events: Vec<_> = (0..10).map(|n| received(&format!("{name}{n}"), "x")).collect();
        store.write_blocking(move |tx| tx.append_events(&main_agent(), &session(name), &events)).unwrap();
    }
    let seqs = |read: &dyn Fn(&ReadTx<'_>) -> crate::core::Result<Vec<crate::state::StoredEvent>>| {
        store.read_blocking(read).unwrap().iter().map(|stored| stored.seq).collect::<Vec<_>>()
    };
    let (agent, s) = (main_agent(), session("s"));
    assert_eq!(seqs(&|tx| tx.events(&agent, &s, 7, 100)), [8, 9, 10]);
    assert_eq!(seqs(&|tx| tx.events(&agent, &s, 2, 3)), [3, 4, 5]);
    assert_eq!(seqs(&|tx| tx.events(&agent, &s, -9, 1)), [1]);
    assert!(seqs(&|tx| tx.events(&agent, &s, i64::MAX, 9)).is_empty());
    assert_eq!(seqs(&|tx| tx.events_tail(&agent, &s, None, 3)), [8, 9, 10]);
    assert_eq!(seqs(&|tx| tx.events_tail(&agent, &s, Some(8), 3)), [5, 6, 7]);
    assert_eq!(seqs(&|tx| tx.events_tail(&agent, &s, Some(2), 3)), [1]);
    assert!(seqs(&|tx| tx.events_tail(&agent, &s, Some(1), 3)).is_empty());
    assert!(seqs(&|tx| tx.events_tail(&agent, &s, Some(i64::MIN), 3)).is_empty());
    assert!(seqs(&|tx| tx.events_tail(&AgentId::from("nobody"), &s, None, 3)).is_empty());
    assert_eq!(seqs(&|tx| tx.events_tail(&agent, &s, None, usize::MAX)).len(), 10);
}

#[test]
fn the_documented_view_shows_the_log() {
    let root = Root::new();
    let store = root.open();
    store
        .write_blocking(|tx| {
            tx.append_events(&main_agent(), &session("a"), &[fresh("x")])?;
            tx.append_events(&main_agent(), &session("b"), &[fresh("y"), fresh("z")])
        })
        .unwrap();
    let rows: i64 = store
        .read_blocking(|tx| {
            let sql = "SELECT sum(seq) FROM transcript_events WHERE agent_id = 'main' AND session_id = 'b' \
                       AND event_json ->> '$.kind' = 'MessageReceived' AND created_at = 1700000000000";
            Ok(tx.connection().query_row(sql, [], |row| row.get(0)).unwrap())
        })
        .unwrap();
    assert_eq!(rows, 3);
}

#[test]
fn many_writers_leave_no_gap_and_readers_see_prefixes() {
    const WRITERS: usize = 8;
    const APPENDS: usize = 40;
    let root = Root::new();
    let store = root.open();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (reader, done) = (root.open_to_read().unwrap(), Arc::clone(&done));
            thread::spawn(move || {
                let mut seen = 0;
                while !done.load(Ordering::Acquire) {
                    let events = reader.read_blocking(|tx| tx.events(&main_agent(), &session("s"), 0, 9999)).unwrap();
                    let count = events.len();
                    assert!(events.iter().enumerate().all(|(n, e)| e.seq == i64::try_from(n).unwrap() + 1));
                    assert!(count >= seen, "went back from {seen} to {count}");
                    assert_eq!(count % 2, 0, "half of an append");
                    seen = count;
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            thread::spawn(move || {
                for n in 0..APPENDS {
                    let pair = [received(&format!("{writer}-{n}a"), "x"), received(&format!("{writer}-{n}b"), "y")];
                    let seqs =
                        store.write_blocking(move |tx| tx.append_events(&main_agent(), &session("s"), &pair)).unwrap();
                    assert_eq!(seqs[0] + 1, seqs[1]);
                    let read =
                        store.read_blocking(|tx| tx.events(&main_agent(), &session("s"), seqs[0] - 1, 1)).unwrap();
                    assert_eq!(read[0].event.id.as_str(), format!("{writer}-{n}a"), "acknowledged, so visible");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        reader.join().unwrap();
    }
    let last = store.read_blocking(|tx| tx.last_seq(&main_agent(), &session("s"))).unwrap();
    assert_eq!(last, i64::try_from(WRITERS * APPENDS * 2).unwrap());
}

#[test]
fn deleting_a_session_deletes_what_was_said() {
    let root = Root::new();
    let store = root.open();
    store
        .write_blocking(|tx| {
            for name in ["a", "b", "c"] {
                tx.put_session(&super::entry(&format!("agent:main:{name}"), name, 1))?;
                let id = format!("{name}1");
                tx.append_events(
                    &main_agent(),
                    &session(name),
                    &[received(&id, "secret words"), fresh("more secret")],
                )?;
            }
            tx.put_session(&super::entry("agent:main:alias", "b", 1))?;
            assert!(tx.delete_session(&main_agent(), &"agent:main:alias".into(), true)?);
            assert_eq!(tx.last_seq(&main_agent(), &session("b"))?, 2, "another key points at it");
            assert!(tx.delete_session(&main_agent(), &"agent:main:b".into(), true)?);
            assert!(!tx.delete_session(&main_agent(), &"agent:main:b".into(), true)?);
            assert!(tx.delete_session(&main_agent(), &"agent:main:c".into(), false)?);
            Ok(())
        })
        .unwrap();
    let left = |name: &'static str| store.read_blocking(|tx| tx.last_seq(&main_agent(), &session(name))).unwrap();
    assert_eq!((left("a"), left("b"), left("c")), (2, 0, 2));
    let found = store.read_blocking(|tx| tx.search_events("secret", None, 10)).unwrap();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|(_, found, ..)| found.as_str() != "b"));
    // The same session may begin again, with the same event ids.
    let seqs = store
        .write_blocking(|tx| tx.append_events(&main_agent(), &session("b"), &[received("b1", "rebirth")]))
        .unwrap();
    assert_eq!(seqs, [1]);
    assert_eq!(store.read_blocking(|tx| tx.search_events("rebirth", None, 10)).unwrap().len(), 1);
    assert_eq!(store.read_blocking(|tx| tx.counts()).unwrap()["events"], 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever batches arrive, with whatever repetitions: seqs are 1..=distinct ids in order of first appearance.
    #[test]
    fn a_log_is_the_order_of_first_appearance(batches in prop::collection::vec(prop::collection::vec(0_u8..30, 0..12), 1..12)) {
        let root = Root::new();
        let store = root.open();
        let mut order: Vec<u8> = Vec::new();
        for batch in batches {
            for id in &batch {
                if !order.contains(id) {
                    order.push(*id);
                }
            }
            let expected: Vec<i64> =
                batch.iter().map(|id| order.iter().position(|seen| seen == id).map_or(0, |n| i64::try_from(n).unwrap() + 1)).collect();
            let events: Vec<_> = batch.iter().map(|id| received(&id.to_string(), "x")).collect();
            let seqs = store.write_blocking(move |tx| tx.append_events(&main_agent(), &session("s"), &events)).unwrap();
            prop_assert_eq!(seqs, expected);
        }
        let stored = store.read_blocking(|tx| tx.events(&main_agent(), &session("s"), 0, 100)).unwrap();
        let ids: Vec<String> = stored.iter().map(|stored| stored.event.id.to_string()).collect();
        prop_assert_eq!(ids, order.iter().map(u8::to_string).collect::<Vec<_>>());
    }
}
