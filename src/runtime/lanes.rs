//! One run at a time per session, in the order of arrival; a bounded queue behind it.
//!
//! A lane can be closed for a moment, so that whoever changes the session itself (reset, delete) finds nobody in it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::core::limits::MAX_LANE_QUEUE;
use crate::core::{Error, ErrorKind, Result, RunId, SessionKey};

/// Where a new run stands.
#[derive(Debug)]
pub(super) enum Place {
    /// It holds the lane.
    Running,
    /// It waits behind this many runs.
    Behind(usize),
    /// It is not in the lane: it has to come again when the lane is open.
    Closed(Opening),
}

/// Resolves when a lane opens.
#[derive(Debug)]
pub(super) struct Opening(watch::Receiver<()>);

impl Opening {
    pub(super) async fn wait(mut self) {
        // The sender never sends: that it is gone is the news.
        while self.0.changed().await.is_ok() {}
    }
}

/// A closed lane; opens when dropped.
#[derive(Debug)]
pub(super) struct Closed<'l> {
    lanes: &'l Lanes,
    session: SessionKey,
    _sender: watch::Sender<()>,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.lanes.lock().closed.remove(&self.session);
    }
}

#[derive(Debug, Default)]
struct Table {
    /// A lane exists only while a run holds it.
    lanes: HashMap<SessionKey, VecDeque<RunId>>,
    closed: HashMap<SessionKey, watch::Receiver<()>>,
}

/// The lanes of all sessions.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    table: Mutex<Table>,
}

impl Lanes {
    /// Takes a place in the session's lane. The front of the queue is the run that holds it.
    pub(super) fn enter(&self, session: &SessionKey, run: &RunId) -> Result<Place> {
        let mut table = self.lock();
        if let Some(opening) = table.closed.get(session) {
            return Ok(Place::Closed(Opening(opening.clone())));
        }
        let lane = table.lanes.entry(session.clone()).or_default();
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
        let mut table = self.lock();
        let lane = table.lanes.get_mut(session)?;
        let held = lane.front() == Some(run);
        lane.retain(|waiting| waiting != run);
        if lane.is_empty() {
            table.lanes.remove(session);
            return None;
        }
        if held { lane.front().cloned() } else { None }
    }

    /// Takes a waiting run out of the lane, so that it will not be started. False if it holds the lane, or is not there.
    pub(super) fn withdraw(&self, session: &SessionKey, run: &RunId) -> bool {
        let mut table = self.lock();
        let Some(lane) = table.lanes.get_mut(session) else { return false };
        match lane.iter().position(|waiting| waiting == run) {
            None | Some(0) => false,
            Some(place) => lane.remove(place).is_some(),
        }
    }

    /// Keeps further runs out until the result is dropped. Those that are in the lane stay there.
    pub(super) async fn close(&self, session: &SessionKey) -> Closed<'_> {
        loop {
            let opening = {
                let mut table = self.lock();
                let Some(opening) = table.closed.get(session) else {
                    let (sender, opening) = watch::channel(());
                    table.closed.insert(session.clone(), opening);
                    return Closed { lanes: self, session: session.clone(), _sender: sender };
                };
                Opening(opening.clone())
            };
            opening.wait().await;
        }
    }

    /// The session's runs: the one that holds the lane first.
    pub(super) fn runs(&self, session: &SessionKey) -> Vec<RunId> {
        self.lock().lanes.get(session).map(|lane| lane.iter().cloned().collect()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(matches!(lanes.enter(&session, &a).expect("room"), Place::Running));
        assert!(matches!(lanes.enter(&session, &b).expect("room"), Place::Behind(1)));
        assert!(matches!(lanes.enter(&session, &c).expect("room"), Place::Behind(2)));
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

    #[test]
    fn only_a_waiting_run_can_be_withdrawn() {
        let (session, a, b, c) = ids();
        let lanes = Lanes::default();
        for run in [&a, &b, &c] {
            lanes.enter(&session, run).expect("room");
        }
        assert!(!lanes.withdraw(&session, &a), "it holds the lane");
        assert!(lanes.withdraw(&session, &b));
        assert!(!lanes.withdraw(&session, &b), "it is gone");
        assert_eq!(lanes.leave(&session, &b), None);
        assert_eq!(lanes.leave(&session, &a), Some(c));
    }

    #[tokio::test]
    async fn a_closed_lane_lets_nobody_in_until_it_opens() {
        let (session, a, b, _) = ids();
        let lanes = Lanes::default();
        lanes.enter(&session, &a).expect("room");
        let closed = lanes.close(&session).await;
        let Place::Closed(opening) = lanes.enter(&session, &b).expect("no error") else { panic!("it is open") };
        assert_eq!(lanes.runs(&session), [a]);
        assert!(matches!(lanes.enter(&SessionKey::from("agent:main:other"), &b).expect("room"), Place::Running));
        let (_second, ()) = tokio::join!(lanes.close(&session), async {
            drop(closed);
            opening.wait().await;
        });
        assert!(matches!(lanes.enter(&session, &b).expect("no error"), Place::Closed(_)), "closed by somebody else");
    }
}
