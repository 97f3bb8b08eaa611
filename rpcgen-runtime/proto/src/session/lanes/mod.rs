//! The two lanes of a session and the link that they share: everything that is the same at both ends.
//!
//! Knows: frames, riders, bits, gaps, re-sends, heartbeats. Does not know: what a message means, handshakes, calls.
//!
//! A role (client or server) feeds it what arrives and gives it messages to send; it says what goes on the link and when it wants
//! to be called again.

mod clock;
mod incoming;
mod riders;

use self::riders::Due;
use crate::bits::{BaseWidth, BitArray};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{Body, Frame, RangeAgree, Sequenced, WireId};
use crate::ids::{LaneKind, Position, Slot};
use crate::session::output::Payload;
use crate::session::receive_lane::ReceiveLane;
use crate::session::round_trip::RoundTrip;
use crate::session::send_lane::{Entry, SendLane};
use crate::session::stats::Stats;
use crate::session::timers::{Timer, Timers};
use crate::time::Instant;

/// The link that a session has now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::session) struct LinkState {
    pub(in crate::session) is_live: bool,
    pub(in crate::session) reliable_ordered: bool,
    pub(in crate::session) last_received: Instant,
    /// A sign of life was asked for since the last frame came.
    pub(in crate::session) asked_for_life: bool,
}

/// Both lanes and their link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::session) struct Lanes<P> {
    pub(in crate::session) config: Config,
    pub(in crate::session) send: SendLane<P>,
    pub(in crate::session) receive: ReceiveLane<P>,
    pub(in crate::session) link: LinkState,
    pub(in crate::session) timers: Timers,
    pub(in crate::session) round_trip: RoundTrip,
    pub(in crate::session) stats: Stats,
    due: Due,
    /// The server's: a range of the up lane that the client may not know yet.
    open_up_range: Option<RangeAgree>,
    /// Where the up lane's current range begins.
    up_range_from: Position,
    /// At which position `blocked` was last said on this link.
    blocked_at: Option<Position>,
}

impl<P: Payload> Lanes<P> {
    pub(in crate::session) fn new(config: Config, send: SendLane<P>, receive: ReceiveLane<P>, stats: Stats) -> Self {
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
    pub(in crate::session) fn link_up(
        &mut self,
        now: Instant,
        reliable_ordered: bool,
        peer_expected: Position,
    ) -> Result<(), ProtocolError> {
        self.send.resume(peer_expected)?;
        self.receive.resume();
        self.link = LinkState { is_live: true, reliable_ordered, last_received: now, asked_for_life: false };
        self.due = Due {
            control: self.receive.bits.end() > Position(0),
            up_range: self.open_up_range.is_some(),
            down_range: self.send.pool.proposed().is_some(),
            ..Due::default()
        };
        self.blocked_at = None;
        for timer in [Timer::Flush, Timer::Tail, Timer::WhereIs, Timer::Blocked, Timer::FreeResend] {
            self.timers.stop(timer);
        }
        self.timers.set(Timer::Heartbeat, now + self.config.heartbeat_after);
        self.stats.links += 1;
        Ok(())
    }

    /// The link is gone: everything is cached.
    pub(in crate::session) fn link_down(&mut self) {
        self.link.is_live = false;
        for timer in [Timer::Flush, Timer::Tail, Timer::WhereIs, Timer::Blocked, Timer::FreeResend, Timer::Heartbeat] {
            self.timers.stop(timer);
        }
    }

    fn base_width(&self) -> BaseWidth {
        if self.link.reliable_ordered { BaseWidth::Bits16 } else { BaseWidth::Bits32 }
    }

    // ---- receiving --------------------------------------------------------------------------------------------------------------

    /// Whatever arrives is a sign of life.
    pub(in crate::session) fn note_received(&mut self, now: Instant) {
        self.link.last_received = now;
        self.link.asked_for_life = false;
        self.stats.frames_received += 1;
    }

    /// Places an array of bits; `None` if it has no news. The role then calls [`Self::release`] for each new bit.
    ///
    /// # Errors
    /// The array would leave a gap, or guarantees what was never sent.
    pub(in crate::session) fn place_bits(&self, bits: Option<&BitArray>) -> Result<u32, ProtocolError> {
        bits.map_or(Ok(0), |array| self.send.place_bits(array, self.base_width()))
    }

    /// The oldest message without a guarantee has its bit now.
    pub(in crate::session) fn release(&mut self, now: Instant) -> Option<Entry<P>> {
        self.timers.stop(Timer::Tail);
        self.send.release(now, &mut self.round_trip)
    }

    // ---- sending ----------------------------------------------------------------------------------------------------------------

    pub(in crate::session) fn can_send(&self) -> bool {
        self.link.is_live && self.send.can_send(self.config.bytes_in_flight_max)
    }

    /// The next message that has to be sent again, if any.
    pub(in crate::session) fn repeat(&mut self, now: Instant) -> Option<Frame<P>> {
        let entry = self.send.next_repeat(now, &self.round_trip)?;
        let (bits, message) = (entry.bits.clone(), Sequenced { id: WireId::Full(entry.id), body: entry.body.clone() });
        self.stats.resent += 1;
        // The bits are those of the first time: what came since is still owed.
        let riders = self.take_riders(now);
        Some(Frame { bits, riders, message: Some(message) })
    }

    /// Sends a new message. [`Self::can_send`] held.
    pub(in crate::session) fn send(&mut self, now: Instant, body: Body<P>, bytes: usize) -> Frame<P> {
        let entry = self.send.send(now, body, bytes, &mut self.receive.bits);
        let (bits, message) = (entry.bits.clone(), Sequenced { id: WireId::Full(entry.id), body: entry.body.clone() });
        self.note_bits_sent();
        self.stats.sent += 1;
        self.blocked_at = None;
        let riders = self.take_riders(now);
        Frame { bits, riders, message: Some(message) }
    }

    /// A control frame, if one is due.
    pub(in crate::session) fn control(&mut self, now: Instant) -> Option<Frame<P>> {
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
        Some(Frame { bits, riders, message: None })
    }

    fn note_bits_sent(&mut self) {
        self.receive.bits_sent = self.receive.bits.end();
        self.receive.bytes_owed = 0;
        self.timers.stop(Timer::Flush);
    }

    /// Messages wait and none can be sent: says so, once per position and link (and again on links that may lose). If the pool is the
    /// reason, the server proposes a larger one.
    // spec: protocol.md 5
    pub(in crate::session) fn note_blocked(&mut self, now: Instant) {
        if !self.link.is_live || self.blocked_at == Some(self.send.pool.next()) {
            return;
        }
        if self.send.is_blocked_by_bytes(self.config.bytes_in_flight_max) {
            // The peer does not know our limit, and may gather its bits for as long as its flush time: a sign of life brings them.
            self.blocked_at = Some(self.send.pool.next());
            self.due.heartbeat = Some(true);
            self.due.control = true;
            self.arm_blocked(now);
            return;
        }
        if !self.send.is_blocked_by_pool() {
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
        self.arm_blocked(now);
    }

    fn arm_blocked(&mut self, now: Instant) {
        if !self.link.reliable_ordered {
            self.timers.set(Timer::Blocked, now + self.round_trip.estimate() * 2);
        }
    }

    /// Tells the peer that a handler is slow but alive.
    pub(in crate::session) fn say_still_pending(&mut self, slot: Slot, check: u16) {
        if self.link.is_live {
            self.due.still_pending.push((slot, check));
            self.due.control = true;
        }
    }

    /// Bits go at once: somebody waits for them.
    pub(in crate::session) fn flush_bits(&mut self) {
        if self.receive.bits_sent < self.receive.bits.end() {
            self.due.control = true;
        }
    }

    // ---- checks -----------------------------------------------------------------------------------------------------------------

    pub(in crate::session) fn check(&self) -> Result<(), &'static str> {
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
