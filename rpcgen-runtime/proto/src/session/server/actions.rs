//! The actions of a server session, by slot, from accepted to answered; and those of earlier lanes that are still open.
//!
//! Knows: slots, what has begun, what waits its turn. Does not know: lanes, links, frames.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use crate::ids::{CallNumber, MethodId, Slot};
use crate::mutants::mutated;
use crate::session::output::ActionHandle;
use crate::time::Instant;

/// Where an action is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ActionState<P> {
    /// Accepted; waits its turn. Only such a one can be cancelled. `on_record`: its beginning has to be on record before it runs.
    Queued { redelivered: bool, on_record: bool, payload: P },
    /// Its turn has come; waits until that is on record.
    Beginning { redelivered: bool, payload: P },
    /// Handed to the business.
    Executing { redelivered: bool, since: Instant, deadline: Duration, told: u32 },
    /// Its answer is logged. `is_own`: it is the answer of this number, not the word that the number was another call's.
    Answered { is_own: bool },
    /// The client has guaranteed that it has the answer: the slot is free.
    Taken,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Action<P> {
    pub(super) number: CallNumber,
    pub(super) method: MethodId,
    /// Of the request; 0: not known.
    pub(super) digest: u64,
    pub(super) state: ActionState<P>,
}

impl<P> Action<P> {
    fn is_open(&self) -> bool {
        !matches!(self.state, ActionState::Answered { .. } | ActionState::Taken)
    }
}

/// All actions of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Actions<P> {
    slots: Vec<Option<Action<P>>>,
    queue: VecDeque<ActionHandle>,
    executing: u32,
    /// Open actions of earlier lanes that the client has not asked for on these.
    unasked: BTreeMap<CallNumber, Action<P>>,
    /// Where those are that it has asked for: their handles name the slots of earlier lanes.
    moved: BTreeMap<CallNumber, Slot>,
}

impl<P> Default for Actions<P> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            queue: VecDeque::new(),
            executing: 0,
            unasked: BTreeMap::new(),
            moved: BTreeMap::new(),
        }
    }
}

/// [`Actions`] of a session of which none executes. Mostly the slots are all of it.
#[derive(Clone, Debug)]
pub(super) struct PackedActions<P> {
    slots: Box<[Option<Action<P>>]>,
    others: Option<Box<Actions<P>>>,
}

impl<P> PackedActions<P> {
    pub(super) fn unpack(self) -> Actions<P> {
        Actions { slots: self.slots.into_vec(), ..self.others.map(|others| *others).unwrap_or_default() }
    }

    /// Memory beside itself, in bytes; payloads and actions of earlier lanes are not counted.
    pub(super) fn heap_bytes(&self) -> usize {
        let others = self.others.as_ref().map_or(0, |others| size_of_val(&**others));
        size_of_val(&*self.slots) + others
    }
}

/// An action that is handed to the business.
pub(super) struct Begun<P> {
    pub(super) redelivered: bool,
    pub(super) payload: P,
}

/// An action that the business has answered.
pub(super) struct Finished {
    pub(super) method: MethodId,
    pub(super) digest: u64,
    /// Where the client expects the answer; `None`: it has not asked for it on these lanes.
    pub(super) slot: Option<Slot>,
    pub(super) redelivered: bool,
    pub(super) since: Instant,
}

impl<P> Actions<P> {
    pub(super) fn pack(mut self) -> PackedActions<P> {
        let slots = mem::take(&mut self.slots).into_boxed_slice();
        let has_others = !(self.queue.is_empty() && self.unasked.is_empty() && self.moved.is_empty());
        PackedActions { slots, others: has_others.then(|| Box::new(self)) }
    }

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
    pub(super) fn put(&mut self, slot: Slot, action: Action<P>) {
        if matches!(action.state, ActionState::Queued { .. }) {
            self.queue.push_back(ActionHandle { number: action.number, slot });
        }
        *self.slot_mut(slot) = Some(action);
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut Option<Action<P>> {
        let index = slot.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        &mut self.slots[index]
    }

    /// The action that a slot and a check name.
    pub(super) fn at_slot(&self, slot: Slot, check: u16) -> Option<(ActionHandle, &Action<P>)> {
        let action = self.slots.get(slot.0 as usize)?.as_ref()?;
        (action.number.check() == check).then_some((ActionHandle { number: action.number, slot }, action))
    }

    /// An action of whatever lanes, and where it is on these.
    fn find(&mut self, handle: ActionHandle) -> Option<(&mut Action<P>, Option<Slot>)> {
        let is_there = |slot: Slot, slots: &Vec<Option<Action<P>>>| {
            slots.get(slot.0 as usize).and_then(Option::as_ref).is_some_and(|action| action.number == handle.number)
        };
        let slot = if is_there(handle.slot, &self.slots) { Some(handle.slot) } else { None };
        let slot = slot.or_else(|| self.moved.get(&handle.number).copied().filter(|slot| is_there(*slot, &self.slots)));
        match slot {
            Some(slot) => Some((self.slots[slot.0 as usize].as_mut()?, Some(slot))),
            None => Some((self.unasked.get_mut(&handle.number)?, None)),
        }
    }

    /// The turn of the oldest action that waits has come: [`Self::begin`] it, or [`Self::run`] it at once. Its beginning has to be on
    /// record, if the last value says so.
    pub(super) fn next_in_turn(&mut self) -> Option<(ActionHandle, MethodId, bool)> {
        loop {
            let handle = self.queue.pop_front()?;
            let Some((action, _)) = self.find(handle) else { continue };
            if let ActionState::Queued { on_record, .. } = action.state {
                return Some((handle, action.method, on_record));
            }
            // It was cancelled while it waited.
        }
    }

    /// That it begins goes on record first. It counts as executing from now on.
    pub(super) fn begin(&mut self, handle: ActionHandle) {
        let Some((action, _)) = self.find(handle) else { return };
        if let ActionState::Queued { redelivered, payload, .. } = mem::replace(&mut action.state, ActionState::Taken) {
            action.state = ActionState::Beginning { redelivered, payload };
            self.executing += 1;
        }
    }

    /// Which action is about to begin; `None`: it is not.
    pub(super) fn beginning(&mut self, handle: ActionHandle) -> Option<MethodId> {
        let (action, _) = self.find(handle)?;
        matches!(action.state, ActionState::Beginning { .. }).then_some(action.method)
    }

    /// It may run: that it begins is on record, or need not be. `again`: it has begun before.
    pub(super) fn run(
        &mut self,
        handle: ActionHandle,
        again: bool,
        now: Instant,
        deadline: Duration,
    ) -> Option<Begun<P>> {
        let (action, _) = self.find(handle)?;
        let (redelivered, was_queued) = match action.state {
            ActionState::Queued { redelivered, .. } => (redelivered || again, true),
            ActionState::Beginning { redelivered, .. } => (redelivered || again, false),
            _ => return None,
        };
        let executing = ActionState::Executing { redelivered, since: now, deadline, told: 0 };
        let begun = match mem::replace(&mut action.state, executing) {
            ActionState::Queued { payload, .. } | ActionState::Beginning { payload, .. } => {
                Begun { redelivered, payload }
            }
            _ => return None,
        };
        self.executing += u32::from(was_queued);
        Some(begun)
    }

    /// The business has answered it. `None`: it has not got it.
    pub(super) fn finish_executing(&mut self, handle: ActionHandle) -> Option<Finished> {
        let (action, slot) = self.find(handle)?;
        let ActionState::Executing { redelivered, since, .. } = action.state else { return None };
        action.state = ActionState::Answered { is_own: true };
        let finished = Finished { method: action.method, digest: action.digest, slot, redelivered, since };
        self.executing -= 1;
        self.over(handle, slot);
        Some(finished)
    }

    /// It is not open any more.
    fn over(&mut self, handle: ActionHandle, slot: Option<Slot>) {
        // Both are of earlier lanes, and mostly empty.
        if !self.moved.is_empty() {
            self.moved.remove(&handle.number);
        }
        if slot.is_none() {
            self.unasked.remove(&handle.number);
        }
    }

    /// It will not run, or not go on: it is not open any more. `None`: it was not.
    pub(super) fn finish(&mut self, handle: ActionHandle) -> Option<Finished> {
        let (action, slot) = self.find(handle).filter(|(action, _)| action.is_open())?;
        let (redelivered, since, was_executing) = match action.state {
            ActionState::Queued { redelivered, .. } => (redelivered, Instant::START, false),
            ActionState::Beginning { redelivered, .. } => (redelivered, Instant::START, true),
            ActionState::Executing { redelivered, since, .. } => (redelivered, since, true),
            ActionState::Answered { .. } | ActionState::Taken => return None,
        };
        action.state = ActionState::Answered { is_own: true };
        let finished = Finished { method: action.method, digest: action.digest, slot, redelivered, since };
        self.executing -= u32::from(was_executing);
        self.over(handle, slot);
        if !was_executing {
            self.queue.retain(|queued| queued.number != handle.number);
        }
        Some(finished)
    }

    /// The client has the answer. Which one it was of, if that is news.
    pub(super) fn note_taken(&mut self, slot: Slot, check: u16) -> Option<(CallNumber, MethodId)> {
        let action = self.slots.get_mut(slot.0 as usize).and_then(Option::as_mut);
        let action = action.filter(|action| action.number.check() == check)?;
        let ActionState::Answered { is_own } = action.state else { return None };
        if mutated!(AnswerTakenForgotten) {
            return None;
        }
        action.state = ActionState::Taken;
        is_own.then_some((action.number, action.method))
    }

    /// The lowest number whose answer the client has not guaranteed to have, also of earlier lanes. `None`: it has all.
    pub(super) fn open_from(&self) -> Option<CallNumber> {
        let asked = self.slots.iter().flatten().filter(|action| !matches!(action.state, ActionState::Taken));
        asked.chain(self.unasked.values()).map(|action| action.number).min()
    }

    /// The executing actions: when each began, its deadline, and how often it was told to be slow.
    pub(super) fn executing_mut(&mut self) -> impl Iterator<Item = (ActionHandle, Instant, Duration, &mut u32)> {
        let asked = (0_u32..).zip(&mut self.slots).filter_map(|(slot, action)| Some((Slot(slot), action.as_mut()?)));
        asked.filter_map(|(slot, action)| {
            let handle = ActionHandle { number: action.number, slot };
            match &mut action.state {
                ActionState::Executing { since, deadline, told, .. } => Some((handle, *since, *deadline, told)),
                _ => None,
            }
        })
    }

    // ---- lanes that begin afresh ----------------------------------------------------------------------------------------------------

    /// The slots are those of new lanes from now on. What is open stays so, and waits for the client to ask for it.
    pub(super) fn restart(&mut self) {
        for action in mem::take(&mut self.slots).into_iter().flatten() {
            if action.is_open() {
                self.unasked.insert(action.number, action);
            }
        }
        self.moved.clear();
        if mutated!(LedgerDropsRunning) {
            self.unasked.clear();
            (self.executing, self.queue) = (0, VecDeque::new());
        }
    }

    /// An open action that was found in the log. It is run, whether its client comes back or not.
    pub(super) fn restore(&mut self, action: Action<P>) {
        // A slot that no lane has: it is found by its number.
        self.queue.push_back(ActionHandle { number: action.number, slot: Slot(u32::MAX) });
        self.unasked.insert(action.number, action);
    }

    /// For checks: as many as execute, counted anew.
    pub(super) fn count_executing(&self) -> u32 {
        let all = self.slots.iter().flatten().chain(self.unasked.values());
        let executes =
            |action: &&Action<P>| matches!(action.state, ActionState::Beginning { .. } | ActionState::Executing { .. });
        u32::try_from(all.filter(executes).count()).unwrap_or(u32::MAX)
    }

    /// An open action of earlier lanes.
    pub(super) fn unasked(&self, number: CallNumber) -> Option<&Action<P>> {
        self.unasked.get(&number)
    }

    /// The client has asked for it: here it expects the answer.
    pub(super) fn adopt(&mut self, number: CallNumber, slot: Slot) {
        if let Some(action) = self.unasked.remove(&number) {
            self.moved.insert(number, slot);
            *self.slot_mut(slot) = Some(action);
        }
    }
}
