//! What the client does with what arrives.

use super::{CallState, CancelState, ClientSession, Offer, Phase};
use crate::bits::BitArray;
use crate::error::ProtocolError;
use crate::frame::{Body, CancelOutcome, Frame, LinkFrame};
use crate::ids::{MethodId, Slot};
use crate::session::output::{Answer, ClientEvent, CloseReason, Payload};
use crate::session::receive_lane::Next;

impl<P: Payload> ClientSession<P> {
    pub(super) fn on_received(&mut self, frame: LinkFrame<P>) -> Result<(), ProtocolError> {
        if matches!(self.phase, Phase::Away | Phase::Closing | Phase::Ended) {
            return Ok(());
        }
        match frame {
            LinkFrame::Frame(frame) if self.phase == Phase::Live => self.on_frame(frame),
            // It overtook the welcome; it will be sent again.
            LinkFrame::Frame(_) if self.phase == (Phase::Greeting { reliable_ordered: false }) => Ok(()),
            LinkFrame::Frame(_) => Err(ProtocolError::NotAllowed { what: "a frame", when: "before the welcome" }),
            LinkFrame::Welcome(welcome) => self.on_welcome(welcome),
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
        lanes.on_riders(now, &frame.riders)?;
        for (slot, check) in &frame.riders.still_pending {
            // One that crossed with the answer names nothing any more.
            if let Some(call) = self.calls.at_slot(*slot, *check) {
                self.event(ClientEvent::StillPending(call));
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
            let guaranteed = self.on_body(body, bytes)?;
            let Some(lanes) = self.lanes.as_mut() else {
                return Ok(());
            };
            lanes.accept(now, guaranteed, bytes);
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
            if let Body::Action { slot, .. } = entry.body
                && array.bits.get(index)
            {
                self.note_guaranteed(slot);
            }
        }
        Ok(())
    }

    /// A guarantee for the action that now holds the slot: it cannot have been answered before, as the answer's own guarantee would
    /// have come first.
    fn note_guaranteed(&mut self, slot: Slot) {
        let Some(handle) = self.calls.holder_of(slot) else {
            return;
        };
        let Some(call) = self.calls.get_mut(handle) else { return };
        if matches!(call.state, CallState::Sent(_)) && !core::mem::replace(&mut call.guaranteed_told, true) {
            self.event(ClientEvent::Guaranteed(handle));
        }
    }

    /// Processes the next message of the lane; its bit is returned.
    fn on_body(&mut self, body: Body<P>, bytes: usize) -> Result<bool, ProtocolError> {
        match body {
            Body::Response { slot, check, payload } => self.on_answer(slot, check, Answer::Response(payload)),
            Body::Failure { slot, check, payload } => self.on_answer(slot, check, Answer::Failure(payload)),
            Body::Refusal { slot, check, reason } => self.on_answer(slot, check, Answer::Refused(reason)),
            Body::CancelResult { slot, check, outcome } => self.on_cancel_result(slot, check, outcome),
            Body::Offer { number, method, redelivered, payload } => {
                let has_room = self.offers.len() < self.config.log_messages_max
                    && self.offers_bytes.saturating_add(bytes) <= self.config.log_bytes_max;
                if !has_room || !self.handles(method) {
                    return Ok(false);
                }
                self.offers_bytes += bytes;
                self.offers.insert(number, Offer { method, redelivered, payload, bytes });
                Ok(true)
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
                self.event(ClientEvent::Broadcast { number, method, redelivered, payload });
                Ok(true)
            }
            Body::Revoke { number } => {
                if let Some(offer) = self.offers.remove(&number) {
                    self.offers_bytes -= offer.bytes;
                }
                Ok(true)
            }
            Body::Goodbye => {
                self.on_goodbye()?;
                Ok(true)
            }
            Body::Action { .. } | Body::Cancel { .. } => {
                Err(ProtocolError::NotAllowed { what: "an action or a cancel", when: "from a server" })
            }
        }
    }

    fn handles(&self, method: MethodId) -> bool {
        self.identity.broadcasts.contains(&method)
    }

    fn on_answer(&mut self, slot: Slot, check: u16, answer: Answer<P>) -> Result<bool, ProtocolError> {
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
            // An answer is a guarantee of its own request, even if its bit was not sent yet.
            self.outputs.push_back(crate::session::output::Output::Event(ClientEvent::Guaranteed(handle)));
        }
        let is_cancel_waiting = call.cancel == CancelState::Waiting;
        if call.cancel == CancelState::Open {
            call.state = CallState::Answered(slot);
        } else {
            self.calls.remove(handle);
        }
        self.event(ClientEvent::Answered(handle, answer));
        if is_cancel_waiting {
            self.event(ClientEvent::CancelResult(handle, CancelOutcome::Answered)); // It need not be sent any more.
        }
        Ok(true)
    }

    fn on_cancel_result(&mut self, slot: Slot, check: u16, outcome: CancelOutcome) -> Result<bool, ProtocolError> {
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
        if matches!(call.state, CallState::Answered(_)) {
            self.calls.remove(handle);
        }
        self.event(ClientEvent::CancelResult(handle, outcome));
        Ok(true)
    }
}
