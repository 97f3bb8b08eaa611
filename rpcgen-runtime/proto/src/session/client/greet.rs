//! The client's handshake: hello, welcome, and what a new session means for what is open.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{CallState, CancelState, ClientSession, Outgoing, Phase};
use crate::error::ProtocolError;
use crate::frame::{
    Begin, Hello, LinkFrame, PROTOCOL_VERSION, RangeAgree, Refusal, Reject, RejectReason, Resume, ServerSchema, Welcome,
};
use crate::ids::{CallNumber, LaneKind, Position};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::pool::{ReceivePool, SendPool, lane_seed};
use crate::record::Established;
use crate::session::lanes::Lanes;
use crate::session::output::{Answer, CallHandle, ClientEvent, CloseReason, Output, Payload};
use crate::session::proof;
use crate::session::receive_lane::ReceiveLane;
use crate::session::send_lane::SendLane;
use crate::session::timers::Timer;
use crate::shape;

/// What to do about versions that do not fit.
const MEND: &str = "Keep what is there and append what is new, or build both ends from one .rpc file; `rpcgen breaking` \
                    compares two versions";

impl<P: Payload> ClientSession<P> {
    /// A transport is connected: say hello, as soon as its proof is of a secret that the next life of the log would know too. Of two
    /// secrets that a server takes, one is then always the one on this client's record.
    // spec: protocol.md 8
    pub(super) fn on_link_up(&mut self, reliable_ordered: bool) {
        self.on_link_down();
        if self.is_quiet() && !mutated!(HelloBeforeSecret) {
            self.phase = Phase::Waiting { reliable_ordered };
        } else {
            self.greet(reliable_ordered);
        }
    }

    pub(super) fn greet(&mut self, reliable_ordered: bool) {
        self.link.0 += 1;
        let down_expected = self.lanes.as_ref().map_or(Position(0), |lanes| lanes.receive.pool.expected());
        let resume = self.established.as_ref().map(|known| Resume {
            session: known.session,
            epoch: known.epoch,
            proof: [0; 32],
            down_expected,
            sent_below: if mutated!(UnsentTakenForSent) { CallNumber(u64::MAX) } else { self.sent_below },
        });
        let mut hello = Hello {
            version: PROTOCOL_VERSION,
            service: self.identity.service.clone(),
            fingerprint: self.fingerprint,
            client: self.identity.client,
            incarnation: self.identity.incarnation,
            life: self.identity.life,
            link: self.link,
            reliable_ordered,
            nonce: self.nonce,
            resume,
            retired_below: self.retired_below(),
            broadcasts: self.identity.broadcasts.clone(),
        };
        if let Some(known) = &self.established {
            let proof = proof::of(&hello, &known.secret);
            if let Some(resume) = &mut hello.resume {
                resume.proof = proof;
            }
        }
        self.phase = Phase::Greeting { reliable_ordered, since: self.now };
        if !mutated!(HandshakeTimerMissing) {
            self.timers.set(Timer::Handshake, self.now + self.config.handshake_within);
        }
        self.outputs.push_back(Output::Transmit(LinkFrame::Hello(Box::new(hello))));
    }

    pub(super) fn on_reject(&mut self, mut reject: Reject) {
        let message = reject.message.clone();
        let schema = reject.schema.take().filter(|_| reject.reason == RejectReason::SchemaMismatch);
        match schema.map(|schema| (schema.fingerprint, self.judge(&schema))) {
            Some((fingerprint, Ok(()))) => {
                self.fingerprint = fingerprint;
                self.event(ClientEvent::SchemaFits { fingerprint });
            }
            Some((_, Err(why))) => {
                reject.message.push_str(&why);
                self.event(ClientEvent::Rejected(reject));
            }
            None => self.event(ClientEvent::Rejected(reject)),
        }
        self.close_link(CloseReason::Refused(message));
    }

    /// Whether the server's version of the schema fits this client's; if not, what to add to what the server says.
    // spec: protocol.md 8
    fn judge(&self, server: &ServerSchema) -> Result<(), String> {
        let Some(own) = self.identity.shape else {
            return Err(String::from(
                "; messages are handed over as they are here: build both ends from one .rpc file",
            ));
        };
        if server.fingerprint == self.fingerprint {
            return Err(String::from(", and yet it is what this client has asked for"));
        }
        shape::compare(own, &server.shape).map_err(|why| format!(": {why}. {MEND}"))
    }

    pub(super) fn on_welcome(&mut self, welcome: Welcome) -> Result<(), ProtocolError> {
        let Phase::Greeting { reliable_ordered, since } = self.phase else {
            return Err(ProtocolError::NotAllowed { what: "a welcome", when: "twice on a link" });
        };
        if welcome.reliable_ordered && !reliable_ordered {
            return Err(ProtocolError::NotAllowed { what: "a reliable link", when: "when the client did not say so" });
        }
        let (session, epoch) = (welcome.session, welcome.epoch);
        let (fresh, peer_expected) = match welcome.begin {
            Begin::Resumed { up_expected } => {
                if self.established.as_ref().is_none_or(|known| known.session != session || known.epoch != epoch) {
                    return Err(ProtocolError::NotAllowed {
                        what: "a resumed session",
                        when: "that was not asked for",
                    });
                }
                (None, up_expected)
            }
            Begin::Fresh { reason, nonce, secret, up, down } => {
                self.start_lanes(nonce, &up, &down)?;
                self.note_epoch(epoch);
                self.establish(Established { session, epoch, secret, life: self.identity.life });
                self.nonce = self.generator.next_u64();
                self.config.frame_bytes_max = welcome.frame_bytes_max.max(crate::config::FRAME_OVERHEAD_MAX as u32 * 2);
                self.restart_calls(welcome.slots.clamp(1, super::SLOTS_MAX));
                (Some(reason), Position(0))
            }
        };
        let lanes =
            self.lanes.as_mut().ok_or(ProtocolError::NotAllowed { what: "a welcome", when: "without lanes" })?;
        let greeted_in = self.now.saturating_since(since);
        lanes.link_up(self.now, welcome.reliable_ordered, peer_expected, Some(greeted_in))?;
        self.phase = Phase::Live;
        self.timers.stop(Timer::Handshake);
        self.event(ClientEvent::Linked { session, fresh });
        self.check_drained();
        Ok(())
    }

    fn start_lanes(&mut self, server_nonce: u64, up: &RangeAgree, down: &RangeAgree) -> Result<(), ProtocolError> {
        if up.lane != LaneKind::Up || down.lane != LaneKind::Down {
            return Err(ProtocolError::NotAllowed { what: "a welcome", when: "with its lanes exchanged" });
        }
        let send = SendPool::new(lane_seed(self.nonce, server_nonce, LaneKind::Up), up)?;
        let receive = ReceivePool::new(lane_seed(self.nonce, server_nonce, LaneKind::Down), down)?;
        let stats = self.stats();
        let send = SendLane::new(LaneKind::Up, send);
        let receive = ReceiveLane::new(LaneKind::Down, receive);
        self.lanes = Some(Lanes::new(self.config.clone(), send, receive, stats));
        Ok(())
    }

    /// Everything unanswered is sent again under its old call key, in the old order; each cancel right after its call.
    // spec: protocol.md 8
    fn restart_calls(&mut self, slots: u32) {
        self.release_held();
        self.calls.restart(slots);
        self.forget_slots();
        let said_goodbye = (self.backlog.contains(&Outgoing::Goodbye) || self.drain == super::Drain::Goodbye)
            && !mutated!(GoodbyeLostAtNewSession);
        self.implied_number = CallNumber(0);
        self.implied_guaranteed = CallNumber(0);
        self.backlog.clear();
        self.offers.clear(); // Without a go they are revoked: the server that offered them has forgotten, or re-routes them.
        self.offers_bytes = 0;
        let mut handles: Vec<_> = self.calls.in_order();
        if mutated!(RestartOutOfOrder) {
            handles.reverse();
        }
        for handle in handles {
            let is_skipped = self.calls.get(handle).is_some_and(|call| {
                call.state == CallState::Ending
                    || mutated!(RestartSkipsSent) && call.maybe_sent
                    || mutated!(RestartSkipsGuaranteed) && call.guaranteed_told
            });
            if is_skipped {
                continue;
            }
            self.backlog.push_back(Outgoing::Call(handle));
            let Some(call) = self.calls.get_mut(handle) else { continue };
            if matches!(call.cancel, CancelState::Waiting | CancelState::Open) && !mutated!(CancelLostAtNewSession) {
                mark!(CancelAskedAgain);
                call.cancel = CancelState::Waiting;
                self.backlog.push_back(Outgoing::Cancel(handle));
            }
        }
        if said_goodbye {
            mark!(GoodbyeAgain);
            self.backlog.push_back(Outgoing::Goodbye);
        }
    }

    /// The outcomes of cancels that have not come will not come: the answers tell them.
    pub(super) fn release_held(&mut self) {
        for (held, implied) in self.calls.held() {
            self.calls.remove(held);
            self.event(ClientEvent::CancelResult(held, implied));
        }
    }

    /// Ends a call with the runtime's own answer, which settles its cancel too.
    pub(super) fn end_call(&mut self, handle: CallHandle, refusal: Refusal) {
        if !self.end_on_record(handle, refusal) {
            self.tell_end(handle, refusal);
        }
    }

    pub(super) fn tell_end(&mut self, handle: CallHandle, refusal: Refusal) {
        let Some(call) = self.calls.remove(handle) else { return };
        let answer = Answer::Refused(refusal);
        let outcome = answer.cancel_outcome();
        self.event(ClientEvent::Answered(handle, answer));
        if matches!(call.cancel, CancelState::Waiting | CancelState::Open) {
            self.event(ClientEvent::CancelResult(handle, outcome));
        }
    }
}
