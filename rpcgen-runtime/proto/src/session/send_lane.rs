//! The sending side of one lane: its stream log, its IDs, and what links that may lose need to repair it.
//!
//! Knows: what was sent and is not guaranteed, what is to be sent again. Does not know: what a message means, timers.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::output::Payload;
use super::round_trip::RoundTrip;
use crate::bits::{BaseWidth, BitArray, Gathered, Placed, place};
use crate::error::ProtocolError;
use crate::frame::{Body, MissingRange};
use crate::ids::{LaneKind, MessageId, Position};
use crate::pool::SendPool;
use crate::stream_log::StreamLog;
use crate::time::Instant;

/// Re-sends of one message are at least this far apart (trap T21).
const RESEND_INTERVAL_MIN: Duration = Duration::from_millis(20);
/// Re-sends that may be saved up, beyond half of the pool (trap T21).
const RESEND_TOKENS_BASE: u32 = 64;
/// Re-sends that one new guarantee pays for (trap T21).
const RESEND_TOKENS_PER_GUARANTEE: u32 = 2;

/// A message in the stream log. A re-sent one carries exactly the bits that it carried first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry<P> {
    pub(super) id: MessageId,
    /// Where the bits of the other lane began that had not been carried before.
    pub(super) bits_from: Position,
    pub(super) bits: Option<BitArray>,
    pub(super) body: Body<P>,
    pub(super) bytes: usize,
    pub(super) sent_at: Instant,
    pub(super) transmissions: u32,
}

/// The sending side of one lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SendLane<P> {
    pub(super) kind: LaneKind,
    pub(super) pool: SendPool,
    pub(super) log: StreamLog<Entry<P>>,
    pub(super) bytes_in_flight: usize,
    /// After a resume: the next position to send again on the new link. The log's end when all were.
    replay: Position,
    /// Positions that the peer asked for or whose guarantee is late.
    resend: BTreeSet<Position>,
    resend_tokens: u32,
    pub(super) free_resend_at: Instant,
    pub(super) tail_backoff: u32,
}

impl<P: Payload> SendLane<P> {
    pub(super) fn new(kind: LaneKind, pool: SendPool) -> Self {
        let resend_tokens = pool.size() / 2 + RESEND_TOKENS_BASE;
        Self {
            kind,
            pool,
            log: StreamLog::default(),
            bytes_in_flight: 0,
            replay: Position(0),
            resend: BTreeSet::new(),
            resend_tokens,
            free_resend_at: Instant::START,
            tail_backoff: 0,
        }
    }

    /// The first position without a guarantee.
    pub(super) fn guaranteed(&self) -> Position {
        self.log.first()
    }

    /// Whether everything sent is guaranteed.
    pub(super) fn is_all_guaranteed(&self) -> bool {
        self.log.is_empty()
    }

    /// Whether a new message may be sent: an agreed ID is free, and everything before it was sent on this link.
    pub(super) fn can_send(&self, bytes_in_flight_max: usize) -> bool {
        self.replay >= self.log.end()
            && self.bytes_in_flight < bytes_in_flight_max
            && self.pool.can_draw(self.guaranteed())
    }

    /// Whether the pool is what a new message waits for.
    pub(super) fn is_blocked_by_pool(&self) -> bool {
        self.replay >= self.log.end() && !self.pool.can_draw(self.guaranteed())
    }

    /// Whether a new message waits for the guarantee of bytes in flight, and for nothing else.
    pub(super) fn is_blocked_by_bytes(&self, bytes_in_flight_max: usize) -> bool {
        self.replay >= self.log.end()
            && self.bytes_in_flight >= bytes_in_flight_max
            && self.pool.can_draw(self.guaranteed())
    }

    /// Logs a new message with all bits gathered so far. [`Self::can_send`] held.
    pub(super) fn send(&mut self, now: Instant, body: Body<P>, bytes: usize, gathered: &mut Gathered) -> &Entry<P> {
        let (position, id) = self.pool.draw(self.guaranteed()).expect("can_send was asked");
        debug_assert_eq!(position, self.log.end(), "the pool and the log count alike");
        let (bits_from, bits) = gathered.take();
        self.bytes_in_flight += bytes;
        self.log.append(Entry { id, bits_from, bits, body, bytes, sent_at: now, transmissions: 1 });
        self.replay = self.log.end();
        self.log.get(position).expect("just appended")
    }

    /// The next message to send again, if one is due and paid for.
    pub(super) fn next_repeat(&mut self, now: Instant, round_trip: &RoundTrip) -> Option<&Entry<P>> {
        let position = if self.replay < self.log.end() {
            let position = self.replay.max(self.log.first());
            self.replay = Position(position.0 + 1);
            position
        } else {
            let position = *self.resend.first()?;
            if self.resend_tokens > 0 {
                self.resend_tokens -= 1;
            } else if now >= self.free_resend_at {
                self.free_resend_at = now + round_trip.estimate();
            } else {
                return None;
            }
            self.resend.pop_first();
            position
        };
        let entry = self.log.get_mut(position)?;
        entry.sent_at = now;
        entry.transmissions += 1;
        self.log.get(position)
    }

    /// Whether a re-send waits to be paid for.
    pub(super) fn has_unpaid_resend(&self) -> bool {
        !self.resend.is_empty()
    }

    /// The peer misses messages. On the first re-send of each nobody waits; later ones are paced.
    ///
    /// # Errors
    /// It asks for what was never sent.
    pub(super) fn on_where_is(
        &mut self,
        now: Instant,
        missing: &[MissingRange],
        round_trip: &RoundTrip,
    ) -> Result<(), ProtocolError> {
        for range in missing {
            let end = range
                .first
                .0
                .checked_add(u64::from(range.count))
                .filter(|end| *end <= self.log.end().0 && range.count > 0);
            let Some(end) = end else {
                return Err(ProtocolError::BadWhereIs { lane: self.kind, first: range.first, count: range.count });
            };
            for position in range.first.0.max(self.log.first().0)..end {
                self.want_again(now, Position(position), round_trip);
            }
        }
        Ok(())
    }

    /// Marks a message to be sent again unless that was done within a round trip.
    pub(super) fn want_again(&mut self, now: Instant, position: Position, round_trip: &RoundTrip) {
        let Some(entry) = self.log.get(position) else { return };
        let pause = round_trip.estimate().max(RESEND_INTERVAL_MIN);
        if entry.transmissions == 1 || now.saturating_since(entry.sent_at) >= pause {
            self.resend.insert(position);
        }
    }

    /// Where the bits of an array become news: the index of the first new one.
    ///
    /// # Errors
    /// The array would leave a gap, or guarantees what was never sent.
    pub(super) fn place_bits(&self, array: &BitArray, width: BaseWidth) -> Result<u32, ProtocolError> {
        let guaranteed = self.guaranteed();
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is shown")]
        let Placed::From(first) = place(array, guaranteed, width) else {
            let (base, expected) = (array.base as u16, guaranteed.0 as u16);
            return Err(ProtocolError::BitsOutOfPlace { lane: self.kind, base, expected });
        };
        let through = Position(guaranteed.0 + u64::from(array.bits.count() - first));
        if through > self.log.end() {
            return Err(ProtocolError::BitsForUnsent { lane: self.kind, through, sent: self.log.end() });
        }
        Ok(first)
    }

    /// Takes the oldest message out of the log: its bit has come.
    pub(super) fn release(&mut self, now: Instant, round_trip: &mut RoundTrip) -> Option<Entry<P>> {
        let position = self.log.first();
        let entry = self.log.release()?;
        self.bytes_in_flight -= entry.bytes;
        self.resend.remove(&position);
        self.tail_backoff = 0;
        self.resend_tokens =
            (self.resend_tokens + RESEND_TOKENS_PER_GUARANTEE).min(self.pool.size() / 2 + RESEND_TOKENS_BASE);
        if entry.transmissions == 1 {
            round_trip.sample(now, now.saturating_since(entry.sent_at)); // Karn's rule: never of a message that was sent twice.
        }
        Some(entry)
    }

    /// A new link: send again from the first position that the peer does not have.
    ///
    /// # Errors
    /// The peer expects what was never sent, or what it had guaranteed: one of the two ends was rolled back (trap T11).
    pub(super) fn resume(&mut self, expected: Position) -> Result<(), ProtocolError> {
        if expected < self.log.first() || expected > self.log.end() {
            return Err(ProtocolError::NotAllowed {
                what: "the position to resume from",
                when: "outside of what the stream log holds",
            });
        }
        self.replay = expected;
        self.resend.clear();
        self.resend_tokens = self.pool.size() / 2 + RESEND_TOKENS_BASE;
        self.tail_backoff = 0;
        Ok(())
    }

    /// The oldest position of the other lane whose bits the peer may not have: what a control frame's bits begin with.
    pub(super) fn bits_base(&self, gathered: &Gathered) -> Position {
        self.log.oldest().map_or_else(|| gathered.cursor(), |entry| entry.bits_from)
    }
}
