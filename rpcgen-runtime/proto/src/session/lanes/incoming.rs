//! What arrives at either end: riders, agreements, messages to be filed.

use super::Lanes;
use crate::bits::BitArray;
use crate::error::ProtocolError;
use crate::frame::{RangeAgree, Riders, Sequenced};
use crate::ids::{LaneKind, Position};
use crate::mutants::mutated;
use crate::session::journal::{Bit, Journal};
use crate::session::output::Payload;
use crate::session::receive_lane::{Filed, Next};
use crate::session::timers::Timer;
use crate::time::Instant;

impl<P: Payload> Lanes<P> {
    /// What rode on a frame. Idempotent, and in any order.
    ///
    /// # Errors
    /// Disputed orders, impossible ranges, requests for what was never sent.
    pub(in crate::session) fn on_riders(&mut self, now: Instant, riders: &Riders) -> Result<(), ProtocolError> {
        if let Some(range) = &riders.range {
            self.on_range(range)?;
        }
        if let Some(accepted) = &riders.range_accepted {
            if !self.is_server() {
                return Err(ProtocolError::NotAllowed { what: "an accepted range", when: "at a client" });
            }
            self.send.pool.on_range_accepted(accepted)?;
        }
        if let Some(quarter) = &riders.quarter {
            self.send.pool.on_quarter(quarter)?;
        }
        if !riders.where_is.is_empty() {
            if self.link.reliable_ordered {
                let first = riders.where_is[0];
                return Err(ProtocolError::BadWhereIs { lane: self.send.kind, first: first.first, count: first.count });
            }
            self.send.on_where_is(now, &riders.where_is, &mut self.round_trip)?;
        }
        if riders.blocked {
            self.on_peer_blocked();
        }
        if riders.heartbeat == Some(true) {
            self.due.heartbeat.get_or_insert(false);
            self.due.control = true;
        }
        Ok(())
    }

    fn on_range(&mut self, range: &RangeAgree) -> Result<(), ProtocolError> {
        if self.is_server() {
            return Err(ProtocolError::NotAllowed { what: "a range", when: "from a client: the server decides" });
        }
        match range.lane {
            LaneKind::Up => self.send.pool.on_range(range),
            LaneKind::Down => {
                self.due.range_accepted = Some(self.receive.pool.on_range(range)?);
                self.due.control = true;
                Ok(())
            }
        }
    }

    /// The peer waits for us: bits and agreements go at once. The server doubles the pool that blocked.
    // spec: protocol.md 5
    fn on_peer_blocked(&mut self) {
        self.due.control = true;
        if !mutated!(AgreementsToldOnce) {
            self.receive.agreed_sent = Position(0); // Told again, whatever was told before.
        }
        self.stats.peer_blocked += 1;
        if !self.is_server() {
            return;
        }
        // Half of a pool is used before it is doubled: who lies about being blocked gains nothing.
        let used = self.receive.pool.expected().0.saturating_sub(self.up_range_from.0);
        if self.open_up_range.is_none() && used >= u64::from(self.receive.pool.size() / 2) {
            let doubled = (self.receive.pool.size() * 2).min(self.pool_size_max());
            if doubled > self.receive.pool.size() {
                self.open_up_range = self.receive.pool.state_range(doubled);
                self.up_range_from = self.open_up_range.map_or(self.up_range_from, |range| range.from);
                self.stats.pools_grown += 1;
            }
        }
        self.due.up_range = self.open_up_range.is_some();
    }

    /// Files the message of a frame.
    ///
    /// # Errors
    /// A gap on a reliable link, an unknown ID.
    pub(in crate::session) fn file(
        &mut self,
        now: Instant,
        message: Sequenced<P>,
        bits: Option<BitArray>,
        bytes: usize,
    ) -> Result<Option<Next<P>>, ProtocolError> {
        match self.receive.file(message, bits, bytes, self.link.reliable_ordered, self.config.early_bytes_max)? {
            Filed::Next(bits, body) => return Ok(Some(Next { bits, body, bytes })),
            Filed::Early { is_news } => {
                self.stats.early += 1;
                if is_news {
                    self.due.where_is_from.get_or_insert_with(|| self.receive.ask_from());
                    self.due.control = true;
                    self.arm_where_is(now);
                }
            }
            Filed::NoRoom => self.arm_where_is(now),
            Filed::Duplicate => {
                self.stats.duplicates += 1;
                self.due.control |= !mutated!(DuplicateInSilence); // The guarantee may have been lost: repeat it (trap T2).
            }
        }
        Ok(None)
    }

    /// A question may be lost, and so may its answer: asked again within the round trip, at no great cost, since what was sent again a
    /// moment ago is not sent again. A new gap does not begin that time anew: gaps come faster.
    pub(super) fn arm_where_is(&mut self, now: Instant) {
        self.timers.arm(Timer::WhereIs, now + self.round_trip.part(4));
    }

    /// The expected message was processed; `bit` is its bit.
    pub(in crate::session) fn accept(&mut self, now: Instant, bit: Bit, bytes: usize) {
        let is_owed = self.receive.accept(bit, bytes);
        if is_owed && !self.timers.is_armed(Timer::Flush) && !mutated!(FlushTimerMissing) {
            self.timers.set(Timer::Flush, now + self.config.flush_after);
        }
        self.watch_pool(now, Timer::UpIdle, self.receive.pool.size());
        if self.open_up_range.is_some_and(|range| self.receive.pool.expected() > range.from) {
            self.open_up_range = None; // The client uses it, so it knows it.
        }
        if !self.receive.has_gap() {
            self.timers.stop(Timer::WhereIs);
        }
    }

    /// Some records are durable: the bits that waited for them may be told.
    pub(in crate::session) fn release_bits(&mut self, now: Instant, journal: &Journal) {
        if self.receive.release_bits(journal) && self.link.is_live && !mutated!(FlushTimerMissing) {
            self.timers.arm(Timer::Flush, now + self.config.flush_after);
        }
    }
}
