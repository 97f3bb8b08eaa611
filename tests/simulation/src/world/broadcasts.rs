//! Broadcasts that look for a node: offered, refused, taken back, offered again.
//!
//! Knows: which sessions may take one. Does not know: what a session does with it.

use std::time::Duration;

use super::client::METHOD;
use super::guests::is_guest;
use super::server::SMALL_FRAMES;
use super::{Event, World};
use crate::checkers::Check;
use crate::load::{Load, LoadKind};
use crate::seen::Seen;

/// How long a broadcast that a node refused waits before it is offered again.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// They come back one by one, so that a node with little room is not flooded.
const REFUSED_SPACING: Duration = Duration::from_millis(20);

impl World {
    /// The application has a broadcast for any node.
    pub(super) fn log_broadcast(&mut self) -> Check {
        let size = 1 + self.random.below(self.options.work.bytes_max.min(SMALL_FRAMES / 2));
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
            let now = self.server_now();
            let Some(taken) = self.server.seat(seat) else { break };
            if taken.session.broadcast(now, METHOD, load, redelivered).is_err() {
                self.refuse(load, redelivered); // Its log is full.
            }
            self.drain_seat(seat)?;
        }
        Ok(())
    }

    /// A broadcast that found no room waits a little before it is offered again.
    /// A broadcast of an honest application waits for another node.
    pub(super) fn route_later(&mut self, load: Load, redelivered: bool) {
        if !load.is_guests() {
            self.server.unrouted.push_back((load, redelivered));
        }
    }

    pub(super) fn refuse(&mut self, load: Load, redelivered: bool) {
        if load.is_guests() {
            return;
        }
        self.tally.trouble("broadcasts_refused");
        self.server.refused.push_back((load, redelivered));
        self.server.offer_again_at = (self.now + REFUSED_PAUSE).max(self.server.offer_again_at + REFUSED_SPACING);
        self.agenda.add(self.server.offer_again_at, Event::OfferAgain);
    }

    fn some_live_seat(&mut self) -> Option<u32> {
        let is_live = |seat: &&u32| {
            let place = self.server.seats.get(**seat as usize).and_then(Option::as_ref);
            place.is_some_and(|taken| {
                !is_guest(taken.node) && taken.session.is_live() && taken.session.handles_broadcast(METHOD)
            })
        };
        let live: Vec<u32> = self.server.by_id.values().filter(is_live).copied().collect();
        let chosen = self.random.below(u32::try_from(live.len()).unwrap_or(u32::MAX));
        live.get(chosen as usize).copied()
    }

    /// Takes back what broadcasts a session without a link has not assigned, for other nodes.
    pub(super) fn reroute_broadcasts(&mut self) -> Check {
        let now = self.server_now();
        for seat in 0..u32::try_from(self.server.seats.len()).unwrap_or(u32::MAX) {
            let Some(taken) = self.server.seat(seat).filter(|taken| taken.link.is_none()) else { continue };
            let taken_back = taken.session.take_unassigned(now);
            for unassigned in taken_back {
                self.tally.trouble("broadcasts_rerouted");
                self.route_later(unassigned.payload, unassigned.redelivered);
            }
            self.drain_seat(seat)?;
        }
        Ok(())
    }
}
