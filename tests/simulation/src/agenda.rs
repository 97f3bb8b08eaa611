//! What will happen when: virtual time jumps from one entry to the next.
//!
//! Knows: instants, and the order of what happens at one. Does not know: what the entries mean.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rpcgen_proto::time::Instant;

/// An entry: when, in which order, what.
type Entry<E> = Reverse<(Instant, u64, E)>;

/// What will happen when.
#[derive(Debug)]
pub struct Agenda<E> {
    entries: BinaryHeap<Entry<E>>,
    added: u64,
}

impl<E: Ord> Default for Agenda<E> {
    fn default() -> Self {
        Self { entries: BinaryHeap::new(), added: 0 }
    }
}

impl<E: Ord> Agenda<E> {
    /// Adds an entry. Of two at one instant the one added first comes first.
    pub fn add(&mut self, at: Instant, entry: E) {
        self.added += 1;
        self.entries.push(Reverse((at, self.added, entry)));
    }

    /// The next entry, if it comes before `end` or then.
    pub fn next_until(&mut self, end: Instant) -> Option<(Instant, E)> {
        let Reverse((at, ..)) = self.entries.peek()?;
        if *at > end {
            return None;
        }
        self.entries.pop().map(|Reverse((at, _, entry))| (at, entry))
    }
}
