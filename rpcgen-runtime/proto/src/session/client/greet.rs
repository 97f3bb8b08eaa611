//! The client's handshake: hello, welcome, and what a new session means for what is open.

use alloc::vec::Vec;

use super::{CallState, CancelState, ClientSession, Established, Outgoing, Phase};
use crate::error::ProtocolError;
use crate::frame::{
    Begin, CancelOutcome, FreshReason, Hello, LinkFrame, PROTOCOL_VERSION, RangeAgree, Reject, Resume, Welcome,
};
use crate::ids::{CallNumber, LaneKind, Position};
use crate::pool::{ReceivePool, SendPool, lane_seed};
use crate::session::lanes::Lanes;
use crate::session::output::{Answer, ClientEvent, CloseReason, Output, Payload};
use crate::session::proof;
use crate::session::receive_lane::ReceiveLane;
use crate::session::send_lane::SendLane;
use crate::session::timers::Timer;

impl<P: Payload> ClientSession<P> {
    /// A transport is connected: say hello.
    // spec: protocol.md 8
    pub(super) fn greet(&mut self, reliable_ordered: bool) {
        self.on_link_down();
        self.link.0 += 1;
        let down_expected = self.lanes.as_ref().map_or(Position(0), |lanes| lanes.receive.pool.expected());
        let resume = self.established.as_ref().map(|known| Resume {
            session: known.session,
            epoch: known.epoch,
            proof: [0; 32],
            down_expected,
        });
        let mut hello = Hello {
            version: PROTOCOL_VERSION,
            service: self.identity.service.clone(),
            fingerprint: self.identity.fingerprint,
            client: self.identity.client,
            incarnation: self.identity.incarnation,
            link: self.link,
            reliable_ordered,
            nonce: self.nonce,
            resume,
            retired_below: self.calls.retired_below(),
            broadcasts: self.identity.broadcasts.clone(),
        };
        if let Some(known) = &self.established {
            let proof = proof::of(&hello, &known.secret);
            if let Some(resume) = &mut hello.resume {
                resume.proof = proof;
            }
        }
        self.phase = Phase::Greeting { reliable_ordered };
        self.timers.set(Timer::Handshake, self.now + self.config.handshake_within);
        self.outputs.push_back(Output::Transmit(LinkFrame::Hello(hello)));
    }

    pub(super) fn on_reject(&mut self, reject: Reject) {
        let message = reject.message.clone();
        self.event(ClientEvent::Rejected(reject));
        self.close_link(CloseReason::Refused(message));
    }

    pub(super) fn on_welcome(&mut self, welcome: Welcome) -> Result<(), ProtocolError> {
        let Phase::Greeting { reliable_ordered } = self.phase else {
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
                self.established = Some(Established { session, epoch, secret });
                self.nonce = self.generator.next_u64();
                self.config.frame_bytes_max = welcome.frame_bytes_max.max(crate::config::FRAME_OVERHEAD_MAX as u32 * 2);
                self.restart_calls(welcome.slots.clamp(1, super::SLOTS_MAX), reason);
                (Some(reason), Position(0))
            }
        };
        let lanes =
            self.lanes.as_mut().ok_or(ProtocolError::NotAllowed { what: "a welcome", when: "without lanes" })?;
        lanes.link_up(self.now, welcome.reliable_ordered, peer_expected)?;
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
    fn restart_calls(&mut self, slots: u32, reason: FreshReason) {
        debug_assert!(
            reason != FreshReason::Asked || self.calls.iter().all(|(_, call)| call.state == CallState::Waiting)
        );
        for held in self.calls.restart(slots) {
            self.calls.remove(held);
            self.event(ClientEvent::CancelResult(held, CancelOutcome::Answered));
        }
        let said_goodbye = self.backlog.contains(&Outgoing::Goodbye) || self.drain == super::Drain::Goodbye;
        self.implied_number = CallNumber(0);
        self.backlog.clear();
        self.offers.clear(); // Without a go they are revoked: the server that offered them has forgotten, or re-routes them.
        self.offers_bytes = 0;
        let handles: Vec<_> = self.calls.in_order();
        for handle in handles {
            self.backlog.push_back(Outgoing::Call(handle));
            let Some(call) = self.calls.get_mut(handle) else { continue };
            if matches!(call.cancel, CancelState::Waiting | CancelState::Open) {
                call.cancel = CancelState::Waiting;
                self.backlog.push_back(Outgoing::Cancel(handle));
            }
        }
        if said_goodbye {
            self.backlog.push_back(Outgoing::Goodbye);
        }
    }

    /// Ends a call with the runtime's own answer.
    pub(super) fn end_call(&mut self, handle: crate::session::output::CallHandle, answer: Answer<P>) {
        if self.calls.remove(handle).is_some() {
            self.event(ClientEvent::Answered(handle, answer));
        }
    }
}
