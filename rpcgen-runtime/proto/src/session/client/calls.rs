//! The calls of a client session, from accepted to answered.
//!
//! Knows: calls, slots, what each waits for. Does not know: lanes, links, frames.

use alloc::vec::Vec;

use crate::frame::CancelOutcome;
use crate::ids::{CallNumber, MethodId, Slot};
use crate::session::output::CallHandle;
use crate::time::Instant;

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CallState {
    /// Accepted; not sent in this session.
    Waiting,
    /// Sent in this session.
    Sent(Slot),
    /// Answered; its slot is held until the outcome of its cancel is known, so that the outcome names one call only.
    Answered(Slot),
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

    pub(super) fn accept(&mut self, now: Instant, method: MethodId, payload: P, bytes: usize) -> CallHandle {
        let number = self.next_number;
        self.next_number.0 += 1;
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
        let slot = self.free_slots.pop()?;
        self.slots[slot.0 as usize] = Some(handle.index);
        Some(slot)
    }

    pub(super) fn has_free_slot(&self) -> bool {
        !self.free_slots.is_empty()
    }

    /// The call is over: its place and its slot are free.
    pub(super) fn remove(&mut self, handle: CallHandle) -> Option<Call<P>> {
        self.get(handle)?;
        let call = self.table[handle.index as usize].take()?;
        self.free.push(handle.index);
        self.open -= 1;
        self.bytes -= call.bytes;
        if let CallState::Sent(slot) | CallState::Answered(slot) = call.state {
            self.slots[slot.0 as usize] = None;
            self.free_slots.push(slot);
        }
        Some(call)
    }

    /// A new session with `slots` slots: every call waits again. Calls that were answered but held for their cancel are returned:
    /// the outcome will never come.
    pub(super) fn restart(&mut self, slots: u32) -> Vec<CallHandle> {
        let mut held = Vec::new();
        for (index, call) in (0_u32..).zip(&mut self.table) {
            let Some(call) = call else { continue };
            match call.state {
                CallState::Waiting => {}
                CallState::Sent(_) => call.state = CallState::Waiting,
                CallState::Answered(_) => {
                    call.state = CallState::Waiting;
                    held.push(CallHandle { number: call.number, index });
                }
            }
        }
        self.slots = alloc::vec![None; slots as usize];
        self.free_slots = (0..slots).rev().map(Slot).collect();
        held
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
