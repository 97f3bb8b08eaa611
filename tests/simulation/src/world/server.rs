//! The driver of the server: a registry, sessions, handlers, broadcasts that look for a node.
//!
//! Knows: the contract of the sessions and of the registry. Does not know: what the application does.

use std::collections::{BTreeMap, VecDeque};

use rpcgen_proto::config::Config;
use rpcgen_proto::frame::{Body, Hello, LinkFrame};
use rpcgen_proto::ids::{CallKey, Epoch, SessionId};
use rpcgen_proto::server::{Admission, Registry, RegistryConfig, Schema};
use rpcgen_proto::session::{
    ActionHandle, Answer, CloseReason, EndReason, Ended, Input, Opening, Output, ServerEvent, ServerSession,
};
use rpcgen_proto::time::Instant;

use super::chaos::Trouble;
use super::client::{FINGERPRINT, SERVICE};
use super::clock::NodeClock;
use super::guests::is_guest;
use super::link::End;
use super::{Event, World};
use crate::checkers::{
    Check, no_corrupt_delivery, no_foreign_data, no_unbounded_memory, restore_detected, violated, well_behaved,
};
use crate::load::{Load, LoadKind};
use crate::options::Options;
use crate::rules::name_of_close;
use crate::seen::{Call, Node, Seen};

/// Largest frame of every other server, if servers differ.
pub(super) const SMALL_FRAMES: u32 = 8 * 1024;

/// A session, and the link it has.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) session: ServerSession<Load>,
    pub(super) link: Option<u32>,
    pub(super) node: Node,
    /// Handlers that run.
    running: u32,
    /// When it was opened, and how often it was drained since.
    pub(super) opened: Instant,
    pub(super) drains: u64,
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
    call: Call,
}

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) epoch: u32,
    pub(super) clock: NodeClock,
    /// Its process is stopped until then.
    pub(super) frozen_until: Instant,
    /// The last hello with which each session was resumed.
    pub(super) last_hellos: BTreeMap<SessionId, Hello>,
    pub(super) registry: Registry<Load>,
    pub(super) seats: Vec<Option<Box<Seat>>>,
    pub(super) by_id: BTreeMap<SessionId, u32>,
    handlers: Vec<Option<Handler>>,
    /// Broadcasts that wait for a node, and whether they may have run.
    pub(super) unrouted: VecDeque<(Load, bool)>,
    /// Those that a node refused: they wait a little first.
    pub(super) refused: VecDeque<(Load, bool)>,
    /// When the last of them will be offered again.
    pub(super) offer_again_at: Instant,
    pub(super) is_paused: bool,
    /// It takes nothing new: it is about to end in good order.
    pub(super) is_closing: bool,
    resent_before: u64,
}

impl Server {
    pub(super) fn new(epoch: u32, options: &Options, clock: NodeClock) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&options.seed.to_le_bytes());
        key[8..12].copy_from_slice(&epoch.to_le_bytes());
        let limits = RegistryConfig { sessions_max: options.sessions_max, ..RegistryConfig::default() };
        let services = vec![Schema { service: SERVICE.to_owned(), fingerprint: FINGERPRINT, shape: "" }];
        Self {
            epoch,
            clock,
            frozen_until: Instant::START,
            last_hellos: BTreeMap::new(),
            registry: Registry::new(Epoch(u64::from(epoch)), services, limits, key),
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
    pub(super) fn reborn(&mut self, options: &Options, clock: NodeClock) {
        let resent_before = self.resent();
        // Places of seats and handlers go on, so that nothing that was planned for an old one meets a new one.
        let seats = std::iter::repeat_with(|| None).take(self.seats.len()).collect();
        let handlers = std::iter::repeat_with(|| None).take(self.handlers.len()).collect();
        *self = Self { seats, handlers, resent_before, ..Self::new(self.epoch + 1, options, clock) };
    }

    pub(super) fn resent(&self) -> u64 {
        self.resent_before + self.seats.iter().flatten().map(|seat| seat.session.stats().resent).sum::<u64>()
    }

    /// Whether a session waits for its client to come back, or has something to say, or a broadcast waits for a node.
    pub(super) fn is_busy(&self) -> bool {
        let place = |seat: &u32| self.seats.get(*seat as usize).and_then(Option::as_ref);
        let is_busy = |seat: &Seat| !is_guest(seat.node) && (seat.link.is_none() || !seat.session.is_idle());
        !self.unrouted.is_empty()
            || !self.refused.is_empty()
            || self.by_id.values().filter_map(place).any(|seat| is_busy(seat))
    }

    /// The sessions that are there, and whose they are.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (Node, SessionId)> {
        let place = |seat: u32| self.seats.get(seat as usize).and_then(Option::as_ref);
        self.by_id.iter().filter_map(move |(session, seat)| Some((place(*seat)?.node, *session)))
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
            (None, LinkFrame::Hello(hello)) => self.admit(link, *hello),
            (None, _) if self.is_guest_link(link) => {
                self.close_end(link, End::Server);
                Ok(())
            }
            (None, _) => violated("well_behaved", format!("client {client} does not begin with a hello")),
            (Some(seat), frame) => {
                let now = self.server_now();
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
                let arrived = arrived.filter(|_| !is_guest(taken.node));
                taken.session.handle(now, Input::Received(frame));
                if let Some(call) = arrived {
                    self.note_arrival(call, link);
                    self.see(Seen::Arrived { call })?;
                }
                self.drain_seat(seat)
            }
        }
    }

    fn admit(&mut self, link: u32, hello: Hello) -> Check {
        let now = self.server_now();
        match self.server.registry.admit(now, hello) {
            Admission::Open(opening) => self.open_seat(link, *opening),
            Admission::Resume(session, hello) => self.resume_seat(link, session, &hello),
            Admission::Restart(opening) => {
                violated("well_behaved", format!("{} restarts without a durable log", opening.session))
            }
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
        let (now, session) = (self.server_now(), opening.session);
        let node = Node::try_from(opening.hello.client.0).unwrap_or(Node::MAX);
        let config = self.session_config();
        let mut opened = ServerSession::open(now, config, opening, self.options.server_reliable);
        if self.server.is_paused {
            opened.pause_business(now, true);
        }
        let seat = u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX);
        let made = Seat {
            session: opened,
            link: Some(link),
            node,
            running: 0,
            opened: self.now,
            drains: 0,
            deadline: None,
            due: None,
        };
        self.server.seats.push(Some(Box::new(made)));
        self.server.by_id.insert(session, seat);
        if let Some(known) = self.link(link) {
            known.seat = Some(seat);
        }
        self.drain_seat(seat)
    }

    fn session_config(&self) -> Config {
        let mut config = self.options.server_config.clone();
        if self.options.small_frames && self.server.epoch.is_multiple_of(2) {
            config.frame_bytes_max = SMALL_FRAMES;
        }
        config
    }

    /// Every other session without a link goes on packed.
    fn pack_seat(&mut self, seat: u32) {
        let (now, config) = (self.server_now(), self.session_config());
        let Some(taken) = self.server.seat(seat) else { return };
        if taken.session.is_packable() && taken.session.session().0.is_multiple_of(2) {
            let stats = taken.session.stats();
            taken.session = taken.session.clone().pack().unpack(now, config, stats);
        }
    }

    /// A session that its client never learned of gives way to one that it asked for again.
    fn replace(&mut self, session: SessionId) -> Check {
        let now = self.server_now();
        let Some(seat) = self.server.by_id.remove(&session) else {
            return violated("well_behaved", format!("{session} is to be replaced and is not there"));
        };
        let Some(mut old) = self.server.seats.get_mut(seat as usize).and_then(Option::take) else { return Ok(()) };
        for unassigned in old.session.take_unassigned(now) {
            self.route_later(unassigned.payload, unassigned.redelivered);
        }
        if let Some(link) = old.link {
            self.close_end(link, End::Server);
        }
        Ok(())
    }

    fn resume_seat(&mut self, link: u32, session: SessionId, hello: &Hello) -> Check {
        let (now, reliable_ordered) = (self.server_now(), self.options.server_reliable);
        let seat = self.server.by_id.get(&session).copied();
        let Some((seat, taken)) = seat.and_then(|seat| Some((seat, self.server.seat(seat)?))) else {
            return violated("well_behaved", format!("{session} is to be resumed and is not there"));
        };
        let (old, before) = (taken.link.replace(link), taken.session.view());
        taken.session.resume(now, hello, reliable_ordered);
        if let Some(resume) = &hello.resume {
            restore_detected::check(resume.down_expected, &before, taken.session.is_live())?;
            self.server.last_hellos.insert(session, hello.clone());
        }
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
        let now = self.server_now();
        let Some(taken) = self.server.seat(seat).filter(|taken| taken.link == Some(link)) else { return Ok(()) };
        taken.link = None;
        taken.session.handle(now, Input::LinkDown);
        self.drain_seat(seat)
    }

    pub(super) fn seat_due(&mut self, seat: u32) -> Check {
        let (now, world_now) = (self.server_now(), self.now);
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        if taken.due.is_some_and(|due| due <= world_now) {
            taken.due = None;
        }
        if taken.deadline.is_none_or(|deadline| deadline > now) {
            self.keep_seat_deadline(seat);
            return Ok(());
        }
        taken.session.handle(now, Input::Timeout);
        self.drain_seat(seat)
    }

    /// What was planned does not hold any more: a stopped clock goes on.
    pub(super) fn call_seat_again(&mut self, seat: u32) {
        if let Some(taken) = self.server.seat(seat) {
            taken.due = None;
            self.keep_seat_deadline(seat);
        }
    }

    fn keep_seat_deadline(&mut self, seat: u32) {
        let clock = self.server.clock;
        let Some(taken) = self.server.seat(seat) else { return };
        if let Some(deadline) = taken.deadline.map(|deadline| clock.world_at(deadline))
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
                Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(reason) => self.on_seat_close(seat, &reason)?,
                Output::Timeout(deadline) => {
                    taken.deadline = deadline;
                    break;
                }
            }
            no_unbounded_memory::check_outputs(outputs, (self.calls + self.broadcasts + self.guests * 1_000) as usize)?;
        }
        self.keep_seat_deadline(seat);
        self.pack_seat(seat);
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        if let Err(violation) = taken.session.check_invariants() {
            return well_behaved::check_inside("server", violation.0);
        }
        self.check_seat(seat)?;
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
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
        let now = self.server_now();
        self.trace.say(self.now, || format!("seat {seat} closes its link: {reason:?}"));
        self.tally.rule(name_of_close(reason));
        let is_honest = self.server.seat(seat).is_some_and(|taken| !is_guest(taken.node));
        if let CloseReason::Protocol(error) = reason
            && is_honest
        {
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
            ServerEvent::Ended(ended) => self.on_ended(seat, *ended),
            ServerEvent::BroadcastRefused { payload, redelivered, .. } => {
                self.refuse(payload, redelivered);
                Ok(())
            }
            ServerEvent::Linked { .. } | ServerEvent::Parked => {
                self.trace.say(self.now, || format!("seat {seat}: {event:?}"));
                Ok(())
            }
            ServerEvent::Begin { action, .. } => {
                let now = self.server_now();
                if let Some(taken) = self.server.seat(seat) {
                    taken.session.begun(now, action, 1);
                }
                Ok(())
            }
            ServerEvent::Disputed => {
                let now = self.now;
                if let Some(client) = self.server.seat(seat).map(|taken| taken.session.client()) {
                    self.server.registry.disputed(now, client);
                }
                Ok(())
            }
            ServerEvent::CancelRequested(_)
            | ServerEvent::Overdue(_)
            | ServerEvent::BroadcastAssigned(_)
            | ServerEvent::BroadcastDelivered(_)
            | ServerEvent::Used
            | ServerEvent::TurnOver(_)
            | ServerEvent::Stopped => Ok(()),
        }
    }

    fn execute(&mut self, seat: u32, action: ActionHandle, key: CallKey, redelivered: bool, payload: Load) -> Check {
        let (call, now) = (payload.tag(), self.server_now());
        let Some((session, node)) = self.server.seat(seat).map(|taken| (taken.session.session(), taken.node)) else {
            return Ok(());
        };
        no_foreign_data::check(is_guest(node), payload.is_guests())?;
        if is_guest(node) {
            return self.execute_for_guest(seat, action);
        }
        no_corrupt_delivery::check_load(&payload)?;
        if payload.kind() != LoadKind::Request {
            return violated("answer_matches_call", format!("{payload:?} was to be executed"));
        }
        self.tally.executed += 1;
        self.tally.redelivered += u64::from(redelivered);
        self.see(Seen::Executed { call, key, session, redelivered })?;
        if !self.is_healed && self.random.chance(self.options.chaos.abort) {
            self.tally.trouble("aborts");
            self.agenda.add(self.now, Event::Trouble(Trouble::Abort));
        }
        let (takes, answer) = self.handle_action(call);
        let limit = self.options.server_config.handlers_max;
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        if takes.is_zero() {
            taken.session.answer(now, action, answer);
            return self.see(Seen::Completed { call });
        }
        taken.running += 1;
        no_unbounded_memory::check_handlers(taken.running, limit)?;
        let handler = u32::try_from(self.server.handlers.len()).unwrap_or(u32::MAX);
        self.server.handlers.push(Some(Handler { seat, session, action, answer, call }));
        self.agenda.add(self.now + takes, Event::HandlerDone { handler });
        Ok(())
    }

    /// A guest's action is answered at once.
    fn execute_for_guest(&mut self, seat: u32, action: ActionHandle) -> Check {
        let (now, load) = (self.server_now(), self.guest_load(LoadKind::Response));
        if let Some(taken) = self.server.seat(seat) {
            taken.session.answer(now, action, Answer::Response(load));
        }
        Ok(())
    }

    pub(super) fn finish_handler(&mut self, handler: u32) -> Check {
        let now = self.server_now();
        let Some(done) = self.server.handlers.get_mut(handler as usize).and_then(Option::take) else {
            return Ok(()); // It died with its server.
        };
        let Some(taken) = self.server.seat(done.seat).filter(|taken| taken.session.session() == done.session) else {
            return Ok(());
        };
        taken.running -= 1;
        taken.session.answer(now, done.action, done.answer);
        self.see(Seen::Completed { call: done.call })?;
        self.drain_seat(done.seat)
    }

    fn on_ended(&mut self, seat: u32, ended: Ended<Load>) -> Check {
        self.server.by_id.remove(&ended.session);
        self.server.last_hellos.remove(&ended.session);
        for unassigned in &ended.unassigned {
            self.route_later(unassigned.payload, unassigned.redelivered);
        }
        let node = self.server.seat(seat).map_or(Node::MAX, |taken| taken.node);
        let is_expired = ended.reason == EndReason::Expired;
        self.trace.say(self.now, || format!("seat {seat} of node {node} ended: {:?}", ended.reason));
        let now = self.server_now();
        self.server.registry.ended(now, ended);
        if is_expired && !is_guest(node) {
            self.tally.trouble("sessions_expired");
            return self.see(Seen::Expired { node });
        }
        Ok(())
    }
}
