//! Troubles of processes and links: cuts, crashes, pauses, restarts in good order.
//!
//! Knows: how often. Does not know: how anybody copes.

use std::time::Duration;

use super::clock::NodeClock;
use super::link::End;
use super::{Event, World};
use crate::checkers::Check;
use crate::seen::Seen;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Trouble {
    Cut,
    ServerCrash,
    /// A server that was told to end in good order is gone.
    ServerGone,
    ClientCrash,
    Pause,
    Reroute,
    Freeze,
    ClockStall,
    Partition,
    Theft,
    /// A handler brings its process down.
    Abort,
}

impl Trouble {
    /// Those that come again and again.
    const ALL: [Self; 9] = [
        Self::Cut,
        Self::ServerCrash,
        Self::ClientCrash,
        Self::Pause,
        Self::Reroute,
        Self::Freeze,
        Self::ClockStall,
        Self::Partition,
        Self::Theft,
    ];
}

impl World {
    pub(super) fn plan_troubles(&mut self) {
        for trouble in Trouble::ALL {
            self.plan_trouble(trouble);
        }
    }

    fn plan_trouble(&mut self, trouble: Trouble) {
        let chaos = &self.options.chaos;
        let each = match trouble {
            Trouble::Cut => chaos.cut_each,
            Trouble::ServerCrash => chaos.server_crash_each,
            Trouble::ClientCrash => chaos.client_crash_each,
            Trouble::Pause => chaos.pause_each,
            Trouble::Reroute => chaos.reroute_each,
            Trouble::Freeze => chaos.freeze_each,
            Trouble::ClockStall => chaos.clock_stall_each,
            Trouble::Partition => chaos.partition_each,
            Trouble::Theft => chaos.theft_each,
            Trouble::ServerGone | Trouble::Abort => Duration::ZERO,
        };
        if !each.is_zero() {
            let pause = self.up_to(each * 2);
            self.agenda.add(self.now + pause, Event::Trouble(trouble));
        }
    }

    /// Trouble comes.
    pub(super) fn trouble(&mut self, trouble: Trouble) -> Check {
        if self.is_healed {
            return Ok(());
        }
        self.plan_trouble(trouble);
        let number = self.troubles;
        self.troubles += 1;
        if self.options.only_troubles.as_ref().is_some_and(|only| !only.contains(&number)) {
            return Ok(());
        }
        // A process that is stopped does nothing, unless it is killed.
        let is_asked = matches!(trouble, Trouble::Pause | Trouble::Reroute | Trouble::Theft);
        if is_asked && self.is_server_frozen() {
            return Ok(());
        }
        match trouble {
            Trouble::Freeze => {
                self.freeze();
                Ok(())
            }
            Trouble::ClockStall => {
                self.stall_clock();
                Ok(())
            }
            Trouble::Partition => {
                self.close_ways();
                Ok(())
            }
            Trouble::Theft => self.steal(),
            Trouble::Cut => self.cut_some(),
            Trouble::ServerCrash if !self.is_server_frozen() && self.random.chance(self.options.chaos.graceful) => {
                self.shut_down()
            }
            Trouble::ServerCrash => {
                self.tally.trouble("server_crashes");
                self.crash_server()
            }
            Trouble::Abort => self.crash_server(),
            Trouble::ServerGone if self.server.is_closing => self.crash_server(),
            Trouble::ServerGone => Ok(()),
            Trouble::ClientCrash => self.crash_client(),
            Trouble::Pause => self.pause(!self.server.is_paused),
            Trouble::Reroute => self.reroute_broadcasts(),
        }
    }

    fn cut_some(&mut self) -> Check {
        let live: Vec<u32> = self.clients.iter().filter_map(|client| client.link).collect();
        if !live.is_empty() {
            let chosen = self.random.below(u32::try_from(live.len()).unwrap_or(u32::MAX)) as usize;
            self.cut(live[chosen]);
        }
        Ok(())
    }

    /// The business stops taking actions, or goes on.
    pub(super) fn pause(&mut self, paused: bool) -> Check {
        let now = self.server_now();
        self.trace.say(self.now, || format!("the business is paused: {paused}"));
        self.server.is_paused = paused;
        for seat in 0..u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX) {
            if let Some(taken) = self.server.seat(seat) {
                taken.session.pause_business(now, paused);
                self.drain_seat(seat)?;
            }
        }
        Ok(())
    }

    /// The server is told to end in good order; soon after it is gone.
    fn shut_down(&mut self) -> Check {
        let now = self.server_now();
        if std::mem::replace(&mut self.server.is_closing, true) {
            return Ok(());
        }
        self.tally.trouble("server_restarts");
        self.trace.say(self.now, || "the server shuts down".to_owned());
        self.server.registry.shutdown();
        for seat in 0..u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX) {
            if let Some(taken) = self.server.seat(seat) {
                taken.session.shutdown(now);
                self.drain_seat(seat)?;
            }
        }
        let pause = self.up_to(Duration::from_secs(2));
        self.agenda.add(self.now + pause, Event::Trouble(Trouble::ServerGone));
        Ok(())
    }

    /// The server's process is gone, and its memory with it. Another one is there at once.
    pub(super) fn crash_server(&mut self) -> Check {
        self.trace.say(self.now, || "the server's memory is gone".to_owned());
        let clock = NodeClock::new(self.now, &mut self.random, self.options.chaos.clocks_drift);
        self.server.reborn(&self.options, clock);
        self.see(Seen::NewEpoch)?;
        for link in 0..u32::try_from(self.links.len()).unwrap_or(u32::MAX) {
            let is_silent = self.random.chance(self.options.chaos.silent);
            let notices = self.now + self.latency(End::Server);
            let Some(known) = self.link(link) else { continue };
            known.is_cut = true;
            known.server_end.is_open = false;
            for end in [End::Client, End::Server] {
                known.end(end).pipe.faults.link_down();
                known.end(end).pipe.packets.clear();
            }
            if !is_silent {
                self.agenda.add(notices, Event::LinkLost { link, at: End::Client });
            }
            self.forget_if_over(link);
        }
        Ok(())
    }

    /// A client's process is gone, and its memory with it. Another one is there soon.
    fn crash_client(&mut self) -> Check {
        let client = self.random.below(self.options.clients);
        let (node, link) = (self.clients[client as usize].node, self.clients[client as usize].link);
        self.tally.trouble("client_crashes");
        self.see(Seen::NodeGone { node })?;
        let next = self.next_node();
        self.begin_life(client, next);
        if let Some(link) = link {
            if self.random.chance(self.options.chaos.silent) {
                self.cut(link);
            }
            self.close_end(link, End::Client);
        }
        let life = self.clients[client as usize].life;
        let pause = self.up_to(self.options.chaos.reconnect_max);
        self.agenda.add(self.now + pause, Event::Connect { client, life });
        Ok(())
    }
}
