//! Both ends of a session, compared: what only somebody who sees them both can know.
//!
//! Knows: which session at the server belongs to which client. Does not know: how they got there.

use std::time::Duration;

use super::World;
use super::guests::is_guest;
use crate::checkers::amplification_bounded::{self, Budget};
use crate::checkers::{Check, credit_respected, no_false_guarantee, no_phantom};
use crate::seen::Call;

/// A seat's re-sends are added up once in so many drains.
const DRAINS: u64 = 64;

impl World {
    /// What time it is at the server.
    pub(super) fn server_now(&self) -> rpcgen_proto::time::Instant {
        self.server.clock.local(self.now)
    }

    /// A call reached the server.
    pub(super) fn note_arrival(&mut self, call: Call, link: u32) {
        if self.options.is_punctual() {
            let index = call as usize;
            if self.arrivals.len() <= index {
                self.arrivals.resize(index + 1, None);
            }
            self.arrivals[index] = Some((self.now, link));
        }
    }

    /// An honest client and its session at the server.
    pub(super) fn compare_ends(&self, client: u32) -> Check {
        let known = &self.clients[client as usize];
        let link = known.link.and_then(|link| self.links.get(link as usize)?.as_ref());
        let seat = link.and_then(|link| self.server.seats.get(link.seat? as usize)?.as_ref());
        let (Some(seat), Some(client)) = (seat, known.session.view()) else { return Ok(()) };
        let server = seat.session.view();
        if server.session != client.session {
            return Ok(());
        }
        no_phantom::check(&client, &server)?;
        no_false_guarantee::check(&client, &server)?;
        credit_respected::check(&client, &server)
    }

    /// A server's session after it was drained.
    pub(super) fn check_seat(&mut self, seat: u32) -> Check {
        let (now, round_trip_min) = (self.now, self.options.server_config.round_trip_min);
        let (first, largest) = (self.first_pool, self.largest_pool);
        let Some(taken) = self.server.seat(seat) else { return Ok(()) };
        taken.drains += 1;
        let (link, node) = (taken.link, taken.node);
        if taken.drains.is_multiple_of(DRAINS) {
            let stats = taken.session.stats();
            let doubled = u32::try_from(stats.pools_grown).unwrap_or(u32::MAX).min(16);
            let budget = Budget {
                pool_size: first.saturating_mul(1 << doubled).min(largest),
                guaranteed: taken.session.view().guaranteed.0,
                age: now.saturating_since(taken.opened) * 11 / 10 + Duration::from_millis(1), // Its clock may be fast.
                round_trip_min,
            };
            amplification_bounded::check(&stats, &budget)?;
        }
        match link.and_then(|link| self.link(link)).map(|known| known.client) {
            Some(client) if !is_guest(node) => self.compare_ends(client),
            _ => Ok(()),
        }
    }
}
