//! How much work is one round, and when other tasks go first.
//!
//! Knows: how many frames and commands there were. Does not know: what they say.

use std::task::Context;

/// Up to so many commands and frames, a round of work is a lone call's and not a batch.
const LONE_MAX: usize = 2;

/// After so many rounds without a pause other tasks of the thread have their turn.
const ROUNDS_PER_POLL_MAX: usize = 8;

/// When a task works, and when it lets others go first.
///
/// A task that is woken by the first of many callers would otherwise run before the second has its turn, and send a frame alone.
/// So after a batch it goes to the back of the queue before the next round: whoever can run, runs first, and the round is a batch
/// again. After a lone call there is nobody to wait for, and each trip through the scheduler would be a part of its latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// Whether the last round that found work found a batch.
    after_batch: bool,
    others_went_first: bool,
    without_pause: usize,
}

impl Rounds {
    /// Whether to work now. If not, the task has been sent to the back of the queue.
    pub(crate) fn begin(&mut self, cx: &Context<'_>) -> bool {
        self.without_pause = 0;
        if self.after_batch && !std::mem::replace(&mut self.others_went_first, true) {
            cx.waker().wake_by_ref();
            return false;
        }
        true
    }

    /// The round is over; it took in `work` commands and frames. `true`: there may be more to do, and it is to be done at once.
    pub(crate) fn go_on(&mut self, cx: &Context<'_>, work: usize) -> bool {
        if work == 0 {
            self.others_went_first = false;
            return false;
        }
        self.after_batch = work > LONE_MAX;
        self.without_pause += 1;
        if !self.after_batch && self.without_pause < ROUNDS_PER_POLL_MAX {
            return true;
        }
        // What there may be to do is done after the others have had their turn.
        self.others_went_first = true;
        cx.waker().wake_by_ref();
        false
    }
}

/// What one round takes of the frames that have come: half of them, so many at least and so many at most.
///
/// What comes of them leaves, and the other end works on that while the rest is taken. A round that took all would have the other end wait,
/// and then wait for it: two processors would do the work of one, and messages would leave the caches before they are looked at again.
/// Smaller rounds cost more writes than that is worth, and more commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion {
    at_least: usize,
    at_most: usize,
    count: usize,
    /// Nothing beyond this is taken: in what a link counts in.
    left: usize,
}

impl Portion {
    /// `is_on_record`: what comes of the frames waits for the disk.
    pub(crate) const fn new(is_on_record: bool) -> Self {
        let (at_least, at_most) = if is_on_record { (32, 128) } else { (8, 64) };
        Self { at_least, at_most, count: 0, left: 0 }
    }

    /// Whether no more is to be taken. `unread`: what has come and was not taken yet, in whatever the link counts in.
    pub(crate) const fn is_taken(&self, unread: usize) -> bool {
        self.count >= self.at_most || self.count >= self.at_least && unread <= self.left && unread > 0
    }

    /// A frame was taken, and so much is left.
    pub(crate) const fn note(&mut self, unread: usize) {
        self.count += 1;
        if self.count == 1 {
            self.left = unread / 2;
        }
    }

    /// How many frames were taken.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_of(frames: usize, is_on_record: bool) -> usize {
        let mut portion = Portion::new(is_on_record);
        for left in (0..frames).rev() {
            if portion.is_taken(left + 1) {
                break;
            }
            portion.note(left);
        }
        portion.count()
    }

    #[test]
    fn a_round_takes_half_of_what_is_there_but_not_too_little_and_not_too_much() {
        assert_eq!([0, 1, 8, 9, 40, 1_000].map(|frames| taken_of(frames, false)), [0, 1, 8, 8, 21, 64]);
        assert_eq!([8, 40, 200, 1_000].map(|frames| taken_of(frames, true)), [8, 32, 101, 128]);
    }
}
