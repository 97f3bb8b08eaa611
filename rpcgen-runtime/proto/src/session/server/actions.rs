//! The actions of a server session, by slot, from accepted to answered.
//!
//! Knows: slots, what has begun, what waits its turn. Does not know: lanes, links, frames.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::ids::{CallNumber, MethodId, Slot};
use crate::session::output::ActionHandle;
use crate::time::Instant;

/// Where an action is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ActionState<P> {
    /// Accepted; waits its turn. Only such a one can be cancelled.
    Queued { method: MethodId, redelivered: bool, payload: P },
    /// Handed to the business.
    Executing { since: Instant, deadline: Duration, told: u32 },
    /// Its answer is logged.
    Answered,
    /// The client has guaranteed that it has the answer: the slot is free.
    Taken,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Action<P> {
    pub(super) number: CallNumber,
    pub(super) state: ActionState<P>,
}

/// All actions of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Actions<P> {
    slots: Vec<Option<Action<P>>>,
    queue: VecDeque<ActionHandle>,
    executing: u32,
}

impl<P> Default for Actions<P> {
    fn default() -> Self {
        Self { slots: Vec::new(), queue: VecDeque::new(), executing: 0 }
    }
}

/// An action whose turn has come.
pub(super) struct Begun<P> {
    pub(super) action: ActionHandle,
    pub(super) method: MethodId,
    pub(super) redelivered: bool,
    pub(super) payload: P,
    pub(super) deadline: Duration,
}

impl<P> Actions<P> {
    pub(super) fn executing(&self) -> u32 {
        self.executing
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether a new action may take the slot: the client has the answer of the last one.
    pub(super) fn is_free(&self, slot: Slot) -> bool {
        self.slots
            .get(slot.0 as usize)
            .and_then(Option::as_ref)
            .is_none_or(|action| matches!(action.state, ActionState::Taken))
    }

    /// Puts an action into its slot. The caller has bounded the slot.
    pub(super) fn put(&mut self, handle: ActionHandle, state: ActionState<P>) {
        let index = handle.slot.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        if matches!(state, ActionState::Queued { .. }) {
            self.queue.push_back(handle);
        }
        self.slots[index] = Some(Action { number: handle.number, state });
    }

    /// The action that a slot and a check name.
    pub(super) fn at_slot(&self, slot: Slot, check: u16) -> Option<(ActionHandle, &ActionState<P>)> {
        let action = self.slots.get(slot.0 as usize)?.as_ref()?;
        (action.number.check() == check).then_some((ActionHandle { number: action.number, slot }, &action.state))
    }

    fn state_mut(&mut self, handle: ActionHandle) -> Option<&mut ActionState<P>> {
        let action = self.slots.get_mut(handle.slot.0 as usize)?.as_mut()?;
        (action.number == handle.number).then_some(&mut action.state)
    }

    /// Begins the oldest action that waits.
    pub(super) fn begin_next(&mut self, now: Instant, deadline: impl Fn(MethodId) -> Duration) -> Option<Begun<P>> {
        loop {
            let action = self.queue.pop_front()?;
            let Some(state) = self.state_mut(action) else { continue };
            let ActionState::Queued { method, .. } = state else { continue }; // Cancelled while it waited.
            let deadline = deadline(*method);
            let queued = core::mem::replace(state, ActionState::Executing { since: now, deadline, told: 0 });
            if let ActionState::Queued { method, redelivered, payload } = queued {
                self.executing += 1;
                return Some(Begun { action, method, redelivered, payload, deadline });
            }
        }
    }

    /// The business answered. `false`: the action is not executing (any more).
    pub(super) fn finish(&mut self, handle: ActionHandle) -> bool {
        let Some(state) = self.state_mut(handle) else {
            return false;
        };
        if !matches!(state, ActionState::Executing { .. }) {
            return false;
        }
        *state = ActionState::Answered;
        self.executing -= 1;
        true
    }

    /// The client has the answer.
    pub(super) fn note_taken(&mut self, slot: Slot, check: u16) {
        let action = self.slots.get_mut(slot.0 as usize).and_then(Option::as_mut);
        if let Some(action) = action.filter(|action| action.number.check() == check)
            && matches!(action.state, ActionState::Answered)
        {
            action.state = ActionState::Taken;
        }
    }

    /// A queued action will not run. The caller has seen that it is queued.
    pub(super) fn drop_queued(&mut self, handle: ActionHandle) {
        self.queue.retain(|queued| *queued != handle);
        if let Some(state) = self.state_mut(handle) {
            *state = ActionState::Answered;
        }
    }

    /// The executing actions: when each began, its deadline, and how often it was told to be slow.
    pub(super) fn executing_mut(&mut self) -> impl Iterator<Item = (ActionHandle, Instant, Duration, &mut u32)> {
        (0_u32..).zip(&mut self.slots).filter_map(|(slot, action)| {
            let action = action.as_mut()?;
            let handle = ActionHandle { number: action.number, slot: Slot(slot) };
            match &mut action.state {
                ActionState::Executing { since, deadline, told } => Some((handle, *since, *deadline, told)),
                _ => None,
            }
        })
    }
}
