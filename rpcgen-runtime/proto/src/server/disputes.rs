//! Links of one client that were closed by protocol errors, again and again (trap T24).
//!
//! Knows: how many lately. Does not know: what was wrong.

use core::time::Duration;

use crate::config::{DISPUTE_REFUSAL, DISPUTES_MAX, DISPUTES_WITHIN};
use crate::time::Instant;

/// The disputes of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Disputes {
    since: Instant,
    count: u32,
    refused_until: Option<Instant>,
}

impl Disputes {
    /// One more link was closed by a protocol error. `true`: from now on the client is refused for a while.
    pub(super) fn note(&mut self, now: Instant) -> bool {
        if self.count == 0 || now - self.since >= DISPUTES_WITHIN {
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
        let is_too_many = self.count >= DISPUTES_MAX;
        if is_too_many {
            self.count = 0;
            self.refused_until = Some(now + DISPUTE_REFUSAL);
        }
        is_too_many
    }

    /// For how long the client is refused yet.
    pub(super) fn refused_for(&self, now: Instant) -> Option<Duration> {
        self.refused_until.map(|until| until - now).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn the_fifth_dispute_of_a_minute_refuses_the_client_for_a_minute() {
        let mut disputes = Disputes::default();
        for second in 10..14 {
            assert!(!disputes.note(at(second)));
        }
        assert_eq!(disputes.refused_for(at(14)), None);
        assert!(disputes.note(at(14)));
        assert_eq!(disputes.refused_for(at(34)), Some(Duration::from_secs(40)));
        assert_eq!(disputes.refused_for(at(74)), None);
    }

    #[test]
    fn disputes_that_are_far_apart_are_forgiven() {
        let mut disputes = Disputes::default();
        for number in 0..100 {
            assert!(!disputes.note(at(number * 16)), "four in a minute");
        }
    }
}
