//! The driver of the server: the registry, its sessions, its handlers, broadcasts that look for a node.
//!
//! Knows: the contract of the registry and of the sessions. Does not know: which step comes when.

use std::sync::Arc;

use rpcgen_proto::error::SendError;
use rpcgen_proto::frame::{Hello, LinkFrame};
use rpcgen_proto::ids::{LaneKind, SessionId};
use rpcgen_proto::server::Admission;
use rpcgen_proto::session::{Answer, EndReason, Ended, Input, Opening, Output, ServerEvent, ServerSession};

use super::clients::{METHOD, OUTPUTS_MAX, check_close, check_inside};
use super::ledger::{Check, violated};
use super::link::Link;
use super::word::Word;
use super::{Handler, Seat, Step};
use crate::configuration::{Business, Outcome};

impl Step<'_> {
    pub(super) fn seat(&mut self, session: SessionId) -> Option<&mut Seat> {
        self.world.server.seats.iter_mut().find(|seat| seat.id == session)
    }

    pub(super) fn server_session(&mut self, session: SessionId) -> Option<&mut ServerSession<Word>> {
        Some(Arc::make_mut(&mut self.seat(session)?.session))
    }

    /// The link that the session has now, as far as the server knows.
    fn link_of_session(&mut self, session: SessionId) -> Option<&mut Link> {
        self.world.links.iter_mut().find(|link| link.session == Some(session) && link.server_is_here)
    }

    /// A frame arrived at the server.
    pub(super) fn arrive_up(&mut self, link: usize, frame: LinkFrame<Word>) -> Check {
        match (self.world.links[link].session, frame) {
            (None, LinkFrame::Hello(hello)) => self.admit(link, *hello),
            (None, frame) => violated("well_behaved", format!("a link begins with {frame:?}")),
            (Some(session), frame) => self.server_hears(session, Input::Received(frame)),
        }
    }

    pub(super) fn server_hears(&mut self, session: SessionId, input: Input<Word>) -> Check {
        let now = self.world.now;
        let Some(seat) = self.seat(session) else { return Ok(()) };
        let before = seat.session.stats();
        Arc::make_mut(&mut seat.session).handle(now, input);
        self.drain_seat(session)?;
        if let Some(after) = self.seat(session).map(|seat| seat.session.stats()) {
            self.see_repairs(&before, &after);
        }
        Ok(())
    }

    fn admit(&mut self, link: usize, hello: Hello) -> Check {
        let now = self.world.now;
        let registry = Arc::make_mut(&mut self.world.server.registry);
        match registry.admit(now, hello) {
            Admission::Open(opening) => self.open(link, *opening),
            Admission::Resume(session, hello) => {
                if let Some(old) = self.link_of_session(session) {
                    old.server_leaves();
                    self.see(Outcome::TakenOver);
                }
                self.world.links[link].session = Some(session);
                let reliable = self.rules.reliable;
                let Some(taken) = self.server_session(session) else {
                    return violated("well_behaved", format!("{session} is to be resumed and is not there"));
                };
                taken.resume(now, &hello, reliable);
                self.drain_seat(session)
            }
            Admission::Restart(opening) => {
                violated("well_behaved", format!("{} restarts without a durable log", opening.session))
            }
            Admission::Reject(reject) => {
                let reliable = self.rules.reliable;
                self.world.links[link].push(LaneKind::Down, LinkFrame::Reject(reject), reliable);
                self.world.links[link].server_leaves();
                Ok(())
            }
        }
    }

    fn open(&mut self, link: usize, opening: Opening<Word>) -> Check {
        let (now, id) = (self.world.now, opening.session);
        if let Some(replaced) = opening.replaces {
            if let Some(old) = self.link_of_session(replaced) {
                old.server_leaves();
            }
            if let Some(session) = self.server_session(replaced) {
                let unassigned = session.take_unassigned(now);
                let server = &mut self.world.server;
                server.unrouted.extend(unassigned.into_iter().map(|left| (left.payload, left.redelivered)));
                server.seats.retain(|seat| seat.id != replaced);
            }
        }
        let session = Arc::new(ServerSession::open(now, self.rules.config(), opening, self.rules.reliable));
        let (client, life) = (self.world.links[link].client, self.world.links[link].life);
        self.world.links[link].session = Some(id);
        self.world.server.seats.push(Seat { client, life, id, session, deadline: None, begun_below: 0 });
        self.drain_seat(id)
    }

    /// Takes everything out of a server's session.
    pub(super) fn drain_seat(&mut self, id: SessionId) -> Check {
        for _ in 0..OUTPUTS_MAX {
            let Some(session) = self.server_session(id) else { return Ok(()) };
            match session.poll_output() {
                Output::Transmit(frame) => {
                    self.see_frame(&frame);
                    let reliable = self.rules.reliable;
                    if let Some(link) = self.link_of_session(id) {
                        link.push(LaneKind::Down, frame, reliable);
                    }
                }
                Output::Event(event) => self.on_server_event(id, event)?,
                Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(reason) => {
                    check_close("the server", &reason)?;
                    if let Some(link) = self.link_of_session(id) {
                        link.server_leaves();
                    }
                    let now = self.world.now;
                    if let Some(session) = self.server_session(id) {
                        session.handle(now, Input::LinkDown);
                    }
                }
                Output::Timeout(deadline) => {
                    let Some(seat) = self.seat(id) else { return Ok(()) };
                    seat.deadline = deadline;
                    let result = check_inside("server", seat.session.check_invariants());
                    let seats = &mut self.world.server.seats;
                    seats.retain(|seat| seat.id != id || !seat.session.is_ended());
                    return result;
                }
            }
        }
        violated("amplification_bounded", format!("{id} has always something more to say"))
    }

    fn on_server_event(&mut self, id: SessionId, event: ServerEvent<Word>) -> Check {
        match event {
            ServerEvent::Action { action, key, redelivered, payload, .. } => {
                let Some(seat) = self.seat(id) else { return Ok(()) };
                if key.number.0 < seat.begun_below {
                    let how = format!("{payload:?} begins as {}, after a later one", key.number);
                    return violated("lane_order", how);
                }
                seat.begun_below = key.number.0 + 1;
                let epoch = self.world.server.epoch;
                let outcome = self.world.ledger.begin(payload, redelivered, epoch)?;
                if let Some(outcome) = outcome {
                    self.see(outcome);
                }
                let Word::Request(call) = payload else { return Ok(()) };
                self.world.server.handlers.push(Handler { session: id, action, call });
                if self.rules.business == Business::AtOnce {
                    return self.answer(self.world.server.handlers.len() - 1);
                }
                Ok(())
            }
            ServerEvent::Ended(ended) => {
                self.on_ended(*ended);
                self.route()
            }
            ServerEvent::BroadcastRefused { payload, redelivered, .. } => {
                self.world.server.unrouted.push((payload, redelivered));
                Ok(())
            }
            ServerEvent::Linked { .. } => self.route(),
            ServerEvent::Disputed => violated("well_behaved", "one end broke the protocol".to_owned()),
            ServerEvent::Parked
            | ServerEvent::Used
            | ServerEvent::TurnOver(_)
            | ServerEvent::Stopped
            | ServerEvent::BroadcastDelivered(_)
            | ServerEvent::Begin { .. }
            | ServerEvent::CancelRequested(_)
            | ServerEvent::Overdue(_)
            | ServerEvent::BroadcastAssigned(_) => Ok(()),
        }
    }

    /// The business answers.
    pub(super) fn answer(&mut self, handler: usize) -> Check {
        let now = self.world.now;
        let Handler { session, action, call } = self.world.server.handlers.remove(handler);
        self.world.ledger.finish(call);
        let Some(seat) = self.server_session(session) else { return Ok(()) };
        seat.answer(now, action, Answer::Response(Word::Response(call)));
        self.drain_seat(session)
    }

    fn on_ended(&mut self, ended: Ended<Word>) {
        let now = self.world.now;
        if ended.reason == EndReason::Expired
            && let Some((client, life)) = self.seat(ended.session).map(|seat| (seat.client, seat.life))
            && self.client(client).life == life
        {
            let calls = self.client(client).calls.clone();
            self.world.ledger.expired(&calls);
        }
        let server = &mut self.world.server;
        server.unrouted.extend(ended.unassigned.iter().map(|left| (left.payload, left.redelivered)));
        Arc::make_mut(&mut server.registry).ended(now, ended);
    }

    /// The application has a broadcast.
    pub(super) fn broadcast(&mut self) -> Check {
        let number = self.world.ledger.log();
        self.world.server.unrouted.push((Word::News(number), false));
        self.route()
    }

    /// Finds nodes for the broadcasts that wait for one: the first live one that handles it.
    pub(super) fn route(&mut self) -> Check {
        let now = self.world.now;
        let is_live = |seat: &&Seat| seat.session.is_live() && seat.session.handles_broadcast(METHOD);
        let mut live: Vec<_> =
            self.world.server.seats.iter().filter(is_live).map(|seat| (seat.client, seat.id)).collect();
        live.sort_unstable();
        for (_, id) in live {
            while let Some((word, redelivered)) = self.world.server.unrouted.first().copied() {
                let Some(session) = self.server_session(id) else { break };
                match session.broadcast(now, METHOD, word, redelivered) {
                    Ok(_) => self.world.server.unrouted.remove(0),
                    Err(SendError::Closing) => break, // It said goodbye: another node's turn.
                    Err(error) => return violated("broadcast_not_lost", format!("{word:?} is not logged: {error}")),
                };
                self.drain_seat(id)?;
            }
        }
        Ok(())
    }

    /// Takes back what broadcasts a session without a link has not been told to run.
    pub(super) fn take_back(&mut self, id: SessionId) -> Check {
        let now = self.world.now;
        let Some(session) = self.server_session(id) else { return Ok(()) };
        let unassigned = session.take_unassigned(now);
        let unrouted = unassigned.into_iter().map(|left| (left.payload, left.redelivered));
        self.world.server.unrouted.extend(unrouted);
        self.drain_seat(id)?;
        self.route()
    }
}
