//! What lives: where each record is that its stream still needs.
//!
//! Knows: streams, sequences, places, how much lives in each segment. Does not know: payloads; they stay on the disk.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::format::RECORD_HEADER_BYTES;
use crate::ids::{SegmentNumber, Sequence, StreamId};

/// Where a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
}

impl Location {
    fn cost(&self) -> u64 {
        u64::from(self.bytes) + RECORD_HEADER_BYTES as u64
    }
}

/// Live records by stream and sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    live: BTreeMap<(StreamId, Sequence), Location>,
    bytes: u64,
    /// What lives in each segment; one without an entry has nothing that lives.
    segments: BTreeMap<SegmentNumber, u64>,
}

impl Index {
    /// Enters a record, or its new place. Whether it is new.
    pub(crate) fn enter(&mut self, stream: StreamId, sequence: Sequence, location: Location) -> bool {
        *self.segments.entry(location.segment).or_default() += location.cost();
        self.bytes += location.cost();
        let before = self.live.insert((stream, sequence), location);
        before.inspect(|before| self.forget(before)).is_none()
    }

    /// Takes out what lives of these. How many there were.
    pub(crate) fn release(&mut self, stream: StreamId, sequences: RangeInclusive<Sequence>) -> usize {
        if sequences.is_empty() {
            return 0;
        }
        let range = (stream, *sequences.start())..=(stream, *sequences.end());
        let gone: Vec<_> = self.live.extract_if(range, |_, _| true).collect();
        gone.iter().for_each(|(_, location)| self.forget(location));
        gone.len()
    }

    fn forget(&mut self, location: &Location) {
        self.bytes -= location.cost();
        if let Some(bytes) = self.segments.get_mut(&location.segment) {
            *bytes -= location.cost();
            if *bytes == 0 {
                self.segments.remove(&location.segment);
            }
        }
    }

    /// Whether any of these lives.
    pub(crate) fn has_any(&self, stream: StreamId, sequences: &RangeInclusive<Sequence>) -> bool {
        let range = (stream, *sequences.start())..=(stream, *sequences.end());
        !sequences.is_empty() && self.live.range(range).next().is_some()
    }

    pub(crate) fn find(&self, stream: StreamId, sequence: Sequence) -> Option<Location> {
        self.live.get(&(stream, sequence)).copied()
    }

    /// How many records live.
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    /// What lives, record headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn bytes_in(&self, segment: SegmentNumber) -> u64 {
        self.segments.get(&segment).copied().unwrap_or(0)
    }

    /// By stream, and in each by sequence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StreamId, Sequence, Location)> {
        self.live.iter().map(|(&(stream, sequence), &location)| (stream, sequence, location))
    }

    /// The sequences of one stream, the oldest first.
    pub(crate) fn of(&self, stream: StreamId) -> impl Iterator<Item = Sequence> {
        self.live.range((stream, Sequence(0))..=(stream, Sequence(u64::MAX))).map(|(&(_, sequence), _)| sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u64, bytes: u32) -> Location {
        Location { segment: SegmentNumber(segment), offset: 512, bytes }
    }

    #[test]
    fn what_lives_in_a_segment_is_counted_through_moves_and_releases() {
        let mut index = Index::default();
        assert!(index.enter(StreamId(1), Sequence(0), at(1, 100)));
        assert!(index.enter(StreamId(1), Sequence(5), at(1, 10)));
        assert!(!index.enter(StreamId(1), Sequence(0), at(2, 100)));
        assert_eq!((index.bytes_in(SegmentNumber(1)), index.bytes_in(SegmentNumber(2))), (34, 124));
        assert_eq!(index.release(StreamId(2), Sequence(0)..=Sequence(9)), 0);
        assert_eq!(index.release(StreamId(1), Sequence(0)..=Sequence(9)), 2);
        assert_eq!((index.len(), index.bytes(), index.bytes_in(SegmentNumber(2))), (0, 0, 0));
    }
}
