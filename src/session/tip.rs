//! Finding the tip: the rule is stated in [`super::projection`], this is its computation. Every function is one pass.

use super::event::Event;
use super::projection::{SessionState, TIP_KEY};
use super::steps;

/// What is known about the whole set after a pass over it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// Slot of the tip.
    pub(super) tip: Option<usize>,
    /// Slots where a loop of parents is cut, ascending. Nearly always empty.
    cuts: Vec<usize>,
}

/// Where an event stands relative to the event that a pointer names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Unknown,
    No,
    /// Below it, later than the pointer.
    Later,
    /// Below it, at or after the pointer itself.
    UnderPointer,
}

impl Shape {
    /// Looks at the whole set.
    pub(super) fn of(state: &SessionState) -> Self {
        let mut shape = Self { tip: None, cuts: find_cuts(state) };
        shape.tip = shape.find_tip(state);
        shape
    }

    /// The parent in the tree: known, and not beyond the cut of a loop.
    pub(super) fn parent(&self, state: &SessionState, slot: usize) -> Option<usize> {
        steps::tick();
        let parent = state.slots()[slot].parent.filter(|parent| state.event_at(*parent).is_some())?;
        (self.cuts.is_empty() || self.cuts.binary_search(&slot).is_err()).then_some(parent)
    }

    fn find_tip(&self, state: &SessionState) -> Option<usize> {
        let pointer = state.register(TIP_KEY);
        let target = state.value(TIP_KEY).and_then(|value| state.slot_of(value.as_str()?));
        match (pointer, target) {
            (Some(pointer), Some(target)) => {
                let member = self.below_later(state, target, pointer);
                Some(self.best(state, &member).unwrap_or(target))
            }
            _ => self.best(state, &vec![true; state.slots().len()]),
        }
    }

    /// Which slots are below `target` and later than `pointer`.
    fn below_later(&self, state: &SessionState, target: usize, pointer: usize) -> Vec<bool> {
        let mut reach = vec![Reach::Unknown; state.slots().len()];
        let after = |event: &Event| state.event_at(pointer).is_some_and(|pointer| event.order() > pointer.order());
        let mut pending = Vec::new();
        for (start, _) in state.all() {
            let mut slot = start;
            while reach[slot] == Reach::Unknown && slot != target {
                pending.push(slot);
                match self.parent(state, slot) {
                    Some(parent) => slot = parent,
                    None => break,
                }
            }
            while let Some(slot) = pending.pop() {
                let above = match self.parent(state, slot) {
                    None => Reach::No,
                    Some(parent) if parent == target && target == pointer => Reach::UnderPointer,
                    Some(parent) if parent == target => Reach::Later,
                    Some(parent) => reach[parent],
                };
                reach[slot] = match above {
                    Reach::UnderPointer => Reach::UnderPointer,
                    Reach::Later if slot == pointer => Reach::UnderPointer,
                    Reach::Later if state.event_at(slot).is_some_and(|event| after(event)) => Reach::Later,
                    _ => Reach::No,
                };
            }
        }
        reach.into_iter().map(|reach| matches!(reach, Reach::Later | Reach::UnderPointer)).collect()
    }

    /// The best event of a set; see [`super::projection`].
    fn best(&self, state: &SessionState, member: &[bool]) -> Option<usize> {
        let conversation = |slot: usize, event: &Event| member[slot] && event.body.is_conversation();
        let Some(last) = self.greatest_leaf(state, conversation) else {
            return self.greatest_leaf(state, |slot, event| member[slot] && !is_pointer(event));
        };
        let below = self.descendants(state, last);
        let after = self.greatest_leaf(state, |slot, event| below[slot] && member[slot] && !is_pointer(event));
        after.or(Some(last))
    }

    /// The greatest chosen event by `(ts, id)` among those that no other chosen event descends from.
    fn greatest_leaf(&self, state: &SessionState, chosen: impl Fn(usize, &Event) -> bool) -> Option<usize> {
        let mut has_chosen_below = vec![false; state.slots().len()];
        for (slot, _) in state.all().filter(|(slot, event)| chosen(*slot, event)) {
            let mut above = self.parent(state, slot);
            while let Some(slot) = above.filter(|slot| !has_chosen_below[*slot]) {
                has_chosen_below[slot] = true;
                above = self.parent(state, slot);
            }
        }
        let leaves = state.all().filter(|(slot, event)| !has_chosen_below[*slot] && chosen(*slot, event));
        leaves.max_by(|(_, one), (_, other)| one.order().cmp(&other.order())).map(|(slot, _)| slot)
    }

    /// Which slots are strictly below `top`.
    fn descendants(&self, state: &SessionState, top: usize) -> Vec<bool> {
        let mut known: Vec<Option<bool>> = vec![None; state.slots().len()];
        let mut pending = Vec::new();
        known[top] = Some(true);
        for (start, _) in state.all() {
            let mut slot = start;
            let below = loop {
                if let Some(below) = known[slot] {
                    break below;
                }
                pending.push(slot);
                match self.parent(state, slot) {
                    Some(parent) => slot = parent,
                    None => break false,
                }
            };
            for slot in pending.drain(..) {
                known[slot] = Some(below);
            }
        }
        known[top] = Some(false);
        known.into_iter().map(|below| below == Some(true)).collect()
    }
}

fn is_pointer(event: &Event) -> bool {
    event.body.state_value(TIP_KEY).is_some()
}

/// The least event by `(ts, id)` of every loop of parents.
fn find_cuts(state: &SessionState) -> Vec<usize> {
    /// In which walk a slot was first visited.
    const NEVER: usize = usize::MAX;
    let mut walk_of = vec![NEVER; state.slots().len()];
    let mut cuts = Vec::new();
    let parent_of = |slot: usize| {
        steps::tick();
        state.slots()[slot].parent.filter(|parent| state.event_at(*parent).is_some())
    };
    for (start, _) in state.all() {
        let mut slot = start;
        let met = loop {
            if walk_of[slot] != NEVER {
                break (walk_of[slot] == start).then_some(slot);
            }
            walk_of[slot] = start;
            match parent_of(slot) {
                Some(parent) => slot = parent,
                None => break None,
            }
        };
        let Some(entry) = met else { continue };
        let members = std::iter::successors(parent_of(entry), |slot| parent_of(*slot).filter(|_| *slot != entry));
        let least = members.min_by(|one, other| {
            let key = |slot: usize| state.event_at(slot).map(|event| event.order());
            key(*one).cmp(&key(*other))
        });
        cuts.extend(least);
    }
    cuts.sort_unstable();
    cuts
}
