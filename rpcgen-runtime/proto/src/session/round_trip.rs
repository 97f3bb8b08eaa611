//! An estimate of the link's round trip, for pacing re-sends on links that may lose.
//!
//! Knows: samples. Does not know: whose. It follows the smallest samples, as guarantees may be late on purpose: what it is for is
//! to not ask twice within a round trip.

use core::time::Duration;

/// The estimate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoundTrip {
    least: Duration,
    estimate: Duration,
}

impl RoundTrip {
    /// No estimate is below `least`.
    pub(super) fn new(least: Duration) -> Self {
        Self { least, estimate: least }
    }

    pub(super) fn estimate(&self) -> Duration {
        self.estimate
    }

    /// Down at once, up by a sixteenth.
    pub(super) fn sample(&mut self, sample: Duration) {
        self.estimate = if sample <= self.estimate {
            sample.max(self.least)
        } else {
            self.estimate + (sample - self.estimate) / 16
        };
    }
}
