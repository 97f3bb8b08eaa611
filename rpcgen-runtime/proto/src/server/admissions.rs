//! How many clients are let in per second, and when the others are to come again (trap T26).
//!
//! Knows: a rate and a burst. Does not know: clients.

use core::time::Duration;

use crate::config::{ADMISSION_PAUSE_MAX, ADMISSION_PAUSE_MIN};
use crate::time::Instant;

/// Admissions at a bounded rate: a schedule that may run ahead of the clock by the burst.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Admissions {
    interval: Duration,
    ahead_max: Duration,
    /// When the admissions so far will have been paid for.
    paid_at: Instant,
    /// The latest instant at which somebody was told to come again.
    told: Instant,
}

impl Admissions {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        let ahead_max = interval.saturating_mul(burst.max(1));
        Self { interval, ahead_max, paid_at: Instant::START, told: Instant::START }
    }

    /// Lets one in, or says how long it is to wait. Those who wait are told different instants, one after the other.
    pub(super) fn let_in(&mut self, now: Instant) -> Result<(), Duration> {
        let paid_at = self.paid_at.max(now) + self.interval;
        if paid_at - now <= self.ahead_max {
            self.paid_at = paid_at;
            return Ok(());
        }
        self.told = self.told.max(now) + self.interval;
        let pause = (self.told - now).clamp(ADMISSION_PAUSE_MIN, ADMISSION_PAUSE_MAX);
        self.told = self.told.min(now + ADMISSION_PAUSE_MAX);
        Err(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stampede_is_let_in_at_the_rate_after_the_burst_when_all_come_back_as_told() {
        let mut admissions = Admissions::new(500, 1_000);
        let start = Instant::from_nanos(7_000_000_000);
        let mut waiting: alloc::collections::BinaryHeap<_> =
            (0..10_000_u32).map(|client| core::cmp::Reverse((start, client))).collect();
        let (mut in_at_once, mut last, mut attempts) = (0, start, 0);
        while let Some(core::cmp::Reverse((now, client))) = waiting.pop() {
            attempts += 1;
            match admissions.let_in(now) {
                Ok(()) => {
                    in_at_once += u32::from(now == start);
                    last = now;
                }
                Err(pause) => waiting.push(core::cmp::Reverse((now + pause, client))),
            }
        }
        assert_eq!(in_at_once, 1_000);
        let took = last - start;
        assert!(took > Duration::from_secs(17) && took < Duration::from_secs(20), "{took:?} for 10,000 clients");
        assert!(attempts < 25_000, "{attempts} attempts: about two for each");
    }

    #[test]
    fn the_burst_is_there_again_after_a_quiet_time() {
        let mut admissions = Admissions::new(10, 5);
        for second in 0..3 {
            let now = Instant::from_nanos(second * 1_000_000_000);
            assert_eq!((0..9).filter(|_| admissions.let_in(now).is_ok()).count(), 5);
        }
    }
}
