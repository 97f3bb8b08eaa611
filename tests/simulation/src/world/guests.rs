//! Guests: clients that do not keep to the protocol. What a guest sends and gets is changed on the way, it asks for too much, it says hello
//! in the name of others, it is rolled back. Nothing is promised to it; but nobody else may notice it.
//!
//! Knows: what a guest does. Does not know: how frames are changed (`tamper` does).

use std::time::Duration;

use rpcgen_proto::frame::{Frame, Hello, LinkFrame, MissingRange, Resume, Riders};
use rpcgen_proto::ids::{Epoch, LinkNumber, Position};
use rpcgen_proto::server::Admission;

use super::client::{Client, METHOD};
use super::link::End;
use super::{Event, World};
use crate::checkers::{Check, no_unbounded_memory, one_writer_per_session, pool_verifiers_agree};
use crate::load::{GUEST, Load, LoadKind};
use crate::seen::Node;

/// Frames of a guest that are kept for saying them again.
pub(super) const HISTORY_MAX: usize = 12;

/// Whether it is a guest.
pub(super) fn is_guest(node: Node) -> bool {
    node & GUEST != 0
}

impl World {
    /// A place for each guest, after those of the honest clients.
    pub(super) fn invite_guests(&mut self) {
        for _ in 0..self.options.guests.count {
            let client = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
            let node = self.next_guest();
            let made = Client::new(node, &self.options, self.now, &mut self.random);
            self.clients.push(made);
            self.agenda.add(self.now, Event::Connect { client, life: 0 });
            self.agenda.add(self.now, Event::GuestWork { client });
        }
    }

    pub(super) fn next_guest(&mut self) -> Node {
        self.guests += 1;
        self.guests | GUEST
    }

    /// Whether the client of a link is a guest.
    pub(super) fn is_guest_link(&mut self, link: u32) -> bool {
        let honest = self.options.clients;
        self.link(link).is_some_and(|known| known.client >= honest)
    }

    /// All guests are gone, and nobody says goodbye.
    pub(super) fn dismiss_guests(&mut self) {
        for client in self.options.clients..u32::try_from(self.clients.len()).unwrap_or(u32::MAX) {
            if let Some(link) = self.clients[client as usize].link {
                self.cut(link);
            }
        }
        self.clients.truncate(self.options.clients as usize);
    }

    /// A guest does something.
    pub(super) fn guest_work(&mut self, client: u32) -> Check {
        if self.is_healed {
            return Ok(());
        }
        let pause = Duration::from_millis(1) + self.up_to(self.options.guests.pause_max);
        self.agenda.add(self.now + pause, Event::GuestWork { client });
        let now = self.clients[client as usize].clock.local(self.now);
        for _ in 0..self.random.below(4) {
            let load = self.guest_load(LoadKind::Request);
            let known = &mut self.clients[client as usize];
            if let Ok(handle) = known.session.send(now, METHOD, load) {
                known.recent.truncate(16);
                known.recent.insert(0, handle);
            }
        }
        if self.random.chance(0.1)
            && let Some(handle) = self.clients[client as usize].recent.last().copied()
        {
            self.clients[client as usize].session.cancel(now, handle);
        }
        if self.random.chance(0.01) {
            self.clients[client as usize].session.disconnect(now, Duration::from_millis(100));
        }
        self.roll_back(client);
        self.drain_client(client)?;
        if self.is_server_frozen() {
            return Ok(());
        }
        if self.random.chance(0.2) {
            self.broadcast_to_guest(client)?;
        }
        if self.options.guests.storms { self.storm(client) } else { Ok(()) }
    }

    pub(super) fn guest_load(&mut self, kind: LoadKind) -> Load {
        let size = self.random.below(self.options.work.bytes_max);
        Load::new(kind, GUEST | self.random.below(1 << 20), size)
    }

    /// Now and then a guest is what it was a while ago.
    fn roll_back(&mut self, client: u32) {
        if !self.random.chance(self.options.guests.roll_back) {
            return;
        }
        let known = &mut self.clients[client as usize];
        match known.snapshot.take() {
            None => known.snapshot = Some(Box::new(known.session.clone())),
            Some(before) => {
                known.session.clone_from(&before);
                // Its hellos are old until it has tried often enough.
                known.snapshot = Some(before);
                let now = known.clock.local(self.now);
                known.session.handle(now, rpcgen_proto::session::Input::LinkDown);
                self.tally.trouble("roll_backs");
                if let Some(link) = self.clients[client as usize].link.take() {
                    self.close_end(link, End::Client);
                }
                self.connect_later(client);
            }
        }
    }

    fn broadcast_to_guest(&mut self, client: u32) -> Check {
        let link = self.clients[client as usize].link;
        let Some(seat) = link.and_then(|link| self.link(link)).and_then(|known| known.seat) else { return Ok(()) };
        let (load, now) = (self.guest_load(LoadKind::Broadcast), self.server_now());
        let Some(taken) = self.server.seat(seat).filter(|taken| is_guest(taken.node)) else { return Ok(()) };
        let _ = taken.session.broadcast(now, METHOD, load, false); // Full is full.
        self.drain_seat(seat)
    }

    /// Asks for everything again that the server has on its way, and says that it is blocked.
    fn storm(&mut self, client: u32) -> Check {
        let Some(link) = self.clients[client as usize].link else { return Ok(()) };
        let Some(seat) = self.link(link).and_then(|known| known.seat) else { return Ok(()) };
        let Some(view) = self.server.seat(seat).map(|taken| taken.session.view()) else { return Ok(()) };
        let count = u32::try_from(view.sent.0 - view.guaranteed.0).unwrap_or(u32::MAX);
        if count == 0 || self.options.is_link_reliable() {
            return Ok(());
        }
        self.tally.trouble("storms");
        let where_is = vec![MissingRange { first: view.guaranteed, count }];
        let riders = Riders { where_is, blocked: self.random.chance(0.1), ..Riders::default() };
        self.arrive_at_server(
            link,
            LinkFrame::Frame(Frame { bits: None, riders: Some(Box::new(riders)), message: None }),
        )
    }

    /// What arrives on a guest's link, changed or not.
    pub(super) fn deliver_to_guest(&mut self, link: u32, at: End, frame: LinkFrame<Load>) -> Check {
        if !self.random.chance(self.options.guests.malice) {
            return self.deliver_as_it_is(link, at, frame);
        }
        self.tally.trouble("tampered");
        match frame {
            LinkFrame::Welcome(welcome) if at == End::Client && self.random.chance(0.5) => {
                let Some(welcome) = Self::dispute_ranges(*welcome) else { return Ok(()) };
                let (session, client) = (welcome.session, self.link(link).map(|known| known.client));
                self.deliver_as_it_is(link, at, LinkFrame::Welcome(Box::new(welcome)))?;
                let client = client.and_then(|client| self.clients.get(client as usize));
                let view = client.and_then(|client| client.session.view());
                pool_verifiers_agree::check_welcome(view.is_some_and(|view| view.session == session))
            }
            LinkFrame::Frame(frame)
                if frame.riders.as_ref().is_some_and(|it| it.quarter.is_some() && it.range.is_none()) =>
            {
                self.dispute_quarter(link, at, frame)
            }
            frame => {
                for changed in self.tamper(link, at, frame) {
                    self.deliver_as_it_is(link, at, changed)?;
                }
                Ok(())
            }
        }
    }

    fn dispute_quarter(&mut self, link: u32, at: End, mut frame: Frame<Load>) -> Check {
        let riders = frame.riders.get_or_insert_default();
        if let Some(quarter) = &mut riders.quarter {
            quarter.crc ^= 1 << self.random.below(32);
        }
        riders.range_accepted = None; // That may move the end of what is agreed, and rightly so.
        let before = self.may_send(link, at);
        self.deliver_as_it_is(link, at, LinkFrame::Frame(frame))?;
        match (before, self.may_send(link, at)) {
            (Some(before), Some(after)) => pool_verifiers_agree::check_quarter(before, after),
            _ => Ok(()),
        }
    }

    fn may_send(&mut self, link: u32, at: End) -> Option<Position> {
        let known = self.link(link)?;
        let (client, seat) = (known.client, known.seat);
        match at {
            End::Client => Some(self.clients.get(client as usize)?.session.view()?.may_send),
            End::Server => Some(self.server.seat(seat?)?.session.view().may_send),
        }
    }

    /// Somebody who knows everything of a client but its secret says hello in its name; or says again what it once said.
    pub(super) fn steal(&mut self) -> Check {
        let victims: Vec<(Node, rpcgen_proto::ids::SessionId)> =
            self.server.sessions().filter(|(node, _)| !is_guest(*node)).collect();
        let chosen = self.random.below(u32::try_from(victims.len()).unwrap_or(u32::MAX)) as usize;
        let Some((node, session)) = victims.get(chosen).copied() else { return Ok(()) };
        self.tally.trouble("thefts");
        let known = self.server.last_hellos.get(&session).cloned();
        let now = self.server_now();
        if let Some(hello) = known.clone().filter(|_| self.random.chance(0.5)) {
            let admission = self.server.registry.admit(now, hello);
            return one_writer_per_session::check("a hello that was said before", is_refusal(&admission));
        }
        let epoch = Epoch(u64::from(self.server.epoch));
        let mut proof = [0; 32];
        proof[0] = self.random.below(256).to_le_bytes()[0];
        let resume = Some(Resume {
            session,
            epoch,
            proof,
            down_expected: Position(0),
            sent_below: rpcgen_proto::ids::CallNumber(0),
        });
        let own = Client::hello_of(node);
        let hello = Hello { link: LinkNumber(u64::from(u32::MAX)), resume, ..known.unwrap_or(own) };
        let admission = self.server.registry.admit(now, hello);
        one_writer_per_session::check("a hello without a proof", is_refusal(&admission))
    }

    /// A guest's session is as bounded as any other.
    pub(super) fn check_guest(&self, client: u32) -> Check {
        let session = &self.clients[client as usize].session;
        no_unbounded_memory::check_log(session.open_calls(), self.options.client_config.log_messages_max)
    }
}

fn is_refusal(admission: &Admission<Load>) -> bool {
    matches!(admission, Admission::Reject(_))
}
