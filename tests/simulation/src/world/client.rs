//! The driver of a client session, as small as one can be.
//!
//! Knows: the contract of the session. Does not know: what the application does.

use std::time::Duration;

use rpcgen_proto::frame::{Frame, Hello, LinkFrame, PROTOCOL_VERSION};
use rpcgen_proto::ids::{CallNumber, Incarnation, LinkNumber, MethodId, SessionId};
use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::session::{
    Answer, CallHandle, ClientEvent, ClientIdentity, ClientSession, CloseReason, Input, Output,
};
use rpcgen_proto::time::Instant;

use super::clock::NodeClock;
use super::guests::is_guest;
use super::link::End;
use super::weather::Way;
use super::{Event, World};
use crate::checkers::{
    Check, guarantee_within, no_corrupt_delivery, no_foreign_data, no_unbounded_memory, resume_within, well_behaved,
};
use crate::load::{Load, LoadKind};
use crate::options::Options;
use crate::rules::name_of_close;
use crate::seen::{Call, Ending, Node, Seen};

/// The one service.
pub(super) const SERVICE: &str = "simulation.Service";
/// Fingerprint of its schema.
pub(super) const FINGERPRINT: u64 = 0x51;
/// Its one action, and its one broadcast.
pub(super) const METHOD: MethodId = MethodId(0);

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: ClientSession<Load>,
    pub(super) node: Node,
    /// How often it died.
    pub(super) life: u32,
    pub(super) link: Option<u32>,
    /// The session as the server names it.
    session_id: SessionId,
    /// The session's calls, by number.
    pub(super) calls: Vec<Call>,
    /// Some of the calls that may still be cancelled.
    pub(super) recent: Vec<CallHandle>,
    deadline: Option<Instant>,
    /// When the agenda will call.
    due: Option<Instant>,
    /// It was asked to disconnect.
    pub(super) is_leaving: bool,
    pub(super) clock: NodeClock,
    /// Its process is stopped until then.
    pub(super) frozen_until: Instant,
    /// The way to the server, and back.
    pub(super) up: Way,
    pub(super) down: Way,
    /// A guest's: what it may be rolled back to, and frames that it may say again.
    pub(super) snapshot: Option<Box<ClientSession<Load>>>,
    pub(super) history: Vec<(End, Frame<Load>)>,
}

impl Client {
    pub(super) fn new(node: Node, options: &Options, now: Instant, random: &mut SplitMix64) -> Self {
        let identity = ClientIdentity {
            client: World::client_id(node),
            incarnation: Incarnation(u64::from(node)),
            life: rpcgen_proto::record::Life(0),
            service: SERVICE.to_owned(),
            fingerprint: FINGERPRINT,
            shape: None,
            broadcasts: vec![METHOD],
        };
        let seed = options.seed.wrapping_add(u64::from(node) << 32);
        Self {
            session: ClientSession::new(options.client_config.clone(), identity, seed),
            node,
            life: 0,
            link: None,
            session_id: SessionId(0),
            calls: Vec::new(),
            recent: Vec::new(),
            deadline: None,
            due: None,
            is_leaving: false,
            clock: NodeClock::new(now, random, options.chaos.clocks_drift),
            frozen_until: Instant::START,
            up: Way::default(),
            down: Way::default(),
            snapshot: None,
            history: Vec::new(),
        }
    }

    /// The first hello of a node, as far as others can know it.
    pub(super) fn hello_of(node: Node) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            service: SERVICE.to_owned(),
            fingerprint: FINGERPRINT,
            client: World::client_id(node),
            incarnation: Incarnation(u64::from(node)),
            life: rpcgen_proto::record::Life(0),
            link: LinkNumber(1),
            reliable_ordered: false,
            nonce: 7,
            resume: None,
            retired_below: CallNumber(0),
            broadcasts: vec![METHOD],
        }
    }
}

impl World {
    pub(super) fn connect(&mut self, client: u32, life: u32) -> Check {
        let known = &self.clients[client as usize];
        if known.life != life || known.link.is_some() || known.session.is_ended() {
            return Ok(());
        }
        let link = self.open_link(client);
        let reliable_ordered = self.options.client_reliable;
        let known = &mut self.clients[client as usize];
        let now = known.clock.local(self.now);
        known.link = Some(link);
        known.session.handle(now, Input::LinkUp { reliable_ordered });
        self.drain_client(client)
    }

    pub(super) fn connect_later(&mut self, client: u32) {
        let life = self.clients[client as usize].life;
        let is_away = !self.is_healed && self.random.chance(self.options.chaos.away);
        let mut pause = self.up_to(self.options.chaos.reconnect_max);
        if is_away {
            self.tally.trouble("clients_away");
            pause += self.options.server_config.reconnect_timeout.min(Duration::from_secs(40));
        }
        self.agenda.add(self.now + pause, Event::Connect { client, life });
    }

    /// A duration up to the longest.
    pub(super) fn up_to(&mut self, longest: Duration) -> Duration {
        let microseconds = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.random.below(microseconds.saturating_add(1))))
    }

    pub(super) fn arrive_at_client(&mut self, link: u32, frame: LinkFrame<Load>) -> Check {
        let Some(client) = self.link(link).map(|known| known.client) else { return Ok(()) };
        let Some(known) = self.clients.get_mut(client as usize).filter(|known| known.link == Some(link)) else {
            return Ok(());
        };
        let now = known.clock.local(self.now);
        known.session.handle(now, Input::Received(frame));
        self.drain_client(client)
    }

    pub(super) fn client_link_down(&mut self, client: u32, link: u32) -> Check {
        let Some(known) = self.clients.get_mut(client as usize).filter(|known| known.link == Some(link)) else {
            return Ok(());
        };
        let now = known.clock.local(self.now);
        known.link = None;
        known.session.handle(now, Input::LinkDown);
        if !known.session.is_ended() {
            self.connect_later(client);
        }
        self.drain_client(client)
    }

    pub(super) fn client_due(&mut self, client: u32) -> Check {
        let known = &mut self.clients[client as usize];
        if known.due.is_some_and(|due| due <= self.now) {
            known.due = None;
        }
        let now = known.clock.local(self.now);
        if known.deadline.is_none_or(|deadline| deadline > now) {
            self.keep_client_deadline(client);
            return Ok(());
        }
        known.session.handle(now, Input::Timeout);
        self.drain_client(client)
    }

    /// What was planned does not hold any more: a stopped clock goes on.
    pub(super) fn call_client_again(&mut self, client: u32) {
        self.clients[client as usize].due = None;
        self.keep_client_deadline(client);
    }

    fn keep_client_deadline(&mut self, client: u32) {
        let known = &mut self.clients[client as usize];
        if let Some(deadline) = known.deadline.map(|deadline| known.clock.world_at(deadline))
            && known.due.is_none_or(|due| deadline < due)
        {
            known.due = Some(deadline);
            self.agenda.add(deadline, Event::ClientDue { client });
        }
    }

    /// Takes everything out of a client's session.
    pub(super) fn drain_client(&mut self, client: u32) -> Check {
        let index = client as usize;
        let mut outputs = 0;
        loop {
            outputs += 1;
            match self.clients[index].session.poll_output() {
                Output::Transmit(frame) => {
                    if let Some(link) = self.clients[index].link {
                        self.transmit(link, End::Client, frame)?;
                    }
                }
                Output::Event(event) => self.on_client_event(client, event)?,
                Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(reason) => self.on_client_close(client, &reason)?,
                Output::Timeout(deadline) => {
                    self.clients[index].deadline = deadline;
                    break;
                }
            }
            let open = self.clients[index].session.open_calls() + self.clients[index].calls.len();
            no_unbounded_memory::check_outputs(outputs, open)?;
        }
        self.keep_client_deadline(client);
        let session = &self.clients[index].session;
        session.check_invariants().or_else(|violation| well_behaved::check_inside("client", violation.0))?;
        if client < self.options.clients {
            no_unbounded_memory::check_log(session.open_calls(), self.options.client_config.log_messages_max)?;
            self.compare_ends(client)?;
        } else {
            self.check_guest(client)?;
        }
        let session = &self.clients[index].session;
        if session.is_ended() && self.clients[index].link.is_none() {
            self.come_back(client);
        }
        Ok(())
    }

    fn on_client_close(&mut self, client: u32, reason: &CloseReason) -> Check {
        self.trace.say(self.now, || format!("client {client} closes its link: {reason:?}"));
        self.tally.rule(name_of_close(reason));
        let known = &mut self.clients[client as usize];
        let now = known.clock.local(self.now);
        if let CloseReason::Protocol(error) = reason
            && client < self.options.clients
        {
            well_behaved::check_close("client", error)?;
        }
        let Some(link) = known.link.take() else { return Ok(()) };
        known.session.handle(now, Input::LinkDown);
        let is_ended = known.session.is_ended();
        self.close_end(link, End::Client);
        if !is_ended {
            self.connect_later(client);
        }
        Ok(())
    }

    /// Who disconnected begins a new life, unless it is closing time.
    fn come_back(&mut self, client: u32) {
        if self.is_closing_time {
            return;
        }
        let node = if client < self.options.clients { self.next_node() } else { self.next_guest() };
        self.begin_life(client, node);
        let life = self.clients[client as usize].life;
        let pause = self.up_to(self.options.chaos.reconnect_max);
        self.agenda.add(self.now + pause, Event::Connect { client, life });
    }

    /// Another process in the place of the last.
    pub(super) fn begin_life(&mut self, client: u32, node: Node) {
        let life = self.clients[client as usize].life + 1;
        self.tally.resent += self.clients[client as usize].session.stats().resent;
        let born = Client::new(node, &self.options, self.now, &mut self.random);
        self.clients[client as usize] = Client { life, ..born };
    }

    fn call_of(&self, client: u32, handle: CallHandle) -> Call {
        let number = usize::try_from(handle.number.0).unwrap_or(usize::MAX);
        self.clients[client as usize].calls.get(number).copied().unwrap_or(Call::MAX)
    }

    fn on_client_event(&mut self, client: u32, event: ClientEvent<Load>) -> Check {
        let node = self.clients[client as usize].node;
        if is_guest(node) {
            return Self::on_guest_event(&event);
        }
        match event {
            ClientEvent::Guaranteed(handle) => {
                let call = self.call_of(client, handle);
                self.check_guarantee(client, call)?;
                self.see(Seen::Guaranteed { call })
            }
            ClientEvent::Answered(handle, answer) => {
                let call = self.call_of(client, handle);
                let ending = self.ending(call, &answer);
                self.see(Seen::Answered { call, ending })
            }
            ClientEvent::CancelResult(handle, outcome) => {
                self.see(Seen::CancelSettled { call: self.call_of(client, handle), outcome })
            }
            ClientEvent::Broadcast { number, redelivered, payload, .. } => {
                self.tally.broadcasts += 1;
                no_corrupt_delivery::check_load(&payload)?;
                no_foreign_data::check(false, payload.is_guests())?;
                let (session, broadcast) = (self.clients[client as usize].session_id, payload.tag());
                self.see(Seen::BroadcastRun { broadcast, session, number, redelivered })
            }
            ClientEvent::Disconnected { dropped } => {
                let at = self.clients[client as usize].clock.local(self.now);
                self.see(Seen::Disconnected { node, dropped: dropped.len(), at })
            }
            ClientEvent::Rejected(reject) => well_behaved::check_reject(node, &reject),
            ClientEvent::Linked { session, fresh } => {
                self.clients[client as usize].session_id = session;
                if fresh.is_some() {
                    self.cancel_some(client)?; // Of what is about to be sent again.
                }
                self.trace.say(self.now, || format!("client {client}: {event:?}"));
                self.check_resume(client)
            }
            ClientEvent::LinkLost
            | ClientEvent::SchemaFits { .. }
            | ClientEvent::StillPending(_)
            | ClientEvent::Overdue(_)
            | ClientEvent::Accepted(_)
            | ClientEvent::NotAccepted(_)
            | ClientEvent::ServerRestored { .. } => Ok(()),
        }
    }

    /// What a guest is told matters to nobody, as long as it is not somebody else's.
    fn on_guest_event(event: &ClientEvent<Load>) -> Check {
        match event {
            ClientEvent::Answered(_, Answer::Response(load) | Answer::Failure(load))
            | ClientEvent::Broadcast { payload: load, .. } => no_foreign_data::check(true, load.is_guests()),
            _ => Ok(()),
        }
    }

    /// On a link without trouble a guarantee comes in time.
    fn check_guarantee(&self, client: u32, call: Call) -> Check {
        let Some(Some((arrived, link))) = self.arrivals.get(call as usize).copied() else { return Ok(()) };
        if self.clients[client as usize].link != Some(link) {
            return Ok(());
        }
        let (flush_after, latency) = (self.options.server_config.flush_after, self.options.latency_down);
        guarantee_within::check(arrived, self.now, flush_after, latency)
    }

    /// With the faults over a link is greeted in time.
    fn check_resume(&mut self, client: u32) -> Check {
        let Some(link) = self.clients[client as usize].link else { return Ok(()) };
        let (healed, now) = (self.healed_at, self.now);
        let round_trip = self.options.latency_up + self.options.latency_down;
        let Some(opened) = self.link(link).map(|known| known.opened) else { return Ok(()) };
        match healed {
            Some(healed) if opened >= healed => resume_within::check(opened, now, round_trip),
            _ => Ok(()),
        }
    }

    fn ending(&mut self, call: Call, answer: &Answer<Load>) -> Ending {
        let (kind, load) = match answer {
            Answer::Response(load) => (LoadKind::Response, load),
            Answer::Failure(load) => (LoadKind::Failure, load),
            Answer::Refused(refusal) => {
                self.tally.answer(crate::world::work::name_of(*refusal));
                return Ending::Refused(*refusal);
            }
        };
        self.tally.answer(if kind == LoadKind::Response { "response" } else { "failure" });
        if load.kind() == kind && load.tag() == call { Ending::Right } else { Ending::Wrong }
    }
}
