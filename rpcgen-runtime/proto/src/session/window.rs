//! How many messages may be on their way on a link that loses.
//!
//! Knows: how much was delivered in how long. Does not know: IDs, logs, what was lost.
//!
//! What a link does not hold waits in its queue, and every repair waits behind it. So no more is on its way than two and a half times what
//! the link was seen to deliver in its least round trip, and a little. BBR's window is twice that (draft-ietf-ccwg-bbr, section 5.6.4.2);
//! half of it again is what is on its way no more, of which no news have come yet. The most that was delivered of late counts: a lane that
//! waits for a hole delivers little, and that says nothing about its link.

use core::mem;
use core::time::Duration;

use crate::config::WINDOW_MIN;
use crate::ids::Position;
use crate::time::Instant;

/// Round trips of one measurement: news come in batches, and a longer time evens them out.
const ROUND_TRIPS: u8 = 3;
/// Measurements of a period.
const MEASUREMENTS: u8 = 4;

/// The window of one lane, on one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Window {
    /// Messages delivered in the least round trip: the most of the last period, and of this one.
    delivered: (u64, u64),
    /// Of this period.
    measurements: u8,
    /// Of this measurement.
    round_trips: u8,
    /// When it began.
    began_at: Instant,
    /// What was known to be on its way no more when it began.
    known_then: Position,
    /// A round trip is over when the message at this position is known to be on its way no more.
    ends: Position,
    /// The end of what was sent when news were asked for last.
    asked_at: Position,
}

impl Window {
    /// Of a link that nothing is known of.
    pub(super) const NEW: Self = Self {
        delivered: (0, 0),
        measurements: 0,
        round_trips: 0,
        began_at: Instant::START,
        known_then: Position(0),
        ends: Position(0),
        asked_at: Position(0),
    };

    /// Messages that may be on their way.
    pub(super) fn size(&self) -> u64 {
        let (last, this) = self.delivered;
        last.max(this).saturating_mul(5) / 2 + WINDOW_MIN
    }

    /// Nothing before `known` is on its way any more; `end` is the end of what was sent, `least` the least round trip.
    pub(super) fn on_news(&mut self, now: Instant, known: Position, end: Position, least: Duration) {
        if known <= self.ends {
            return;
        }
        self.ends = end;
        self.round_trips += 1;
        if self.round_trips < ROUND_TRIPS {
            return;
        }
        self.measure(now, known, least);
    }

    fn measure(&mut self, now: Instant, known: Position, least: Duration) {
        let took = now.saturating_since(self.began_at).max(least).as_micros().max(1);
        let count = u128::from(known.0.saturating_sub(self.known_then.0));
        let delivered = u64::try_from(count * least.as_micros() / took).unwrap_or(u64::MAX);
        self.delivered.1 = self.delivered.1.max(delivered);
        self.measurements += 1;
        if self.measurements == MEASUREMENTS {
            self.measurements = 0;
            self.delivered = (mem::take(&mut self.delivered.1), 0);
        }
        (self.round_trips, self.began_at, self.known_then) = (0, now, known);
    }

    /// Whether the last message that was sent is to ask for news: half of the window is on its way, and went since the last question.
    pub(super) fn is_to_ask(&mut self, on_their_way: u64, end: Position) -> bool {
        let half = self.size() / 2;
        let asks = on_their_way >= half && end.0.saturating_sub(self.asked_at.0) >= half;
        if asks {
            self.asked_at = end;
        }
        asks
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const LEAST: Duration = Duration::from_millis(10);

    /// A link that delivers so many messages in each millisecond, and whose news come in batches of ten.
    fn run(window: &mut Window, from_ms: u64, to_ms: u64, per_ms: u64, sent_before: u64) -> u64 {
        let mut known = sent_before;
        for ms in from_ms..to_ms {
            known += per_ms;
            let end = known + per_ms * 10;
            window.on_news(Instant::START + Duration::from_millis(ms), Position(known / 10 * 10), Position(end), LEAST);
        }
        known
    }

    #[test]
    fn window_is_two_and_a_half_times_what_the_least_round_trip_delivers_and_shrinks_with_the_link() {
        let mut window = Window::NEW;
        assert_eq!(window.size(), WINDOW_MIN);
        let known = run(&mut window, 0, 1_000, 9, 0);
        let of_ninety = 225 + WINDOW_MIN;
        assert!((of_ninety..of_ninety + 30).contains(&window.size()), "{}", window.size());
        run(&mut window, 1_000, 2_000, 1, known);
        assert!((25 + WINDOW_MIN..60 + WINDOW_MIN).contains(&window.size()), "{}", window.size());
    }

    #[test]
    fn a_stall_does_not_shrink_it_within_a_period() {
        let mut window = Window::NEW;
        let known = run(&mut window, 0, 1_000, 9, 0);
        let before = window.size();
        // Nothing for half a second, then as before.
        run(&mut window, 1_500, 1_540, 9, known);
        assert_eq!(window.size(), before);
    }

    #[test]
    fn news_are_asked_for_once_in_half_a_window() {
        let mut window = Window::NEW;
        let asked = (1..=64).filter(|sent| window.is_to_ask(*sent, Position(*sent)));
        assert_eq!(asked.collect::<Vec<_>>(), [16, 32, 48, 64]);
        assert!(!window.is_to_ask(3, Position(1_000)), "little is on its way");
    }
}
