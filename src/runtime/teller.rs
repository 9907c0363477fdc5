//! Tells subscribers what happens in one run.
//!
//! Live output of tools is for people who watch: it is joined so that a chatty command cannot crowd other events out, what
//! comes faster than can be shown is left out, and nothing of it is kept. The result of the call has what matters.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::registry::ActiveRun;
use super::service::Runtime;
use super::types::{RunEvent, RunEventBody, RuntimeEvent};
use crate::core::{AgentId, RunId, SessionId, SessionKey, ToolCallId, now_ms};
use crate::tools::{ProgressSink, ToolProgress};

/// Least time between two events of the same call.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes joined in that time; more is left out.
const MAX_PENDING: usize = 32 * 1024;

/// See the module.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) runtime: Runtime,
    pub(super) active: Arc<ActiveRun>,
    pub(super) agent_id: AgentId,
    pub(super) session_key: SessionKey,
    pub(super) session_id: SessionId,
    pub(super) run_id: RunId,
}

impl Teller {
    /// Tells everybody who listens.
    pub(super) fn tell(&self, body: RunEventBody) {
        self.runtime.broadcast(RuntimeEvent::Run(Arc::new(RunEvent {
            run_id: self.run_id.clone(),
            session_key: self.session_key.clone(),
            session_id: self.session_id.clone(),
            agent_id: self.agent_id.clone(),
            seq: self.active.next_seq(),
            ts: now_ms(),
            body,
        })));
    }

    /// For the live output of one call. Needs a tokio runtime.
    pub(super) fn live_output(&self, id: &ToolCallId, name: &str) -> LiveOutput {
        let (teller, id, name) = (self.clone(), id.to_string(), name.to_owned());
        LiveOutput::new(tokio::runtime::Handle::current(), move |progress| {
            teller.tell(RunEventBody::ToolProgress {
                tool_call_id: id.clone(),
                name: name.clone(),
                stream: progress.stream,
                text: progress.text,
            });
        })
    }
}

/// The live output of one call.
#[derive(Clone)]
pub(super) struct LiveOutput {
    shared: Arc<Shared>,
}

struct Shared {
    handle: tokio::runtime::Handle,
    tell: Box<dyn Fn(ToolProgress) + Send + Sync>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    parts: Vec<ToolProgress>,
    bytes: usize,
    left_out: usize,
    /// Somebody will tell what is pending when the pause is over.
    pausing: bool,
    ended: bool,
}

impl LiveOutput {
    fn new(handle: tokio::runtime::Handle, tell: impl Fn(ToolProgress) + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { handle, tell: Box::new(tell), pending: Mutex::default() }) }
    }

    /// What a tool is given.
    pub(super) fn sink(&self) -> ProgressSink {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |progress| Shared::take(&shared, progress))
    }

    /// Tells what is left; nothing is told after this.
    pub(super) fn end(&self) {
        let mut pending = self.shared.lock();
        pending.ended = true;
        self.shared.flush(&mut pending);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(shared: &Arc<Self>, progress: ToolProgress) {
        let mut pending = shared.lock();
        if pending.ended || progress.text.is_empty() {
            return;
        }
        pending.add(progress);
        if pending.pausing {
            return;
        }
        shared.flush(&mut pending);
        pending.pausing = true;
        drop(pending);
        let shared = Arc::clone(shared);
        shared.handle.clone().spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let mut pending = shared.lock();
                if pending.parts.is_empty() || pending.ended {
                    pending.pausing = false;
                    return;
                }
                shared.flush(&mut pending);
            }
        });
    }

    /// Under the lock, so that parts keep their order.
    fn flush(&self, pending: &mut Pending) {
        let left_out = std::mem::take(&mut pending.left_out);
        pending.bytes = 0;
        let mut last = None;
        for part in std::mem::take(&mut pending.parts) {
            last = Some(part.stream);
            (self.tell)(part);
        }
        if let (Some(stream), 1..) = (last, left_out) {
            (self.tell)(ToolProgress { stream, text: format!("\n[{left_out} more bytes, too fast to show]\n") });
        }
    }
}

impl Pending {
    fn add(&mut self, mut progress: ToolProgress) {
        let room = progress.text.floor_char_boundary(MAX_PENDING.saturating_sub(self.bytes));
        self.left_out += progress.text.len() - room;
        progress.text.truncate(room);
        self.bytes += room;
        match self.parts.last_mut() {
            Some(last) if last.stream == progress.stream => last.text.push_str(&progress.text),
            _ if room == 0 => {}
            _ => self.parts.push(progress),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn output() -> (LiveOutput, UnboundedReceiver<ToolProgress>) {
        let (sender, receiver) = unbounded_channel();
        let tell = move |progress| sender.send(progress).expect("somebody listens");
        (LiveOutput::new(tokio::runtime::Handle::current(), tell), receiver)
    }

    fn said(stream: &'static str, text: &str) -> ToolProgress {
        ToolProgress { stream, text: text.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_part_comes_at_once_and_the_next_ones_together() {
        let (output, mut told) = output();
        let sink = output.sink();
        sink(said("stdout", "a"));
        assert_eq!(told.try_recv().expect("at once"), said("stdout", "a"));
        for text in ["b", "c"] {
            sink(said("stdout", text));
        }
        sink(said("stderr", "oops"));
        told.try_recv().expect_err("not yet");
        assert_eq!(told.recv().await.expect("after the pause"), said("stdout", "bc"));
        assert_eq!(told.recv().await.expect("after the pause"), said("stderr", "oops"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_comes_before_the_end_and_nothing_after_it() {
        let (output, mut told) = output();
        let sink = output.sink();
        sink(said("stdout", "a"));
        sink(said("stdout", "b"));
        output.end();
        assert_eq!(told.try_recv().expect("first"), said("stdout", "a"));
        assert_eq!(told.try_recv().expect("the rest"), said("stdout", "b"));
        sink(said("stdout", "late"));
        tokio::time::sleep(PAUSE * 4).await;
        told.try_recv().expect_err("the call has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_and_says_so() {
        let (output, mut told) = output();
        let sink = output.sink();
        sink(said("stdout", "a"));
        for _ in 0..100 {
            sink(said("stdout", &"é".repeat(1024)));
        }
        told.recv().await.expect("the first");
        let shown = told.recv().await.expect("the flood");
        assert_eq!(shown.text.len(), MAX_PENDING);
        let note = told.recv().await.expect("a note");
        assert!(note.text.contains(&format!("{} more bytes", 100 * 2048 - MAX_PENDING)), "{note:?}");
        sink(said("stdout", "calm"));
        assert_eq!(told.recv().await.expect("again"), said("stdout", "calm"));
    }
}
