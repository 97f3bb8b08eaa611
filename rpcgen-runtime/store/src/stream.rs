//! Streams of a log: which there are, and the records of one that live.
//!
//! Knows: sequences of a stream in order, which are needed no more. Does not know: what they say.
//!
//! Records are forgotten one by one and released in runs: two neighbours of a stream that are both forgotten are one release, which is one
//! small record, and not two.

use std::collections::VecDeque;

use rpcgen_log::{LogError, Sequence, StreamId};

use crate::log::{RecordLog, Room};

/// Whose log it is.
pub(crate) const OWNER: StreamId = StreamId(1);
/// For how long a server's log was open.
pub(crate) const CLOCK: StreamId = StreamId(2);
/// Broadcasts of a server.
pub(crate) const BROADCASTS: StreamId = StreamId(3);
/// What a client knows of its session.
pub(crate) const CLIENT_SESSION: StreamId = StreamId(4);
/// Calls of a client.
pub(crate) const CLIENT_CALLS: StreamId = StreamId(5);
/// Answers that a client has.
pub(crate) const CLIENT_ANSWERS: StreamId = StreamId(6);
/// Broadcasts that a client was told to handle.
pub(crate) const CLIENT_BROADCASTS: StreamId = StreamId(7);

/// One of the sessions of a server. It has three streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionNumber(pub(crate) u64);

/// A stream of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// That it is there, or over.
    Session,
    /// Its actions.
    Actions,
    /// Its answers.
    Answers,
}

impl SessionNumber {
    /// Lower streams are not of sessions.
    pub(crate) const FIRST: Self = Self(2);

    pub(crate) const fn stream(self, kind: Kind) -> StreamId {
        let kind = match kind {
            Kind::Session => 0,
            Kind::Actions => 1,
            Kind::Answers => 2,
        };
        StreamId(self.0 << 2 | kind)
    }

    /// The session that a stream belongs to.
    pub(crate) const fn of(stream: StreamId) -> Option<Self> {
        let number = stream.0 >> 2;
        if number >= Self::FIRST.0 && stream.0 & 3 < 3 { Some(Self(number)) } else { None }
    }
}

/// Below this length forgotten records stay in the queue.
const TIDY_FROM: usize = 32;

/// The records of one stream that live.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    id: StreamId,
    /// In order, each with whether it was forgotten.
    records: VecDeque<(Sequence, bool)>,
    /// Forgotten and not yet released.
    forgotten: Vec<Sequence>,
    /// How many in `records` were forgotten.
    gaps: usize,
}

impl Stream {
    pub(crate) fn new(id: StreamId) -> Self {
        Self { id, records: VecDeque::new(), forgotten: Vec::new(), gaps: 0 }
    }

    /// A record was found in the log. In order of sequences.
    pub(crate) fn found(&mut self, sequence: Sequence) {
        debug_assert!(self.records.back().is_none_or(|last| last.0 < sequence));
        self.records.push_back((sequence, false));
    }

    pub(crate) fn append(&mut self, log: &mut impl RecordLog, bytes: &[u8], room: Room) -> Result<Sequence, LogError> {
        let sequence = log.append(self.id, bytes, room)?;
        self.found(sequence);
        Ok(sequence)
    }

    /// It is needed no more. Forgotten already: nothing happens.
    pub(crate) fn forget(&mut self, sequence: Sequence) {
        let Ok(at) = self.records.binary_search_by_key(&sequence, |record| record.0) else { return };
        if !std::mem::replace(&mut self.records[at].1, true) {
            self.gaps += 1;
            self.forgotten.push(sequence);
        }
    }

    pub(crate) fn forget_all(&mut self) {
        for record in &mut self.records {
            if !std::mem::replace(&mut record.1, true) {
                self.gaps += 1;
                self.forgotten.push(record.0);
            }
        }
    }

    /// Releases what was forgotten. After an error it may be called again.
    pub(crate) fn flush(&mut self, log: &mut impl RecordLog) -> Result<(), LogError> {
        if self.forgotten.is_empty() {
            return Ok(());
        }
        self.forgotten.sort_unstable();
        let newest = self.forgotten.last().copied();
        let mut released = None;
        for &first in &self.forgotten {
            if released >= Some(first) {
                continue;
            }
            let Ok(at) = self.records.binary_search_by_key(&first, |record| record.0) else { continue };
            let run = self.records.range(at..).take_while(|record| record.1 && Some(record.0) <= newest);
            let last = run.last().map_or(first, |record| record.0);
            log.release(self.id, first, last)?;
            released = Some(last);
        }
        self.forgotten.clear();
        while self.records.front().is_some_and(|record| record.1) {
            self.records.pop_front();
            self.gaps -= 1;
        }
        if self.records.len() >= TIDY_FROM && self.gaps > self.records.len() / 2 {
            self.records.retain(|record| !record.1);
            self.gaps = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Notes {
        next: u64,
        released: Vec<(u64, u64)>,
    }

    impl RecordLog for Notes {
        fn append(&mut self, _: StreamId, _: &[u8], _: Room) -> Result<Sequence, LogError> {
            self.next += 1;
            Ok(Sequence(self.next))
        }

        fn release(&mut self, _: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
            self.released.push((first.0, last.0));
            Ok(())
        }
    }

    #[test]
    fn neighbours_are_released_together_and_what_lives_between_is_not() {
        let (mut log, mut stream) = (Notes::default(), Stream::new(StreamId(9)));
        for _ in 0..10 {
            stream.append(&mut log, b"", Room::Ordinary).unwrap();
        }
        for sequence in [3, 1, 2, 5, 9, 10, 9] {
            stream.forget(Sequence(sequence));
        }
        stream.flush(&mut log).unwrap();
        assert_eq!(log.released, [(1, 3), (5, 5), (9, 10)]);
        stream.forget(Sequence(4));
        stream.forget(Sequence(6));
        stream.flush(&mut log).unwrap();
        assert_eq!(log.released[3..], [(4, 6)], "what was released before may be released again");
        stream.forget_all();
        stream.flush(&mut log).unwrap();
        assert_eq!(log.released[4..], [(7, 8)]);
        assert!(stream.records.is_empty() && stream.gaps == 0);
    }

    #[test]
    fn streams_of_sessions_are_no_others() {
        let number = SessionNumber(77);
        for kind in [Kind::Session, Kind::Actions, Kind::Answers] {
            assert_eq!(SessionNumber::of(number.stream(kind)), Some(number));
        }
        assert!((0..8).all(|stream| SessionNumber::of(StreamId(stream)).is_none()));
    }
}
