//! How a server session ends, and what is left of it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::actions::ActionState;
use super::{Kept, Past, Phase, ServerSession, Unassigned};
use crate::frame::Body;
use crate::ids::{CallNumber, ClientId, Incarnation, SessionId};
use crate::mutants::mutated;
use crate::record::ServerRecord;
use crate::session::output::{Answer, CloseReason, Output, Payload, ServerEvent};
use crate::session::timers::Timers;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The client said goodbye.
    Formal,
    /// No link for the reconnect timeout.
    Expired,
}

/// What is left of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ended<P> {
    /// Which one.
    pub session: SessionId,
    /// Whose.
    pub client: ClientId,
    /// In which life of the client's log.
    pub incarnation: Incarnation,
    /// Why.
    pub reason: EndReason,
    /// For the client, should it come back: the registry keeps it.
    pub past: Past<P>,
    /// Broadcasts that the node has not guaranteed to run: route them elsewhere.
    pub unassigned: Vec<Unassigned<P>>,
}

impl<P: Payload> ServerSession<P> {
    pub(super) fn end(&mut self, reason: EndReason) {
        if self.phase == Phase::Ended {
            return;
        }
        let unassigned = if mutated!(UnassignedDropped) { Vec::new() } else { self.take_undelivered() };
        let expired = reason == EndReason::Expired;
        let answers = if expired { self.untaken_answers() } else { BTreeMap::new() };
        let called_below = self.called_below();
        self.persist(ServerRecord::Ended { expired, called_below });
        // What it knew of the one before it, also if its client has said nothing in it.
        let past = Past { called_below: called_below.max(self.ledger.expired_below), answers };
        self.phase = Phase::Ended;
        self.timers = Timers::default();
        self.lanes.link_down();
        let (session, client, incarnation) = (self.session, self.client, self.incarnation);
        let ended = Ended { session, client, incarnation, reason, past, unassigned };
        self.event(ServerEvent::Ended(Box::new(ended)));
        self.outputs.push_back(Output::CloseLink(CloseReason::Done));
    }

    /// One more than the highest number of an action that came.
    pub(super) fn called_below(&self) -> CallNumber {
        self.called_below.max(self.implied_number)
    }

    /// The answers that the client has not guaranteed: they are its completion records from now on.
    pub(super) fn untaken_answers(&self) -> BTreeMap<CallNumber, Kept<P>> {
        let mut answers = self.ledger.answers.clone();
        let logged =
            self.lanes.send.log.iter().map(|entry| &entry.body).filter(|_| !mutated!(TombstoneForgetsSentAnswers));
        let held = self.records.iter().flat_map(|records| records.bodies.iter().map(|(_, body)| body));
        for body in logged.chain(self.backlog.iter().map(|(body, _)| body)).chain(held) {
            let (slot, check, answer) = match body {
                Body::Response { slot, check, payload } => (slot, check, Answer::Response(payload.clone())),
                Body::Failure { slot, check, payload } => (slot, check, Answer::Failure(payload.clone())),
                Body::Refusal { slot, check, reason } => (slot, check, Answer::Refused(*reason)),
                _ => continue,
            };
            if let Some((_, action)) = self.actions.at_slot(*slot, *check)
                && matches!(action.state, ActionState::Answered { is_own: true })
            {
                answers.insert(action.number, Kept { digest: action.digest, answer });
            }
        }
        answers
    }
}
