//! A business deadline that follows what an action usually takes.
//!
//! Knows: the times of one action at one session. Does not know: what is done about a late one.
//!
//! The times are counted in classes, two for each doubling, in fixed memory; when the counts are full they are halved, so that old
//! times fade. The deadline is a multiple of the upper bound of the class that the percentile falls into.

use core::time::Duration;

use crate::config::AdaptiveDeadline;

/// Classes: two for each doubling from 1 ms on, up to about seven hours.
const CLASSES: usize = 50;
/// Times that are counted until all counts are halved.
const COUNTED_MAX: u32 = 1_024;
/// With fewer times than these nothing is known.
const COUNTED_MIN: u32 = 20;

/// The times of one action.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Times {
    rule: AdaptiveDeadline,
    counts: [u16; CLASSES],
    counted: u32,
}

impl Times {
    pub(super) const fn new(rule: AdaptiveDeadline) -> Self {
        Self { rule, counts: [0; CLASSES], counted: 0 }
    }

    /// A handler of this action took so long.
    pub(super) fn note(&mut self, took: Duration) {
        if self.counted >= COUNTED_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.counted = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
        self.counts[class_of(took)] += 1;
        self.counted += 1;
    }

    /// The deadline of the next one; `default` as long as too little is known.
    pub(super) fn deadline(&self, default: Duration) -> Duration {
        if self.counted < COUNTED_MIN {
            return default.max(self.rule.floor);
        }
        let wanted = (self.counted * u32::from(self.rule.percentile.clamp(1, 100))).div_ceil(100);
        let mut so_far = 0;
        let is_reached = |count: &u16| {
            so_far += u32::from(*count);
            so_far >= wanted
        };
        let class = self.counts.iter().position(is_reached).unwrap_or(CLASSES - 1);
        upper_bound(class).saturating_mul(self.rule.multiple).max(self.rule.floor)
    }
}

/// Upper bounds: 1 ms, 1.5 ms, 2 ms, 3 ms, 4 ms, 6 ms, ...
fn upper_bound(class: usize) -> Duration {
    let doubled = Duration::from_micros(1_000 << (class / 2));
    if class.is_multiple_of(2) { doubled } else { doubled * 3 / 2 }
}

fn class_of(took: Duration) -> usize {
    (0..CLASSES - 1).find(|class| took <= upper_bound(*class)).unwrap_or(CLASSES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: AdaptiveDeadline = AdaptiveDeadline { percentile: 95, multiple: 4, floor: Duration::from_millis(100) };
    const DEFAULT: Duration = Duration::from_secs(30);

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn the_deadline_is_a_multiple_of_the_percentile_once_enough_is_known() {
        let mut times = Times::new(RULE);
        for number in 0..100 {
            assert_eq!(times.deadline(DEFAULT) == DEFAULT, number < 20, "{number}");
            times.note(milliseconds(if number % 10 == 9 { 5_000 } else { 50 }));
        }
        assert_eq!(times.deadline(DEFAULT), upper_bound(class_of(milliseconds(5_000))) * 4);
        let mut steady = Times::new(RULE);
        (0..100).for_each(|number| steady.note(milliseconds(if number == 50 { 5_000 } else { 50 })));
        assert_eq!(steady.deadline(DEFAULT), milliseconds(64) * 4, "one slow one in a hundred is no rule");
    }

    #[test]
    fn the_floor_holds_and_old_times_fade() {
        let mut times = Times::new(RULE);
        (0..1_000).for_each(|_| times.note(milliseconds(60_000)));
        assert!(times.deadline(DEFAULT) >= milliseconds(240_000));
        (0..20_000).for_each(|_| times.note(milliseconds(1)));
        assert_eq!(times.deadline(DEFAULT), RULE.floor);
        assert!(times.counted <= COUNTED_MAX);
    }

    #[test]
    fn every_time_has_a_class() {
        for took in [Duration::ZERO, milliseconds(1), milliseconds(86_400_000), Duration::MAX] {
            let class = class_of(took);
            assert!(class == CLASSES - 1 || took <= upper_bound(class));
            assert!(class == 0 || took > upper_bound(class - 1));
        }
    }
}
