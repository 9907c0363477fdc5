//! The bounded outgoing queue of one WebSocket.
//!
//! Replies and events share it, so their order is the order in which they happened. When it is more than half full,
//! text deltas of one stream are joined into one; nothing is lost by that. When it is full, the client reads too
//! slowly and is disconnected with 1008.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::frame::EventFrame;
use crate::gateway::lock::lock;

/// Frames handed to the writer at once.
const BATCH_FRAMES: usize = 64;
/// Bytes handed to the writer at once, unless a single frame is larger.
const BATCH_BYTES: usize = 1024 * 1024;
/// How far back a delta looks for one to join.
const JOIN_REACH: usize = 8;

/// Why the connection ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Close {
    /// RFC 6455 §7.4.
    pub(crate) code: u16,
    /// At most 123 bytes.
    pub(crate) reason: &'static str,
}

/// Something for the writer.
#[derive(Debug, PartialEq)]
pub(crate) enum Outgoing {
    /// A text frame.
    Text(String),
    /// A ping.
    Ping,
}

enum Item {
    Reply(String),
    Event { frame: Arc<EventFrame>, more: String, newest: Option<Arc<EventFrame>>, seq: u64 },
    Ping,
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Reply(text) => text.len(),
            Self::Event { frame, more, .. } => frame.size() + more.len(),
            Self::Ping => 2,
        }
    }

    fn into_outgoing(self) -> Outgoing {
        match self {
            Self::Reply(text) => Outgoing::Text(text),
            Self::Event { frame, more, newest, seq } => {
                Outgoing::Text(frame.render(&more, newest.as_deref().unwrap_or(&frame), seq))
            }
            Self::Ping => Outgoing::Ping,
        }
    }
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    event_seq: u64,
    closing: Option<Close>,
}

/// The queue.
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    max_frames: usize,
    max_bytes: usize,
    /// Cancelled when the connection must end at once, also in the middle of a write.
    pub(crate) overflow: CancellationToken,
}

impl Outbox {
    /// An empty queue with these bounds.
    pub(crate) fn new(max_frames: usize, max_bytes: usize) -> Self {
        Self { queue: Mutex::default(), wake: Notify::new(), max_frames, max_bytes, overflow: CancellationToken::new() }
    }

    /// Queues a response.
    pub(crate) fn reply(&self, text: String) {
        self.push(Item::Reply(text));
    }

    /// Queues a ping.
    pub(crate) fn ping(&self) {
        self.push(Item::Ping);
    }

    /// Queues a notification.
    pub(crate) fn event(&self, frame: &Arc<EventFrame>) {
        let mut queue = lock(&self.queue);
        let half_full = queue.items.len() > self.max_frames / 2 || queue.bytes > self.max_bytes / 2;
        if half_full && let Some(stream) = frame.stream() {
            // A tool call between two texts must stay between them.
            let joinable = queue
                .items
                .iter_mut()
                .rev()
                .take(JOIN_REACH)
                .take_while(|item| !matches!(item, Item::Event { frame, .. } if frame.stream().is_none()))
                .find_map(|item| match item {
                    Item::Event { frame, more, newest, .. } if frame.stream() == Some(stream) => Some((more, newest)),
                    _ => None,
                });
            if let Some((more, newest)) = joinable {
                more.push_str(frame.text());
                *newest = Some(Arc::clone(frame));
                queue.bytes += frame.text().len();
                if queue.bytes > self.max_bytes {
                    self.slow_consumer(&mut queue);
                }
                return;
            }
        }
        queue.event_seq += 1;
        let seq = queue.event_seq;
        self.push_locked(&mut queue, Item::Event { frame: Arc::clone(frame), more: String::new(), newest: None, seq });
    }

    /// Ends the connection after what is queued; the first reason counts.
    pub(crate) fn close(&self, code: u16, reason: &'static str) {
        let mut queue = lock(&self.queue);
        queue.closing.get_or_insert(Close { code, reason });
        drop(queue);
        self.wake.notify_one();
    }

    /// Waits for work and takes some of it; the close comes with or after the last frame.
    pub(crate) async fn take(&self) -> (Vec<Outgoing>, Option<Close>) {
        loop {
            let waiting = self.wake.notified();
            if let Some(work) = self.take_now() {
                return work;
            }
            waiting.await;
        }
    }

    fn take_now(&self) -> Option<(Vec<Outgoing>, Option<Close>)> {
        let mut queue = lock(&self.queue);
        if queue.items.is_empty() && queue.closing.is_none() {
            return None;
        }
        let mut batch = Vec::with_capacity(queue.items.len().min(BATCH_FRAMES));
        let mut bytes = 0;
        while batch.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
            let Some(item) = queue.items.pop_front() else { break };
            let size = item.size();
            bytes += size;
            queue.bytes = queue.bytes.saturating_sub(size);
            batch.push(item);
        }
        let close = if queue.items.is_empty() { queue.closing.clone() } else { None };
        drop(queue);
        Some((batch.into_iter().map(Item::into_outgoing).collect(), close))
    }

    fn push(&self, item: Item) {
        self.push_locked(&mut lock(&self.queue), item);
    }

    fn push_locked(&self, queue: &mut Queue, item: Item) {
        if queue.closing.is_some() {
            return;
        }
        queue.bytes += item.size();
        queue.items.push_back(item);
        if queue.items.len() > self.max_frames || queue.bytes > self.max_bytes {
            self.slow_consumer(queue);
        } else {
            self.wake.notify_one();
        }
    }

    fn slow_consumer(&self, queue: &mut Queue) {
        queue.items.clear();
        queue.bytes = 0;
        queue.closing = Some(Close { code: 1008, reason: "slow consumer: the client does not read what it asked for" });
        self.overflow.cancel();
        self.wake.notify_one();
    }
}
