//! The live records of one stream.
//!
//! Knows: sequences, mostly entered in order and mostly released in order, and where each record is. Does not know: other streams.
//!
//! A queue that is searched by halving: entering the newest and releasing the oldest cost the same however much lives. What was released
//! between others stays as a gap until half of the queue is gaps. What is found behind younger records, as recovery finds what compaction
//! has moved, is kept in a map beside it, so that each of them costs the logarithm of their number and not a shift of the queue.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use crate::ids::Sequence;
use crate::index::Location;

/// Below this length gaps stay, and so does space.
const TIDY_FROM: usize = 32;

/// Records by sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// In order. `None`: released. The first and the last are not.
    queue: VecDeque<(Sequence, Option<Location>)>,
    gaps: usize,
    /// Entered when a younger one was there. None of them is in the queue.
    late: BTreeMap<Sequence, Location>,
}

impl Live {
    /// Enters a record, or its new place. Where it was.
    pub(crate) fn enter(&mut self, sequence: Sequence, location: Location) -> Option<Location> {
        if self.queue.back().is_none_or(|(last, _)| *last < sequence) {
            self.queue.push_back((sequence, Some(location)));
            // It may have come late once, when the queue had younger ones that are released since.
            return self.late.remove(&sequence);
        }
        if let Ok(at) = self.queue.binary_search_by_key(&sequence, |(sequence, _)| *sequence) {
            let before = self.queue[at].1.replace(location);
            self.gaps -= usize::from(before.is_none());
            return before;
        }
        self.late.insert(sequence, location)
    }

    /// Takes out what lives of these, and tells where each was.
    pub(crate) fn release(&mut self, sequences: &RangeInclusive<Sequence>, mut tell: impl FnMut(Location)) {
        let first = self.first_in(sequences);
        for (_, location) in self.queue.range_mut(first..).take_while(|(sequence, _)| sequence <= sequences.end()) {
            if let Some(location) = location.take() {
                self.gaps += 1;
                tell(location);
            }
        }
        if !self.late.is_empty() && !sequences.is_empty() {
            self.late.extract_if(sequences.clone(), |_, _| true).for_each(|(_, location)| tell(location));
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        while self.queue.pop_front_if(|(_, location)| location.is_none()).is_some() {
            self.gaps -= 1;
        }
        while self.queue.pop_back_if(|(_, location)| location.is_none()).is_some() {
            self.gaps -= 1;
        }
        if self.queue.len() >= TIDY_FROM && self.gaps > self.queue.len() / 2 {
            self.queue.retain(|(_, location)| location.is_some());
            self.gaps = 0;
        }
        if self.queue.capacity() >= TIDY_FROM * 8 && self.queue.len() < self.queue.capacity() / 8 {
            self.queue.shrink_to(self.queue.len() * 2);
        }
    }

    /// The place in the queue of the first that is not before these.
    fn first_in(&self, sequences: &RangeInclusive<Sequence>) -> usize {
        match self.queue.front() {
            Some((front, _)) if front < sequences.start() => {
                self.queue.partition_point(|(sequence, _)| sequence < sequences.start())
            }
            _ => 0,
        }
    }

    /// Whether any of these lives.
    pub(crate) fn has_any(&self, sequences: &RangeInclusive<Sequence>) -> bool {
        let of_queue = self.queue.range(self.first_in(sequences)..);
        let in_queue = of_queue.take_while(|(it, _)| it <= sequences.end()).any(|(_, location)| location.is_some());
        in_queue
            || !self.late.is_empty() && !sequences.is_empty() && self.late.range(sequences.clone()).next().is_some()
    }

    pub(crate) fn find(&self, sequence: Sequence) -> Option<Location> {
        match self.queue.binary_search_by_key(&sequence, |(sequence, _)| *sequence) {
            Ok(at) => self.queue.get(at)?.1,
            Err(_) => self.late.get(&sequence).copied(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.late.is_empty()
    }

    /// In order of sequences.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Sequence, Location)> {
        let mut late = self.late.iter().map(|(&sequence, &location)| (sequence, location)).peekable();
        let mut queue = self.queue.iter().filter_map(|&(sequence, location)| Some((sequence, location?))).peekable();
        std::iter::from_fn(move || match (late.peek(), queue.peek()) {
            (Some((late_one, _)), Some((queued, _))) if late_one < queued => late.next(),
            (Some(_), None) => late.next(),
            _ => queue.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SegmentNumber;
    use crate::testing::Random;

    /// Entered in order and behind, moved, released one by one and in runs.
    #[test]
    fn live_records_do_what_a_map_does_and_keep_few_gaps() {
        let mut random = Random(1);
        let (mut live, mut map) = (Live::default(), BTreeMap::new());
        for step in 0..40_000_u64 {
            let sequence = Sequence((step / 2).saturating_sub(random.below(150)));
            let location = Location { segment: SegmentNumber(1), offset: step, bytes: 1 };
            match random.below(6) {
                0..3 => assert_eq!(live.enter(sequence, location), map.insert(sequence, location)),
                3 => assert_eq!(live.find(sequence), map.get(&sequence).copied()),
                _ => {
                    let range = sequence..=Sequence(sequence.0 + random.below(12));
                    assert_eq!(live.has_any(&range), map.range(range.clone()).next().is_some());
                    let mut gone = Vec::new();
                    live.release(&range, |location| gone.push(location));
                    let mut expected: Vec<_> =
                        map.extract_if(range, |_, _| true).map(|(_, location)| location).collect();
                    gone.sort_by_key(|location| location.offset);
                    expected.sort_by_key(|location| location.offset);
                    assert_eq!(gone, expected);
                }
            }
            assert_eq!(live.is_empty(), map.is_empty());
            let queued = live.queue.len() - live.gaps;
            assert_eq!(queued + live.late.len(), map.len());
            assert!(live.gaps <= (live.queue.len() / 2).max(TIDY_FROM), "{} of {}", live.gaps, live.queue.len());
            if step % 1_000 == 0 {
                assert!(live.iter().eq(map.iter().map(|(&sequence, &location)| (sequence, location))));
            }
        }
    }

    #[test]
    fn space_of_a_burst_is_given_back() {
        let mut live = Live::default();
        for sequence in 0..100_000 {
            live.enter(Sequence(sequence), Location { segment: SegmentNumber(1), offset: 512, bytes: 1 });
        }
        live.release(&(Sequence(0)..=Sequence(99_989)), |_| ());
        assert!(live.queue.capacity() < TIDY_FROM * 8, "{}", live.queue.capacity());
        assert_eq!(live.iter().count(), 10);
    }
}
