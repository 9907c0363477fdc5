//! Costs, counted in steps instead of seconds.

use std::sync::Arc;

use super::{answer, call, event, result, says, set, user};
use crate::session::event::Event;
use crate::session::projection::project;
use crate::session::{ContentBlock, SessionState, steps};

/// `turns` × (user, assistant with a call, result, assistant).
fn session(turns: i64) -> Vec<Arc<Event>> {
    let mut log: Vec<Arc<Event>> = Vec::new();
    let mut add = |body: crate::session::EventBody| {
        let number = i64::try_from(log.len()).expect("few");
        let parent = log.last().map(|event| event.id.to_string()).unwrap_or_default();
        log.push(event(&format!("e{number:06}"), &parent, number, body));
    };
    for turn in 0..turns {
        let id = format!("c{turn}");
        add(user("hello").into());
        add(answer(vec![ContentBlock::text("let me look"), call(&id)]).into());
        add(result(&id, "text").into());
        add(says("done").into());
    }
    log
}

/// Steps for feeding a live session event by event, asking for the tip each time, and building the context once.
fn steps_for(turns: i64) -> u64 {
    let log = session(turns);
    steps::count(|| {
        let mut state = SessionState::default();
        for event in &log {
            state.apply(Arc::clone(event));
            assert_eq!(state.tip(), Some(&event.id));
        }
        assert_eq!(state.context().len(), log.len());
    })
}

#[test]
fn a_live_session_costs_linear_time() {
    let (small, large) = (steps_for(250), steps_for(1_250));
    assert!(large < 7 * small, "five times the events: {small} → {large} steps");
    assert!(large < 10 * 5_000, "a few steps per event: {large}");
}

#[test]
fn a_set_in_any_order_costs_linear_time() {
    let cost = |turns| {
        let mut log = session(turns);
        log.reverse();
        steps::count(|| assert_eq!(project(log).context().len(), usize::try_from(4 * turns).expect("few")))
    };
    let (small, large) = (cost(250), cost(1_250));
    assert!(large < 7 * small, "five times the events: {small} → {large} steps");
}

#[test]
fn a_long_branch_under_a_pointer_stays_linear() {
    let mut log = session(1_000);
    log.insert(1, event("p", "e000000", 0, set("tip", "e000000")));
    let taken = steps::count(|| {
        let mut state = SessionState::default();
        for event in &log {
            state.apply(Arc::clone(event));
            state.tip();
        }
        assert_eq!(state.path().len(), 4_000);
    });
    assert!(taken < 80_000, "{taken}");
}

#[test]
fn a_context_shares_its_messages() {
    let mut state = project(session(50));
    let before = state.context();
    state.apply(event("next", "e000199", 999, user("more")));
    let after = state.context();
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().zip(&after).all(|(one, other)| Arc::ptr_eq(one, other)));
}

#[test]
fn many_conflicting_copies_are_resolved_in_one_go() {
    let copies = (0..2_000).map(|number| event("x", "", 1, user(&format!("{}", 9_999 - number))));
    let taken = steps::count(|| assert_eq!(project(copies).len(), 1));
    assert!(taken < 3_000, "{taken}");
}
