//! One run at a time per session, in the order of arrival; a bounded queue behind it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::core::limits::MAX_LANE_QUEUE;
use crate::core::{Error, ErrorKind, Result, RunId, SessionKey};

/// Where a new run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It holds the lane.
    Running,
    /// It waits behind this many runs.
    Behind(usize),
}

/// The lanes of all sessions. A lane exists only while a run holds it.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<SessionKey, VecDeque<RunId>>>,
}

impl Lanes {
    /// Takes a place in the session's lane. The front of the queue is the run that holds it.
    pub(super) fn enter(&self, session: &SessionKey, run: &RunId) -> Result<Place> {
        let mut lanes = self.lock();
        let lane = lanes.entry(session.clone()).or_default();
        if lane.len() > MAX_LANE_QUEUE {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("too many messages are waiting in session {session}"),
            )
            .why(format!("{} runs are queued; the limit is {MAX_LANE_QUEUE}", lane.len() - 1))
            .hint("wait for the running turn to end, or stop it: chat.abort"));
        }
        lane.push_back(run.clone());
        Ok(match lane.len() {
            1 => Place::Running,
            length => Place::Behind(length - 1),
        })
    }

    /// Leaves the lane, from whatever place; returns the run that may start because of it.
    pub(super) fn leave(&self, session: &SessionKey, run: &RunId) -> Option<RunId> {
        let mut lanes = self.lock();
        let lane = lanes.get_mut(session)?;
        let held = lane.front() == Some(run);
        lane.retain(|waiting| waiting != run);
        if lane.is_empty() {
            lanes.remove(session);
            return None;
        }
        if held { lane.front().cloned() } else { None }
    }

    /// The session's runs: the one that holds the lane first.
    pub(super) fn runs(&self, session: &SessionKey) -> Vec<RunId> {
        self.lock().get(session).map(|lane| lane.iter().cloned().collect()).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionKey, VecDeque<RunId>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> (SessionKey, RunId, RunId, RunId) {
        (SessionKey::from("agent:main:main"), RunId::from("a"), RunId::from("b"), RunId::from("c"))
    }

    #[test]
    fn runs_take_turns_in_order_of_arrival() {
        let (session, a, b, c) = ids();
        let lanes = Lanes::default();
        assert_eq!(lanes.enter(&session, &a).expect("room"), Place::Running);
        assert_eq!(lanes.enter(&session, &b).expect("room"), Place::Behind(1));
        assert_eq!(lanes.enter(&session, &c).expect("room"), Place::Behind(2));
        assert_eq!(lanes.leave(&session, &a), Some(b.clone()));
        assert_eq!(lanes.leave(&session, &b), Some(c.clone()));
        assert_eq!(lanes.leave(&session, &c), None);
        assert_eq!(lanes.runs(&session), Vec::<RunId>::new());
    }

    #[test]
    fn a_waiting_run_that_gives_up_starts_nobody() {
        let (session, a, b, _) = ids();
        let lanes = Lanes::default();
        lanes.enter(&session, &a).expect("room");
        lanes.enter(&session, &b).expect("room");
        assert_eq!(lanes.leave(&session, &b), None);
        assert_eq!(lanes.runs(&session), vec![a]);
    }

    #[test]
    fn a_full_lane_refuses() {
        let (session, ..) = ids();
        let lanes = Lanes::default();
        for number in 0..=MAX_LANE_QUEUE {
            lanes.enter(&session, &RunId::new(number.to_string())).expect("room");
        }
        let refused = lanes.enter(&session, &RunId::from("one too many")).expect_err("full");
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
    }
}
