//! What the server does with what arrives.

use super::actions::{Action, ActionState, Finished};
use super::{CloseReason, Phase, ServerSession, Unassigned, body_of};
use crate::bits::BitArray;
use crate::config::POOL_SIZE_MAX;
use crate::digest;
use crate::error::ProtocolError;
use crate::frame::{Body, CancelOutcome, Frame, LinkFrame, Refusal};
use crate::ids::{CallNumber, MethodId, Slot};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::session::journal::Bit;
use crate::session::output::{ActionHandle, Answer, Payload, ServerEvent};
use crate::session::receive_lane::Next;

impl<P: Payload> ServerSession<P> {
    pub(super) fn on_received(&mut self, frame: LinkFrame<P>) -> Result<(), ProtocolError> {
        if self.phase != Phase::Live {
            return Ok(());
        }
        match frame {
            LinkFrame::Frame(frame) => self.on_frame(frame),
            LinkFrame::Close(close) => {
                self.event(ServerEvent::Disputed);
                self.close_link(CloseReason::Refused(close.message));
                Ok(())
            }
            LinkFrame::Hello(_) | LinkFrame::Welcome(_) | LinkFrame::Reject(_) => {
                Err(ProtocolError::NotAllowed { what: "a handshake frame", when: "after the handshake" })
            }
        }
    }

    fn on_frame(&mut self, frame: Frame<P>) -> Result<(), ProtocolError> {
        let now = self.now;
        if self.is_untouched {
            self.note_used();
        }
        self.lanes.note_received(now);
        if let Some(riders) = frame.riders.as_deref() {
            if !riders.still_pending.is_empty() {
                return Err(ProtocolError::NotAllowed { what: "still pending", when: "from a client" });
            }
            self.lanes.on_riders(now, riders)?;
        }
        let Some(message) = frame.message else {
            return self.apply_bits(frame.bits.as_ref());
        };
        if self.is_closed {
            mark!(ClosedToMessages);
            // Its bits are news of our own messages; out of order they are no harm, as the message will bring them again.
            return if self.lanes.place_bits(frame.bits.as_ref()).is_ok() {
                self.apply_bits(frame.bits.as_ref())
            } else {
                Ok(())
            };
        }
        let bytes = message.body.payload_bytes();
        let mut next = self.lanes.file(now, message, frame.bits, bytes)?;
        while let Some(Next { bits, body, bytes }) = next {
            if !mutated!(BitsAfterTheirMessage) {
                self.apply_bits(bits.as_ref())?;
            }
            let bit = self.on_body(body)?;
            if mutated!(BitsAfterTheirMessage) {
                self.apply_bits(bits.as_ref())?;
            }
            self.lanes.accept(now, bit, bytes);
            next = if self.is_closed { None } else { self.lanes.receive.take_next() };
        }
        Ok(())
    }

    /// Bits are processed before the message that they ride on.
    // spec: protocol.md 6
    fn apply_bits(&mut self, array: Option<&BitArray>) -> Result<(), ProtocolError> {
        let Some(array) = array else { return Ok(()) };
        for index in self.lanes.place_bits(Some(array))?..array.bits.count() {
            let Some(entry) = self.lanes.release(self.now) else {
                return Ok(());
            };
            match entry.body {
                Body::Offer { number, method, redelivered, payload } => {
                    let offered = Unassigned { number, method, payload, redelivered };
                    self.on_offer_settled(number, offered, array.bits.get(index));
                }
                Body::Go { number } => {
                    self.going.remove(&number);
                    if self.records.is_some() {
                        self.event(ServerEvent::BroadcastDelivered(number));
                    }
                }
                Body::Response { slot, check, .. }
                | Body::Failure { slot, check, .. }
                | Body::Refusal { slot, check, .. } => {
                    if let Some((number, method)) = self.actions.note_taken(slot, check) {
                        self.forget(number, Some(method));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Processes the next message of the lane; its bit is returned.
    fn on_body(&mut self, body: Body<P>) -> Result<Bit, ProtocolError> {
        // Offers up to the log's limit, an answer and the outcome of a cancel for each slot, a go for each offer in flight.
        let config = &self.lanes.config;
        let limit = config.log_messages_max + 2 * config.slots as usize + POOL_SIZE_MAX as usize;
        let held = self.records.as_ref().map_or(0, |records| records.bodies.len());
        if self.urgent.len() + self.backlog.len() + held > limit {
            // It takes nothing of what it asks for, over and over.
            return Err(ProtocolError::LimitExceeded {
                what: "messages that wait for the client",
                limit: limit as u64,
            });
        }
        match body {
            Body::Action { slot, number, method, maybe_sent, payload } => {
                self.on_action(slot, number, method, maybe_sent, payload)
            }
            Body::Cancel { slot, check } => self.on_cancel(slot, check),
            Body::Goodbye => {
                self.client_said_goodbye = true;
                self.is_closed = true;
                self.log(Body::Goodbye); // After everything that is still to be said.
                Ok(Bit::ONE)
            }
            _ => Err(ProtocolError::NotAllowed { what: "an answer or a broadcast", when: "from a client" }),
        }
    }

    fn on_action(
        &mut self,
        slot: Slot,
        number: Option<CallNumber>,
        method: MethodId,
        maybe_sent: bool,
        payload: P,
    ) -> Result<Bit, ProtocolError> {
        let number = number.unwrap_or(self.implied_number);
        if slot.0 >= self.lanes.config.slots {
            return Err(ProtocolError::LimitExceeded { what: "slots", limit: u64::from(self.lanes.config.slots) });
        }
        if number < self.implied_number || number.0 == u64::MAX {
            return Err(ProtocolError::NotAllowed { what: "a call number", when: "below one that was used" });
        }
        if !self.actions.is_free(slot) {
            return Err(ProtocolError::WrongSlot { what: "an action", slot, check: number.check() });
        }
        self.implied_number = CallNumber(number.0 + 1);
        let digest = if self.compares { digest::of_request(method, payload.digest()) } else { 0 };
        if self.has_past
            && let Some(bit) = self.ask_ledger(slot, number, method, digest, maybe_sent)
        {
            return Ok(bit);
        }
        let action = Action { number, method, digest, state: ActionState::Answered { is_own: true } };
        let logged = self.logged_bytes();
        // That one did not run can only be said of one that was never sent before: it may have run in an earlier epoch.
        if logged > self.lanes.config.log_bytes_max && (!maybe_sent || mutated!(OverloadedThoughSent)) {
            self.actions.put(slot, action);
            if mutated!(AcceptedAndForgotten) {
                return Ok(Bit::ONE);
            }
            return Ok(Bit { is_one: false, ..self.answer_at_once(slot, number, method, digest, Refusal::Overloaded) });
        }
        // It may have run in an earlier epoch of a memory server, and that is said (trap T7); also when the session of this epoch that
        // it never reached has expired since.
        let redelivered = maybe_sent && !mutated!(RedeliveryNotSaid);
        let waits = self.is_paused || self.actions.executing() >= self.lanes.config.handlers_max;
        let payload = if waits { payload.compacted() } else { payload };
        let bit = self.record_action(ActionHandle { number, slot }, method, digest, maybe_sent, &payload);
        // What may have run before may be what killed its server, before anything of it was on record: now it is, before it runs again.
        let on_record = redelivered && self.keeps(method) && !mutated!(PoisonWithoutRecord);
        self.actions.put(slot, Action { state: ActionState::Queued { redelivered, on_record, payload }, ..action });
        Ok(bit)
    }

    /// What earlier lanes or an expired session left of an action. Its bit, if it does not run as a new one.
    // spec: protocol.md 8
    fn ask_ledger(
        &mut self,
        slot: Slot,
        number: CallNumber,
        method: MethodId,
        digest: u64,
        maybe_sent: bool,
    ) -> Option<Bit> {
        for taken in self.ledger.note_asked(number) {
            self.forget(taken, None);
        }
        let kept = self.ledger.answers.get(&number).map(|kept| kept.digest);
        let known = kept.or_else(|| self.actions.unasked(number).map(|action| action.digest));
        let known = known.filter(|_| !mutated!(ExpiredRunsAgain) || number >= self.ledger.expired_below);
        if let Some(known) = known {
            let differs = known != 0 && digest != 0 && known != digest;
            if differs || !maybe_sent {
                return Some(self.refuse_reused(slot, number, method, digest));
            }
            // The lanes before may have left it while its record was on the way.
            let unsettled = self.unsettled();
            if let Some(kept) = self.ledger.answers.remove(&number) {
                mark!(AnswerFromRecord);
                let state = ActionState::Answered { is_own: true };
                self.actions.put(slot, Action { number, method, digest, state });
                self.log_after(unsettled, body_of(slot, number.check(), kept.answer));
            } else {
                mark!(ActionAskedAgain);
                self.actions.adopt(number, slot);
            }
            return Some(Bit { is_one: true, after: unsettled.unwrap_or_default() });
        }
        if maybe_sent && number < self.ledger.expired_below && self.lanes.config.has_completions {
            return None;
        }
        if maybe_sent && self.ledger.knows_of(number, self.records.is_none() || self.keeps(method)) {
            mark!(UnknownWithoutRecord);
            let state = ActionState::Answered { is_own: true };
            self.actions.put(slot, Action { number, method, digest, state });
            return Some(self.answer_at_once(slot, number, method, digest, Refusal::Unknown));
        }
        // The lanes before had a later call: a number that is new now is used for the second time.
        (!maybe_sent && number < self.ledger.called_below).then(|| self.refuse_reused(slot, number, method, digest))
    }

    /// A refusal that goes on record like any other answer. Its bit is that of an answer out of the records: one.
    fn answer_at_once(
        &mut self,
        slot: Slot,
        number: CallNumber,
        method: MethodId,
        digest: u64,
        refusal: Refusal,
    ) -> Bit {
        let finished =
            Finished { method, digest, slot: Some(slot), redelivered: false, since: crate::time::Instant::START };
        let mark = self.conclude(number, &finished, Answer::Refused(refusal));
        Bit { is_one: true, after: mark.unwrap_or_default() }
    }

    /// The number is another call's (trap T8): nothing of that one is said, and nothing is put on record under it.
    fn refuse_reused(&mut self, slot: Slot, number: CallNumber, method: MethodId, digest: u64) -> Bit {
        mark!(CallKeyReused);
        let state = ActionState::Answered { is_own: false };
        self.actions.put(slot, Action { number, method, digest, state });
        self.log_after(None, Body::Refusal { slot, check: number.check(), reason: Refusal::CallKeyReused });
        Bit::ONE
    }

    // spec: protocol.md 1
    fn on_cancel(&mut self, slot: Slot, check: u16) -> Result<Bit, ProtocolError> {
        let Some((handle, action)) = self.actions.at_slot(slot, check) else {
            return Err(ProtocolError::WrongSlot { what: "a cancel", slot, check });
        };
        let outcome = match action.state {
            ActionState::Queued { redelivered: false, .. } => CancelOutcome::Cancelled,
            // It may have run in the epoch before (trap T28): it will not run now, but nobody may say that it never did.
            ActionState::Queued { .. } if mutated!(CancelAfterCrashSaysCancelled) => CancelOutcome::Cancelled,
            ActionState::Queued { redelivered: true, .. } => CancelOutcome::MaybeExecuted,
            ActionState::Executing { .. } if mutated!(CancelOfRunningSaysCancelled) => CancelOutcome::Cancelled,
            // The first record decides, and its beginning was first (trap T28).
            ActionState::Beginning { .. } | ActionState::Executing { .. } => CancelOutcome::Executing,
            ActionState::Answered { .. } | ActionState::Taken => CancelOutcome::Answered,
        };
        match outcome {
            CancelOutcome::Cancelled => {
                self.drop_queued(handle, Refusal::Cancelled);
            }
            CancelOutcome::MaybeExecuted => {
                self.drop_queued(handle, Refusal::Unknown);
            }
            CancelOutcome::Executing => self.event(ServerEvent::CancelRequested(handle)),
            CancelOutcome::Answered => {}
        }
        if !mutated!(CancelOutcomeMissing) {
            self.log_after(None, Body::CancelResult { slot, check, outcome });
        }
        Ok(Bit::ONE)
    }

    /// A queued action will not run.
    fn drop_queued(&mut self, action: ActionHandle, refusal: Refusal) {
        if mutated!(CancelledStillRuns) {
            let (slot, check) = (action.slot, action.number.check());
            return self.log(Body::Refusal { slot, check, reason: refusal });
        }
        if let Some(finished) = self.actions.finish(action) {
            self.conclude(action.number, &finished, Answer::Refused(refusal));
        }
    }
}
