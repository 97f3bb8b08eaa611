//! What lives: where each record is that its stream still needs.
//!
//! Knows: streams, how much lives in each segment. Does not know: payloads; they stay on the disk.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::format::RECORD_HEADER_BYTES;
use crate::ids::{SegmentNumber, Sequence, StreamId};
use crate::live::Live;

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
    /// A stream without an entry has none.
    streams: BTreeMap<StreamId, Live>,
    count: usize,
    space: Space,
}

/// How much lives.
#[derive(Clone, Debug, Default)]
struct Space {
    bytes: u64,
    /// In each segment; one without an entry has nothing that lives.
    segments: BTreeMap<SegmentNumber, u64>,
}

impl Space {
    fn add(&mut self, location: &Location) {
        self.bytes += location.cost();
        *self.segments.entry(location.segment).or_default() += location.cost();
    }

    fn remove(&mut self, location: &Location) {
        self.bytes -= location.cost();
        if let Some(bytes) = self.segments.get_mut(&location.segment) {
            *bytes -= location.cost();
            if *bytes == 0 {
                self.segments.remove(&location.segment);
            }
        }
    }
}

impl Index {
    /// Enters a record, or its new place. Whether it is new.
    pub(crate) fn enter(&mut self, stream: StreamId, sequence: Sequence, location: Location) -> bool {
        self.space.add(&location);
        let before = self.streams.entry(stream).or_default().enter(sequence, location);
        before.inspect(|before| self.space.remove(before));
        self.count += usize::from(before.is_none());
        before.is_none()
    }

    /// Takes out what lives of these. How many there were.
    pub(crate) fn release(&mut self, stream: StreamId, sequences: RangeInclusive<Sequence>) -> usize {
        let Some(live) = self.streams.get_mut(&stream) else { return 0 };
        let mut gone = 0;
        live.release(&sequences, |location| {
            self.space.remove(&location);
            gone += 1;
        });
        if live.is_empty() {
            self.streams.remove(&stream);
        }
        self.count -= gone;
        gone
    }

    /// Whether any of these lives.
    pub(crate) fn has_any(&self, stream: StreamId, sequences: &RangeInclusive<Sequence>) -> bool {
        self.streams.get(&stream).is_some_and(|live| live.has_any(sequences))
    }

    pub(crate) fn find(&self, stream: StreamId, sequence: Sequence) -> Option<Location> {
        self.streams.get(&stream)?.find(sequence)
    }

    /// How many records live.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// What lives, record headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.space.bytes
    }

    pub(crate) fn bytes_in(&self, segment: SegmentNumber) -> u64 {
        self.space.segments.get(&segment).copied().unwrap_or(0)
    }

    /// By stream, and in each by sequence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StreamId, Sequence, Location)> {
        self.streams
            .iter()
            .flat_map(|(&stream, live)| live.iter().map(move |(sequence, location)| (stream, sequence, location)))
    }

    /// The sequences of one stream, the oldest first.
    pub(crate) fn of(&self, stream: StreamId) -> impl Iterator<Item = Sequence> {
        self.streams.get(&stream).into_iter().flat_map(|live| live.iter().map(|(sequence, _)| sequence))
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
