//! Broadcasts of a server session: offered, guaranteed, told to go.
//!
//! Two steps, so that a broadcast that is routed elsewhere never runs twice (trap T23): the node runs its handler only when it was
//! told to go, and the server says so only once, after the offer was guaranteed.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

use super::{Phase, ServerSession};
use crate::error::SendError;
use crate::frame::Body;
use crate::ids::{BroadcastNumber, MethodId};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::session::output::{Payload, ServerEvent};
use crate::time::Instant;

impl<P: Payload> ServerSession<P> {
    /// Whether the node said that it handles this broadcast.
    #[must_use]
    pub fn handles_broadcast(&self, method: MethodId) -> bool {
        self.handled_broadcasts.contains(&method)
    }

    /// Logs a broadcast for this node. It is offered, and assigned when the node guarantees it
    /// ([`ServerEvent::BroadcastAssigned`]). `redelivered`: it may have run on another node.
    ///
    /// # Errors
    /// Nothing of it remains; the error says why.
    // spec: protocol.md 10
    pub fn broadcast(
        &mut self,
        now: Instant,
        method: MethodId,
        payload: P,
        redelivered: bool,
    ) -> Result<BroadcastNumber, SendError> {
        self.now = now;
        if self.phase == Phase::Ended || self.client_said_goodbye {
            return Err(SendError::Closing);
        }
        let bytes = payload.size_bytes();
        let limit = self.lanes.config.payload_bytes_max();
        if bytes > limit {
            return Err(SendError::TooLarge { bytes, limit });
        }
        let messages = self.backlog.len();
        if messages >= self.lanes.config.log_messages_max || self.backlog_bytes >= self.lanes.config.log_bytes_max {
            return Err(SendError::LogFull { messages, bytes: self.backlog_bytes });
        }
        let number = self.next_broadcast;
        self.next_broadcast.0 += 1;
        self.log(Body::Offer { number, method, redelivered, payload });
        Ok(number)
    }

    pub(super) fn on_offer_settled(&mut self, number: BroadcastNumber, offered: Unassigned<P>, guaranteed: bool) {
        if self.revoked.remove(&number) && !mutated!(RevokedStillGoes) {
            mark!(OfferSettledRevoked);
            return; // Its revocation is on the way.
        }
        if guaranteed {
            if !mutated!(GoingForgotten) {
                self.going.insert(number, offered);
            }
            if !mutated!(GoForgotten) {
                self.assign(number);
            }
            self.event(ServerEvent::BroadcastAssigned(number));
        } else if !mutated!(RefusedBroadcastDropped) {
            let Unassigned { method, payload, redelivered, .. } = offered;
            self.event(ServerEvent::BroadcastRefused { number, method, redelivered, payload });
        }
    }

    /// Takes back every broadcast that was not told to go, for another node: those in the backlog were never sent; those sent and
    /// not guaranteed are revoked when the node comes back.
    pub fn take_unassigned(&mut self, now: Instant) -> Vec<Unassigned<P>> {
        self.now = now;
        let mut taken = Vec::new();
        let mut numbers = Vec::new();
        for entry in self.lanes.send.log.iter() {
            if let Body::Offer { number, method, redelivered, payload } = &entry.body
                && !self.revoked.contains(number)
            {
                numbers.push(*number);
                let (number, method, redelivered) = (*number, *method, *redelivered);
                taken.push(Unassigned { number, method, payload: payload.clone(), redelivered });
            }
        }
        for (body, bytes) in mem::take(&mut self.backlog) {
            match body {
                Body::Offer { number, method, redelivered, payload } => {
                    self.backlog_bytes -= bytes;
                    taken.push(Unassigned { number, method, payload, redelivered });
                }
                body => self.backlog.push_back((body, bytes)),
            }
        }
        for number in numbers.into_iter().filter(|_| !mutated!(RevokeLost)) {
            self.revoked.insert(number);
            self.urgent.push_back(Body::Revoke { number });
        }
        taken
    }

    /// How many broadcasts the node has not guaranteed to run: what would be left if the session ended now.
    #[must_use]
    pub fn undelivered_broadcasts(&self) -> usize {
        let is_open = |body: &Body<P>| matches!(body, Body::Offer { number, .. } if !self.revoked.contains(number));
        let sent = self.lanes.send.log.iter().filter(|entry| is_open(&entry.body)).count();
        self.going.len() + sent + self.backlog.iter().filter(|(body, _)| is_open(body)).count()
    }

    /// When the session ends: as [`Self::take_unassigned`], and those whose go the node has not guaranteed. Where the go was sent,
    /// the handler may have run.
    pub(super) fn take_undelivered(&mut self) -> Vec<Unassigned<P>> {
        let unsent = self.unsent_goes();
        let going = mem::take(&mut self.going).into_iter().map(|(number, told)| Unassigned {
            redelivered: told.redelivered || !unsent.contains(&number) && !mutated!(RerunNotSaid),
            ..told
        });
        let mut taken: Vec<_> = going.collect();
        if !taken.is_empty() {
            mark!(GoUnguaranteed);
        }
        taken.extend(self.take_unassigned(self.now));
        taken
    }

    /// Broadcasts that are told to go, and that was not sent.
    fn unsent_goes(&self) -> BTreeSet<BroadcastNumber> {
        let held = self.records.iter().flat_map(|records| records.bodies.iter().map(|(_, body)| body));
        self.urgent.iter().chain(held).filter_map(go_number).collect()
    }

    /// The lanes begin afresh: everything that the node has not guaranteed to run is offered again, under its number. Where a go was
    /// sent the handler may have run.
    pub(super) fn offer_again(&mut self) {
        let unsent = self.unsent_goes();
        let mut offers = Vec::new();
        for (number, told) in mem::take(&mut self.going) {
            let redelivered = told.redelivered || !unsent.contains(&number) && !mutated!(RerunNotSaid);
            offers.push(Body::Offer { number, method: told.method, redelivered, payload: told.payload });
        }
        let revoked = mem::take(&mut self.revoked);
        let sent = self.lanes.send.log.iter().map(|entry| &entry.body);
        let waiting = self.backlog.iter().map(|(body, _)| body);
        let is_open = |body: &&Body<P>| matches!(body, Body::Offer { number, .. } if !revoked.contains(number));
        offers.extend(sent.chain(waiting).filter(is_open).cloned());
        self.urgent.clear();
        self.backlog.clear();
        self.backlog_bytes = 0;
        for offer in offers {
            self.log(offer);
        }
    }
}

fn go_number<P>(body: &Body<P>) -> Option<BroadcastNumber> {
    match body {
        Body::Go { number } => Some(*number),
        _ => None,
    }
}

/// A broadcast that needs another node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unassigned<P> {
    /// Which one of the session that it is taken from.
    pub number: BroadcastNumber,
    /// Which one of the service.
    pub method: MethodId,
    /// The message.
    pub payload: P,
    /// It may have run on the node that it was taken from.
    pub redelivered: bool,
}
