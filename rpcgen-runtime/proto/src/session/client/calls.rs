//! The calls of a client session, from accepted to answered.
//!
//! Knows: calls, slots, what each waits for. Does not know: lanes, links, frames.

use alloc::vec::Vec;

use crate::frame::CancelOutcome;
use crate::ids::{CallNumber, MethodId, Slot};
use crate::record::RecordedCall;
use crate::session::output::CallHandle;
use crate::time::Instant;

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CallState {
    /// Accepted; not sent in this session.
    Waiting,
    /// Sent in this session.
    Sent(Slot),
    /// Answered; its slot is held until the outcome of its cancel comes, so that the outcome names one call only. Should it never
    /// come, `implied` is what the answer says of it.
    Answered { slot: Slot, implied: CancelOutcome },
    /// Ended here, without the server; nobody is told before that is on record.
    Ending,
}

/// Where the cancel of a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CancelState {
    /// Nobody asked.
    None,
    /// Asked, and in the backlog: it was not sent in this session.
    Waiting,
    /// Asked, and on its way.
    Open,
    /// The server said what became of it.
    Done(CancelOutcome),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call<P> {
    pub(super) number: CallNumber,
    pub(super) method: MethodId,
    /// Kept until the answer is taken: a server that lost its memory needs it again.
    pub(super) payload: P,
    pub(super) bytes: usize,
    pub(super) state: CallState,
    pub(super) cancel: CancelState,
    /// It was sent in this or an earlier session.
    pub(super) maybe_sent: bool,
    pub(super) guaranteed_told: bool,
    pub(super) accepted_at: Instant,
    pub(super) overdue_told: bool,
}

/// All calls of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Calls<P> {
    table: Vec<Option<Call<P>>>,
    free: Vec<u32>,
    open: usize,
    bytes: usize,
    next_number: CallNumber,
    /// The call of each slot in use.
    slots: Vec<Option<u32>>,
    free_slots: Vec<Slot>,
    /// As many as the server grants; the tables grow with those in use, not with what a welcome says.
    slots_max: u32,
}

impl<P> Default for Calls<P> {
    fn default() -> Self {
        Self {
            table: Vec::new(),
            free: Vec::new(),
            open: 0,
            bytes: 0,
            next_number: CallNumber(0),
            slots: Vec::new(),
            free_slots: Vec::new(),
            slots_max: 0,
        }
    }
}

impl<P> Calls<P> {
    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The calls of one life of a client's log.
    pub(super) fn numbered_from(first: CallNumber) -> Self {
        Self { next_number: first, ..Self::default() }
    }

    pub(super) fn accept(&mut self, now: Instant, method: MethodId, payload: P, bytes: usize) -> CallHandle {
        let number = self.next_number;
        self.next_number.0 += 1;
        self.add(now, number, method, payload, bytes)
    }

    /// A call of an earlier life: it may have been sent.
    pub(super) fn restore(&mut self, now: Instant, recorded: RecordedCall<P>, bytes: usize) {
        let handle = self.add(now, recorded.number, recorded.method, recorded.payload, bytes);
        if let Some(call) = self.get_mut(handle) {
            call.maybe_sent = true;
        }
    }

    fn add(&mut self, now: Instant, number: CallNumber, method: MethodId, payload: P, bytes: usize) -> CallHandle {
        let call = Call {
            number,
            method,
            payload,
            bytes,
            state: CallState::Waiting,
            cancel: CancelState::None,
            maybe_sent: false,
            guaranteed_told: false,
            accepted_at: now,
            overdue_told: false,
        };
        self.open += 1;
        self.bytes += bytes;
        let index = if let Some(index) = self.free.pop() {
            self.table[index as usize] = Some(call);
            index
        } else {
            self.table.push(Some(call));
            u32::try_from(self.table.len() - 1).expect("the log's limit is far below")
        };
        CallHandle { number, index }
    }

    pub(super) fn get_mut(&mut self, handle: CallHandle) -> Option<&mut Call<P>> {
        self.table.get_mut(handle.index as usize)?.as_mut().filter(|call| call.number == handle.number)
    }

    pub(super) fn get(&self, handle: CallHandle) -> Option<&Call<P>> {
        self.table.get(handle.index as usize)?.as_ref().filter(|call| call.number == handle.number)
    }

    /// The call that a slot and a check name.
    pub(super) fn at_slot(&self, slot: Slot, check: u16) -> Option<CallHandle> {
        let index = (*self.slots.get(slot.0 as usize)?)?;
        let call = self.table.get(index as usize)?.as_ref()?;
        (call.number.check() == check).then_some(CallHandle { number: call.number, index })
    }

    /// The call that holds a slot.
    pub(super) fn holder_of(&self, slot: Slot) -> Option<CallHandle> {
        let index = (*self.slots.get(slot.0 as usize)?)?;
        let call = self.table.get(index as usize)?.as_ref()?;
        Some(CallHandle { number: call.number, index })
    }

    /// A slot for a call that is about to be sent; the smallest numbers are used over and over.
    pub(super) fn take_slot(&mut self, handle: CallHandle) -> Option<Slot> {
        if !self.has_free_slot() {
            return None;
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Slot(u32::try_from(self.slots.len() - 1).expect("they are fewer than `slots_max`"))
        });
        self.slots[slot.0 as usize] = Some(handle.index);
        Some(slot)
    }

    pub(super) fn has_free_slot(&self) -> bool {
        !self.free_slots.is_empty() || self.slots.len() < self.slots_max as usize
    }

    /// The call is over: its place and its slot are free.
    pub(super) fn remove(&mut self, handle: CallHandle) -> Option<Call<P>> {
        let (call, slot) = self.remove_but_slot(handle)?;
        self.free_slots.extend(slot);
        Some(call)
    }

    /// The call is over. Its slot is nobody's until [`Self::free_slot`]: the server has it in use for as long as it does not know that.
    pub(super) fn remove_but_slot(&mut self, handle: CallHandle) -> Option<(Call<P>, Option<Slot>)> {
        self.get(handle)?;
        let call = self.table[handle.index as usize].take()?;
        self.free.push(handle.index);
        self.open -= 1;
        self.bytes -= call.bytes;
        let (CallState::Sent(slot) | CallState::Answered { slot, .. }) = call.state else { return Some((call, None)) };
        self.slots[slot.0 as usize] = None;
        Some((call, Some(slot)))
    }

    /// The server knows that the slot is free.
    pub(super) fn free_slot(&mut self, slot: Slot) {
        self.free_slots.push(slot);
    }

    /// A new session with `slots` slots: every call waits again.
    pub(super) fn restart(&mut self, slots: u32) {
        for call in self.table.iter_mut().flatten().filter(|call| call.state != CallState::Ending) {
            call.state = CallState::Waiting;
        }
        self.slots = Vec::new();
        self.free_slots = Vec::new();
        self.slots_max = slots;
    }

    /// The calls that are answered and held for the outcome of their cancel, with what their answers say of it.
    pub(super) fn held(&self) -> Vec<(CallHandle, CancelOutcome)> {
        let implied = |(handle, call): (CallHandle, &Call<P>)| match call.state {
            CallState::Answered { implied, .. } => Some((handle, implied)),
            CallState::Waiting | CallState::Sent(_) | CallState::Ending => None,
        };
        self.iter().filter_map(implied).collect()
    }

    /// All calls, oldest first.
    pub(super) fn in_order(&self) -> Vec<CallHandle> {
        let mut handles: Vec<_> = self.iter().map(|(handle, _)| handle).collect();
        handles.sort_unstable();
        handles
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (CallHandle, &Call<P>)> {
        (0_u32..).zip(&self.table).filter_map(|(index, call)| {
            let call = call.as_ref()?;
            Some((CallHandle { number: call.number, index }, call))
        })
    }

    /// Call numbers below this are answered and taken.
    pub(super) fn retired_below(&self) -> CallNumber {
        self.iter().map(|(handle, _)| handle.number).min().unwrap_or(self.next_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_take_memory_when_they_are_used_and_not_when_they_are_granted() {
        let mut calls = Calls::default();
        calls.restart(1 << 20);
        assert_eq!(calls.slots.capacity(), 0);
        let call = calls.accept(Instant::START, MethodId(0), 'a', 1);
        assert_eq!(calls.take_slot(call), Some(Slot(0)));
        assert!(calls.slots.capacity() <= 8);
    }

    #[test]
    fn no_more_slots_are_in_use_than_were_granted_and_a_free_one_is_used_again() {
        let mut calls = Calls::default();
        calls.restart(2);
        let accepted = [0; 3].map(|_| calls.accept(Instant::START, MethodId(0), 'a', 1));
        assert_eq!(accepted.map(|call| calls.take_slot(call)), [Some(Slot(0)), Some(Slot(1)), None]);
        assert!(!calls.has_free_slot());
        calls.get_mut(accepted[1]).unwrap().state = CallState::Sent(Slot(1));
        calls.remove(accepted[1]);
        assert_eq!(calls.take_slot(accepted[2]), Some(Slot(1)));
    }
}
