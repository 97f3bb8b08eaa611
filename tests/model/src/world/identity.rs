//! What makes two states of the world the same state.
//!
//! Knows: that sessions look at distances of time only. Does not know: what is in a session.
//!
//! An [`Instant`](rpcgen_proto::time::Instant) hashes itself as a signed number, and nothing else in a session does: so this hasher
//! can put the distance from now in its place. What is further away than any timer of the model is all alike. Counters for
//! statistics and what is only kept at hand do not hash at all (see `Stats` and `Cycle` in the core).

use std::hash::{Hash, Hasher};

use rpcgen_proto::time::Instant;

use super::World;

/// Further away than this, in nanoseconds, no timer of the model reaches.
const HORIZON: i64 = 60_000_000_000;

struct Distances<'a, H> {
    inner: &'a mut H,
    now: i64,
}

impl<H: Hasher> Hasher for Distances<'_, H> {
    fn finish(&self) -> u64 {
        self.inner.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.inner.write(bytes);
    }

    fn write_u8(&mut self, value: u8) {
        self.inner.write_u8(value);
    }

    fn write_u16(&mut self, value: u16) {
        self.inner.write_u16(value);
    }

    fn write_u32(&mut self, value: u32) {
        self.inner.write_u32(value);
    }

    fn write_u64(&mut self, value: u64) {
        self.inner.write_u64(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.inner.write_u128(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.inner.write_usize(value);
    }

    fn write_isize(&mut self, value: isize) {
        self.inner.write_isize(value);
    }

    /// An instant.
    fn write_i64(&mut self, value: i64) {
        self.inner.write_i64((value - self.now).clamp(-HORIZON, HORIZON));
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let now = i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX);
        let mut distances = Distances { inner: hasher, now };
        self.clients.hash(&mut distances);
        self.server.hash(&mut distances);
        self.links.hash(&mut distances);
        self.left.hash(&mut distances);
        self.ledger.hash(&mut distances);
        self.violation.hash(&mut distances);
    }
}

/// Whether a timer is one that the model fires: signs of life, deadlines of calls and time-outs of sessions are far beyond.
pub(super) fn is_near(now: Instant, at: Instant) -> bool {
    at.saturating_since(now).as_nanos() < HORIZON.unsigned_abs().into()
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::time::Duration;

    use rpcgen_proto::rng::SplitMix64;

    use super::super::BEGINNING;
    use super::*;
    use crate::configurations::{self, Extent};

    fn identity(world: &World) -> u64 {
        let mut hasher = DefaultHasher::new();
        world.hash(&mut hasher);
        hasher.finish()
    }

    /// What the reduction rests on: sessions look at distances of time only.
    #[test]
    fn a_world_that_begins_later_takes_the_same_steps_to_the_same_states() {
        for (index, rules) in (0..).zip(configurations::all(Extent::Reduced)) {
            let mut random = SplitMix64::new(index);
            for _ in 0..30 {
                let mut now = World::begin_at(&rules, BEGINNING);
                let mut later = World::begin_at(&rules, BEGINNING + Duration::from_nanos(987_654_321_123));
                for _ in 0..60 {
                    assert_eq!(identity(&now), identity(&later), "({})", rules.name);
                    let (mut actions, mut actions_later) = (Vec::new(), Vec::new());
                    now.actions(&rules, &mut actions);
                    later.actions(&rules, &mut actions_later);
                    assert_eq!(actions, actions_later, "({})", rules.name);
                    let count = u32::try_from(actions.len()).expect("a small world");
                    let Some(action) = actions.get(random.below(count) as usize) else { break };
                    now = now.after(&rules, *action).0;
                    later = later.after(&rules, *action).0;
                }
            }
        }
    }

    #[test]
    fn time_that_passes_makes_another_state() {
        let rules = &configurations::all(Extent::Reduced)[0];
        let mut world = World::begin(rules);
        let before = identity(&world);
        world.now = world.now + Duration::from_millis(1);
        assert_ne!(before, identity(&world));
    }
}
