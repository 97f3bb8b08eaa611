//! A node's own clock: it begins anywhere, runs a little fast or slow, and may stand still for a while.
//!
//! Knows: how its time and the world's belong together. Does not know: who reads it.

use std::time::Duration;

use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::time::Instant;

const MILLION: u128 = 1_000_000;

/// A node's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeClock {
    /// At this instant of the world, or before,
    world: Instant,
    /// it showed this.
    local: Instant,
    /// Own microseconds in a second of the world.
    rate: u32,
}

impl NodeClock {
    /// A clock that is started now. `drifts`: up to a tenth fast or slow; else exact.
    pub(super) fn new(now: Instant, random: &mut SplitMix64, drifts: bool) -> Self {
        let local = Instant::from_nanos(u64::from(random.below(u32::MAX)) * 1_000_000);
        let rate = if drifts { 900_000 + random.below(200_000) } else { 1_000_000 };
        Self { world: now, local, rate }
    }

    /// What it shows at an instant of the world.
    pub(super) fn local(&self, world: Instant) -> Instant {
        let passed = world.saturating_since(self.world).as_nanos() * u128::from(self.rate) / MILLION;
        self.local + Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The first instant of the world at which it shows that.
    pub(super) fn world_at(&self, local: Instant) -> Instant {
        let ahead = (local.saturating_since(self.local).as_nanos() * MILLION).div_ceil(u128::from(self.rate));
        self.world + Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX))
    }

    /// It stands still for so long.
    pub(super) fn stall(&mut self, now: Instant, lasts: Duration) {
        *self = Self { world: self.world.max(now + lasts), local: self.local(now), rate: self.rate };
    }

    /// It goes on now.
    pub(super) fn go_on(&mut self, now: Instant) {
        *self = Self { world: now, local: self.local(now), rate: self.rate };
    }
}
