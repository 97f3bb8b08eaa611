//! Estimates of the link's round trip, for pacing re-sends on links that may lose.
//!
//! Knows: samples. Does not know: whose. The estimate is for not asking twice within a round trip, so it is the least sample of the
//! last window or two (as BBR's, draft-ietf-ccwg-bbr, section 5.5.7): a sample may be late on purpose (the flush time) or because a
//! message before it was lost, and neither says anything about the link. The first sample is the handshake's own.
//!
//! Beside it stands what a round trip takes *now*, queues included: the same of the last round or two. It says when what was sent again
//! must have arrived.

use core::time::Duration;

use crate::config::RESEND_INTERVAL_MIN;
use crate::time::Instant;

/// How long the least sample counts.
const WINDOW: Duration = Duration::from_secs(10);
/// Until there is a sample: long enough for most links (as QUIC's, RFC 9002, section 6.2.2).
const INITIAL: Duration = Duration::from_millis(333);
/// Nobody waits longer than this to ask again.
const ESTIMATE_MAX: Duration = Duration::from_secs(1);

/// The estimate, for one link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoundTrip {
    floor: Duration,
    window: Least,
    round: Least,
}

/// The least sample of this period and the last one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Least {
    last: Option<Duration>,
    this: Option<Duration>,
    ends: Instant,
}

impl Least {
    const NONE: Self = Self { last: None, this: None, ends: Instant::START };

    fn get(&self) -> Option<Duration> {
        [self.last, self.this].into_iter().flatten().min()
    }

    /// `lasts`: how long a period is that begins now, by the least sample of the one that has ended.
    fn sample(&mut self, now: Instant, sample: Duration, lasts: impl FnOnce(Option<Duration>) -> Duration) {
        if now >= self.ends {
            self.last = self.this.take();
            self.ends = now + lasts(self.last);
        }
        self.this = Some(self.this.map_or(sample, |least| least.min(sample)));
    }
}

impl RoundTrip {
    /// No estimate is below `floor`.
    pub(super) fn new(floor: Duration) -> Self {
        let floor = floor.min(ESTIMATE_MAX);
        Self { floor, window: Least::NONE, round: Least::NONE }
    }

    pub(super) fn estimate(&self) -> Duration {
        self.window.get().unwrap_or(INITIAL).clamp(self.floor, ESTIMATE_MAX)
    }

    /// What a round trip takes at least. Not raised to the floor.
    pub(super) fn least(&self) -> Duration {
        usual(self.window.get())
    }

    /// One part of so many of the estimate: when to say again what may be lost. No sooner than a message may be sent again.
    pub(super) fn part(&self, of: u32) -> Duration {
        (self.estimate() / of).max(RESEND_INTERVAL_MIN)
    }

    /// What a round trip takes now. Not raised to the floor.
    pub(super) fn current(&self) -> Duration {
        usual(self.round.get())
    }

    pub(super) fn sample(&mut self, now: Instant, sample: Duration) {
        self.round.sample(now, sample, usual);
        self.window.sample(now, sample, |_| WINDOW);
    }
}

/// A round trip that is known, or as it is taken for.
fn usual(known: Option<Duration>) -> Duration {
    known.unwrap_or(INITIAL).min(ESTIMATE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Duration = Duration::from_millis(20);

    #[test]
    fn late_guarantees_do_not_raise_the_estimate_within_a_window() {
        let mut round_trip = RoundTrip::new(FLOOR);
        assert_eq!(round_trip.estimate(), INITIAL);
        round_trip.sample(Instant::START, Duration::from_millis(50));
        round_trip.sample(Instant::START, Duration::from_secs(30));
        assert_eq!(round_trip.estimate(), Duration::from_millis(50));
        round_trip.sample(Instant::START + WINDOW, Duration::from_secs(30));
        assert_eq!(round_trip.estimate(), Duration::from_millis(50));
        round_trip.sample(Instant::START + WINDOW * 2, Duration::from_secs(30));
        assert_eq!(round_trip.estimate(), ESTIMATE_MAX);
        round_trip.sample(Instant::START + WINDOW * 2, Duration::from_millis(1));
        assert_eq!(round_trip.estimate(), FLOOR);
    }
}
