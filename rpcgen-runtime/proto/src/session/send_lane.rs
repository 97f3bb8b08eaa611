//! The sending side of one lane: its stream log, its IDs, and what links that may lose need to repair it.
//!
//! Knows: what was sent and is not guaranteed, what is to be sent again. Does not know: what a message means, timers.

mod packed;

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::output::Payload;
use super::round_trip::RoundTrip;
use super::window::Window;
use crate::bits::{BaseWidth, BitArray, Gathered, Placed, place};
use crate::config::{
    RESEND_INTERVAL_MAX, RESEND_INTERVAL_MIN, RESEND_STOCK, RESENDS_PER_GUARANTEE, TWICE_WITHIN, WINDOW_MIN,
};
use crate::error::ProtocolError;
use crate::frame::{Body, MissingRange};
use crate::ids::{LaneKind, MessageId, Position};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::pool::SendPool;
use crate::stream_log::StreamLog;
use crate::time::Instant;

pub(super) use self::packed::PackedSendLane;

/// So many times a message is sent before it is sent less and less often.
const FIRST_FEW: u32 = 6;

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

/// Longer after the first few of so many times.
fn backed_off(pause: Duration, times: u32) -> Duration {
    pause * (1 << (times.saturating_sub(FIRST_FEW) / 2).min(8))
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
    /// Sent a moment ago, and to be sent once more at once: all wait for it.
    twice: Option<Position>,
    /// One past the last position that the peer is known to have beyond a gap; `0`: on this link nothing was missing.
    seen_through: Position,
    /// The latest time at which something was sent that is known to have arrived beyond a gap.
    seen_sent_at: Instant,
    window: Window,
    resend_tokens: u32,
    /// How often the oldest message was sent since it is that.
    oldest_tries: u32,
    pub(super) free_resend_at: Instant,
    pub(super) tail_backoff: u32,
}

impl<P: Payload> SendLane<P> {
    pub(super) fn new(kind: LaneKind, pool: SendPool) -> Self {
        let resend_tokens = pool.size() / 2 + RESEND_STOCK;
        Self {
            kind,
            pool,
            log: StreamLog::default(),
            bytes_in_flight: 0,
            replay: Position(0),
            resend: BTreeSet::new(),
            twice: None,
            seen_through: Position(0),
            seen_sent_at: Instant::START,
            window: Window::NEW,
            resend_tokens,
            oldest_tries: 0,
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
    pub(super) fn send(&mut self, now: Instant, body: Body<P>, bytes: usize, gathered: &mut Gathered) {
        let (position, id) = self.pool.draw(self.guaranteed()).expect("can_send was asked");
        debug_assert_eq!(position, self.log.end(), "the pool and the log count alike");
        let (bits_from, bits) = gathered.take();
        self.bytes_in_flight += bytes;
        self.log.append(Entry { id, bits_from, bits, body, bytes, sent_at: now, transmissions: 1 });
        self.replay = self.log.end();
    }

    /// On a link that may lose: the message that was just sent is the last before the lane blocks. Nothing behind it can tell that it is
    /// missing, so it goes twice where the link has lost something lately.
    pub(super) fn note_last_before_block(&mut self) {
        if self.loses() && self.is_waited_for() {
            self.twice = Some(Position(self.log.end().0 - 1));
        }
    }

    /// Whether the link has lost something within the last pool.
    fn loses(&self) -> bool {
        self.seen_through > Position(0) && self.log.end().0 - self.seen_through.0 <= u64::from(self.pool.size())
    }

    /// What was sent, and is neither known to have arrived nor to be missing.
    fn on_their_way(&self) -> u64 {
        self.log.end().0 - self.seen_through.max(self.log.first()).0
    }

    /// Whether the window of a link that loses is what a new message waits for.
    pub(super) fn is_blocked_by_window(&self) -> bool {
        self.loses() && self.on_their_way() >= self.window.size()
    }

    /// Whether the message that was just sent is to ask how far things are.
    pub(super) fn is_to_ask(&mut self) -> bool {
        self.loses() && self.window.is_to_ask(self.on_their_way(), self.log.end())
    }

    /// More is known of what was on its way.
    fn note_news(&mut self, now: Instant, round_trip: &RoundTrip) {
        // A pool that is no larger than the least window needs none.
        if u64::from(self.pool.size() / 2) > WINDOW_MIN {
            let known = self.seen_through.max(self.log.first());
            self.window.on_news(now, known, self.log.end(), round_trip.least());
        }
    }

    /// Whether no new message may be sent before one of those in flight, a few, is guaranteed.
    fn is_waited_for(&self) -> bool {
        self.log.end().0 - self.log.first().0 <= TWICE_WITHIN && self.is_blocked_by_pool()
    }

    /// The next message to send again, if one is due and paid for.
    pub(super) fn next_repeat(&mut self, now: Instant, round_trip: &RoundTrip) -> Option<Position> {
        let position = if self.replay < self.log.end() {
            let position = self.replay.max(self.log.first());
            self.replay = Position(position.0 + 1);
            position
        } else if let Some(position) = self.twice.take().filter(|_| self.pay()) {
            mark!(ResendTwice);
            position
        } else {
            let position = *self.resend.first()?;
            if self.pay() {
                mark!(ResendPaid);
            } else if now >= self.free_resend_at && !mutated!(NoFreeResend) {
                mark!(ResendFree);
                self.free_resend_at = now + round_trip.estimate();
            } else {
                return None;
            }
            self.resend.pop_first();
            // One that was lost twice holds up the lane for two round trips already. If that goes on, its receiver has no room for it, say.
            let is_lost_again = self.log.get(position).is_some_and(|entry| entry.transmissions == 2);
            if self.is_waited_for() || is_lost_again {
                self.twice = Some(position);
            }
            position
        };
        self.oldest_tries += u32::from(position == self.log.first());
        let entry = self.log.get_mut(position)?;
        entry.sent_at = now;
        entry.transmissions += 1;
        Some(position)
    }

    /// Whether a re-send is paid for out of the stock; it is then.
    fn pay(&mut self) -> bool {
        let is_paid = self.resend_tokens > 0;
        self.resend_tokens -= u32::from(is_paid && !mutated!(ResendsAreFree));
        is_paid
    }

    /// Whether a new link goes on sending again what its peer may not have.
    pub(super) fn is_replaying(&self) -> bool {
        self.replay < self.log.end()
    }

    /// Whether the oldest message is marked to be sent again.
    pub(super) fn is_oldest_wanted_again(&self) -> bool {
        self.resend.first() == Some(&self.log.first())
    }

    /// Whether a re-send waits to be paid for.
    pub(super) fn has_unpaid_resend(&self) -> bool {
        !self.resend.is_empty() && !mutated!(NoFreeResend)
    }

    /// The peer misses messages. On the first re-send of each nobody waits; later ones are paced.
    ///
    /// # Errors
    /// It asks for what was never sent.
    pub(super) fn on_where_is(
        &mut self,
        now: Instant,
        missing: &[MissingRange],
        round_trip: &mut RoundTrip,
    ) -> Result<(), ProtocolError> {
        for range in missing {
            let end =
                range.first.0.checked_add(u64::from(range.count)).filter(|end| *end > 0 && *end <= self.log.end().0);
            let Some(end) = end else {
                return Err(ProtocolError::BadWhereIs { lane: self.kind, first: range.first, count: range.count });
            };
            // What is right behind the missing ones has come; where none is missing, what is right before.
            self.note_seen(now, Position(end - u64::from(range.count == 0)), round_trip);
            for position in range.first.0.max(self.log.first().0)..end {
                self.want_again(now, Position(position), round_trip);
            }
        }
        Ok(())
    }

    /// What came behind a gap has arrived, a moment ago if this is the first word of it: that took a round trip.
    fn note_seen(&mut self, now: Instant, position: Position, round_trip: &mut RoundTrip) {
        if position < self.seen_through || position >= self.log.end() {
            return;
        }
        self.seen_through = Position(position.0 + 1);
        // Karn's rule, as for guarantees.
        if let Some(entry) = self.log.get(position).filter(|entry| entry.transmissions == 1) {
            self.seen_sent_at = self.seen_sent_at.max(entry.sent_at);
            round_trip.sample(now, now.saturating_since(entry.sent_at));
        }
        self.note_news(now, round_trip);
    }

    /// How long a message is given to arrive after it was sent last: a round trip as it is now, backed off after the first few times.
    /// Twice as long where what was sent after it will tell of its loss.
    pub(super) fn pause(&self, position: Position, entry: &Entry<P>, round_trip: &RoundTrip) -> Duration {
        let pause = round_trip.current().max(RESEND_INTERVAL_MIN);
        let backed_off = backed_off(pause, self.tries(position, entry)).min(RESEND_INTERVAL_MAX).max(pause);
        let has_followers = self.log.newest().is_some_and(|newest| newest.sent_at > entry.sent_at);
        backed_off * if has_followers { 2 } else { 1 }
    }

    /// How often it was sent in vain. What came while others were missing before it may have found no room, which is not so of the oldest.
    fn tries(&self, position: Position, entry: &Entry<P>) -> u32 {
        if position == self.log.first() { self.oldest_tries } else { entry.transmissions }
    }

    /// Marks a message to be sent again unless that was done a moment ago and may be on its way.
    pub(super) fn want_again(&mut self, now: Instant, position: Position, round_trip: &RoundTrip) {
        let Some(entry) = self.log.get(position) else { return };
        let waited = now.saturating_since(entry.sent_at);
        // What was sent after it has come (as in RACK, RFC 8985): it is lost again. Or the link overtakes, and nothing is lost: so it is
        // believed a few times, and then less and less often.
        let is_overtaken =
            entry.sent_at < self.seen_sent_at && waited >= backed_off(RESEND_INTERVAL_MIN, self.tries(position, entry));
        let is_time = waited >= self.pause(position, entry, round_trip);
        if entry.transmissions == 1 || is_overtaken || is_time || mutated!(WhereIsStorm) {
            if entry.transmissions > 1 && is_overtaken {
                mark!(ResendOvertaken);
            }
            self.resend.insert(position);
        } else {
            mark!(ResendTooSoon);
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
    pub(super) fn release_kept(&mut self) -> Option<Entry<P>> {
        let entry = self.log.release()?;
        self.bytes_in_flight -= if mutated!(BytesInFlightLeak) { 0 } else { entry.bytes };
        Some(entry)
    }

    /// The same on a link that may lose, where it is told how such links do. `in_time`: how long that may take when nothing is lost.
    pub(super) fn release(&mut self, now: Instant, in_time: Duration, round_trip: &mut RoundTrip) -> Option<Entry<P>> {
        let position = self.log.first();
        let entry = self.release_kept()?;
        self.oldest_tries = 0;
        self.resend.remove(&position);
        self.resend_tokens = (self.resend_tokens + RESENDS_PER_GUARANTEE).min(self.pool.size() / 2 + RESEND_STOCK);
        if entry.transmissions == 1 && position >= self.seen_through {
            // Karn's rule: never of a message that was sent twice. So it is with the back-off (RFC 6298, section 5.7): the guarantee of
            // a message that was sent again says nothing about the time that one takes.
            let took = now.saturating_since(entry.sent_at);
            round_trip.sample(now, took);
            if took <= in_time {
                self.tail_backoff = 0;
            }
        }
        self.note_news(now, round_trip);
        Some(entry)
    }

    /// A new link: send again from the first position that the peer does not have.
    ///
    /// # Errors
    /// The peer expects what was never sent, or what it had guaranteed: one of the two ends was rolled back (trap T11).
    pub(super) fn resume(&mut self, expected: Position) -> Result<(), ProtocolError> {
        if (expected < self.log.first() || expected > self.log.end()) && !mutated!(ResumeClamped) {
            return Err(ProtocolError::NotAllowed {
                what: "the position to resume from",
                when: "outside of what the stream log holds",
            });
        }
        self.replay = expected;
        if mutated!(ResumeWithoutReplay) || mutated!(ResumeClamped) {
            self.replay =
                if mutated!(ResumeClamped) { expected.clamp(self.log.first(), self.log.end()) } else { self.log.end() };
        }
        self.replay.0 += u64::from(mutated!(ResumeSkipsOne));
        self.resend.clear();
        self.twice = None;
        self.seen_through = Position(0);
        self.seen_sent_at = Instant::START;
        self.window = Window::NEW;
        self.resend_tokens = self.pool.size() / 2 + RESEND_STOCK;
        self.oldest_tries = 0;
        self.tail_backoff = 0;
        Ok(())
    }

    /// The oldest position of the other lane whose bits the peer may not have: what a control frame's bits begin with.
    pub(super) fn bits_base(&self, gathered: &Gathered) -> Position {
        self.log.oldest().map_or_else(|| gathered.cursor(), |entry| entry.bits_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::first_range;

    #[test]
    fn the_back_off_ends_with_what_was_sent_once_and_guaranteed_in_time() {
        let range = first_range(LaneKind::Up, 1, MessageId(0), 100);
        let mut lane = SendLane::<u64>::new(LaneKind::Up, SendPool::new(1, &range).unwrap());
        let (mut gathered, mut round_trip) = (Gathered::default(), RoundTrip::new(Duration::from_millis(20)));
        let in_time = Duration::from_secs(1);
        let start = Instant::START;
        for _ in 0..3 {
            lane.send(start, Body::Goodbye, 0, &mut gathered);
        }
        lane.tail_backoff = 3;
        lane.release(start + in_time * 2, in_time, &mut round_trip);
        assert_eq!(lane.tail_backoff, 3, "it came late");
        lane.want_again(start, lane.guaranteed(), &round_trip);
        assert!(lane.next_repeat(start, &round_trip).is_some());
        lane.release(start, in_time, &mut round_trip);
        assert_eq!(lane.tail_backoff, 3, "it was sent twice");
        lane.release(start + in_time, in_time, &mut round_trip);
        assert_eq!(lane.tail_backoff, 0);
    }

    /// A lane of 400 IDs; its first message was sent again at 1 ms, and nine more went at 2 ms.
    fn lane_with_a_hole(round_trip: &mut RoundTrip) -> SendLane<u64> {
        let range = first_range(LaneKind::Up, 1, MessageId(0), 400);
        let mut lane = SendLane::<u64>::new(LaneKind::Up, SendPool::new(1, &range).unwrap());
        let mut gathered = Gathered::default();
        let at = |ms| Instant::START + Duration::from_millis(ms);
        lane.send(at(0), Body::Goodbye, 0, &mut gathered);
        lane.send(at(0), Body::Goodbye, 0, &mut gathered);
        lane.on_where_is(at(1), &[MissingRange { first: Position(0), count: 1 }], round_trip).unwrap();
        assert_eq!(lane.next_repeat(at(1), round_trip), Some(Position(0)));
        for _ in 0..9 {
            lane.send(at(2), Body::Goodbye, 0, &mut gathered);
        }
        lane
    }

    #[test]
    fn what_was_sent_again_is_lost_again_when_what_was_sent_after_it_has_come() {
        let mut round_trip = RoundTrip::new(Duration::from_millis(20));
        let mut lane = lane_with_a_hole(&mut round_trip);
        let (missing, now) = (MissingRange { first: Position(0), count: 1 }, Instant::START + Duration::from_millis(8));
        lane.on_where_is(now, &[missing, MissingRange { first: Position(2), count: 0 }], &mut round_trip).unwrap();
        assert_eq!(lane.next_repeat(now, &round_trip), None, "what has come was sent before it");
        lane.on_where_is(now, &[MissingRange { first: Position(5), count: 0 }, missing], &mut round_trip).unwrap();
        assert_eq!(lane.next_repeat(now, &round_trip), Some(Position(0)));
        assert_eq!(lane.next_repeat(now, &round_trip), Some(Position(0)), "what was lost twice goes twice");
        assert_eq!(lane.next_repeat(now, &round_trip), None);
    }

    #[test]
    fn what_found_no_room_while_others_were_missing_before_it_is_not_backed_off_when_it_is_the_oldest() {
        let mut round_trip = RoundTrip::new(Duration::from_millis(20));
        let mut lane = lane_with_a_hole(&mut round_trip);
        let (missing, mut now) = (MissingRange { first: Position(1), count: 1 }, Instant::START);
        for _ in 0..30 {
            now = now + RESEND_INTERVAL_MAX * 2;
            lane.on_where_is(now, &[missing], &mut round_trip).unwrap();
            assert_eq!(lane.next_repeat(now, &round_trip), Some(Position(1)));
            lane.twice = None;
        }
        let soon = now + round_trip.current().max(RESEND_INTERVAL_MIN) * 2;
        lane.on_where_is(soon, &[missing], &mut round_trip).unwrap();
        assert_eq!(lane.next_repeat(soon, &round_trip), None, "it goes less and less often");
        lane.release(soon, Duration::from_secs(1), &mut round_trip);
        lane.on_where_is(soon, &[missing], &mut round_trip).unwrap();
        assert_eq!(lane.next_repeat(soon, &round_trip), Some(Position(1)));
    }

    #[test]
    fn news_open_the_window_and_what_was_never_sent_has_not_come() {
        let mut round_trip = RoundTrip::new(Duration::from_millis(20));
        let mut lane = lane_with_a_hole(&mut round_trip);
        let (mut gathered, now) = (Gathered::default(), Instant::START + Duration::from_millis(3));
        while !lane.is_blocked_by_window() {
            lane.send(now, Body::Goodbye, 0, &mut gathered);
        }
        assert_eq!(lane.log.end().0 - 2, WINDOW_MIN, "two are not on their way: one is missing, and one has come");
        let end = lane.log.end();
        let beyond = MissingRange { first: Position(end.0 + 1), count: 0 };
        assert!(lane.on_where_is(now, &[beyond], &mut round_trip).is_err());
        assert!(lane.is_blocked_by_window());
        lane.on_where_is(now, &[MissingRange { first: end, count: 0 }], &mut round_trip).unwrap();
        assert!(!lane.is_blocked_by_window());
    }
}
