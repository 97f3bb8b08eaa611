//! The steps of a world: what the network, the clock, the processes and the people may do next.
//!
//! Knows: which steps there are in a state, and what each does. Does not know: in which order they are tried.
//!
//! Time stands still but for timers. While no frame is on its way the next timer may fire; while one is, that is a fault (`early`).
//! A cut link loses what is on its way: what would have arrived before arrives in another run of the same steps.

use std::sync::Arc;

use rpcgen_proto::ids::LaneKind;
use rpcgen_proto::session::Input;
use rpcgen_proto::time::Instant;

use super::identity::is_near;
use super::ledger::Check;
use super::link::{Brief, Item};
use super::{Client, Seat, Server, Step, World};
use crate::configuration::{Configuration, Faults, Outcome};

/// An end of a session, as the world numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A client.
    Client(u8),
    /// One of the server's sessions.
    Seat(u8),
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say who and where")]
pub enum Action {
    /// The first item on its way arrives.
    Deliver { link: u8, lane: LaneKind },
    /// It is lost.
    Lose { link: u8, lane: LaneKind },
    /// It arrives, and once more after all that is on its way.
    Duplicate { link: u8, lane: LaneKind },
    /// It is overtaken by all that is on its way.
    Overtake { link: u8, lane: LaneKind },
    /// The next timer fires.
    Fire { end: End, early: bool },
    /// A client calls.
    Send { client: u8 },
    /// A client wants the first of its calls cancelled.
    Cancel { client: u8 },
    /// A client says goodbye.
    Disconnect { client: u8 },
    /// The business answers.
    Answer { handler: u8 },
    /// The server's application has a broadcast.
    Broadcast,
    /// A client connects.
    Connect { client: u8 },
    /// A client's link breaks, and the client notices.
    CutAtClient { link: u8 },
    /// A client's link breaks, and the server notices.
    CutAtServer { link: u8 },
    /// The server dies, and another begins without its memory.
    CrashServer,
    /// A client dies, and another begins in its place.
    CrashClient { client: u8 },
    /// The reconnect timeout of a session is over.
    Expire { seat: u8 },
    /// The broadcasts of a session without a link are given to others.
    TakeBack { seat: u8 },
}

#[expect(clippy::cast_possible_truncation, reason = "a small world")]
fn small(index: usize) -> u8 {
    index as u8
}

impl World {
    /// The steps that there are.
    pub fn actions(&self, rules: &Configuration, found: &mut Vec<Action>) {
        if self.violation.is_some() {
            return;
        }
        self.links_do(found);
        self.clients_do(rules, found);
        self.timers_do(found);
        found.extend((0..self.server.handlers.len()).map(|handler| Action::Answer { handler: small(handler) }));
        if self.ledger.logged() < usize::from(rules.broadcasts) {
            found.push(Action::Broadcast);
        }
        if self.left.total > 0 {
            self.processes_fail(found);
        }
    }

    fn links_do(&self, found: &mut Vec<Action>) {
        let left = |kind: u8| kind > 0 && self.left.total > 0;
        for (index, known) in self.links.iter().enumerate() {
            let link = small(index);
            for lane in [LaneKind::Up, LaneKind::Down] {
                let queue = known.queue(lane);
                if queue.is_empty() {
                    continue;
                }
                found.push(Action::Deliver { link, lane });
                if known.is_faulty(lane) {
                    found.extend(left(self.left.lose).then_some(Action::Lose { link, lane }));
                    found.extend(left(self.left.duplicate).then_some(Action::Duplicate { link, lane }));
                    let has_next = matches!(queue.get(1), Some(Item::Frame(_)));
                    found.extend((has_next && left(self.left.reorder)).then_some(Action::Overtake { link, lane }));
                }
            }
            if left(self.left.cut) && known.client_is_here && known.server_is_here {
                found.push(Action::CutAtClient { link });
                found.extend(known.session.is_some().then_some(Action::CutAtServer { link }));
            }
        }
    }

    fn clients_do(&self, rules: &Configuration, found: &mut Vec<Action>) {
        for (index, known) in self.clients.iter().enumerate() {
            let client = small(index);
            if known.session.is_ended() {
                continue;
            }
            let is_linked =
                self.links.iter().any(|link| link.client == client && link.life == known.life && link.client_is_here);
            if !is_linked {
                found.push(Action::Connect { client });
            }
            if known.is_leaving {
                continue;
            }
            let accepted = self.ledger.accepted();
            if accepted < usize::from(rules.calls) {
                found.push(Action::Send { client });
            } else if rules.disconnects {
                found.push(Action::Disconnect { client });
            }
            if !known.cancellable.is_empty() {
                found.push(Action::Cancel { client });
            }
        }
    }

    /// When each end wants to be called, as far as the model fires it. That of a session without a link is the reconnect timeout.
    fn near_deadlines(&self) -> impl Iterator<Item = (End, Instant)> {
        let clients = self.clients.iter().enumerate();
        let clients = clients.map(|(index, client)| (End::Client(small(index)), client.deadline));
        let seats = self.server.seats.iter().enumerate().filter(|(_, seat)| seat.session.is_live());
        let seats = seats.map(|(index, seat)| (End::Seat(small(index)), seat.deadline));
        let all = clients.chain(seats).filter_map(|(end, at)| Some((end, at?)));
        all.filter(|(_, at)| is_near(self.now, *at)).map(|(end, at)| (end, at.max(self.now)))
    }

    fn timers_do(&self, found: &mut Vec<Action>) {
        let Some(next) = self.near_deadlines().map(|(_, at)| at).min() else { return };
        let early = self.links.iter().any(super::Link::is_busy);
        if early && (self.left.early == 0 || self.left.total == 0) {
            return;
        }
        found.extend(self.near_deadlines().filter(|(_, at)| *at == next).map(|(end, _)| Action::Fire { end, early }));
    }

    fn processes_fail(&self, found: &mut Vec<Action>) {
        if self.left.crash_server > 0 {
            found.push(Action::CrashServer);
        }
        if self.left.crash_client > 0 {
            let alive = self.clients.iter().enumerate().filter(|(_, known)| !known.session.is_ended());
            found.extend(alive.map(|(client, _)| Action::CrashClient { client: small(client) }));
        }
        let parked = self.server.seats.iter().enumerate().filter(|(_, seat)| !seat.session.is_live());
        for (seat, _) in parked {
            found.extend((self.left.expire > 0).then_some(Action::Expire { seat: small(seat) }));
            found.extend((self.left.take_back > 0).then_some(Action::TakeBack { seat: small(seat) }));
        }
    }

    /// The first item that can arrive.
    pub(super) fn deliverable(&self) -> Option<Action> {
        self.links.iter().enumerate().find_map(|(index, link)| {
            let lane = [LaneKind::Up, LaneKind::Down].into_iter().find(|lane| !link.queue(*lane).is_empty())?;
            Some(Action::Deliver { link: small(index), lane })
        })
    }

    /// The next step of a run in which nothing goes wrong and nobody wants anything new.
    fn next_fair(&self) -> Option<Action> {
        if let Some(action) = self.deliverable() {
            return Some(action);
        }
        if !self.server.handlers.is_empty() {
            return Some(Action::Answer { handler: 0 });
        }
        let mut found = Vec::new();
        self.timers_do(&mut found);
        for (client, known) in self.clients.iter().enumerate() {
            let client = small(client);
            let is_here = |link: &super::Link| link.client == client && link.life == known.life && link.client_is_here;
            if !known.session.is_ended() && !self.links.iter().any(is_here) {
                return Some(Action::Connect { client });
            }
        }
        // In the end the sessions of those who never come back are given up.
        found.first().copied().or_else(|| {
            let has_left = |seat: &Seat| {
                let client = &self.clients[usize::from(seat.client)];
                !seat.session.is_live() && (client.life != seat.life || client.session.is_ended())
            };
            let seat = self.server.seats.iter().position(has_left)?;
            Some(Action::Expire { seat: small(seat) })
        })
    }

    /// The world when a run without further faults has come to its end; `None` if it does not within so many steps.
    pub(crate) fn run_fairly(&self, rules: &Configuration, steps_max: usize) -> Option<Self> {
        let mut world = self.clone();
        for _ in 0..steps_max {
            if world.violation.is_some() {
                return Some(world);
            }
            let Some(action) = world.next_fair() else { return Some(world) };
            world = world.after(rules, action).0;
        }
        None
    }

    /// Checks a world in which nothing more will happen.
    pub(crate) fn check_end(&self) -> Check {
        self.ledger.end(self.clients.iter().any(|client| !client.session.is_ended()))
    }

    /// A step in words.
    #[must_use]
    pub fn describe(&self, action: Action) -> String {
        let item = |link: u8, lane: LaneKind| {
            let known = &self.links[usize::from(link)];
            let to = if lane == LaneKind::Up { "the server" } else { "client" };
            let client = if lane == LaneKind::Up { String::new() } else { format!(" {}", known.client) };
            let what = known.queue(lane).front().map_or_else(String::new, |item| Brief(item).to_string());
            format!("to {to}{client}: {what}")
        };
        match action {
            Action::Deliver { link, lane } => format!("arrives {}", item(link, lane)),
            Action::Lose { link, lane } => format!("LOST {}", item(link, lane)),
            Action::Duplicate { link, lane } => format!("TWICE {}", item(link, lane)),
            Action::Overtake { link, lane } => format!("OVERTAKEN {}", item(link, lane)),
            other => format!("{other:?}"),
        }
    }
}

impl Step<'_> {
    /// Takes one from a kind of fault and from all.
    fn spend(&mut self, kind: impl Fn(&mut Faults) -> &mut u8) {
        let left = &mut self.world.left;
        *kind(left) = kind(left).saturating_sub(1);
        left.total = left.total.saturating_sub(1);
    }

    pub(super) fn act(&mut self, action: Action) -> Check {
        match action {
            Action::Deliver { link, lane } => self.deliver(usize::from(link), lane)?,
            Action::Lose { link, lane } => {
                self.spend(|left| &mut left.lose);
                self.world.links[usize::from(link)].queue_mut(lane).pop_front();
            }
            Action::Duplicate { link, lane } => {
                self.spend(|left| &mut left.duplicate);
                let queue = self.world.links[usize::from(link)].queue_mut(lane);
                queue.extend(queue.front().cloned());
                self.deliver(usize::from(link), lane)?;
            }
            Action::Overtake { link, lane } => {
                self.spend(|left| &mut left.reorder);
                let queue = self.world.links[usize::from(link)].queue_mut(lane);
                queue.rotate_left(1);
                // Nothing comes after the end of a link.
                if let Some(end) = queue.iter().position(|item| *item == Item::End) {
                    let last = queue.len() - 1;
                    queue.swap(end, last);
                }
            }
            Action::Fire { end, early } => self.fire(end, early)?,
            Action::Send { client } => self.send(client)?,
            Action::Cancel { client } => self.cancel(client)?,
            Action::Disconnect { client } => self.disconnect(client)?,
            Action::Answer { handler } => self.answer(usize::from(handler))?,
            Action::Broadcast => self.broadcast()?,
            Action::Connect { client } => self.connect(client)?,
            Action::CutAtClient { link } | Action::CutAtServer { link } => {
                self.spend(|left| &mut left.cut);
                let known = &mut self.world.links[usize::from(link)];
                known.up.clear();
                known.down.clear();
                let lane = if matches!(action, Action::CutAtClient { .. }) { LaneKind::Down } else { LaneKind::Up };
                known.queue_mut(lane).push_back(Item::End);
                self.deliver(usize::from(link), lane)?;
            }
            Action::CrashServer => self.crash_server(),
            Action::CrashClient { client } => self.crash_client(client),
            Action::Expire { seat } => self.expire(usize::from(seat))?,
            Action::TakeBack { seat } => {
                self.spend(|left| &mut left.take_back);
                let id = self.world.server.seats[usize::from(seat)].id;
                self.take_back(id)?;
            }
        }
        self.world.links.retain(|link| link.client_is_here || link.server_is_here);
        Ok(())
    }

    fn fire(&mut self, end: End, early: bool) -> Check {
        if early {
            self.spend(|left| &mut left.early);
        }
        let deadline = match end {
            End::Client(client) => self.client(client).deadline,
            End::Seat(seat) => self.world.server.seats[usize::from(seat)].deadline,
        };
        self.world.now = self.world.now.max(deadline.unwrap_or(self.world.now));
        match end {
            End::Client(client) => self.client_hears(client, Input::Timeout),
            End::Seat(seat) => {
                let id = self.world.server.seats[usize::from(seat)].id;
                self.server_hears(id, Input::Timeout)
            }
        }
    }

    fn crash_server(&mut self) {
        self.spend(|left| &mut left.crash_server);
        let epoch = self.world.server.epoch + 1;
        self.world.server = Server::new(epoch);
        self.world.ledger.server_died();
        self.world.links.iter_mut().filter(|link| link.server_is_here).for_each(|link| {
            link.down.clear();
            link.server_leaves();
        });
    }

    fn crash_client(&mut self, client: u8) {
        self.spend(|left| &mut left.crash_client);
        if let Some(link) = self.link_of_client(client) {
            link.up.clear();
            link.client_leaves();
        }
        let life = self.client(client).life + 1;
        let reborn = Client::new(self.rules, client, life);
        let dead = std::mem::replace(self.client(client), reborn);
        self.world.ledger.client_died(&dead.calls);
    }

    fn expire(&mut self, seat: usize) -> Check {
        self.spend(|left| &mut left.expire);
        let Seat { id, deadline, .. } = self.world.server.seats[seat];
        self.world.now = self.world.now.max(deadline.unwrap_or(self.world.now));
        self.see(Outcome::Expired);
        let now = self.world.now;
        if let Some(known) = self.seat(id) {
            Arc::make_mut(&mut known.session).handle(now, Input::Timeout);
        }
        self.drain_seat(id)
    }
}
