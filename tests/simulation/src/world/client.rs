//! The driver of a client session, as small as one can be.
//!
//! Knows: the contract of the session. Does not know: what the application does.

use std::time::Duration;

use rpcgen_proto::frame::LinkFrame;
use rpcgen_proto::ids::{Incarnation, MethodId, SessionId};
use rpcgen_proto::session::{
    Answer, CallHandle, ClientEvent, ClientIdentity, ClientSession, CloseReason, Input, Output,
};
use rpcgen_proto::time::Instant;

use super::link::End;
use super::{Event, World};
use crate::checkers::{Check, no_unbounded_memory, well_behaved};
use crate::load::{Load, LoadKind};
use crate::options::Options;
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
}

impl Client {
    pub(super) fn new(node: Node, options: &Options) -> Self {
        let identity = ClientIdentity {
            client: World::client_id(node),
            incarnation: Incarnation(u64::from(node)),
            service: SERVICE.to_owned(),
            fingerprint: FINGERPRINT,
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
        let (now, reliable_ordered) = (self.now, self.options.client_reliable);
        let known = &mut self.clients[client as usize];
        known.link = Some(link);
        known.session.handle(now, Input::LinkUp { reliable_ordered });
        self.drain_client(client)
    }

    fn connect_later(&mut self, client: u32) {
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
        let now = self.now;
        let known = &mut self.clients[client as usize];
        if known.link != Some(link) {
            return Ok(());
        }
        known.session.handle(now, Input::Received(frame));
        self.drain_client(client)
    }

    pub(super) fn client_link_down(&mut self, client: u32, link: u32) -> Check {
        let now = self.now;
        let known = &mut self.clients[client as usize];
        if known.link != Some(link) {
            return Ok(());
        }
        known.link = None;
        known.session.handle(now, Input::LinkDown);
        if !known.session.is_ended() {
            self.connect_later(client);
        }
        self.drain_client(client)
    }

    pub(super) fn client_due(&mut self, client: u32) -> Check {
        let now = self.now;
        let known = &mut self.clients[client as usize];
        if known.due.is_some_and(|due| due <= now) {
            known.due = None;
        }
        if known.deadline.is_none_or(|deadline| deadline > now) {
            self.keep_client_deadline(client);
            return Ok(());
        }
        known.session.handle(now, Input::Timeout);
        self.drain_client(client)
    }

    fn keep_client_deadline(&mut self, client: u32) {
        let known = &mut self.clients[client as usize];
        if let Some(deadline) = known.deadline
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
                Output::CloseLink(reason) => self.on_client_close(client, &reason)?,
                Output::Timeout(deadline) => {
                    self.clients[index].deadline = deadline;
                    break;
                }
            }
            no_unbounded_memory::check_outputs(outputs, self.clients[index].calls.len())?;
        }
        self.keep_client_deadline(client);
        let session = &self.clients[index].session;
        session.check_invariants().or_else(|violation| well_behaved::check_inside("client", violation.0))?;
        no_unbounded_memory::check_log(session.open_calls(), self.options.client_config.log_messages_max)?;
        if session.is_ended() && self.clients[index].link.is_none() {
            self.come_back(client);
        }
        Ok(())
    }

    fn on_client_close(&mut self, client: u32, reason: &CloseReason) -> Check {
        let now = self.now;
        let known = &mut self.clients[client as usize];
        self.trace.say(now, || format!("client {client} closes its link: {reason:?}"));
        if let CloseReason::Protocol(error) = reason {
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
        let node = self.next_node();
        self.begin_life(client, node);
        let life = self.clients[client as usize].life;
        let pause = self.up_to(self.options.chaos.reconnect_max);
        self.agenda.add(self.now + pause, Event::Connect { client, life });
    }

    /// Another process in the place of the last.
    pub(super) fn begin_life(&mut self, client: u32, node: Node) {
        let life = self.clients[client as usize].life + 1;
        self.tally.resent += self.clients[client as usize].session.stats().resent;
        self.clients[client as usize] = Client { life, ..Client::new(node, &self.options) };
    }

    fn call_of(&self, client: u32, handle: CallHandle) -> Call {
        let number = usize::try_from(handle.number.0).unwrap_or(usize::MAX);
        self.clients[client as usize].calls.get(number).copied().unwrap_or(Call::MAX)
    }

    fn on_client_event(&mut self, client: u32, event: ClientEvent<Load>) -> Check {
        let node = self.clients[client as usize].node;
        match event {
            ClientEvent::Guaranteed(handle) => self.see(Seen::Guaranteed { call: self.call_of(client, handle) }),
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
                let (session, broadcast) = (self.clients[client as usize].session_id, payload.tag());
                self.see(Seen::BroadcastRun { broadcast, session, number, redelivered })
            }
            ClientEvent::Disconnected { dropped } => self.see(Seen::Disconnected { node, dropped: dropped.len() }),
            ClientEvent::Rejected(reject) => well_behaved::check_reject(node, &reject),
            ClientEvent::Linked { session, .. } => {
                self.clients[client as usize].session_id = session;
                self.trace.say(self.now, || format!("client {client}: {event:?}"));
                Ok(())
            }
            ClientEvent::LinkLost | ClientEvent::StillPending(_) | ClientEvent::Overdue(_) => Ok(()),
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
