//! Re-sends are paced and paid for: a message at most once per round trip (twice where all wait for it), and in total no more than
//! guarantees and time allow.

use std::time::Duration;

use rpcgen_proto::session::Stats;
use rpcgen_proto::time::Instant;

use super::{Check, violated};

/// Places that are watched at once; of two messages in one place only the newer is watched.
const PLACES: usize = 64;
/// A message that was sent again waits for so long before that is done once more, but for one copy; a node's clock may be a little slow.
const PAUSE_MIN: Duration = Duration::from_millis(3);
/// Re-sends of one message on a link on which nothing is lost: what may go out before the first guarantee is back.
const HEALTHY_MAX: u32 = 32;

#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    id: u32,
    times: u32,
    last: Instant,
    before: Instant,
}

/// Watches one direction of a link that may lose.
#[derive(Debug)]
pub struct Pacing {
    places: Box<[Watched; PLACES]>,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { places: Box::new([Watched::default(); PLACES]) }
    }
}

impl Pacing {
    /// A message goes out.
    ///
    /// # Errors
    /// It did so twice a moment ago, and once before.
    pub fn see(&mut self, now: Instant, id: u32, is_healthy: bool) -> Check {
        let place = &mut self.places[id as usize % PLACES];
        if place.id != id || place.times == 0 {
            *place = Watched { id, times: 1, last: now, before: now };
            return Ok(());
        }
        // Of the first, of what was asked for at once, and of its copy no pause is asked.
        let pause = now.saturating_since(place.before);
        place.times += 1;
        (place.before, place.last) = (place.last, now);
        if place.times > 3 && pause < PAUSE_MIN {
            let times = place.times;
            return violated(
                "amplification_bounded",
                format!("#{id:08x} is sent for the {times}th time after {pause:?}"),
            );
        }
        if is_healthy && place.times > HEALTHY_MAX {
            let times = place.times;
            return violated(
                "amplification_bounded",
                format!("#{id:08x} is sent for the {times}th time, and nothing is lost"),
            );
        }
        Ok(())
    }

    /// Nothing is lost from now on: counted afresh.
    pub fn restart(&mut self) {
        *self.places = [Watched::default(); PLACES];
    }
}

/// What an end's re-sends are paid by.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The largest size that the end's pool ever had, or more.
    pub pool_size: u32,
    /// Messages that the peer guaranteed.
    pub guaranteed: u64,
    /// How long the session has been there.
    pub age: Duration,
    /// The least round trip of its configuration.
    pub round_trip_min: Duration,
}

/// All that a session sent again so far.
///
/// # Errors
/// It is more than was paid for.
pub fn check(stats: &Stats, budget: &Budget) -> Check {
    let stock = stats.links * u64::from(budget.pool_size / 2 + 64);
    let round_trips = budget.age.as_micros() / budget.round_trip_min.as_micros().max(1);
    let free = u64::try_from(round_trips).unwrap_or(u64::MAX) + stats.links;
    let limit = stock + 2 * budget.guaranteed + free;
    let repeated = stats.resent - stats.replayed;
    if repeated > limit {
        return violated("amplification_bounded", format!("{repeated} re-sends, {limit} are paid for: {budget:?}"));
    }
    Ok(())
}
