//! What the server does with what arrives.

use super::actions::ActionState;
use super::{CloseReason, Phase, ServerSession, Unassigned};
use crate::bits::BitArray;
use crate::config::POOL_SIZE_MAX;
use crate::error::ProtocolError;
use crate::frame::{Body, CancelOutcome, Frame, FreshReason, LinkFrame, Refusal};
use crate::ids::{CallNumber, MethodId, Slot};
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
        self.lanes.note_received(now);
        if !frame.riders.still_pending.is_empty() {
            return Err(ProtocolError::NotAllowed { what: "still pending", when: "from a client" });
        }
        self.lanes.on_riders(now, &frame.riders)?;
        let Some(message) = frame.message else {
            return self.apply_bits(frame.bits.as_ref());
        };
        if self.is_closed {
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
            self.apply_bits(bits.as_ref())?;
            let guaranteed = self.on_body(body)?;
            self.lanes.accept(now, guaranteed, bytes);
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
                    let offered = Unassigned { method, payload, redelivered };
                    self.on_offer_settled(number, offered, array.bits.get(index));
                }
                Body::Go { number } => {
                    self.going.remove(&number);
                }
                Body::Response { slot, check, .. }
                | Body::Failure { slot, check, .. }
                | Body::Refusal { slot, check, .. } => {
                    self.actions.note_taken(slot, check);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Processes the next message of the lane; its bit is returned.
    fn on_body(&mut self, body: Body<P>) -> Result<bool, ProtocolError> {
        // Offers up to the log's limit, an answer and the outcome of a cancel for each slot, a go for each offer in flight.
        let config = &self.lanes.config;
        let limit = config.log_messages_max + 2 * config.slots as usize + POOL_SIZE_MAX as usize;
        if self.backlog.len() > limit {
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
                Ok(true)
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
    ) -> Result<bool, ProtocolError> {
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
        let handle = ActionHandle { number, slot };
        let Some(answer) = self.answer_without_running(number, maybe_sent) else {
            // It may have run in an earlier epoch of a memory server, and that is said (trap T7); also when the session of this
            // epoch that it never reached has expired since.
            self.actions.put(handle, ActionState::Queued { method, redelivered: maybe_sent, payload });
            return Ok(true);
        };
        // 0 is for what this server never took responsibility for; an outcome out of the records is a guaranteed answer.
        let is_refused = matches!(answer, Answer::Refused(Refusal::Overloaded));
        self.actions.put(handle, ActionState::Answered);
        self.log_answer(handle, answer);
        Ok(!is_refused)
    }

    /// What is answered at once: outcomes of an earlier session, and refusals.
    fn answer_without_running(&mut self, number: CallNumber, maybe_sent: bool) -> Option<Answer<P>> {
        if maybe_sent && self.fresh == FreshReason::Expired {
            let Some(past) = &mut self.past else {
                return Some(Answer::Refused(Refusal::Unknown)); // The tombstone is gone too: it must not run.
            };
            if let Some(answer) = past.answers.remove(&number) {
                return Some(answer);
            }
            if number < past.called_below {
                return Some(Answer::Refused(Refusal::Unknown));
            }
        }
        let logged = self.backlog_bytes + self.lanes.send.bytes_in_flight;
        // That one did not run can only be said of one that was never sent before: it may have run in an earlier epoch.
        let is_overloaded = logged > self.lanes.config.log_bytes_max && !maybe_sent;
        is_overloaded.then_some(Answer::Refused(Refusal::Overloaded))
    }

    // spec: protocol.md 1
    fn on_cancel(&mut self, slot: Slot, check: u16) -> Result<bool, ProtocolError> {
        let Some((handle, state)) = self.actions.at_slot(slot, check) else {
            return Err(ProtocolError::WrongSlot { what: "a cancel", slot, check });
        };
        let outcome = match state {
            ActionState::Queued { redelivered: false, .. } => CancelOutcome::Cancelled,
            // It may have run in the epoch before (trap T28): it will not run now, but nobody may say that it never did.
            ActionState::Queued { redelivered: true, .. } => CancelOutcome::MaybeExecuted,
            ActionState::Executing { .. } => CancelOutcome::Executing,
            ActionState::Answered | ActionState::Taken => CancelOutcome::Answered,
        };
        match outcome {
            CancelOutcome::Cancelled => {
                self.actions.drop_queued(handle);
                self.log(Body::Refusal { slot, check, reason: Refusal::Cancelled });
            }
            CancelOutcome::MaybeExecuted => {
                self.actions.drop_queued(handle);
                self.log(Body::Refusal { slot, check, reason: Refusal::Unknown });
            }
            CancelOutcome::Executing => self.event(ServerEvent::CancelRequested(handle)),
            CancelOutcome::Answered => {}
        }
        self.log(Body::CancelResult { slot, check, outcome });
        Ok(true)
    }
}
