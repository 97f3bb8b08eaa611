//! What happens to nodes and ways for a while and then is over: processes that are stopped, clocks that stand still, ways on which nothing
//! gets through, readers that do not read.
//!
//! Knows: until when. Does not know: how anybody copes.

use rpcgen_proto::time::Instant;

use super::link::End;
use super::{Event, World};
use crate::checkers::Check;
use crate::seen::Seen;

/// One way between a client and the server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    /// Nothing arrives before.
    pub(super) closed_until: Instant,
    /// On links that may lose, what is sent meanwhile is lost; else it waits.
    pub(super) loses: bool,
}

impl World {
    /// A client or the server is stopped, as by SIGSTOP. Its clock goes on.
    pub(super) fn freeze(&mut self) {
        self.tally.trouble("freezes");
        let until = self.now + self.up_to(self.options.chaos.freeze_lasts);
        let client = self.some_client();
        if self.random.chance(0.4) {
            self.trace.say(self.now, || format!("the server is stopped until {until:?}"));
            self.server.frozen_until = self.server.frozen_until.max(until);
        } else {
            self.trace.say(self.now, || format!("client {client} is stopped until {until:?}"));
            let known = &mut self.clients[client as usize];
            known.frozen_until = known.frozen_until.max(until);
            let life = known.life;
            self.agenda.add(until, Event::Thaw { client, life });
        }
    }

    /// A client goes on.
    pub(super) fn thaw(&mut self, client: u32, life: u32) -> Check {
        let known = &self.clients[client as usize];
        if known.life != life {
            return Ok(());
        }
        let (node, at) = (known.node, known.clock.local(self.now));
        self.see(Seen::Thawed { node, at })
    }

    /// When a stopped node does what it should do now; `None`: it is not stopped.
    pub(super) fn thaw_of(&mut self, event: Event) -> Option<Instant> {
        let server = self.server.frozen_until;
        let until = match event {
            Event::Arrive { at: End::Server, .. }
            | Event::LinkLost { at: End::Server, .. }
            | Event::SeatDue { .. }
            | Event::HandlerDone { .. }
            | Event::OfferAgain => server,
            Event::Arrive { link, at: End::Client } | Event::LinkLost { link, at: End::Client } => {
                let client = self.link(link)?.client;
                self.clients.get(client as usize)?.frozen_until
            }
            Event::ClientDue { client } | Event::Connect { client, .. } | Event::Work { client } => {
                self.clients.get(client as usize)?.frozen_until
            }
            Event::GuestWork { .. } | Event::FaultsDue { .. } | Event::Thaw { .. } | Event::Trouble(_) => return None,
        };
        (until > self.now).then_some(until)
    }

    /// Whether the server's process is stopped.
    pub(super) fn is_server_frozen(&self) -> bool {
        self.server.frozen_until > self.now
    }

    /// A clock stands still.
    pub(super) fn stall_clock(&mut self) {
        self.tally.trouble("clock_stalls");
        let (now, lasts) = (self.now, self.up_to(self.options.chaos.clock_stall_lasts));
        let client = self.some_client();
        if self.random.chance(0.4) {
            self.server.clock.stall(now, lasts);
        } else {
            self.clients[client as usize].clock.stall(now, lasts);
        }
    }

    /// Nothing gets through for a while, in one direction or in both; or an end does not read.
    pub(super) fn close_ways(&mut self) {
        let client = self.some_client();
        let until = self.now + self.up_to(self.options.chaos.partition_lasts);
        let (up, down, loses, name) = match self.random.below(4) {
            0 => (true, true, true, "partitions"),
            1 => (true, false, true, "partitions_up"),
            2 => (false, true, true, "partitions_down"),
            _ => (true, false, false, "reader_stalls"),
        };
        // Either end may be the one that does not read.
        let (up, down) = if !loses && self.random.chance(0.5) { (down, up) } else { (up, down) };
        self.tally.trouble(name);
        self.trace.say(self.now, || format!("client {client}: {name} until {until:?}"));
        let known = &mut self.clients[client as usize];
        for way in [up.then_some(&mut known.up), down.then_some(&mut known.down)].into_iter().flatten() {
            *way = Way { closed_until: until, loses };
        }
    }

    /// The way of what an end of a link sends.
    pub(super) fn way(&mut self, link: u32, from: End) -> Way {
        let client = self.link(link).map(|known| known.client);
        let Some(known) = client.and_then(|client| self.clients.get(client as usize)) else { return Way::default() };
        match from {
            End::Client => known.up,
            End::Server => known.down,
        }
    }

    /// What waits on closed ways goes on now.
    fn open_ways(&mut self) {
        for link in 0..u32::try_from(self.links.len()).unwrap_or(u32::MAX) {
            for from in [End::Client, End::Server] {
                let arrives = self.now + self.latency(from);
                let Some(known) = self.link(link) else { continue };
                let pipe = &mut known.end(from).pipe;
                pipe.last_arrives = arrives;
                let count = pipe.packets.len();
                for _ in 0..count {
                    self.agenda.add(arrives, Event::Arrive { link, at: from.other() });
                }
            }
        }
    }

    /// Everything goes on, and all ways are open.
    pub(super) fn clear_weather(&mut self) -> Check {
        let now = self.now;
        self.open_ways();
        self.server.frozen_until = Instant::START;
        self.server.clock.go_on(now);
        for seat in 0..u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX) {
            self.call_seat_again(seat);
        }
        for client in 0..self.options.clients {
            let known = &mut self.clients[client as usize];
            (known.up, known.down) = (Way::default(), Way::default());
            known.frozen_until = Instant::START;
            known.clock.go_on(now);
            let life = known.life;
            self.thaw(client, life)?;
            self.call_client_again(client);
        }
        Ok(())
    }

    fn some_client(&mut self) -> u32 {
        self.random.below(self.options.clients)
    }
}
