//! Things that happen at the same moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Map, json};

use super::support::{Bench, Gate, agent, call_tool, main_key, message, say_slowly, soon, told};
use crate::core::{ErrorKind, RunId, SessionId};
use crate::runtime::{AcceptedStatus, RunStatus, RuntimeEvent, TurnRequest};
use crate::session::EventBody;

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_run_in_the_way() {
    let bench = Bench::scripted().await;
    bench.turn("first", "first").await;
    // Polled once, up to the write that it waits for, and dropped.
    assert!(bench.runtime.submit(message("gone", "gone")).now_or_never().is_none());
    assert_eq!(bench.turn("second", "second").await.status, RunStatus::Ok);
    assert_eq!(bench.ended("gone").await.status, RunStatus::Ok, "what was queued for writing is carried out");
    bench.assert_linear();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_sent_many_times_at_once_runs_once() {
    let bench = Bench::scripted().await;
    let sent = (0..32).map(|_| {
        let runtime = bench.runtime.clone();
        tokio::spawn(async move { runtime.submit(message("once", "same")).await })
    });
    let taken: Vec<_> = join_all(sent).await.into_iter().map(|task| task.expect("no panic").expect("taken")).collect();
    let started = taken.iter().filter(|accepted| accepted.status == AcceptedStatus::Started).count();
    assert_eq!(started, 1);
    bench.ended("same").await;
    assert_eq!(bench.model.requests().len(), 1);
    assert_eq!(bench.conversation().await, ["user: once", "assistant: fine"]);
}

#[tokio::test]
async fn a_key_stands_for_the_run_it_was_first_sent_with() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("wait", &gate, ""));
    let elsewhere = || TurnRequest { session_key: Some("elsewhere".to_owned()), ..message("other words", "key") };
    let first = bench.submit("words", "key").await;
    let running = bench.runtime.submit(elsewhere()).await.expect("answered");
    assert_eq!((running.status, &running.session_key), (AcceptedStatus::InFlight, &main_key()));
    gate.open();
    bench.ended("key").await;
    let bench = bench.restart().await;
    let stored = bench.runtime.submit(elsewhere()).await.expect("answered");
    assert!(matches!(stored.status, AcceptedStatus::Finished(_)), "{stored:?}");
    assert_eq!((&stored.session_key, &stored.session_id), (&main_key(), &first.session_id));
    assert_eq!(bench.conversation().await, ["user: words", "assistant: wait"]);
}

#[tokio::test]
async fn a_repeated_key_is_answered_although_the_session_was_reset() {
    let bench = Bench::scripted().await;
    let first = bench.submit("words", "key").await;
    bench.ended("key").await;
    bench.runtime.reset_session(&main_key(), &agent(), "test").await.expect("reset");
    let repeat = TurnRequest { session_id: Some(first.session_id.clone()), ..message("words", "key") };
    let again = bench.runtime.submit(repeat).await.expect("its answer is known");
    assert!(matches!(again.status, AcceptedStatus::Finished(_)), "{again:?}");
    assert_eq!(again.session_id, first.session_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_messages_of_a_session_may_come_together() {
    for round in 0..20 {
        let bench = Bench::scripted().await;
        let sent = (0..4).map(|number| {
            let runtime = bench.runtime.clone();
            tokio::spawn(async move { runtime.submit(message("hello", &format!("{round}-{number}"))).await })
        });
        for task in join_all(sent).await {
            let accepted = task.expect("no panic").expect("taken");
            bench.ended(accepted.run_id.as_str()).await;
        }
        assert!(matches!(bench.events()[0].body, EventBody::SessionStarted(_)));
        bench.assert_linear();
    }
}

#[tokio::test]
async fn settings_changed_during_a_run_stay_in_line() {
    let bench = Bench::scripted().await;
    let (first, second) = (Gate::new(), Gate::new());
    let mut answer = vec![super::support::Piece::Wait(first.clone())];
    answer.extend(call_tool("c1", "ls", &json!({"path": "."})));
    bench.model.then(answer).then(say_slowly("a", &second, "b"));
    bench.submit("one", "one").await;
    bench.submit("two", "two").await;
    for (gate, label) in [(&first, "early"), (&second, "late")] {
        gate.reached().await;
        let changes = Map::from_iter([("label".to_owned(), json!(label)), ("pinned".to_owned(), json!(true))]);
        bench.runtime.patch_session(&main_key(), &agent(), &changes).await.expect("patched");
        gate.open();
    }
    bench.ended("two").await;
    bench.assert_linear();
    assert_eq!(bench.state().await.value("label"), Some(&json!("late")));
    assert_eq!(bench.model.last_context().last().map(String::as_str), Some("user: two"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscribers_hear_of_events_in_the_order_of_the_transcript() {
    let bench = Bench::scripted().await;
    bench.turn("begin", "begin").await;
    let mut events = bench.runtime.subscribe();
    let patches = (0..40).map(|number| {
        let runtime = bench.runtime.clone();
        tokio::spawn(async move {
            let changes = Map::from_iter([("label".to_owned(), json!(format!("l{number}")))]);
            runtime.patch_session(&main_key(), &agent(), &changes).await.expect("patched");
        })
    });
    let patches: Vec<_> = patches.collect();
    for number in 0..10 {
        bench.submit("go on", &format!("r{number}")).await;
    }
    for task in join_all(patches).await {
        task.expect("no panic");
    }
    bench.ended("r9").await;
    let mut last = 0;
    while let Ok(event) = events.try_recv() {
        if let RuntimeEvent::Appended { events, .. } = &*event {
            for stored in events.iter() {
                assert!(last == 0 || stored.seq == last + 1, "{} after {last}", stored.seq);
                last = stored.seq;
            }
        }
    }
    assert!(last > 60, "{last}");
    bench.assert_linear();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_waits_for_a_run_has_been_told_of_its_end() {
    let bench = Bench::scripted().await;
    for number in 0..50 {
        let mut events = bench.runtime.subscribe();
        bench.turn("hello", &format!("r{number}")).await;
        let told = told(&mut events);
        let end = told.iter().position(|what| what == "ended ok").unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!(told[end - 1], "appended AgentResponse", "{told:?}");
        assert_eq!(told[end + 1..], ["changed agent.input.settled"], "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resets_and_messages_at_the_same_time_lose_nothing() {
    let bench = Bench::scripted().await;
    bench.turn("begin", "begin").await;
    let resets = {
        let runtime = bench.runtime.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                runtime.reset_session(&main_key(), &agent(), "test").await.expect("reset");
                tokio::task::yield_now().await;
            }
        })
    };
    let senders = (0..4).map(|sender| {
        let runtime = bench.runtime.clone();
        tokio::spawn(async move {
            let mut runs = Vec::new();
            for number in 0..30 {
                let key = format!("{sender}-{number}");
                match runtime.submit(message(&key, &key)).await {
                    Ok(_) => runs.push(key),
                    Err(error) => panic!("{error}"),
                }
                tokio::task::yield_now().await;
            }
            runs
        })
    });
    let runs: Vec<String> =
        join_all(senders.collect::<Vec<_>>()).await.into_iter().flat_map(|task| task.expect("no panic")).collect();
    soon(resets).await.expect("no panic");
    let mut outcomes = Vec::new();
    for run in &runs {
        outcomes.push(bench.ended(run).await);
    }
    let mut transcripts: HashMap<SessionId, Vec<Arc<crate::session::Event>>> = HashMap::new();
    for (run, outcome) in runs.iter().zip(outcomes) {
        assert!(
            matches!(outcome.status, RunStatus::Ok | RunStatus::Aborted),
            "a message is answered or stopped by the reset: {outcome:?}"
        );
        let row = bench.row(run);
        assert!(row.state.is_terminal());
        let store = bench.runtime.store();
        let events = transcripts.entry(row.session_id.clone()).or_insert_with(|| {
            let rows = store.read_blocking(|tx| tx.events(&agent(), &row.session_id, 0, 10_000)).expect("readable");
            rows.into_iter().map(|stored| stored.event).collect()
        });
        let said = events.iter().any(|event| {
            matches!(event.body, EventBody::MessageReceived(_))
                && event.run_id.as_ref() == Some(&RunId::from(run.as_str()))
        });
        assert!(said, "the message of {run} is not in its transcript {}: {outcome:?}", row.session_id);
    }
    for (session, events) in transcripts {
        if let Some(end) = events.iter().position(|event| matches!(event.body, EventBody::SessionEnded(_))) {
            assert_eq!(end + 1, events.len(), "something was said in {session} after its end");
        }
        for pair in events.windows(2) {
            assert_eq!(pair[1].parent_id.as_ref(), Some(&pair[0].id), "{session}");
        }
    }
    assert_eq!(bench.runtime.active_run_count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletes_and_messages_at_the_same_time_leave_a_working_session() {
    let bench = Bench::scripted().await;
    let deletes = {
        let runtime = bench.runtime.clone();
        tokio::spawn(async move {
            for round in 0..30 {
                runtime.delete_session(&main_key(), &agent(), round % 2 == 0).await.expect("deleted or not there");
                tokio::task::yield_now().await;
            }
        })
    };
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let runtime = bench.runtime.clone();
            tokio::spawn(async move {
                for number in 0..30 {
                    let key = format!("{sender}-{number}");
                    runtime.submit(message(&key, &key)).await.expect("taken");
                    if let Err(error) = soon(runtime.wait(&RunId::from(key.as_str()), None)).await {
                        assert_eq!(error.kind(), ErrorKind::NotFound, "only a delete takes it away: {error}");
                    }
                }
            })
        })
        .collect();
    for task in join_all(senders).await {
        task.expect("no panic");
    }
    soon(deletes).await.expect("no panic");
    assert_eq!(bench.turn("after all", "last").await.status, RunStatus::Ok);
    bench.assert_linear();
}

#[tokio::test]
async fn a_shutdown_that_begins_while_a_message_is_taken_waits_for_its_run() {
    let bench = Bench::scripted().await;
    bench.turn("first", "first").await;
    let submit = bench.runtime.submit(message("second", "second"));
    tokio::pin!(submit);
    assert!(submit.as_mut().now_or_never().is_none());
    let (taken, stopped) = tokio::join!(submit, bench.runtime.shutdown(Duration::from_secs(10)));
    stopped.expect("it stops");
    assert_eq!(taken.expect("it was first").status, AcceptedStatus::Started);
    assert!(bench.row("second").state.is_terminal());
}

/// Everything at once on few sessions: what must hold whatever the order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_left_when_everything_happens_at_once() {
    const ROUNDS: usize = 40;
    let bench = Bench::configured(json!({"defaults": {"model": "fake/plain", "maxConcurrent": 3}})).await;
    let keys = ["a", "b", "c"].map(|name| crate::core::SessionKey::new(format!("agent:main:{name}")));
    let mut events = bench.runtime.subscribe();
    let workers = (0..6).map(|worker| {
        let (runtime, keys) = (bench.runtime.clone(), keys.clone());
        tokio::spawn(async move {
            let mut taken = Vec::new();
            // A fixed sequence per worker; how they interleave is up to the machine.
            let mut dice = 0x9e37_79b9_u32.wrapping_mul(worker + 1);
            for round in 0..ROUNDS {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let key = &keys[(dice >> 8) as usize % keys.len()];
                match (dice >> 16) % 10 {
                    0 => drop(runtime.abort(key, None)),
                    1 => {
                        let label = Map::from_iter([("label".to_owned(), json!(format!("{worker}-{round}")))]);
                        if let Err(error) = runtime.patch_session(key, &agent(), &label).await {
                            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                        }
                    }
                    2 if round % 3 == 0 => {
                        if let Err(error) = runtime.reset_session(key, &agent(), "test").await {
                            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                        }
                    }
                    3 if round % 8 == 0 => {
                        runtime.delete_session(key, &agent(), false).await.expect("deleted or not there");
                    }
                    _ => {
                        let run = format!("{worker}-{round}");
                        let request = TurnRequest { session_key: Some(key.to_string()), ..message(&run, &run) };
                        match runtime.submit(request).await {
                            Ok(_) => taken.push(run),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
                        }
                    }
                }
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        taken.extend(soon(worker).await.expect("no panic"));
    }
    let mut transcripts: HashMap<SessionId, Vec<RunId>> = HashMap::new();
    for run in &taken {
        bench.ended(run).await;
        let row = bench.row(run);
        assert!(row.state.is_terminal());
        transcripts.entry(row.session_id).or_default().push(row.run_id);
    }
    assert_eq!(bench.runtime.active_run_count(), 0);
    assert!(keys.iter().all(|key| bench.runtime.active_runs(key).is_empty()));
    for (session, runs) in &transcripts {
        let stored =
            bench.runtime.store().read_blocking(|tx| tx.events(&agent(), session, 0, 10_000)).expect("readable");
        let events: Vec<_> = stored.iter().map(|stored| &stored.event).collect();
        for pair in events.windows(2) {
            assert_eq!(pair[1].parent_id.as_ref(), Some(&pair[0].id), "{session} is one line");
            assert!(pair[0].ts <= pair[1].ts);
        }
        for run in runs {
            let of_run = |event: &&&Arc<crate::session::Event>| event.run_id.as_ref() == Some(run);
            let said = events.iter().filter(of_run).filter(|event| matches!(event.body, EventBody::MessageReceived(_)));
            assert_eq!(said.count(), 1, "{run} in {session}");
            assert!(matches!(events.iter().rfind(of_run).expect("some").body, EventBody::AgentResponse(_)));
        }
        let end = events.iter().position(|event| matches!(event.body, EventBody::SessionEnded(_)));
        assert!(end.is_none_or(|end| end + 1 == events.len()), "nothing is said in {session} after its end");
    }
    let (mut ends, mut positions): (HashMap<RunId, usize>, HashMap<SessionId, i64>) = Default::default();
    while let Ok(event) = events.try_recv() {
        match &*event {
            RuntimeEvent::Run(event) if matches!(event.body, crate::runtime::RunEventBody::Ended { .. }) => {
                *ends.entry(event.run_id.clone()).or_default() += 1;
            }
            RuntimeEvent::Appended { session_id, events, .. } => {
                for stored in events.iter() {
                    let last = positions.insert(session_id.clone(), stored.seq).unwrap_or(0);
                    assert_eq!(stored.seq, last + 1, "{session_id}");
                }
            }
            _ => {}
        }
    }
    assert_eq!(ends.len(), taken.len());
    assert!(ends.values().all(|count| *count == 1), "every run ends once");
}
