//! Faults on purpose: what one end does to the frames that it sends, so that what the protocol promises can be watched.
//!
//! Knows: a plan, a seed, frames as opaque things. Does not know: links, bytes, clocks. The driver pushes each frame, takes verdicts
//! out until there is none, and calls again at the deadline. Equal seeds and equal calls give equal verdicts. The simulator and the
//! drivers use the same code.
//!
//! A link with faults is not `reliable_ordered`, and its end says so in the handshake. The handshake itself is exempt.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use crate::frame::{Body, Frame};
use crate::rng::SplitMix64;
use crate::time::Instant;

/// Frames that are held back at once, at most; the one beyond goes at once.
const HELD_MAX: usize = 1_024;
/// How long a frame is held back so that others overtake it, at most.
const REORDER_WITHIN: Duration = Duration::from_millis(5);

/// How often which fault happens. Probabilities are per frame, from 0 (never) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// What all faults follow from; say it to whoever is to repeat the run.
    pub seed: u64,
    /// Lost, for all frames but offered broadcasts.
    pub drop: f64,
    /// Lost, for offered broadcasts.
    pub drop_broadcast: f64,
    /// Sent twice.
    pub duplicate: f64,
    /// Held back for a few milliseconds, so that later frames overtake it.
    pub reorder: f64,
    /// Held back for up to `delay_max`.
    pub delay: f64,
    /// The longest delay.
    pub delay_max: Duration,
    /// Sent with a flipped bit.
    pub corrupt: f64,
    /// After so many frames the link is cut, again and again; 0: never.
    pub cut_every: u64,
}

impl FaultPlan {
    /// Whether nothing ever happens.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let chances = [self.drop, self.drop_broadcast, self.duplicate, self.reorder, self.delay, self.corrupt];
        self.cut_every == 0 && chances.iter().all(|chance| *chance <= 0.0)
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<F> {
    /// Send it.
    Send(F),
    /// Send it with a flipped bit: encode it, then [`Faults::flip_bit`].
    Corrupt(F),
    /// Cut the link. What was held back is lost with it.
    Cut,
}

/// How often which fault happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounters {
    /// Frames that were given to be sent.
    pub frames: u64,
    /// Frames lost, offered broadcasts included.
    pub dropped: u64,
    /// Offered broadcasts lost.
    pub dropped_broadcasts: u64,
    /// Frames sent twice.
    pub duplicated: u64,
    /// Frames held back so that others overtake them.
    pub reordered: u64,
    /// Frames that came later.
    pub delayed: u64,
    /// Frames sent with a flipped bit.
    pub corrupted: u64,
    /// Times that the link was cut.
    pub cuts: u64,
}

impl FaultCounters {
    /// Adds what happened elsewhere.
    pub const fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.dropped += other.dropped;
        self.dropped_broadcasts += other.dropped_broadcasts;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.delayed += other.delayed;
        self.corrupted += other.corrupted;
        self.cuts += other.cuts;
    }
}

/// The faults of one end, for all its links one after another.
#[derive(Clone, Debug)]
pub struct Faults<F> {
    plan: FaultPlan,
    random: SplitMix64,
    /// What goes at once.
    ready: VecDeque<Verdict<F>>,
    /// What is held back, by when it goes and in the order of its coming.
    held: BTreeMap<(Instant, u64), Verdict<F>>,
    counters: FaultCounters,
}

impl<F: Clone> Faults<F> {
    /// Faults as planned.
    #[must_use]
    pub const fn new(plan: FaultPlan) -> Self {
        Self {
            plan,
            random: SplitMix64::new(plan.seed),
            ready: VecDeque::new(),
            held: BTreeMap::new(),
            counters: FaultCounters {
                frames: 0,
                dropped: 0,
                dropped_broadcasts: 0,
                duplicated: 0,
                reordered: 0,
                delayed: 0,
                corrupted: 0,
                cuts: 0,
            },
        }
    }

    /// Another plan from now on. What is held back stays so.
    pub const fn set_plan(&mut self, plan: FaultPlan) {
        self.plan = plan;
    }

    /// A frame to be sent. `is_offer`: see [`is_offer`].
    pub fn push(&mut self, now: Instant, frame: F, is_offer: bool) {
        self.counters.frames += 1;
        let drop = if is_offer { self.plan.drop_broadcast } else { self.plan.drop };
        if self.chance(drop) {
            self.counters.dropped += 1;
            self.counters.dropped_broadcasts += u64::from(is_offer);
        } else {
            if self.chance(self.plan.duplicate) {
                self.counters.duplicated += 1;
                self.put(now, frame.clone());
            }
            self.put(now, frame);
        }
        if self.plan.cut_every > 0 && self.counters.frames.is_multiple_of(self.plan.cut_every) {
            self.counters.cuts += 1;
            self.ready.push_back(Verdict::Cut);
        }
    }

    fn put(&mut self, now: Instant, frame: F) {
        let verdict = if self.chance(self.plan.corrupt) {
            self.counters.corrupted += 1;
            Verdict::Corrupt(frame)
        } else {
            Verdict::Send(frame)
        };
        let Some(due) = self.held_until(now) else {
            self.ready.push_back(verdict);
            return;
        };
        // No two have the same key: it counts what was held before.
        let order = self.counters.delayed + self.counters.reordered;
        self.held.insert((due, order), verdict);
    }

    fn held_until(&mut self, now: Instant) -> Option<Instant> {
        if self.held.len() >= HELD_MAX {
            return None;
        }
        if self.chance(self.plan.delay) {
            self.counters.delayed += 1;
            return Some(now + self.part_of(self.plan.delay_max));
        }
        if self.chance(self.plan.reorder) {
            self.counters.reordered += 1;
            return Some(now + self.part_of(REORDER_WITHIN));
        }
        None
    }

    /// No number is drawn for what never happens, so that a plan with fewer faults costs less.
    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.chance(probability)
    }

    fn part_of(&mut self, longest: Duration) -> Duration {
        let microseconds = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.random.below(microseconds)) + 1)
    }

    /// What is to be done next; `None`: nothing before the deadline.
    pub fn poll(&mut self, now: Instant) -> Option<Verdict<F>> {
        let is_due = self.held.first_key_value().is_some_and(|((due, _), _)| *due <= now);
        let verdict = if is_due { self.held.pop_first().map(|(_, verdict)| verdict) } else { self.ready.pop_front() };
        if matches!(verdict, Some(Verdict::Cut)) {
            self.link_down();
        }
        verdict
    }

    /// When something that is held back goes.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.held.first_key_value().map(|((due, _), _)| *due)
    }

    /// The link is gone: what was held back for it is lost.
    pub fn link_down(&mut self) {
        self.ready.clear();
        self.held.clear();
    }

    /// Flips one bit of an encoded frame, anywhere after its length: what a link may corrupt without losing count.
    pub fn flip_bit(&mut self, encoded: &mut [u8]) {
        let mut rest: &[u8] = encoded;
        let _ = crate::varint::read_u64(&mut rest);
        let prefix = encoded.len() - rest.len();
        let bits = u32::try_from(rest.len().saturating_mul(8)).unwrap_or(u32::MAX);
        let bit = self.random.below(bits);
        if let Some(byte) = encoded.get_mut(prefix + bit as usize / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> FaultCounters {
        self.counters
    }
}

/// Whether a frame offers a broadcast: those have a probability of their own to be lost.
#[must_use]
pub fn is_offer<P>(frame: &Frame<P>) -> bool {
    matches!(frame.message.as_ref().map(|message| &message.body), Some(Body::Offer { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const NOW: Instant = Instant::from_nanos(5_000_000_000);

    fn all_at_once(plan: FaultPlan, count: u32) -> (Vec<Verdict<u32>>, Faults<u32>) {
        let mut faults = Faults::new(plan);
        let mut verdicts = Vec::new();
        for frame in 0..count {
            faults.push(NOW, frame, false);
            verdicts.extend(core::iter::from_fn(|| faults.poll(NOW)));
        }
        (verdicts, faults)
    }

    #[test]
    fn without_faults_every_frame_goes_at_once_and_in_order() {
        let (verdicts, faults) = all_at_once(FaultPlan::default(), 100);
        assert_eq!(verdicts, (0..100).map(Verdict::Send).collect::<Vec<_>>());
        assert_eq!(faults.deadline(), None);
        assert!(FaultPlan::default().is_none());
    }

    #[test]
    fn equal_seeds_give_equal_verdicts() {
        let plan = FaultPlan {
            seed: 3,
            drop: 0.1,
            drop_broadcast: 0.5,
            duplicate: 0.1,
            reorder: 0.1,
            delay: 0.1,
            delay_max: Duration::from_millis(50),
            corrupt: 0.1,
            cut_every: 100,
        };
        assert!(!plan.is_none());
        let (first, faults) = all_at_once(plan, 1_000);
        assert_eq!(first, all_at_once(plan, 1_000).0);
        assert_ne!(first, all_at_once(FaultPlan { seed: 4, ..plan }, 1_000).0);
        assert_eq!(faults.counters().cuts, 10);
        assert_eq!(first.iter().filter(|verdict| **verdict == Verdict::Cut).count(), 10);
    }

    #[test]
    fn one_frame_in_ten_is_lost_when_asked_for() {
        let plan = FaultPlan { seed: 1, drop: 0.1, ..FaultPlan::default() };
        let (verdicts, faults) = all_at_once(plan, 10_000);
        let dropped = faults.counters().dropped;
        assert!((900..1_100).contains(&dropped), "{dropped}");
        assert_eq!(verdicts.len() as u64 + dropped, 10_000);
    }

    #[test]
    fn broadcasts_are_lost_by_their_own_probability() {
        let mut faults = Faults::new(FaultPlan { drop_broadcast: 1.0, ..FaultPlan::default() });
        faults.push(NOW, 1, true);
        faults.push(NOW, 2, false);
        assert_eq!(faults.poll(NOW), Some(Verdict::Send(2)));
        assert_eq!(faults.poll(NOW), None);
        assert_eq!(faults.counters().dropped_broadcasts, 1);
    }

    #[test]
    fn delayed_frames_go_at_their_deadline_and_not_before() {
        let mut faults =
            Faults::new(FaultPlan { delay: 1.0, delay_max: Duration::from_millis(10), ..FaultPlan::default() });
        faults.push(NOW, 1, false);
        assert_eq!(faults.poll(NOW), None);
        let due = faults.deadline().unwrap();
        assert!(due > NOW && due <= NOW + Duration::from_millis(10));
        assert_eq!(faults.poll(due), Some(Verdict::Send(1)));
        assert_eq!(faults.deadline(), None);
    }

    #[test]
    fn held_frames_are_bounded() {
        let plan = FaultPlan { delay: 1.0, delay_max: Duration::from_secs(1), ..FaultPlan::default() };
        let (verdicts, faults) = all_at_once(plan, 3_000);
        assert_eq!(faults.held.len(), HELD_MAX);
        assert_eq!(verdicts.len(), 3_000 - HELD_MAX);
    }

    #[test]
    fn what_is_held_back_is_lost_with_the_link() {
        let mut faults = Faults::new(FaultPlan {
            delay: 1.0,
            delay_max: Duration::from_secs(1),
            cut_every: 2,
            ..FaultPlan::default()
        });
        faults.push(NOW, 1, false);
        faults.push(NOW, 2, false);
        assert_eq!(faults.poll(NOW), Some(Verdict::Cut));
        assert_eq!(faults.deadline(), None);
    }

    #[test]
    fn exactly_one_bit_after_the_length_is_flipped() {
        let mut faults = Faults::<()>::new(FaultPlan::default());
        for _ in 0..200 {
            let mut encoded = [5, 0, 0, 0, 0, 0];
            faults.flip_bit(&mut encoded);
            assert_eq!(encoded[0], 5);
            assert_eq!(encoded[1..].iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        }
        faults.flip_bit(&mut []);
    }
}
