//! The conversation tree: children, leaves, branch points, depth. Total on malformed input: a missing parent makes a
//! root, a loop of parents is cut as [`super::projection`] says.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::event::Event;
use super::projection::SessionState;
use crate::core::EventId;

/// A view of a state's tree. Making it is one pass over the events; siblings are in `(ts, id)` order.
#[derive(Debug)]
pub struct Tree<'s> {
    state: &'s SessionState,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl<'s> Tree<'s> {
    /// Looks at the tree of a state.
    pub fn new(state: &'s SessionState) -> Self {
        let mut all: Vec<_> = state.all().collect();
        all.sort_unstable_by(|(_, one), (_, other)| one.order().cmp(&other.order()));
        let shape = state.shape();
        let mut tree = Self { state, children: vec![Vec::new(); state.slots().len()], roots: Vec::new() };
        for (slot, _) in all {
            match shape.parent(state, slot) {
                Some(parent) => tree.children[parent].push(slot),
                None => tree.roots.push(slot),
            }
        }
        tree
    }

    /// Events without a parent in the tree.
    pub fn roots(&self) -> Vec<&'s Arc<Event>> {
        self.events(&self.roots)
    }

    /// Events that follow `id` directly; none if the event is unknown.
    pub fn children(&self, id: &EventId) -> Vec<&'s Arc<Event>> {
        self.state.slot_of(id.as_str()).map(|slot| self.events(&self.children[slot])).unwrap_or_default()
    }

    /// The event that `id` follows in the tree.
    pub fn parent(&self, id: &EventId) -> Option<&'s Arc<Event>> {
        let parent = self.state.shape().parent(self.state, self.state.slot_of(id.as_str())?)?;
        self.state.event_at(parent)
    }

    /// Events that nothing follows, in `(ts, id)` order.
    pub fn leaves(&self) -> Vec<&'s Arc<Event>> {
        let mut leaves: Vec<_> =
            self.state.all().filter(|(slot, _)| self.children[*slot].is_empty()).map(|(_, event)| event).collect();
        leaves.sort_unstable_by(|one, other| one.order().cmp(&other.order()));
        leaves
    }

    /// Events from the root to `id`, both included; empty if the event is unknown.
    pub fn path(&self, id: &EventId) -> Vec<&'s Arc<Event>> {
        let shape = self.state.shape();
        let start = self.state.slot_of(id.as_str());
        let mut path: Vec<_> = std::iter::successors(start, |slot| shape.parent(self.state, *slot)).collect();
        path.reverse();
        self.events(&path)
    }

    /// How many events lie above `id`: 0 for a root, `None` if the event is unknown.
    pub fn depth(&self, id: &EventId) -> Option<usize> {
        let shape = self.state.shape();
        let slot = self.state.slot_of(id.as_str())?;
        Some(std::iter::successors(shape.parent(self.state, slot), |slot| shape.parent(self.state, *slot)).count())
    }

    /// Events at which the conversation divides: at least two of their children are, or lead to, conversation events.
    /// In `(ts, id)` order.
    pub fn branch_points(&self) -> Vec<&'s Arc<Event>> {
        let shape = self.state.shape();
        let mut carries = vec![false; self.children.len()];
        for (start, _) in self.state.all().filter(|(_, event)| event.body.is_conversation()) {
            let mut next = Some(start);
            while let Some(slot) = next.filter(|slot| !carries[*slot]) {
                carries[slot] = true;
                next = shape.parent(self.state, slot);
            }
        }
        let mut points: Vec<_> = self
            .state
            .all()
            .filter(|(slot, _)| self.children[*slot].iter().filter(|child| carries[**child]).count() > 1)
            .map(|(_, event)| event)
            .collect();
        points.sort_unstable_by(|one, other| one.order().cmp(&other.order()));
        points
    }

    /// Every event, parents before their children; where the tree leaves it open, by `(ts, id)`.
    pub fn ordered(&self) -> Vec<Arc<Event>> {
        let entry = |slot: usize| self.state.event_at(slot).map(|event| Reverse((event.ts, &event.id, slot)));
        let mut ready: BinaryHeap<_> = self.roots.iter().filter_map(|slot| entry(*slot)).collect();
        let mut ordered = Vec::with_capacity(self.state.len());
        while let Some(Reverse((_, _, slot))) = ready.pop() {
            ordered.extend(self.state.event_at(slot).cloned());
            ready.extend(self.children[slot].iter().filter_map(|child| entry(*child)));
        }
        ordered
    }

    fn events(&self, slots: &[usize]) -> Vec<&'s Arc<Event>> {
        slots.iter().filter_map(|slot| self.state.event_at(*slot)).collect()
    }
}
