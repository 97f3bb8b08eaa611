//! Time as the core sees it: nanoseconds since the driver's start.
//!
//! Knows: arithmetic that saturates. Does not know: any clock. The driver (or the simulator) says what time it is; equal inputs
//! at equal instants give equal outputs, so that a run can be recorded and replayed.

use core::hash::{Hash, Hasher};
use core::ops::{Add, Sub};
use core::time::Duration;

/// A monotonic instant: nanoseconds since the driver's start. Never wall-clock time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

/// Hashed as a signed number, as nothing else in a session is: so a hasher can tell instants from counters, and take their distance
/// from now instead. Two sessions that differ only in when the driver started are then one state to a model checker.
impl Hash for Instant {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_i64(self.0.cast_signed());
    }
}

impl Instant {
    /// The driver's start.
    pub const START: Self = Self(0);

    /// The instant `nanoseconds` after the driver's start.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the driver's start.
    #[must_use]
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of the representable time (584 years after the start).
    #[inline]
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Saturates at zero.
    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addition_saturates_at_the_end_of_time() {
        assert_eq!(Instant::from_nanos(u64::MAX) + Duration::from_secs(1), Instant::from_nanos(u64::MAX));
        assert_eq!(Instant::START + Duration::MAX, Instant::from_nanos(u64::MAX));
    }

    #[test]
    fn difference_saturates_at_zero() {
        assert_eq!(Instant::START - Instant::from_nanos(5), Duration::ZERO);
        assert_eq!(Instant::from_nanos(7) - Instant::from_nanos(5), Duration::from_nanos(2));
    }
}
