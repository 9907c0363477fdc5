use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{event, says, set, soup, user};
use crate::core::EventId;
use crate::session::event::{Event, SessionEnded};
use crate::session::projection::project;
use crate::session::{ChatMessage, SessionState};

/// Everything one can ask a state, so that two of them can be compared in full.
#[derive(Debug, PartialEq)]
struct Answers {
    json: Value,
    tip: Option<EventId>,
    path: Vec<Arc<Event>>,
    events: Vec<Arc<Event>>,
    context: Vec<Arc<ChatMessage>>,
    newest: Option<i64>,
}

fn ask(state: &SessionState) -> Answers {
    Answers {
        json: state.to_json(),
        tip: state.tip().cloned(),
        path: state.path(),
        events: state.events(),
        context: state.context(),
        newest: state.newest_ts(),
    }
}

fn same(one: &SessionState, other: &SessionState) -> Result<(), TestCaseError> {
    prop_assert_eq!(one, other);
    prop_assert_eq!(ask(one), ask(other));
    Ok(())
}

fn shuffled(events: &[Arc<Event>], order: &[Index]) -> Vec<Arc<Event>> {
    let mut events = events.to_vec();
    for (position, index) in order.iter().enumerate() {
        if position < events.len() {
            let other = index.index(events.len());
            events.swap(position, other);
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_events_does_not_matter(events in soup::events(), order in prop::collection::vec(any::<Index>(), 24)) {
        same(&project(events.clone()), &project(shuffled(&events, &order)))?;
    }

    #[test]
    fn applying_again_changes_nothing(events in soup::events(), again in prop::collection::vec(any::<Index>(), 0..8)) {
        let once = project(events.clone());
        let mut twice = once.clone();
        if !events.is_empty() {
            for index in again {
                twice.apply(Arc::clone(index.get(&events)));
            }
        }
        same(&once, &twice)?;
    }

    #[test]
    fn a_split_set_merges_to_the_whole(events in soup::events(), sides in prop::collection::vec(0..4_u8, 24)) {
        // Side 0 goes left, 1 right, 2 and 3 to both.
        let half = |other: u8| {
            let part = events.iter().zip(&sides).filter(|(_, side)| **side != other);
            project(part.map(|(event, _)| Arc::clone(event)))
        };
        let (left, right, whole) = (half(1), half(0), project(events.clone()));
        let (mut one, mut other) = (left.clone(), right.clone());
        one.merge(&right);
        other.merge(&left);
        same(&one, &whole)?;
        same(&other, &whole)?;
        one.merge(&whole);
        same(&one, &whole)?;
    }

    #[test]
    fn merging_is_associative(a in soup::events(), b in soup::events(), c in soup::events()) {
        let [a, b, c] = [a, b, c].map(project);
        let merged = |one: &SessionState, other: &SessionState| { let mut one = one.clone(); one.merge(other); one };
        same(&merged(&merged(&a, &b), &c), &merged(&a, &merged(&b, &c)))?;
    }

    #[test]
    fn feeding_a_live_state_equals_projecting(events in prop_oneof![soup::events(), soup::log()]) {
        let mut live = SessionState::default();
        for (count, event) in events.iter().enumerate() {
            live.apply(Arc::clone(event));
            let whole = project(events[..=count].to_vec());
            prop_assert_eq!(live.tip(), whole.tip());
            same(&live, &whole)?;
        }
    }

    #[test]
    fn every_event_is_there_once_and_after_its_parent(events in soup::events()) {
        let state = project(events.clone());
        let ordered = state.events();
        prop_assert_eq!(ordered.len(), state.len());
        for event in &events {
            prop_assert!(state.event(&event.id).is_some());
            prop_assert_eq!(ordered.iter().filter(|other| other.id == event.id).count(), 1);
        }
        let tree = crate::session::tree::Tree::new(&state);
        let place = |id: &EventId| ordered.iter().position(|event| event.id == *id);
        for event in &ordered {
            if let Some(parent) = tree.parent(&event.id) {
                prop_assert!(place(&parent.id) < place(&event.id));
            }
        }
    }

    #[test]
    fn different_sets_are_different(events in soup::events()) {
        let state = project(events.clone());
        prop_assume!(!state.is_empty());
        let missing = &events[0].id;
        let fewer = project(events.iter().filter(|event| event.id != *missing).cloned());
        prop_assert_ne!(&fewer, &state);
    }
}

#[test]
fn the_greatest_write_wins() {
    let state = project([
        event("b", "", 2, set("label", "second")),
        event("a", "", 2, set("label", "first")),
        event("c", "", 1, set("label", "zeroth")),
        event("d", "", 1, set("model", "m")),
        event("e", "", 3, set("model", Value::Null)),
    ]);
    assert_eq!(state.value("label"), Some(&json!("second")));
    assert_eq!(state.value("model"), None);
    assert_eq!(state.values().into_iter().collect::<Vec<_>>(), [("label".to_owned(), json!("second"))]);
}

#[test]
fn of_two_events_with_one_id_the_same_one_counts_either_way() {
    let (one, other) = (event("x", "", 1, user("b")), event("x", "", 1, user("a")));
    for order in [[&one, &other], [&other, &one]] {
        let mut state = SessionState::default();
        for event in order {
            state.apply(Arc::clone(event));
            assert_eq!(state.context().len(), 1);
        }
        assert_eq!(state.len(), 1);
        assert_eq!(state.event(&EventId::from("x")), Some(&other));
        assert_eq!(super::lines(&state.context()), "U a");
    }
}

#[test]
fn an_ended_session_says_why() {
    let mut state = project([event("a", "", 1, user("hi")), event("b", "a", 2, SessionEnded::new("reset"))]);
    assert_eq!(state.ended(), Some("reset"));
    state.apply(event("c", "a", 1, SessionEnded::new("delete")));
    assert_eq!(state.ended(), Some("reset"));
}

#[test]
fn time_does_not_run_backwards() {
    let mut state = SessionState::default();
    assert_eq!(state.next_ts(5), 5);
    state.apply(event("a", "", 10, user("hi")));
    assert_eq!((state.next_ts(9), state.next_ts(11)), (10, 11));
}

#[test]
fn an_empty_state_answers() {
    let state = SessionState::default();
    assert!(state.is_empty() && state.tip().is_none() && state.path().is_empty() && state.context().is_empty());
    insta::assert_snapshot!(state.to_json(), @r#"{"tip":null,"values":{},"messages":[],"usage":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"totalTokens":0,"cost":{"input":0.0,"output":0.0,"cacheRead":0.0,"cacheWrite":0.0,"total":0.0}},"counts":{},"eventCount":0}"#);
}

#[test]
fn a_clone_shares_the_messages() {
    let mut state = project([event("a", "", 1, user("hi")), event("b", "a", 2, says("yes"))]);
    let before = state.context();
    let copy = state.clone();
    state.apply(event("c", "b", 3, user("more")));
    for (one, other) in before.iter().zip(state.context().iter().zip(copy.context())) {
        assert!(Arc::ptr_eq(one, other.0) && Arc::ptr_eq(one, &other.1));
    }
    assert_eq!(copy.len(), 2);
}
