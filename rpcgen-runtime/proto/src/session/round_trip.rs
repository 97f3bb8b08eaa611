//! Estimates of the link's round trip, for pacing re-sends on links that may lose.
//!
//! Knows: samples. Does not know: whose. The estimate is for not asking twice within a round trip, so it is the least sample of the
//! last window or two (as BBR's, draft-ietf-ccwg-bbr, section 5.5.7): a sample may be late on purpose (the flush time) or because a
//! message before it was lost, and neither says anything about the link. The first sample is the handshake's own.
//!
//! Beside it stands what a round trip takes *now*, queues included: the least sample of the last round or two. It says when what was
//! sent again must have arrived.

use core::time::Duration;

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
    last_window: Option<Duration>,
    this_window: Option<Duration>,
    window_ends: Instant,
    last_round: Option<Duration>,
    this_round: Option<Duration>,
    round_ends: Instant,
}

impl RoundTrip {
    /// No estimate is below `floor`.
    pub(super) fn new(floor: Duration) -> Self {
        let floor = floor.min(ESTIMATE_MAX);
        Self {
            floor,
            last_window: None,
            this_window: None,
            window_ends: Instant::START,
            last_round: None,
            this_round: None,
            round_ends: Instant::START,
        }
    }

    pub(super) fn estimate(&self) -> Duration {
        let least = [self.last_window, self.this_window].into_iter().flatten().min();
        least.unwrap_or(INITIAL).clamp(self.floor, ESTIMATE_MAX)
    }

    /// What a round trip takes now: never less than the least of the last two rounds, at most [`ESTIMATE_MAX`]. Not raised to the floor.
    pub(super) fn current(&self) -> Duration {
        let least = [self.last_round, self.this_round, self.last_window, self.this_window];
        let rounds = least[..2].iter().flatten().min();
        let least = rounds.or_else(|| least[2..].iter().flatten().min());
        least.copied().unwrap_or(INITIAL).min(ESTIMATE_MAX)
    }

    pub(super) fn sample(&mut self, now: Instant, sample: Duration) {
        if now >= self.round_ends {
            self.last_round = self.this_round.take();
            self.round_ends = now + self.current();
        }
        self.this_round = Some(self.this_round.map_or(sample, |least| least.min(sample)));
        if now >= self.window_ends {
            self.last_window = self.this_window.take();
            self.window_ends = now + WINDOW;
        }
        self.this_window = Some(self.this_window.map_or(sample, |least| least.min(sample)));
    }
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
