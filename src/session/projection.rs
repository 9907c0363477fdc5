//! `project(events) -> SessionState`: the conversation as a pure function of the *set* of its events.
//!
//! # Laws
//! The order in which events are applied does not matter, applying one again changes nothing, and
//! [`SessionState::merge`] is the union: commutative, associative, idempotent, equal to projecting everything at once.
//! Two different events with one id can only come from damaged or merged foreign data; the one whose JSON (members
//! sorted) is smaller counts, so the laws hold for them too.
//!
//! # Values
//! A state key has the value of the `StateChanged` that is greatest by `(ts, id)`; `null` means no value.
//!
//! # The tree
//! `parentId` makes a forest. An event whose parent is not in the set is a root. Where parents form a loop, the loop is
//! cut above its least event by `(ts, id)`. All kinds are part of the tree and paths run through all of them.
//!
//! # The tip
//! The tip is the event that the next event should follow; the path from its root to it is the conversation in view.
//! - A *pointer* is a `StateChanged` with key `tip`. It is never the tip itself unless another pointer names it, but
//!   events that follow it are like all others.
//! - *Best* of a set of events: among its conversation events (every kind but `SessionStarted`, `StateChanged`,
//!   `SessionEnded`) that no other conversation event of the set descends from, the greatest by `(ts, id)`; then, if
//!   other events of the set that are no pointers follow it (a compaction, a changed model), the greatest last one of
//!   those. A set without conversation events: its greatest event that nothing in it but pointers descends from. So a
//!   `StateChanged` that was appended beside the conversation does not capture the tip.
//! - If the winning pointer names an event `v` of the set: the tip is the best of the events that were appended below
//!   `v` later than the pointer, or `v` itself if there are none. Below `v` later: reachable from `v` downwards through
//!   events that are greater than the pointer by `(ts, id)`, or that follow the pointer itself where its parent is `v`.
//!   What is appended late to a branch that the pointer left (the result of a tool that was still running) does not
//!   pull the tip back.
//! - Otherwise (no pointer, `null`, an unknown event): the tip is the best of all events.
//!
//! To branch or rewind, append `StateChanged::new("tip", id)` with that id as parent too, then continue at the tip.
//! Take `ts` from [`SessionState::next_ts`], so that a clock set back cannot make a change lose against an older one.
//!
//! # Cost
//! `apply` is amortised O(1) beside the hash of the id and the comparison of one state key. An event that follows the
//! tip and is the greatest by `(ts, id)`, as in a live session, moves the tip without looking at anything else; after
//! any other event the next question about the tip costs one pass over the set. `context` costs one pass over the path.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::context;
use super::event::{Event, EventBody};
use super::message::{ChatMessage, Context, Usage};
use super::tip::Shape;
use super::totals::Totals;
use super::{canonical, steps};
use crate::core::EventId;

pub use super::wire::message_json;

/// State key of the branch in view.
pub const TIP_KEY: &str = "tip";

/// A set of events and what follows from it. Equality compares the sets.
#[derive(Debug, Clone, Default)]
pub struct SessionState {
    /// Slot of every id that is an event's own or its parent's.
    index: HashMap<Arc<str>, usize>,
    slots: Vec<Slot>,
    len: usize,
    /// Slot of the winning `StateChanged` per key.
    registers: BTreeMap<String, usize>,
    totals: Totals,
    /// Slot of the greatest event by `(ts, id)`.
    newest: Option<usize>,
    /// Slot of the greatest `SessionEnded`.
    ended: Option<usize>,
    /// What needs a pass over the set; emptied when an event may change it.
    shape: OnceLock<Shape>,
}

/// A place for one id; without an event while only children of it are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    pub(super) event: Option<Arc<Event>>,
    pub(super) parent: Option<usize>,
    message: OnceLock<Option<Arc<ChatMessage>>>,
    compaction: bool,
}

impl Slot {
    /// Whether the event is a `StateChanged` with key `compaction`.
    pub(super) fn is_compaction(&self) -> bool {
        self.compaction
    }
}

/// What became of an event that was offered.
enum Taken {
    Added,
    Known,
    Replaced,
}

impl SessionState {
    /// Adds one event (idempotent by event id). Cost: see the module.
    pub fn apply(&mut self, event: Arc<Event>) {
        self.extend([event]);
    }

    /// Union of two projections (commutative, associative, idempotent).
    pub fn merge(&mut self, other: &SessionState) {
        self.extend(other.all().map(|(_, event)| Arc::clone(event)));
    }

    /// Current value of a state key (last write wins by `(ts, id)`); `None` if absent or null.
    pub fn value(&self, key: &str) -> Option<&Value> {
        let event = self.event_at(*self.registers.get(key)?)?;
        event.body.state_value(key).filter(|value| !value.is_null())
    }

    /// All state keys that have a value.
    pub fn values(&self) -> BTreeMap<String, Value> {
        let keys = self.registers.keys();
        keys.filter_map(|key| self.value(key).map(|value| (key.clone(), value.clone()))).collect()
    }

    /// The event that the next event should follow; the rule is in the module's documentation. `None` only if there
    /// are no events, or none but pointers that name no event.
    pub fn tip(&self) -> Option<&EventId> {
        self.shape().tip.and_then(|slot| self.event_at(slot)).map(|event| &event.id)
    }

    /// Events from the root to the tip, in order.
    pub fn path(&self) -> Vec<Arc<Event>> {
        self.path_slots().into_iter().filter_map(|slot| self.event_at(slot).cloned()).collect()
    }

    /// Every event, parents before their children; where the tree leaves it open, by `(ts, id)`.
    pub fn events(&self) -> Vec<Arc<Event>> {
        super::tree::Tree::new(self).ordered()
    }

    /// How many events are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sum of the usage of all agent responses, on all branches.
    pub fn usage(&self) -> Usage {
        self.totals.usage()
    }

    /// How many events there are of each kind that occurs.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.totals.counts().collect()
    }

    /// The event with that id.
    pub fn event(&self, id: &EventId) -> Option<&Arc<Event>> {
        self.event_at(self.slot_of(id.as_str())?)
    }

    /// Messages for a model: the path root → tip from the newest compaction on, repaired; see [`super::context`]. The
    /// messages are made once and shared, so a call on a long session copies pointers only.
    pub fn context(&self) -> Context {
        context::build(self)
    }

    /// JSON for clients and `sessions.stateAt`: `{tip, values, messages, usage, counts, ended?, eventCount}`.
    /// `messages` are those on the path, in OpenClaw's shape; their `seq` is the position on the path from 1, which is
    /// the position in the transcript as long as the session has no branches.
    pub fn to_json(&self) -> Value {
        super::wire::state_json(self)
    }

    /// Why the transcript ended, if it did: the reason of the newest `SessionEnded`.
    pub fn ended(&self) -> Option<&str> {
        match &self.event_at(self.ended?)?.body {
            EventBody::SessionEnded(data) => Some(&data.reason),
            _ => None,
        }
    }

    /// Time of the newest event in Unix milliseconds.
    pub fn newest_ts(&self) -> Option<i64> {
        self.newest.and_then(|slot| self.event_at(slot)).map(|event| event.ts)
    }

    /// Time for an event that is to be appended at `now_ms`: never before the newest event, so that what is appended
    /// later also counts as later.
    pub fn next_ts(&self, now_ms: i64) -> i64 {
        self.newest_ts().map_or(now_ms, |newest| newest.max(now_ms))
    }

    fn insert(&mut self, event: Arc<Event>) -> Taken {
        steps::tick();
        if let Some(slot) = self.index.get(event.id.as_str()).copied() {
            if let Some(known) = &self.slots[slot].event {
                if Arc::ptr_eq(known, &event) || **known == *event {
                    return Taken::Known;
                }
                if canonical::canonical_text(known) <= canonical::canonical_text(&event) {
                    return Taken::Known;
                }
                self.slots[slot].event = Some(event);
                return Taken::Replaced;
            }
            self.shape.take();
            self.attach(slot, event);
        } else {
            let slot = self.slots.len();
            self.slots.push(Slot::default());
            self.index.insert(Arc::from(event.id.as_str()), slot);
            let follows = self.follows_tip(&event);
            self.attach(slot, event);
            match self.shape.get_mut() {
                Some(shape) if follows => shape.tip = Some(slot),
                _ => drop(self.shape.take()),
            }
        }
        Taken::Added
    }

    /// Whether an event of a fresh id becomes the tip by the plain case of the rule: it follows the tip, is greater
    /// than all others, is no pointer, and is not what a pointer has been waiting for.
    fn follows_tip(&self, event: &Event) -> bool {
        let Some(shape) = self.shape.get() else { return false };
        let at_tip = shape.tip.and_then(|slot| self.event_at(slot)).map(|tip| &tip.id) == event.parent_id.as_ref();
        let greatest =
            self.newest.and_then(|slot| self.event_at(slot)).is_some_and(|last| event.order() > last.order());
        let waiting = self.value(TIP_KEY).and_then(Value::as_str) == Some(event.id.as_str());
        at_tip && shape.tip.is_some() && greatest && !waiting && event.body.state_value(TIP_KEY).is_none()
    }

    fn attach(&mut self, slot: usize, event: Arc<Event>) {
        let parent = event.parent_id.as_ref().map(|parent| {
            if let Some(parent) = self.index.get(parent.as_str()) {
                return *parent;
            }
            let fresh = self.slots.len();
            self.slots.push(Slot::default());
            self.index.insert(Arc::from(parent.as_str()), fresh);
            fresh
        });
        self.len += 1;
        self.totals.add(&event.body);
        if self.is_greater(&event, self.newest) {
            self.newest = Some(slot);
        }
        match &event.body {
            EventBody::StateChanged(change) if self.is_greater(&event, self.registers.get(&change.key).copied()) => {
                self.registers.insert(change.key.clone(), slot);
            }
            EventBody::SessionEnded(_) if self.is_greater(&event, self.ended) => self.ended = Some(slot),
            _ => {}
        }
        self.slots[slot].parent = parent;
        self.slots[slot].compaction = event.body.state_value(context::COMPACTION_KEY).is_some();
        self.slots[slot].event = Some(event);
    }

    fn is_greater(&self, event: &Event, than: Option<usize>) -> bool {
        than.and_then(|slot| self.event_at(slot)).is_none_or(|other| event.order() > other.order())
    }

    pub(super) fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| Shape::of(self))
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn slot_of(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied().filter(|slot| self.slots[*slot].event.is_some())
    }

    pub(super) fn event_at(&self, slot: usize) -> Option<&Arc<Event>> {
        self.slots[slot].event.as_ref()
    }

    /// Slot of the winning `StateChanged` of this key.
    pub(super) fn register(&self, key: &str) -> Option<usize> {
        self.registers.get(key).copied()
    }

    /// Every event with its slot, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Arc<Event>)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| place.event.as_ref().map(|event| (slot, event)))
    }

    /// Slots from the root to the tip.
    pub(super) fn path_slots(&self) -> Vec<usize> {
        let shape = self.shape();
        let mut path: Vec<usize> = std::iter::successors(shape.tip, |slot| shape.parent(self, *slot)).collect();
        path.reverse();
        path
    }

    /// The message of the event in that slot, made on first use.
    pub(super) fn message_at(&self, slot: usize) -> Option<&Arc<ChatMessage>> {
        let place = &self.slots[slot];
        let event = place.event.as_ref()?;
        place.message.get_or_init(|| context::message_of(event)).as_ref()
    }
}

impl Extend<Arc<Event>> for SessionState {
    fn extend<I: IntoIterator<Item = Arc<Event>>>(&mut self, events: I) {
        let mut replaced = false;
        for event in events {
            replaced |= matches!(self.insert(event), Taken::Replaced);
        }
        if replaced {
            let kept: Vec<_> = self.all().map(|(_, event)| Arc::clone(event)).collect();
            *self = kept.into_iter().collect();
        }
    }
}

impl FromIterator<Arc<Event>> for SessionState {
    fn from_iter<I: IntoIterator<Item = Arc<Event>>>(events: I) -> Self {
        let mut state = Self::default();
        state.extend(events);
        state
    }
}

impl PartialEq for SessionState {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self.all().all(|(_, event)| {
                other.event(&event.id).is_some_and(|same| Arc::ptr_eq(event, same) || **event == **same)
            })
    }
}

/// Projection of a set of events; the order of the input does not matter.
pub fn project<I: IntoIterator<Item = Arc<Event>>>(events: I) -> SessionState {
    events.into_iter().collect()
}
