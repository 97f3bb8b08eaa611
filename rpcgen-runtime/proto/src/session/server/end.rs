//! How a server session ends, and what is left of it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Past, Phase, ServerSession, Unassigned};
use crate::frame::Body;
use crate::ids::{ClientId, Incarnation, SessionId};
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
        let unassigned = self.take_undelivered();
        let answers = if reason == EndReason::Expired { self.untaken_answers() } else { BTreeMap::new() };
        let past = Past { called_below: self.implied_number, answers };
        self.phase = Phase::Ended;
        self.timers = Timers::default();
        self.lanes.link_down();
        let (session, client, incarnation) = (self.session, self.client, self.incarnation);
        self.event(ServerEvent::Ended(Ended { session, client, incarnation, reason, past, unassigned }));
        self.outputs.push_back(Output::CloseLink(CloseReason::Done));
    }

    /// The answers that the client has not guaranteed: they are its completion records from now on.
    fn untaken_answers(&self) -> BTreeMap<crate::ids::CallNumber, Answer<P>> {
        let mut answers = BTreeMap::new();
        if let Some(past) = &self.past {
            answers.extend(past.answers.iter().map(|(number, answer)| (*number, answer.clone())));
        }
        let logged = self.lanes.send.log.iter().map(|entry| &entry.body);
        for body in logged.chain(self.backlog.iter().map(|(body, _)| body)) {
            let (slot, check, answer) = match body {
                Body::Response { slot, check, payload } => (slot, check, Answer::Response(payload.clone())),
                Body::Failure { slot, check, payload } => (slot, check, Answer::Failure(payload.clone())),
                Body::Refusal { slot, check, reason } => (slot, check, Answer::Refused(*reason)),
                _ => continue,
            };
            if let Some((handle, _)) = self.actions.at_slot(*slot, *check) {
                answers.insert(handle.number, answer);
            }
        }
        answers
    }
}
