//! The two lanes of a session and the link that they share: everything that is the same at both ends.
//!
//! Knows: frames, riders, bits, gaps, re-sends, heartbeats. Does not know: what a message means, handshakes, calls.
//!
//! A role (client or server) feeds it what arrives and gives it messages to send; it says what goes on the link and when it wants
//! to be called again.

mod clock;
mod incoming;
mod packed;
mod riders;

pub(in crate::session) use self::packed::PackedLanes;
use self::riders::Due;
use core::time::Duration;

use crate::bits::{BaseWidth, BitArray};
use crate::config::{Config, RESEND_INTERVAL_MIN};
use crate::error::ProtocolError;
use crate::frame::{Body, FrameRef, RangeAgree, WireId};
use crate::ids::{LaneKind, Position, Slot};
use crate::marks::mark;
use crate::mutants::mutated;
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
    /// When we said welcome, until the first frame comes back: the first sample of the round trip.
    pub(in crate::session) greeted_at: Option<Instant>,
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

    /// A link is up and greeted. `peer_expected`: the next position that the peer expects of us. `greeted_in`: how long our own
    /// greeting took to be answered, at the end that knows.
    ///
    /// # Errors
    /// The peer's position is not one to resume from.
    pub(in crate::session) fn link_up(
        &mut self,
        now: Instant,
        reliable_ordered: bool,
        peer_expected: Position,
        greeted_in: Option<Duration>,
    ) -> Result<(), ProtocolError> {
        self.send.resume(peer_expected)?;
        self.receive.resume();
        self.send.pool.derive_orders();
        self.receive.pool.derive_orders();
        // The other end's first frame is the answer to our welcome.
        let greeted_at = greeted_in.is_none().then_some(now);
        self.link =
            LinkState { is_live: true, reliable_ordered, last_received: now, asked_for_life: false, greeted_at };
        self.round_trip = RoundTrip::new(self.config.round_trip_min);
        self.due = Due {
            control: self.receive.bits.end() > Position(0),
            up_range: self.open_up_range.is_some(),
            down_range: self.send.pool.proposed().is_some(),
            ..Due::default()
        };
        if let Some(sample) = greeted_in {
            self.round_trip.sample(now, sample);
            if !reliable_ordered {
                // The server learns its first round trip by it.
                self.due.heartbeat = Some(false);
                self.due.control = true;
            }
        }
        self.blocked_at = None;
        self.timers = Timers::default();
        self.timers.set(Timer::Heartbeat, now + self.config.heartbeat_after);
        self.watch_pool(now, Timer::UpIdle, self.receive.pool.size());
        self.watch_pool(now, Timer::DownIdle, self.send.pool.size());
        self.stats.links += 1;
        Ok(())
    }

    /// The link is gone: everything is cached.
    pub(in crate::session) fn link_down(&mut self) {
        self.link.is_live = false;
        self.timers = Timers::default();
    }

    /// A pool that grew is watched for idleness.
    fn watch_pool(&mut self, now: Instant, timer: Timer, size: u32) {
        if self.is_server() && size > self.config.pool_size {
            self.timers.set(timer, now + self.config.pool_idle);
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
        if let Some(greeted_at) = self.link.greeted_at.take() {
            self.round_trip.sample(now, now.saturating_since(greeted_at));
        }
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
        if self.link.reliable_ordered {
            return self.send.release_kept(); // Nothing is sent again: no round trip is to be known.
        }
        self.timers.stop(Timer::Tail);
        let in_time = self.config.flush_after + self.round_trip.estimate() * 2;
        self.send.release(now, in_time, &mut self.round_trip)
    }

    // ---- sending ----------------------------------------------------------------------------------------------------------------

    pub(in crate::session) fn can_send(&self) -> bool {
        self.link.is_live
            && self.send.can_send(self.config.bytes_in_flight_max)
            && (self.link.reliable_ordered || !self.send.is_blocked_by_window())
    }

    /// The next message that has to be sent again, if any.
    pub(in crate::session) fn repeat<R>(&mut self, now: Instant, take: impl FnOnce(FrameRef<'_, P>) -> R) -> Option<R> {
        let is_replay = self.send.is_replaying();
        let position = self.send.next_repeat(now, &self.round_trip)?;
        let new_bits = if mutated!(BitsOfResendsAreNew) { Some(self.receive.bits.take().1) } else { None };
        self.stats.resent += 1;
        self.stats.replayed += u64::from(is_replay);
        // The bits are those of the first time: what came since is still owed.
        let riders = self.take_riders(now);
        let entry = self.send.log.get(position)?;
        let bits = new_bits.as_ref().map_or(entry.bits.as_ref(), Option::as_ref);
        Some(take(FrameRef { bits, riders: riders.as_deref(), message: Some((WireId::Full(entry.id), &entry.body)) }))
    }

    /// Sends a new message. [`Self::can_send`] held.
    pub(in crate::session) fn send<R>(
        &mut self,
        now: Instant,
        body: Body<P>,
        bytes: usize,
        take: impl FnOnce(FrameRef<'_, P>) -> R,
    ) -> R {
        self.send.send(now, body, bytes, &mut self.receive.bits);
        if !self.link.reliable_ordered {
            self.send.note_last_before_block();
            if self.send.is_to_ask() {
                mark!(NewsAsked);
                self.due.heartbeat = Some(true);
            }
        }
        self.note_bits_sent();
        self.stats.sent += 1;
        self.blocked_at = None;
        self.watch_pool(now, Timer::DownIdle, self.send.pool.size());
        let riders = self.take_riders(now);
        let entry = self.send.log.newest().expect("just logged");
        let message = Some((WireId::Full(entry.id), &entry.body));
        take(FrameRef { bits: entry.bits.as_ref(), riders: riders.as_deref(), message })
    }

    /// A control frame, if one is due.
    pub(in crate::session) fn control<R>(
        &mut self,
        now: Instant,
        take: impl FnOnce(FrameRef<'_, P>) -> R,
    ) -> Option<R> {
        let is_owing = self.receive.is_owing(self.config.bytes_in_flight_max / 4);
        if !self.due.control {
            if !is_owing {
                return None;
            }
            mark!(BitsOwed);
        }
        let mut bits = self.receive.bits.repeat(self.send.bits_base(&self.receive.bits));
        if mutated!(BitsMoveWithControlFrames) {
            bits = self.receive.bits.take().1;
        }
        let riders = self.take_riders(now);
        // Two ranges do not fit in one frame.
        self.due.control = self.due.up_range || self.due.down_range;
        self.note_bits_sent();
        if bits.is_none() && riders.is_none() {
            return None;
        }
        self.stats.control_frames += 1;
        Some(take(FrameRef { bits: bits.as_ref(), riders: riders.as_deref(), message: None }))
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
            mark!(BlockedByBytes);
            // The peer does not know our limit, and may gather its bits for as long as its flush time: a sign of life brings them.
            self.blocked_at = Some(self.send.pool.next());
            self.due.heartbeat = Some(true);
            self.due.control = true;
            self.arm_blocked(now);
            return;
        }
        if !self.send.is_blocked_by_pool() {
            if !self.link.reliable_ordered && self.send.is_blocked_by_window() {
                mark!(BlockedByWindow);
                // News are on their way, or were asked for; if they are lost, they are asked for again.
                self.timers.arm(Timer::Blocked, now + self.round_trip.current().max(RESEND_INTERVAL_MIN));
            }
            return;
        }
        self.blocked_at = Some(self.send.pool.next());
        self.stats.pool_blocked += 1;
        self.due.blocked = !mutated!(BlockedNeverSaid);
        self.due.control = true;
        if self.is_server() {
            let doubled = (self.send.pool.size() * 2).min(self.pool_size_max());
            if doubled > self.send.pool.size() && self.send.pool.propose(doubled).is_some() {
                self.stats.pools_grown += 1;
            }
            self.due.down_range = self.send.pool.proposed().is_some();
        }
        self.arm_blocked(now);
    }

    /// Up to where a pool may grow.
    fn pool_size_max(&self) -> u32 {
        if mutated!(PoolGrowsBeyondLimit) { crate::config::POOL_SIZE_MAX } else { self.config.pool_size_max }
    }

    fn arm_blocked(&mut self, now: Instant) {
        if !self.link.reliable_ordered && !mutated!(BlockedSaidOnce) {
            self.timers.set(Timer::Blocked, now + self.round_trip.part(2));
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
        if self.receive.bits.end().0 + self.receive.held_count() as u64 != self.receive.pool.expected().0 {
            return Err("bits_match_positions: not one bit for each accepted position");
        }
        if self.receive.early_count() > crate::config::POOL_SIZE_MAX as usize {
            return Err("no_unbounded_memory: the early store exceeds the agreed ids");
        }
        if self.receive.early_bytes() > self.config.early_bytes_max {
            return Err("no_unbounded_memory: the early store exceeds its bytes");
        }
        let logged: usize = self.send.log.iter().map(|entry| entry.bytes).sum();
        if logged != self.send.bytes_in_flight {
            return Err("no_unbounded_memory: bytes in flight are miscounted");
        }
        Ok(())
    }
}
