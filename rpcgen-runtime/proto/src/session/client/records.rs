//! What a client puts on record, what it holds back until that is durable, and how it begins from its records.
//!
//! Knows: which word waits for which record (decision 0026). Does not know: logs.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::{CallState, CancelState, ClientIdentity, ClientSession, Phase};
use crate::config::{Config, Durable};
use crate::error::SendError;
use crate::frame::Refusal;
use crate::ids::{BroadcastNumber, CallNumber, Epoch, MethodId, Slot};
use crate::mutants::mutated;
use crate::record::{ClientRecord, Established, Life, Mark, RecordedBroadcast, RecordedCall, RecoveredClient};
use crate::session::journal::{Bit, Journal};
use crate::session::output::{Answer, CallHandle, ClientEvent, CloseReason, Output, Payload};
use crate::session::timers::{Timer, Timers};
use crate::time::Instant;

/// What waits for records to be durable. Each queue is in the order of its marks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Records {
    pub(super) journal: Journal,
    /// Calls that are to be said to be accepted.
    accepted: VecDeque<(Mark, CallHandle)>,
    /// Calls that ended here, without the server.
    ending: VecDeque<(Mark, CallHandle, Refusal)>,
    /// Answers that may not count as taken, and their slots: as long as their bits are held back the server has these in use.
    answered: VecDeque<(Mark, CallNumber, Option<Slot>)>,
    /// Nothing is said on these lanes before their secret is durable.
    quiet_until: Option<Mark>,
    is_stopped: bool,
}

impl Records {
    pub(super) fn new(durable: &Durable) -> Self {
        Self {
            journal: Journal::new(durable),
            accepted: VecDeque::new(),
            ending: VecDeque::new(),
            answered: VecDeque::new(),
            quiet_until: None,
            is_stopped: false,
        }
    }

    /// Whether this call is not on record yet. They come in the order of their numbers.
    fn is_to_be_accepted(&self, number: CallNumber) -> bool {
        self.accepted.binary_search_by_key(&number, |(_, call)| call.number).is_ok()
    }
}

/// Where a life counts its calls from.
pub(super) fn first_number(life: Life) -> CallNumber {
    if mutated!(NumbersReused) { CallNumber(0) } else { life.first_number() }
}

impl<P: Payload> ClientSession<P> {
    /// A client that goes on from its durable log ([`Config::durable`] says that it has one), without a link. `identity` has the log's
    /// identity for its client, incarnation 0, and the life that began when the log was opened.
    ///
    /// The calls on record wait to be sent again; [`Self::open_handles`] names them.
    #[must_use]
    pub fn recover(
        now: Instant,
        config: Config,
        identity: ClientIdentity,
        seed: u64,
        recovered: RecoveredClient<P>,
    ) -> Self {
        debug_assert!(config.durable.is_some() && identity.life > Life(0), "a client with a durable log");
        let mut session = Self::new(config, identity, seed);
        session.now = now;
        // Nothing is sent before the secret of its lanes is on record, with the life.
        let sent_in = recovered.established.as_ref().map(|established| established.life);
        session.sent_below = sent_in.map_or(CallNumber(0), |life| first_number(Life(life.0.saturating_add(1))));
        session.established = recovered.established;
        if !recovered.calls.is_empty() {
            session.timers.arm(Timer::Overdue, now + session.config.client_deadline);
        }
        for call in recovered.calls {
            let bytes = call.payload.size_bytes();
            session.calls.restore(now, call, bytes);
        }
        session
    }

    /// The calls that have no answer yet, in order of their numbers.
    #[must_use]
    pub fn open_handles(&self) -> Vec<CallHandle> {
        self.calls.in_order()
    }

    /// The durable log has stopped: what is not durable never will be, so nothing that waits for it is ever said. The session ends.
    // spec: protocol.md 4
    pub fn log_stopped(&mut self, now: Instant, cause: &str) {
        self.now = now;
        let Some(records) = &mut self.records else { return };
        records.is_stopped = true;
        if self.phase == Phase::Ended {
            return;
        }
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
        let (dropped, _) = self.drop_open();
        self.phase = Phase::Ended;
        self.timers = Timers::default();
        if let Some(lanes) = self.lanes.take() {
            self.stats = lanes.stats;
        }
        self.event(ClientEvent::Disconnected { dropped });
        self.outputs.push_back(Output::CloseLink(CloseReason::LogStopped(String::from(cause))));
    }

    pub(super) fn why_not(&self) -> SendError {
        let is_stopped = self.records.as_ref().is_some_and(|records| records.is_stopped);
        if is_stopped { SendError::LogStopped } else { SendError::Closing }
    }

    /// Whether calls of this action are put on record.
    pub(super) fn keeps(&self, method: MethodId) -> bool {
        self.records.as_ref().is_some_and(|records| records.journal.keeps(method))
    }

    /// Asks for a record. `None`: there is no durable log.
    fn persist(&mut self, record: ClientRecord<P>) -> Option<Mark> {
        let mark = self.records.as_mut()?.journal.ask();
        self.outputs.push_back(Output::Persist(mark, record));
        Some(mark)
    }

    // spec: protocol.md 4
    pub(super) fn record_call(&mut self, call: CallHandle, method: MethodId, payload: P) {
        let recorded = RecordedCall { number: call.number, method, payload };
        let Some(mark) = self.persist(ClientRecord::Call(recorded)) else { return };
        if mutated!(AcceptedBeforeRecord) {
            self.event(ClientEvent::Accepted(call));
        } else if let Some(records) = &mut self.records {
            records.accepted.push_back((mark, call));
        }
    }

    /// The bit of an answer waits until it is on record: the server forgets it then.
    // spec: protocol.md 4
    pub(super) fn record_answer(&mut self, number: CallNumber, method: MethodId, answer: &Answer<P>) -> Bit {
        if !self.keeps(method) || mutated!(AnswerNotRecorded) {
            return Bit::ONE;
        }
        let Some(mark) = self.persist(ClientRecord::Answer { number, answer: answer.clone() }) else { return Bit::ONE };
        if let Some(records) = &mut self.records {
            records.answered.push_back((mark, number, None));
        }
        Bit { is_one: true, after: mark }
    }

    /// Whether a call is not on record yet. Its answer is told right after it is accepted.
    // spec: protocol.md 4
    #[inline]
    pub(super) fn is_early(&self, call: CallHandle) -> bool {
        let records = self.records.as_ref();
        records.is_some_and(|records| records.is_to_be_accepted(call.number)) && !mutated!(AnsweredBeforeAccepted)
    }

    /// The bit of a go waits until the broadcast is on record: the server forgets it then.
    // spec: protocol.md 10
    pub(super) fn record_broadcast(
        &mut self,
        number: BroadcastNumber,
        method: MethodId,
        redelivered: bool,
        payload: &P,
    ) -> Bit {
        if self.records.is_none() {
            return Bit::ONE;
        }
        let record = RecordedBroadcast { number, method, redelivered, payload: payload.clone() };
        let mark = self.persist(ClientRecord::Broadcast(record));
        match mark {
            Some(after) if !mutated!(GoNotRecorded) => Bit { is_one: true, after },
            _ => Bit::ONE,
        }
    }

    /// A call of which the server is not asked ends; nobody is told before that is on record, or the next life of the log would send
    /// it. `false`: it is not put on record.
    pub(super) fn end_on_record(&mut self, handle: CallHandle, refusal: Refusal) -> bool {
        let Some(call) = self.calls.get(handle) else { return true };
        if !self.keeps(call.method) || mutated!(CancelBeforeRecord) {
            return false;
        }
        if call.state == CallState::Ending {
            return true;
        }
        let answer = Answer::Refused(refusal);
        let mark = self.persist(ClientRecord::Answer { number: handle.number, answer });
        if let (Some(mark), Some(records)) = (mark, &mut self.records) {
            records.ending.push_back((mark, handle, refusal));
        }
        if let Some(call) = self.calls.get_mut(handle) {
            call.state = CallState::Ending;
            if refusal == Refusal::Cancelled {
                call.cancel = CancelState::Waiting; // So that its outcome is told with its end.
            }
        }
        true
    }

    pub(super) fn establish(&mut self, established: Established) {
        let mark = self.persist(ClientRecord::Session(established.clone()));
        self.established = Some(established);
        if let Some(records) = &mut self.records
            && !mutated!(SpeaksBeforeSecret)
        {
            records.quiet_until = mark;
        }
    }

    /// Whether nothing may be said yet: a secret that the server knows and this log does not would lock the client out of its session
    /// after a crash.
    // spec: protocol.md 8
    pub(super) fn is_quiet(&self) -> bool {
        self.records.as_ref().is_some_and(|records| records.quiet_until.is_some())
    }

    /// A server whose log is not in the same life as was seen, or in a later one, was restored, or lost it.
    // spec: protocol.md 8
    pub(super) fn note_epoch(&mut self, found: Epoch) {
        let Some(seen) = self.established.as_ref().map(|known| known.epoch) else { return };
        if seen.log_life().is_some() && found != seen && !seen.is_earlier_life_of(found) {
            self.event(ClientEvent::ServerRestored { seen, found });
        }
    }

    /// Call numbers below this are answered, and that is on record.
    pub(super) fn retired_below(&self) -> CallNumber {
        let answered =
            self.records.as_ref().and_then(|records| records.answered.iter().map(|(_, number, _)| *number).min());
        let open = self.calls.retired_below();
        answered.filter(|_| !mutated!(RetiredBeforeRecord)).map_or(open, |answered| answered.min(open))
    }

    pub(super) fn on_persisted(&mut self, mark: Mark) {
        let Some(mut records) = self.records.take() else { return };
        records.journal.note_durable(mark);
        self.tell_durable(&mut records);
        if records.quiet_until.is_some_and(|quiet| records.journal.is_durable(quiet)) {
            records.quiet_until = None;
        }
        if let Some(lanes) = &mut self.lanes {
            lanes.release_bits(self.now, &records.journal);
        }
        self.records = Some(records);
        if let Phase::Waiting { reliable_ordered } = self.phase
            && !self.is_quiet()
        {
            self.greet(reliable_ordered);
        }
        self.check_drained();
    }

    fn tell_durable(&mut self, records: &mut Box<Records>) {
        while let Some((_, call)) = records.accepted.pop_front_if(|(mark, _)| records.journal.is_durable(*mark)) {
            if let Some(answer) = self.early.remove(&call) {
                self.event(ClientEvent::Accepted(call));
                self.event(ClientEvent::Answered(call, answer));
            } else if self.calls.get(call).is_some_and(|call| !matches!(call.state, CallState::Answered { .. })) {
                self.event(ClientEvent::Accepted(call));
            }
        }
        while let Some((_, call, refusal)) = records.ending.pop_front_if(|(mark, ..)| records.journal.is_durable(*mark))
        {
            self.tell_end(call, refusal);
        }
        while let Some((.., slot)) = records.answered.pop_front_if(|(mark, ..)| records.journal.is_durable(*mark)) {
            slot.into_iter().for_each(|slot| self.calls.free_slot(slot));
        }
    }

    /// An answered call is over. Its slot is free when the bit of its answer may leave.
    // spec: protocol.md 4
    pub(super) fn remove_answered(&mut self, handle: CallHandle) {
        if mutated!(SlotBeforeBit) {
            self.calls.remove(handle);
            return;
        }
        let Some(records) = &mut self.records else { return drop(self.calls.remove(handle)) };
        // Mostly the newest.
        let mut held = records.answered.iter().rposition(|(_, number, _)| *number == handle.number);
        // An answer that is not put on record: its bit waits behind those of others.
        if held.is_none() && self.lanes.as_ref().is_some_and(|lanes| lanes.receive.held_count() > 0) {
            held = Some(records.answered.len());
            records.answered.push_back((records.journal.asked(), handle.number, None));
        }
        match held.and_then(|at| records.answered.get_mut(at)) {
            Some((.., slot)) => *slot = self.calls.remove_but_slot(handle).and_then(|(_, slot)| slot),
            None => drop(self.calls.remove(handle)),
        }
    }

    /// New lanes have slots of their own.
    pub(super) fn forget_slots(&mut self) {
        if let Some(records) = &mut self.records {
            records.answered.iter_mut().for_each(|(.., slot)| *slot = None);
        }
    }

    /// There was no space for a call: it was not accepted, and was not sent yet.
    // spec: protocol.md 4
    pub(super) fn on_no_space(&mut self, mark: Mark) {
        let Some(records) = &mut self.records else { return };
        let Some(at) = records.accepted.iter().position(|(asked, _)| *asked == mark) else { return };
        let Some((_, call)) = records.accepted.remove(at) else { return };
        if let Some(answer) = self.early.remove(&call) {
            self.event(ClientEvent::Answered(call, answer));
        } else if self.calls.remove(call).is_some() {
            self.trim_backlog();
            self.event(ClientEvent::NotAccepted(call));
        }
    }
}
