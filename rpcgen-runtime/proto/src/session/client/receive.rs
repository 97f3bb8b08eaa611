//! What the client does with what arrives.

use super::{CallState, CancelState, ClientSession, Offer, Phase};
use crate::bits::BitArray;
use crate::error::ProtocolError;
use crate::frame::{Body, CancelOutcome, Frame, LinkFrame};
use crate::ids::{CallNumber, MethodId, Slot};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::session::journal::Bit;
use crate::session::output::{Answer, ClientEvent, CloseReason, Payload};
use crate::session::receive_lane::Next;

impl<P: Payload> ClientSession<P> {
    pub(super) fn on_received(&mut self, frame: LinkFrame<P>) -> Result<(), ProtocolError> {
        if matches!(self.phase, Phase::Away | Phase::Waiting { .. } | Phase::Closing | Phase::Ended) {
            return Ok(());
        }
        match frame {
            LinkFrame::Frame(frame) if self.phase == Phase::Live => self.on_frame(frame),
            // It overtook the welcome; it will be sent again.
            LinkFrame::Frame(_) if matches!(self.phase, Phase::Greeting { reliable_ordered: false, .. }) => {
                mark!(OvertookWelcome);
                Ok(())
            }
            LinkFrame::Frame(_) => Err(ProtocolError::NotAllowed { what: "a frame", when: "before the welcome" }),
            LinkFrame::Welcome(welcome) => self.on_welcome(*welcome),
            LinkFrame::Reject(reject) => {
                self.on_reject(reject);
                Ok(())
            }
            LinkFrame::Close(close) => {
                self.close_link(CloseReason::Refused(close.message));
                Ok(())
            }
            LinkFrame::Hello(_) => Err(ProtocolError::NotAllowed { what: "a hello", when: "from a server" }),
        }
    }

    fn on_frame(&mut self, frame: Frame<P>) -> Result<(), ProtocolError> {
        let now = self.now;
        let Some(lanes) = self.lanes.as_mut() else {
            return Ok(());
        };
        lanes.note_received(now);
        if let Some(riders) = frame.riders.as_deref() {
            lanes.on_riders(now, riders)?;
            for (slot, check) in &riders.still_pending {
                // One that crossed with the answer names nothing any more.
                if let Some(call) = self.calls.at_slot(*slot, *check) {
                    self.event(ClientEvent::StillPending(call));
                }
            }
        }
        let Some(message) = frame.message else {
            self.apply_bits(frame.bits.as_ref())?;
            self.check_drained();
            return Ok(());
        };
        let bytes = message.body.payload_bytes();
        let Some(lanes) = self.lanes.as_mut() else {
            return Ok(());
        };
        let mut next = lanes.file(now, message, frame.bits, bytes)?;
        while let Some(Next { bits, body, bytes }) = next {
            self.apply_bits(bits.as_ref())?;
            let bit = self.on_body(body, bytes)?;
            let Some(lanes) = self.lanes.as_mut() else {
                return Ok(());
            };
            lanes.accept(now, bit, bytes);
            next = lanes.receive.take_next();
        }
        self.check_drained();
        Ok(())
    }

    /// Bits are processed before the message that they ride on.
    // spec: protocol.md 6
    fn apply_bits(&mut self, array: Option<&BitArray>) -> Result<(), ProtocolError> {
        let (Some(array), Some(lanes)) = (array, self.lanes.as_ref()) else {
            return Ok(());
        };
        for index in lanes.place_bits(Some(array))?..array.bits.count() {
            let Some(lanes) = self.lanes.as_mut() else {
                return Ok(());
            };
            let Some(entry) = lanes.release(self.now) else {
                return Ok(());
            };
            if let Body::Action { slot, number, .. } = entry.body {
                let number = number.unwrap_or(self.implied_guaranteed);
                self.implied_guaranteed = CallNumber(number.0 + 1);
                if array.bits.get(index) {
                    self.note_guaranteed(slot, number);
                }
            }
        }
        Ok(())
    }

    /// A guarantee for an action that was sent in this slot. The slot may be another call's by now: where the bit waited behind records
    /// of others, the answer came first.
    // spec: protocol.md 6
    fn note_guaranteed(&mut self, slot: Slot, number: CallNumber) {
        let holder = self.calls.holder_of(slot);
        let Some(handle) = holder.filter(|held| held.number == number || mutated!(GuaranteeOfAnotherCall)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(handle) else { return };
        if matches!(call.state, CallState::Sent(_)) && !core::mem::replace(&mut call.guaranteed_told, true) {
            self.event(ClientEvent::Guaranteed(handle));
        }
    }

    /// Processes the next message of the lane; its bit is returned.
    fn on_body(&mut self, body: Body<P>, bytes: usize) -> Result<Bit, ProtocolError> {
        match body {
            Body::Response { slot, check, payload } => self.on_answer(slot, check, Answer::Response(payload)),
            Body::Failure { slot, check, payload } => self.on_answer(slot, check, Answer::Failure(payload)),
            Body::Refusal { slot, check, reason } => self.on_answer(slot, check, Answer::Refused(reason)),
            Body::CancelResult { slot, check, outcome } => self.on_cancel_result(slot, check, outcome),
            Body::Offer { number, method, redelivered, payload } => {
                let has_room = self.offers.len().saturating_add(self.held.0) < self.config.log_messages_max
                    && self.offers_bytes.saturating_add(self.held.1).saturating_add(bytes) <= self.config.log_bytes_max;
                if !has_room || !self.handles(method) {
                    mark!(OfferWithoutRoom);
                    return Ok(Bit::ZERO);
                }
                self.offers_bytes += bytes;
                self.offers.insert(number, Offer { method, redelivered, payload: payload.compacted(), bytes });
                Ok(Bit::ONE)
            }
            Body::Go { number } => {
                let Some(offer) = self.offers.remove(&number) else {
                    return Err(ProtocolError::NotAllowed {
                        what: "a go",
                        when: "for a broadcast that was not offered",
                    });
                };
                self.offers_bytes -= offer.bytes;
                let Offer { method, redelivered, payload, .. } = offer;
                let bit = self.record_broadcast(number, method, redelivered, &payload);
                self.event(ClientEvent::Broadcast { number, method, redelivered, payload });
                Ok(bit)
            }
            Body::Revoke { number } => {
                if let Some(offer) = self.offers.remove(&number) {
                    mark!(OfferRevoked);
                    self.offers_bytes -= offer.bytes;
                }
                Ok(Bit::ONE)
            }
            Body::Goodbye => {
                self.on_goodbye()?;
                Ok(Bit::ONE)
            }
            Body::Action { .. } | Body::Cancel { .. } => {
                Err(ProtocolError::NotAllowed { what: "an action or a cancel", when: "from a server" })
            }
        }
    }

    /// So many broadcasts that were handed out still wait for their handlers, with so many bytes: they leave less room for offers. A
    /// node that is full refuses, and is offered them again later.
    pub fn hold_broadcasts(&mut self, messages: usize, bytes: usize) {
        self.held = (messages, bytes);
    }

    fn handles(&self, method: MethodId) -> bool {
        self.identity.broadcasts.contains(&method)
    }

    fn on_answer(&mut self, slot: Slot, check: u16, answer: Answer<P>) -> Result<Bit, ProtocolError> {
        let wrong = ProtocolError::WrongSlot { what: "an answer", slot, check };
        let Some(handle) = self.calls.at_slot(slot, check) else {
            return Err(wrong);
        };
        let Some(call) = self.calls.get_mut(handle) else {
            return Err(wrong);
        };
        if !matches!(call.state, CallState::Sent(_)) {
            return Err(wrong);
        }
        let is_refusal = matches!(answer, Answer::Refused(_));
        if !is_refusal && !core::mem::replace(&mut call.guaranteed_told, true) {
            mark!(GuaranteedByAnswer);
            // An answer is a guarantee of its own request, even if its bit was not sent yet.
            self.outputs.push_back(crate::session::output::Output::Event(ClientEvent::Guaranteed(handle)));
        }
        let (method, cancel, implied) = (call.method, call.cancel, answer.cancel_outcome());
        let is_held = cancel == CancelState::Open && !mutated!(SlotFreedTooEarly);
        if is_held {
            call.state = CallState::Answered { slot, implied };
        }
        let bit = self.record_answer(handle.number, method, &answer);
        if !is_held {
            self.remove_answered(handle);
        }
        if self.is_early(handle) {
            self.early.insert(handle, answer);
        } else {
            self.event(ClientEvent::Answered(handle, answer));
        }
        if cancel == CancelState::Waiting {
            mark!(CancelSettledByAnswer);
            self.event(ClientEvent::CancelResult(handle, implied)); // It need not be sent any more.
        }
        Ok(bit)
    }

    fn on_cancel_result(&mut self, slot: Slot, check: u16, outcome: CancelOutcome) -> Result<Bit, ProtocolError> {
        let wrong = ProtocolError::WrongSlot { what: "the outcome of a cancel", slot, check };
        let Some(handle) = self.calls.at_slot(slot, check) else {
            return Err(wrong);
        };
        let Some(call) = self.calls.get_mut(handle) else {
            return Err(wrong);
        };
        if call.cancel != CancelState::Open {
            return Err(wrong);
        }
        call.cancel = CancelState::Done(outcome);
        let mut outcome = outcome;
        if let CallState::Answered { implied, .. } = call.state {
            if outcome == CancelOutcome::Answered {
                outcome = implied; // The answer may be an outcome out of the records: then it says more.
            }
            self.remove_answered(handle);
        }
        self.event(ClientEvent::CancelResult(handle, outcome));
        Ok(Bit::ONE)
    }
}
