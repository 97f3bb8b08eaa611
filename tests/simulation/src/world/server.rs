//! The driver of the server: a registry, sessions, handlers, broadcasts that look for a node.
//!
//! Knows: the contract of the sessions and of the registry. Does not know: what the application does.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rpcgen_proto::frame::{Body, Hello, LinkFrame};
use rpcgen_proto::ids::{CallKey, Epoch, SessionId};
use rpcgen_proto::server::{Admission, Registry, RegistryConfig};
use rpcgen_proto::session::{
    ActionHandle, Answer, CloseReason, EndReason, Ended, Input, Opening, Output, ServerEvent, ServerSession,
};
use rpcgen_proto::time::Instant;

use super::client::{FINGERPRINT, METHOD, SERVICE};
use super::link::End;
use super::{Event, World};
use crate::checkers::{Check, no_unbounded_memory, violated, well_behaved};
use crate::load::{Load, LoadKind};
use crate::seen::{Node, Seen};

/// How long a broadcast that a node refused waits before it is offered again.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// They come back one by one, so that a node with little room is not flooded.
const REFUSED_SPACING: Duration = Duration::from_millis(20);

/// A session, and the link it has.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) session: ServerSession<Load>,
    pub(super) link: Option<u32>,
    node: Node,
    deadline: Option<Instant>,
    /// When the agenda will call.
    due: Option<Instant>,
}

/// A handler that runs.
#[derive(Debug)]
struct Handler {
    seat: u32,
    session: SessionId,
    action: ActionHandle,
    answer: Answer<Load>,
}

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) epoch: u32,
    pub(super) registry: Registry<Load>,
    pub(super) seats: Vec<Option<Box<Seat>>>,
    by_id: BTreeMap<SessionId, u32>,
    handlers: Vec<Option<Handler>>,
    /// Broadcasts that wait for a node, and whether they may have run.
    unrouted: VecDeque<(Load, bool)>,
    /// Those that a node refused: they wait a little first.
    refused: VecDeque<(Load, bool)>,
    /// When the last of them will be offered again.
    offer_again_at: Instant,
    pub(super) is_paused: bool,
    /// It takes nothing new: it is about to end in good order.
    pub(super) is_closing: bool,
    resent_before: u64,
}

impl Server {
    pub(super) fn new(epoch: u32, seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..12].copy_from_slice(&epoch.to_le_bytes());
        let services = vec![(SERVICE.to_owned(), FINGERPRINT)];
        Self {
            epoch,
            registry: Registry::new(Epoch(u64::from(epoch)), services, RegistryConfig::default(), key),
            seats: Vec::new(),
            by_id: BTreeMap::new(),
            handlers: Vec::new(),
            unrouted: VecDeque::new(),
            refused: VecDeque::new(),
            offer_again_at: Instant::START,
            is_paused: false,
            is_closing: false,
            resent_before: 0,
        }
    }

    /// Another life of the server, without its memory.
    pub(super) fn reborn(&mut self, seed: u64) {
        let resent_before = self.resent();
        // Places of seats and handlers go on, so that nothing that was planned for an old one meets a new one.
        let seats = std::iter::repeat_with(|| None).take(self.seats.len()).collect();
        let handlers = std::iter::repeat_with(|| None).take(self.handlers.len()).collect();
        *self = Self { seats, handlers, resent_before, ..Self::new(self.epoch + 1, seed) };
    }

    pub(super) fn resent(&self) -> u64 {
        self.resent_before + self.seats.iter().flatten().map(|seat| seat.session.stats().resent).sum::<u64>()
    }

    /// Whether a session waits for its client to come back, or has something to say, or a broadcast waits for a node.
    pub(super) fn is_busy(&self) -> bool {
        let place = |seat: &u32| self.seats.get(*seat as usize).and_then(Option::as_ref);
        let is_busy = |seat: &Seat| seat.link.is_none() || !seat.session.is_idle();
        !self.unrouted.is_empty()
            || !self.refused.is_empty()
            || self.by_id.values().filter_map(place).any(|seat| is_busy(seat))
    }

    pub(super) fn seat(&mut self, seat: u32) -> Option<&mut Seat> {
        self.seats.get_mut(seat as usize)?.as_deref_mut()
    }
}

impl World {
    pub(super) fn arrive_at_server(&mut self, link: u32, frame: LinkFrame<Load>) -> Check {
        let Some(known) = self.link(link) else { return Ok(()) };
        let (seat, client) = (known.seat, known.client);
        match (seat, frame) {
            (None, LinkFrame::Hello(hello)) => self.admit(link, hello),
            (None, _) => violated("well_behaved", format!("client {client} does not begin with a hello")),
            (Some(seat), frame) => {
                let now = self.now;
                let Some(taken) = self.server.seat(seat).filter(|taken| taken.link == Some(link)) else {
                    return Ok(()); // A newer link has taken over.
                };
                let arrived = match &frame {
                    LinkFrame::Frame(frame) => match frame.message.as_ref().map(|message| &message.body) {
                        Some(Body::Action { payload, .. }) => Some(payload.tag()),
                        _ => None,
                    },
                    _ => None,
                };
                taken.session.handle(now, Input::Received(frame));
                if let Some(call) = arrived {
                    self.see(Seen::Arrived { call })?;
                }
                self.drain_seat(seat)
            }
        }
    }

    fn admit(&mut self, link: u32, hello: Hello) -> Check {
        match self.server.registry.admit(self.now, hello) {
            Admission::Open(opening) => self.open_seat(link, *opening),
            Admission::Resume(session, hello) => self.resume_seat(link, session, &hello),
            Admission::Reject(reject) => {
                self.transmit(link, End::Server, LinkFrame::Reject(reject))?;
                self.close_end(link, End::Server);
                Ok(())
            }
        }
    }

    fn open_seat(&mut self, link: u32, opening: Opening<Load>) -> Check {
        if let Some(replaced) = opening.replaces {
            self.replace(replaced)?;
        }
        let (now, session) = (self.now, opening.session);
        let node = Node::try_from(opening.hello.client.0).unwrap_or(Node::MAX);
        let config = self.options.server_config.clone();
        let mut opened = ServerSession::open(now, config, opening, self.options.server_reliable);
        if self.server.is_paused {
            opened.pause_business(now, true);
        }
        let seat = u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX);
        let made = Seat { session: opened, link: Some(link), node, deadline: None, due: None };
        self.server.seats.push(Some(Box::new(made)));
        self.server.by_id.insert(session, seat);
        if let Some(known) = self.link(link) {
            known.seat = Some(seat);
        }
        self.drain_seat(seat)
    }

    /// A session that its client never learned of gives way to one that it asked for again.
    fn replace(&mut self, session: SessionId) -> Check {
        let now = self.now;
        let Some(seat) = self.server.by_id.remove(&session) else {
            return violated("well_behaved", format!("{session} is to be replaced and is not there"));
        };
        let Some(mut old) = self.server.seats.get_mut(seat as usize).and_then(Option::take) else { return Ok(()) };
        for unassigned in old.session.take_unassigned(now) {
            self.server.unrouted.push_back((unassigned.payload, unassigned.redelivered));
        }
        if let Some(link) = old.link {
            self.close_end(link, End::Server);
        }
        Ok(())
    }

    fn resume_seat(&mut self, link: u32, session: SessionId, hello: &Hello) -> Check {
        let (now, reliable_ordered) = (self.now, self.options.server_reliable);
        let seat = self.server.by_id.get(&session).copied();
        let Some((seat, taken)) = seat.and_then(|seat| Some((seat, self.server.seat(seat)?))) else {
            return violated("well_behaved", format!("{session} is to be resumed and is not there"));
        };
        let old = taken.link.replace(link);
        taken.session.resume(now, hello, reliable_ordered);
        if let Some(known) = self.link(link) {
            known.seat = Some(seat);
        }
        if let Some(old) = old {
            self.tally.trouble("take_overs");
            self.close_end(old, End::Server);
        }
        self.drain_seat(seat)
    }

    pub(super) fn seat_link_down(&mut self, seat: u32, link: u32) -> Check {
        let now = self.now;
        let Some(taken) = self.server.seat(seat).filter(|taken| taken.link == Some(link)) else { return Ok(()) };
        taken.link = None;
        taken.session.handle(now, Input::LinkDown);
        self.drain_seat(seat)
    }

    pub(super) fn seat_due(&mut self, seat: u32) -> Check {
        let now = self.now;
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        if taken.due.is_some_and(|due| due <= now) {
            taken.due = None;
        }
        if taken.deadline.is_none_or(|deadline| deadline > now) {
            self.keep_seat_deadline(seat);
            return Ok(());
        }
        taken.session.handle(now, Input::Timeout);
        self.drain_seat(seat)
    }

    fn keep_seat_deadline(&mut self, seat: u32) {
        let Some(taken) = self.server.seat(seat) else { return };
        if let Some(deadline) = taken.deadline
            && taken.due.is_none_or(|due| deadline < due)
        {
            taken.due = Some(deadline);
            self.agenda.add(deadline, Event::SeatDue { seat });
        }
    }

    /// Takes everything out of a server's session.
    pub(super) fn drain_seat(&mut self, seat: u32) -> Check {
        let mut outputs = 0;
        loop {
            outputs += 1;
            let Some(taken) = self.server.seat(seat) else { return Ok(()) };
            match taken.session.poll_output() {
                Output::Transmit(frame) => {
                    if let Some(link) = taken.link {
                        self.transmit(link, End::Server, frame)?;
                    }
                }
                Output::Event(event) => self.on_server_event(seat, event)?,
                Output::CloseLink(reason) => self.on_seat_close(seat, &reason)?,
                Output::Timeout(deadline) => {
                    taken.deadline = deadline;
                    break;
                }
            }
            no_unbounded_memory::check_outputs(outputs, (self.calls + self.broadcasts) as usize)?;
        }
        self.keep_seat_deadline(seat);
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        if let Err(violation) = taken.session.check_invariants() {
            return well_behaved::check_inside("server", violation.0);
        }
        if taken.session.is_ended() {
            let (link, resent) = (taken.link.take(), taken.session.stats().resent);
            self.server.seats[seat as usize] = None;
            self.server.resent_before += resent;
            if let Some(link) = link {
                self.close_end(link, End::Server);
            }
        }
        Ok(())
    }

    fn on_seat_close(&mut self, seat: u32, reason: &CloseReason) -> Check {
        let now = self.now;
        self.trace.say(now, || format!("seat {seat} closes its link: {reason:?}"));
        if let CloseReason::Protocol(error) = reason {
            well_behaved::check_close("server", error)?;
        }
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        let Some(link) = taken.link.take() else { return Ok(()) };
        taken.session.handle(now, Input::LinkDown);
        self.close_end(link, End::Server);
        Ok(())
    }

    fn on_server_event(&mut self, seat: u32, event: ServerEvent<Load>) -> Check {
        match event {
            ServerEvent::Action { action, key, redelivered, payload, .. } => {
                self.execute(seat, action, key, redelivered, payload)
            }
            ServerEvent::Ended(ended) => self.on_ended(seat, ended),
            ServerEvent::BroadcastRefused { payload, redelivered, .. } => {
                self.refuse(payload, redelivered);
                Ok(())
            }
            ServerEvent::Linked { .. } | ServerEvent::Parked => {
                self.trace.say(self.now, || format!("seat {seat}: {event:?}"));
                Ok(())
            }
            ServerEvent::CancelRequested(_) | ServerEvent::Overdue(_) | ServerEvent::BroadcastAssigned(_) => Ok(()),
        }
    }

    fn execute(&mut self, seat: u32, action: ActionHandle, key: CallKey, redelivered: bool, payload: Load) -> Check {
        let (call, now) = (payload.tag(), self.now);
        if payload.kind() != LoadKind::Request {
            return violated("answer_matches_call", format!("{payload:?} was to be executed"));
        }
        let Some(session) = self.server.seat(seat).map(|taken| taken.session.session()) else { return Ok(()) };
        self.tally.executed += 1;
        self.tally.redelivered += u64::from(redelivered);
        self.see(Seen::Executed { call, key, session, redelivered })?;
        let (takes, answer) = self.handle_action(call);
        if takes.is_zero() {
            if let Some(taken) = self.server.seat(seat) {
                taken.session.answer(now, action, answer);
            }
            return Ok(());
        }
        let handler = u32::try_from(self.server.handlers.len()).unwrap_or(u32::MAX);
        self.server.handlers.push(Some(Handler { seat, session, action, answer }));
        self.agenda.add(now + takes, Event::HandlerDone { handler });
        Ok(())
    }

    pub(super) fn finish_handler(&mut self, handler: u32) -> Check {
        let now = self.now;
        let Some(done) = self.server.handlers.get_mut(handler as usize).and_then(Option::take) else {
            return Ok(()); // It died with its server.
        };
        let Some(taken) = self.server.seat(done.seat).filter(|taken| taken.session.session() == done.session) else {
            return Ok(());
        };
        taken.session.answer(now, done.action, done.answer);
        self.drain_seat(done.seat)
    }

    fn on_ended(&mut self, seat: u32, ended: Ended<Load>) -> Check {
        self.server.by_id.remove(&ended.session);
        for unassigned in &ended.unassigned {
            self.server.unrouted.push_back((unassigned.payload, unassigned.redelivered));
        }
        let node = self.server.seat(seat).map_or(Node::MAX, |taken| taken.node);
        let is_expired = ended.reason == EndReason::Expired;
        self.trace.say(self.now, || format!("seat {seat} of node {node} ended: {:?}", ended.reason));
        self.server.registry.ended(self.now, ended);
        if is_expired {
            self.tally.trouble("sessions_expired");
            return self.see(Seen::Expired { node });
        }
        Ok(())
    }

    /// The application has a broadcast for any node.
    pub(super) fn log_broadcast(&mut self) -> Check {
        let size = 1 + self.random.below(self.options.work.bytes_max);
        self.broadcasts += 1;
        let load = Load::new(LoadKind::Broadcast, self.broadcasts, size);
        self.see(Seen::BroadcastLogged { broadcast: self.broadcasts })?;
        self.server.unrouted.push_back((load, false));
        Ok(())
    }

    /// A broadcast that a node refused has waited long enough.
    pub(super) fn offer_again(&mut self) {
        self.server.unrouted.extend(self.server.refused.pop_front());
    }

    /// Finds nodes for the broadcasts that wait for one.
    pub(super) fn route_broadcasts(&mut self) -> Check {
        for _ in 0..self.server.unrouted.len() {
            let Some((load, redelivered)) = self.server.unrouted.pop_front() else { break };
            let Some(seat) = self.some_live_seat() else {
                self.server.unrouted.push_front((load, redelivered));
                break;
            };
            let now = self.now;
            let Some(taken) = self.server.seat(seat) else { break };
            if taken.session.broadcast(now, METHOD, load, redelivered).is_err() {
                self.refuse(load, redelivered); // Its log is full.
            }
            self.drain_seat(seat)?;
        }
        Ok(())
    }

    /// A broadcast that found no room waits a little before it is offered again.
    fn refuse(&mut self, load: Load, redelivered: bool) {
        self.tally.trouble("broadcasts_refused");
        self.server.refused.push_back((load, redelivered));
        self.server.offer_again_at = (self.now + REFUSED_PAUSE).max(self.server.offer_again_at + REFUSED_SPACING);
        self.agenda.add(self.server.offer_again_at, Event::OfferAgain);
    }

    fn some_live_seat(&mut self) -> Option<u32> {
        let is_live = |seat: &&u32| {
            let place = self.server.seats.get(**seat as usize).and_then(Option::as_ref);
            place.is_some_and(|taken| taken.session.is_live() && taken.session.handles_broadcast(METHOD))
        };
        let live: Vec<u32> = self.server.by_id.values().filter(is_live).copied().collect();
        let chosen = self.random.below(u32::try_from(live.len()).unwrap_or(u32::MAX));
        live.get(chosen as usize).copied()
    }

    /// Takes back what broadcasts a session without a link has not assigned, for other nodes.
    pub(super) fn reroute_broadcasts(&mut self) -> Check {
        let now = self.now;
        for seat in 0..u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX) {
            let Some(taken) = self.server.seat(seat).filter(|taken| taken.link.is_none()) else { continue };
            let taken_back = taken.session.take_unassigned(now);
            for unassigned in taken_back {
                self.tally.trouble("broadcasts_rerouted");
                self.server.unrouted.push_back((unassigned.payload, unassigned.redelivered));
            }
            self.drain_seat(seat)?;
        }
        Ok(())
    }
}
