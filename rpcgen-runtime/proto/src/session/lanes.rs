//! The two lanes of a session and the link that they share: everything that is the same at both ends.
//!
//! Knows: frames, riders, bits, gaps, re-sends, heartbeats. Does not know: what a message means, handshakes, calls.
//!
//! A role (client or server) feeds it what arrives and gives it messages to send; it says what goes on the link and when it wants
//! to be called again.

use alloc::vec::Vec;
use core::mem;

use super::output::{CloseReason, Payload};
use super::receive_lane::{Filed, Next, ReceiveLane};
use super::round_trip::RoundTrip;
use super::send_lane::{Entry, SendLane};
use super::stats::Stats;
use super::timers::{Timer, Timers};
use crate::bits::{BaseWidth, BitArray};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{Body, Frame, RangeAccepted, RangeAgree, Riders, Sequenced, WireId};
use crate::ids::{LaneKind, Position, Slot};
use crate::time::Instant;

/// The link that a session has now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct LinkState {
    pub(super) is_live: bool,
    pub(super) reliable_ordered: bool,
    pub(super) last_received: Instant,
    /// A sign of life was asked for since the last frame came.
    pub(super) asked_for_life: bool,
}

/// What is to ride on the next frame, or to make one of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Due {
    /// A control frame must go even if nothing else does.
    control: bool,
    up_range: bool,
    down_range: bool,
    range_accepted: Option<RangeAccepted>,
    blocked: bool,
    where_is_from: Option<Position>,
    still_pending: Vec<(Slot, u16)>,
    heartbeat: Option<bool>,
}

/// Both lanes and their link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lanes<P> {
    pub(super) config: Config,
    pub(super) send: SendLane<P>,
    pub(super) receive: ReceiveLane<P>,
    pub(super) link: LinkState,
    pub(super) timers: Timers,
    pub(super) round_trip: RoundTrip,
    pub(super) stats: Stats,
    due: Due,
    /// The server's: a range of the up lane that the client may not know yet.
    open_up_range: Option<RangeAgree>,
    /// Where the up lane's current range begins.
    up_range_from: Position,
    /// At which position `blocked` was last said on this link.
    blocked_at: Option<Position>,
}

impl<P: Payload> Lanes<P> {
    pub(super) fn new(config: Config, send: SendLane<P>, receive: ReceiveLane<P>, stats: Stats) -> Self {
        let round_trip = RoundTrip::new(config.round_trip_min);
        Self {
            config,
            send,
            receive,
            link: LinkState::default(),
            timers: Timers::default(),
            round_trip,
            stats,
            due: Due::default(),
            open_up_range: None,
            up_range_from: Position(0),
            blocked_at: None,
        }
    }

    fn is_server(&self) -> bool {
        self.send.kind == LaneKind::Down
    }

    // ---- link -------------------------------------------------------------------------------------------------------------------

    /// A link is up and greeted. `peer_expected`: the next position that the peer expects of us.
    ///
    /// # Errors
    /// The peer's position is not one to resume from.
    pub(super) fn link_up(
        &mut self,
        now: Instant,
        reliable_ordered: bool,
        peer_expected: Position,
    ) -> Result<(), ProtocolError> {
        self.send.resume(peer_expected)?;
        self.receive.resume();
        self.link = LinkState {
            is_live: true,
            reliable_ordered,
            last_received: now,
            asked_for_life: false,
        };
        self.due = Due {
            control: self.receive.bits.end() > Position(0),
            up_range: self.open_up_range.is_some(),
            down_range: self.send.pool.proposed().is_some(),
            ..Due::default()
        };
        self.blocked_at = None;
        for timer in [
            Timer::Flush,
            Timer::Tail,
            Timer::WhereIs,
            Timer::Blocked,
            Timer::FreeResend,
        ] {
            self.timers.stop(timer);
        }
        self.timers.set(Timer::Heartbeat, now + self.config.heartbeat_after);
        self.stats.links += 1;
        Ok(())
    }

    /// The link is gone: everything is cached.
    pub(super) fn link_down(&mut self) {
        self.link.is_live = false;
        for timer in [
            Timer::Flush,
            Timer::Tail,
            Timer::WhereIs,
            Timer::Blocked,
            Timer::FreeResend,
            Timer::Heartbeat,
        ] {
            self.timers.stop(timer);
        }
    }

    fn base_width(&self) -> BaseWidth {
        if self.link.reliable_ordered {
            BaseWidth::Bits16
        } else {
            BaseWidth::Bits32
        }
    }

    // ---- receiving --------------------------------------------------------------------------------------------------------------

    /// Whatever arrives is a sign of life.
    pub(super) fn note_received(&mut self, now: Instant) {
        self.link.last_received = now;
        self.link.asked_for_life = false;
        self.stats.frames_received += 1;
    }

    /// Places an array of bits; `None` if it has no news. The role then calls [`Self::release`] for each new bit.
    ///
    /// # Errors
    /// The array would leave a gap, or guarantees what was never sent.
    pub(super) fn place_bits(&self, bits: Option<&BitArray>) -> Result<u32, ProtocolError> {
        bits.map_or(Ok(0), |array| self.send.place_bits(array, self.base_width()))
    }

    /// The oldest message without a guarantee has its bit now.
    pub(super) fn release(&mut self, now: Instant) -> Option<Entry<P>> {
        self.timers.stop(Timer::Tail);
        self.send.release(now, &mut self.round_trip)
    }

    /// What rode on a frame. Idempotent, and in any order.
    ///
    /// # Errors
    /// Disputed orders, impossible ranges, requests for what was never sent.
    pub(super) fn on_riders(&mut self, now: Instant, riders: &Riders) -> Result<(), ProtocolError> {
        if let Some(range) = &riders.range {
            self.on_range(range)?;
        }
        if let Some(accepted) = &riders.range_accepted {
            if !self.is_server() {
                return Err(ProtocolError::NotAllowed {
                    what: "an accepted range",
                    when: "at a client",
                });
            }
            self.send.pool.on_range_accepted(accepted)?;
        }
        if let Some(quarter) = &riders.quarter {
            self.send.pool.on_quarter(quarter)?;
        }
        if !riders.where_is.is_empty() {
            if self.link.reliable_ordered {
                let first = riders.where_is[0];
                return Err(ProtocolError::BadWhereIs {
                    lane: self.send.kind,
                    first: first.first,
                    count: first.count,
                });
            }
            self.send.on_where_is(now, &riders.where_is, &self.round_trip)?;
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
            return Err(ProtocolError::NotAllowed {
                what: "a range",
                when: "from a client: the server decides",
            });
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
        self.receive.agreed_sent = Position(0); // Told again, whatever was told before.
        self.stats.peer_blocked += 1;
        if !self.is_server() {
            return;
        }
        // Half of a pool is used before it is doubled: who lies about being blocked gains nothing.
        let used = self.receive.pool.expected().0.saturating_sub(self.up_range_from.0);
        if self.open_up_range.is_none() && used >= u64::from(self.receive.pool.size() / 2) {
            let doubled = (self.receive.pool.size() * 2).min(self.config.pool_size_max);
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
    pub(super) fn file(
        &mut self,
        now: Instant,
        message: Sequenced<P>,
        bits: Option<BitArray>,
        bytes: usize,
    ) -> Result<Option<Next<P>>, ProtocolError> {
        match self.receive.file(
            message,
            bits,
            bytes,
            self.link.reliable_ordered,
            self.config.early_bytes_max,
        )? {
            Filed::Next(bits, body) => return Ok(Some(Next { bits, body, bytes })),
            Filed::Early => {
                self.stats.early += 1;
                let arrived = self.receive.arrived_through();
                if arrived > self.receive.asked_through {
                    self.due.where_is_from.get_or_insert(self.receive.asked_through);
                    self.due.control = true;
                    self.timers.set(Timer::WhereIs, now + self.round_trip.estimate());
                }
            }
            Filed::NoRoom => self.timers.arm(Timer::WhereIs, now + self.round_trip.estimate()),
            Filed::Duplicate => {
                self.stats.duplicates += 1;
                self.due.control = true; // The guarantee may have been lost: repeat it (trap T2).
            }
        }
        Ok(None)
    }

    /// The expected message was processed; `guaranteed` is its bit.
    pub(super) fn accept(&mut self, now: Instant, guaranteed: bool, bytes: usize) {
        self.receive.accept(guaranteed, bytes);
        self.timers.arm(Timer::Flush, now + self.config.flush_after);
        if self
            .open_up_range
            .is_some_and(|range| self.receive.pool.expected() > range.from)
        {
            self.open_up_range = None; // The client uses it, so it knows it.
        }
        if !self.receive.has_gap() {
            self.timers.stop(Timer::WhereIs);
        }
    }

    // ---- sending ----------------------------------------------------------------------------------------------------------------

    pub(super) fn can_send(&self) -> bool {
        self.link.is_live && self.send.can_send(self.config.bytes_in_flight_max)
    }

    /// The next message that has to be sent again, if any.
    pub(super) fn repeat(&mut self, now: Instant) -> Option<Frame<P>> {
        let entry = self.send.next_repeat(now, &self.round_trip)?;
        let (bits, message) = (
            entry.bits.clone(),
            Sequenced {
                id: WireId::Full(entry.id),
                body: entry.body.clone(),
            },
        );
        self.stats.resent += 1;
        // The bits are those of the first time: what came since is still owed.
        let riders = self.take_riders(now);
        Some(Frame {
            bits,
            riders,
            message: Some(message),
        })
    }

    /// Sends a new message. [`Self::can_send`] held.
    pub(super) fn send(&mut self, now: Instant, body: Body<P>, bytes: usize) -> Frame<P> {
        let entry = self.send.send(now, body, bytes, &mut self.receive.bits);
        let (bits, message) = (
            entry.bits.clone(),
            Sequenced {
                id: WireId::Full(entry.id),
                body: entry.body.clone(),
            },
        );
        self.note_bits_sent();
        self.stats.sent += 1;
        self.blocked_at = None;
        let riders = self.take_riders(now);
        Frame {
            bits,
            riders,
            message: Some(message),
        }
    }

    /// A control frame, if one is due.
    pub(super) fn control(&mut self, now: Instant) -> Option<Frame<P>> {
        let is_owing = self.receive.is_owing(self.config.bytes_in_flight_max / 4);
        if !self.due.control && !is_owing {
            return None;
        }
        let bits = self.receive.bits.repeat(self.send.bits_base(&self.receive.bits));
        let riders = self.take_riders(now);
        // Two ranges do not fit in one frame.
        self.due.control = self.due.up_range || self.due.down_range;
        self.note_bits_sent();
        if bits.is_none() && riders.is_empty() {
            return None;
        }
        self.stats.control_frames += 1;
        Some(Frame {
            bits,
            riders,
            message: None,
        })
    }

    fn note_bits_sent(&mut self) {
        self.receive.bits_sent = self.receive.bits.end();
        self.receive.bytes_owed = 0;
        self.timers.stop(Timer::Flush);
    }

    fn take_riders(&mut self, now: Instant) -> Riders {
        self.stats.frames_sent += 1;
        let mut riders = Riders::default();
        if self.receive.pool.agreed_end() > self.receive.agreed_sent {
            riders.quarter = self.receive.pool.agreement();
            self.receive.agreed_sent = self.receive.pool.agreed_end();
        }
        if self.due == Due::default() {
            return riders;
        }
        riders.range = self.take_range();
        riders.range_accepted = self.due.range_accepted.take();
        riders.blocked = mem::take(&mut self.due.blocked);
        riders.still_pending = mem::take(&mut self.due.still_pending);
        riders.heartbeat = self.due.heartbeat.take();
        if let Some(from) = self.due.where_is_from.take() {
            riders.where_is = self.receive.missing(from);
            self.receive.asked_through = self.receive.arrived_through();
            if !riders.where_is.is_empty() {
                self.stats.where_is_sent += 1;
                self.timers.set(Timer::WhereIs, now + self.round_trip.estimate());
            }
        }
        riders
    }

    fn take_range(&mut self) -> Option<RangeAgree> {
        if mem::take(&mut self.due.up_range) && self.open_up_range.is_some() {
            return self.open_up_range;
        }
        if mem::take(&mut self.due.down_range) {
            self.send.pool.proposed()
        } else {
            None
        }
    }

    /// Messages wait and none can be sent: says so if the pool is the reason, once per position and link (and again on links that
    /// may lose). The server proposes a larger pool.
    // spec: protocol.md 5
    pub(super) fn note_blocked(&mut self, now: Instant) {
        if !self.link.is_live || !self.send.is_blocked_by_pool() || self.blocked_at == Some(self.send.pool.next()) {
            return;
        }
        self.blocked_at = Some(self.send.pool.next());
        self.stats.pool_blocked += 1;
        self.due.blocked = true;
        self.due.control = true;
        if self.is_server() {
            let doubled = (self.send.pool.size() * 2).min(self.config.pool_size_max);
            if doubled > self.send.pool.size() && self.send.pool.propose(doubled).is_some() {
                self.stats.pools_grown += 1;
            }
            self.due.down_range = self.send.pool.proposed().is_some();
        }
        if !self.link.reliable_ordered {
            self.timers.set(Timer::Blocked, now + self.round_trip.estimate() * 2);
        }
    }

    /// Tells the peer that a handler is slow but alive.
    pub(super) fn say_still_pending(&mut self, slot: Slot, check: u16) {
        if self.link.is_live {
            self.due.still_pending.push((slot, check));
            self.due.control = true;
        }
    }

    /// Bits go at once: somebody waits for them.
    pub(super) fn flush_bits(&mut self) {
        if self.receive.bits_sent < self.receive.bits.end() {
            self.due.control = true;
        }
    }

    // ---- time -------------------------------------------------------------------------------------------------------------------

    /// Arms the timer that watches the oldest message on links that may lose. Called when drained.
    pub(super) fn arm_repair_timers(&mut self, now: Instant) {
        if !self.link.is_live || self.link.reliable_ordered {
            return;
        }
        if let Some(oldest) = self.send.log.oldest() {
            let wait = self.config.flush_after + self.round_trip.estimate() * 2;
            // Backed off, but not so far that the link would count as dead meanwhile.
            let backed_off = wait * (1 << self.send.tail_backoff.min(6));
            self.timers.arm(
                Timer::Tail,
                oldest.sent_at + backed_off.min(self.config.heartbeat_after).max(wait),
            );
        }
        if self.send.has_unpaid_resend() {
            self.timers.arm(Timer::FreeResend, self.send.free_resend_at.max(now));
        }
    }

    /// Timers that are the same at both ends. A link that must be closed is told.
    pub(super) fn on_timeout(&mut self, now: Instant) -> Option<CloseReason> {
        if !self.link.is_live {
            return None;
        }
        if self.timers.take_due(Timer::Flush, now) {
            self.due.control = true;
        }
        if self.timers.take_due(Timer::Tail, now) {
            let oldest = self.send.log.first();
            self.send.want_again(now, oldest, &self.round_trip);
            self.send.tail_backoff += 1;
        }
        if self.timers.take_due(Timer::WhereIs, now) && self.receive.has_gap() {
            self.due.where_is_from = Some(Position(0));
            self.due.control = true;
        }
        if self.timers.take_due(Timer::Blocked, now) {
            self.blocked_at = None;
        }
        self.timers.take_due(Timer::FreeResend, now);
        if self.timers.take_due(Timer::Heartbeat, now) {
            return self.on_heartbeat(now);
        }
        None
    }

    // spec: protocol.md 7
    fn on_heartbeat(&mut self, now: Instant) -> Option<CloseReason> {
        let silent_for = now.saturating_since(self.link.last_received);
        if silent_for >= self.config.dead_after {
            return Some(CloseReason::Silent);
        }
        if silent_for >= self.config.heartbeat_after {
            if !mem::replace(&mut self.link.asked_for_life, true) || !self.link.reliable_ordered {
                self.due.heartbeat = Some(true);
                self.due.control = true;
            }
            let again = self.config.heartbeat_after.min(self.config.dead_after - silent_for);
            self.timers.set(Timer::Heartbeat, now + again);
        } else {
            self.timers
                .set(Timer::Heartbeat, self.link.last_received + self.config.heartbeat_after);
        }
        None
    }

    // ---- checks -----------------------------------------------------------------------------------------------------------------

    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.send.pool.check(self.send.guaranteed())?;
        if self.send.pool.next() != self.send.log.end() {
            return Err("bits_match_positions: the pool and the stream log disagree on the next position");
        }
        if self.receive.bits.end() != self.receive.pool.expected() {
            return Err("bits_match_positions: not one bit for each accepted position");
        }
        if self.receive.early_count() > crate::config::POOL_SIZE_MAX as usize {
            return Err("no_unbounded_memory: the early store exceeds the agreed ids");
        }
        let logged: usize = self.send.log.iter().map(|entry| entry.bytes).sum();
        if logged != self.send.bytes_in_flight {
            return Err("no_unbounded_memory: bytes in flight are miscounted");
        }
        Ok(())
    }
}
