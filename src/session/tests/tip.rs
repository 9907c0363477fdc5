use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{called, event, result, says, set, soup, user};
use crate::core::EventId;
use crate::session::event::{Event, MessageSent, SessionStarted};
use crate::session::projection::project;

fn tip_of(events: &[Arc<Event>]) -> String {
    project(events.to_vec()).tip().map(ToString::to_string).unwrap_or_default()
}

fn path_of(events: &[Arc<Event>]) -> String {
    project(events.to_vec()).path().iter().map(|event| event.id.as_str()).collect::<Vec<_>>().join(" ")
}

/// `s ← u1 ← a1 ← u2 ← a2`
fn conversation() -> Vec<Arc<Event>> {
    vec![
        event("s", "", 1, SessionStarted::default()),
        event("u1", "s", 2, user("one")),
        event("a1", "u1", 3, says("1")),
        event("u2", "a1", 4, user("two")),
        event("a2", "u2", 5, says("2")),
    ]
}

fn and(more: impl IntoIterator<Item = Arc<Event>>) -> Vec<Arc<Event>> {
    conversation().into_iter().chain(more).collect()
}

#[test]
fn without_a_pointer_the_newest_leaf_is_the_tip() {
    assert_eq!(path_of(&conversation()), "s u1 a1 u2 a2");
    assert_eq!(tip_of(&and([event("u3", "a1", 6, user("other"))])), "u3");
    assert_eq!(tip_of(&and([event("u3", "a1", 4, user("older branch"))])), "a2");
    assert_eq!(tip_of(&and([event("z", "a1", 5, user("same time, greater id"))])), "z");
}

#[test]
fn state_changes_follow_along_and_do_not_capture_the_tip() {
    assert_eq!(tip_of(&and([event("x", "a2", 9, set("model", "m"))])), "x");
    assert_eq!(tip_of(&and([event("x", "", 9, set("label", "l"))])), "a2", "beside the conversation");
    assert_eq!(tip_of(&and([event("x", "u1", 9, set("label", "l"))])), "a2", "higher up");
    assert_eq!(tip_of(&[event("x", "", 9, set("label", "l"))]), "x", "no conversation yet");
    let tools = [event("c", "a2", 6, called("t")), event("r", "c", 7, result("t", "x"))];
    assert_eq!(path_of(&and(tools)), "s u1 a1 u2 a2 c r");
}

#[test]
fn a_clock_set_back_does_not_lose_the_newest_message() {
    assert_eq!(path_of(&and([event("u3", "a2", 1, user("three"))])), "s u1 a1 u2 a2 u3");
}

#[test]
fn a_pointer_moves_the_tip_and_later_events_move_it_along() {
    let mut events = and([event("p", "a1", 6, set("tip", "a1"))]);
    assert_eq!(tip_of(&events), "a1");
    events.push(event("u3", "a1", 7, user("again")));
    assert_eq!(path_of(&events), "s u1 a1 u3");
    events.push(event("a3", "u3", 8, says("3")));
    events.push(event("k", "a3", 9, set("compaction", json!({"summary": "s"}))));
    assert_eq!(path_of(&events), "s u1 a1 u3 a3 k");
    events.push(event("q", "a2", 10, set("tip", "a2")));
    assert_eq!(path_of(&events), "s u1 a1 u2 a2", "back to the first branch");
    events.push(event("n", "", 11, set("tip", Value::Null)));
    assert_eq!(tip_of(&events), "k", "no pointer: the newest leaf again");
}

#[test]
fn what_follows_the_pointer_itself_counts_at_any_time() {
    let events = and([event("p", "u1", 6, set("tip", "u1")), event("x", "p", 1, user("clock set back"))]);
    assert_eq!(path_of(&events), "s u1 p x");
}

#[test]
fn a_late_event_on_the_branch_that_was_left_does_not_pull_the_tip_back() {
    let late = [
        event("p", "a1", 6, set("tip", "a1")),
        event("late", "a2", 7, MessageSent::default()),
        event("later", "late", 8, result("t", "x")),
    ];
    assert_eq!(tip_of(&and(late.clone())), "a1");
    assert_eq!(tip_of(&and(late.into_iter().chain([event("u3", "a1", 7, user("x"))]))), "u3");
}

#[test]
fn a_pointer_to_nothing_is_ignored_until_the_event_arrives() {
    let mut events = and([event("p", "", 6, set("tip", "zz"))]);
    assert_eq!(tip_of(&events), "a2");
    events.push(event("zz", "u1", 2, user("late import")));
    assert_eq!(tip_of(&events), "zz");
    assert_eq!(tip_of(&and([event("p", "", 6, set("tip", json!(["a1"])))])), "a2");
    assert_eq!(tip_of(&[event("p", "", 6, set("tip", "zz"))]), "");
    assert_eq!(tip_of(&[event("p", "", 6, set("tip", "p"))]), "p");
}

#[test]
fn loops_end() {
    let events = [
        event("a", "c", 3, user("a")),
        event("b", "a", 1, user("b")),
        event("c", "b", 2, user("c")),
        event("d", "c", 4, user("d")),
        event("e", "e", 0, user("e")),
    ];
    assert_eq!(path_of(&events), "b c d", "cut above the least of the loop");
    assert_eq!(path_of(&[event("e", "e", 0, user("e")), event("f", "e", 1, user("f"))]), "e f");
}

proptest! {
    #[test]
    fn there_is_a_tip_and_its_path_is_a_chain(events in soup::events()) {
        let state = project(events);
        let path = state.path();
        prop_assert_eq!(path.last().map(|event| &event.id), state.tip());
        let only_pointers = state.events().iter().all(|event| event.body.state_value("tip").is_some());
        prop_assert!(state.tip().is_some() || only_pointers);
        for pair in path.windows(2) {
            prop_assert_eq!(pair[1].parent_id.as_ref(), Some(&pair[0].id));
        }
        let mut ids: Vec<_> = path.iter().map(|event| &event.id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), path.len());
    }

    #[test]
    fn an_event_appended_at_the_tip_becomes_the_tip(events in soup::log(), now in 90..110_i64) {
        let mut state = project(events);
        let next = Event::with_id("zzz".into(), state.tip().cloned(), state.next_ts(now), None, user("hi"));
        state.apply(Arc::new(next));
        prop_assert_eq!(state.tip().map(EventId::as_str), Some("zzz"));
    }

    #[test]
    fn rewinding_works_from_anywhere(events in soup::log(), to in any::<prop::sample::Index>()) {
        prop_assume!(!events.is_empty());
        let target = to.get(&events).id.clone();
        let mut state = project(events);
        let pointer = Event::with_id("zz1".into(), Some(target.clone()), state.next_ts(0), None, set("tip", json!(target)));
        state.apply(Arc::new(pointer));
        prop_assert_eq!(state.tip(), Some(&target));
        let next = Event::with_id("zz2".into(), Some(target), state.next_ts(0), None, user("hi"));
        state.apply(Arc::new(next));
        prop_assert_eq!(state.tip().map(EventId::as_str), Some("zz2"));
    }
}
