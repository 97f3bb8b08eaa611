//! When to try again: back-off with full jitter, so that a thousand clients of a restarted server do not come at once.
//!
//! Knows: how often it failed, for how long one attempt may last. Does not know: what a link is for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use rpcgen_proto::rng::SplitMix64;

use crate::driver::address::Address;
use crate::driver::link::Link;

/// Upper bound of the first wait.
const FIRST: Duration = Duration::from_millis(100);
/// Upper bound of all waits.
const LONGEST: Duration = Duration::from_secs(30);

/// The waits between attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    random: SplitMix64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, random: SplitMix64::new(seed) }
    }

    /// How long to wait before the next attempt: anything up to a bound that doubles.
    pub(super) fn next_wait(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let microseconds = u32::try_from(bound.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.random.below(microseconds)))
    }

    /// An attempt succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// How long one attempt to connect may take.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(5);

/// Makes a link, or gives up after a while.
pub(super) fn connect(address: &Address) -> Pin<Box<dyn Future<Output = io::Result<Link>> + Send>> {
    let address = address.clone();
    Box::pin(async move {
        tokio::time::timeout(ATTEMPT_WITHIN, Link::connect(&address))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "nothing answered there")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_no_further() {
        let mut backoff = Backoff::new(1);
        let waits: Vec<Duration> = (0..1_000).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] < FIRST && waits[1] < 2 * FIRST);
        assert!(waits.iter().all(|wait| *wait < LONGEST));
        assert!(waits.iter().any(|wait| *wait > LONGEST / 2));
        backoff.reset();
        assert!(backoff.next_wait() < FIRST);
    }

    #[test]
    fn two_clients_do_not_come_back_together() {
        assert_ne!(Backoff::new(1).next_wait(), Backoff::new(2).next_wait());
    }
}
