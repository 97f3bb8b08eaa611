//! The log of one owner and one thread: append, commit, release, read.
//!
//! Knows: the order of its two halves' steps. Does not know: threads; `shared` brings them.

use std::ops::RangeInclusive;

use crate::config::{Config, Room};
use crate::disk::Disk;
use crate::error::LogError;
use crate::format::SECTOR_BYTES;
use crate::front::Front;
use crate::ids::{Incarnation, LogId, Sequence, StreamId};
use crate::mutants::mutated;
use crate::recovery;
use crate::scan::{Found, TornTail};
use crate::segments::Segments;

/// A log that is open.
#[derive(Debug)]
pub struct Log<D> {
    pub(crate) front: Front,
    pub(crate) back: Segments<D>,
    pub(crate) torn: Option<TornTail>,
}

/// How big a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Segment files; the spare one is not among them.
    pub segments_count: u64,
    /// The size of each.
    pub segment_bytes: u64,
    /// Records that live.
    pub live_count: usize,
    /// Their payloads and record headers.
    pub live_bytes: u64,
    /// Payloads that compaction has copied since the log was opened.
    pub copied_bytes: u64,
    /// Syncs of files since then.
    pub syncs_count: u64,
}

impl Space {
    pub(crate) fn of<D: Disk>(front: &Front, back: &Segments<D>) -> Self {
        Self {
            segments_count: front.segments_count(),
            segment_bytes: front.config().segment_bytes,
            live_count: front.index.len(),
            live_bytes: front.index.bytes(),
            copied_bytes: front.copied_bytes,
            syncs_count: back.syncs_count,
        }
    }
}

impl<D: Disk> Log<D> {
    /// Opens the log of a directory, or makes one with this ID. Tells the owner all that is in it. When it returns, the incarnation is
    /// on the disk, and so is all that was told.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] if something that was durable is damaged: nothing was changed;
    /// [`LogError::Version`], [`LogError::Config`], [`LogError::Io`], [`LogError::Full`];
    /// [`LogError::Poisoned`] if the disk failed while the new segment was begun: may be tried again.
    pub fn open(disk: D, id: LogId, config: Config, tell: &mut dyn FnMut(Found<'_>)) -> Result<Self, LogError> {
        let mut log = recovery::open(disk, id, config, tell)?;
        log.back.prepare().map(|spare| log.front.tail.set_spare(spare))?;
        // Each opening begins a segment: without this a log that is only opened and closed would grow.
        while log.front.wants_compaction(false).is_some() || log.front.is_compacting() {
            let before = (log.front.oldest(), log.front.tail.next());
            log.commit()?;
            if before == (log.front.oldest(), log.front.tail.next()) {
                break;
            }
        }
        Ok(log)
    }

    /// The identity of the log.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.front.tail.header().log
    }

    /// The life of the log that began when it was opened.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.front.tail.header().incarnation
    }

    /// What recovery cut from the end, if anything.
    #[must_use]
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Why compaction cannot go on, if it cannot: a segment that cannot be read any more. The log works, and grows.
    #[must_use]
    pub fn hindered(&self) -> Option<&str> {
        self.front.hindered.as_deref()
    }

    /// All records before this one are durable.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.front.tail.durable()
    }

    /// The sequence that the next record will have.
    #[must_use]
    pub fn next(&self) -> Sequence {
        self.front.tail.next()
    }

    /// How big the log is.
    #[must_use]
    pub fn space(&self) -> Space {
        Space::of(&self.front, &self.back)
    }

    /// Adds a record. It is durable when [`Self::durable`] has passed the sequence that is returned.
    ///
    /// # Errors
    /// [`LogError::Full`]: nothing happened, ask again later; [`LogError::TooLarge`]; [`LogError::Poisoned`].
    pub fn append(&mut self, stream: StreamId, payload: &[u8]) -> Result<Sequence, LogError> {
        self.append_in(stream, payload, Room::Ordinary)
    }

    /// The same for what may use space that is kept for it on a full disk.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_in(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        let bytes_max = self.front.config().record_bytes_max();
        if payload.len() > bytes_max {
            return Err(LogError::TooLarge { bytes: payload.len(), bytes_max });
        }
        self.with_room(|front| front.append(stream, payload, room))
    }

    /// Enters a record of another log under the sequence that it had there.
    pub(crate) fn restore(&mut self, stream: StreamId, sequence: Sequence, payload: &[u8]) -> Result<(), LogError> {
        self.with_room(|front| front.restore(stream, sequence, payload)).map(|_| ())
    }

    /// Does it; if there is no room, commits to make some, and does it then.
    fn with_room<T>(
        &mut self,
        mut action: impl FnMut(&mut Front) -> Result<T, crate::tail::NoRoom>,
    ) -> Result<T, LogError> {
        self.check()?;
        // The first commit may have to prepare a segment, the second to retire one.
        for _ in 0..2 {
            if let Ok(done) = action(&mut self.front) {
                return Ok(done);
            }
            self.commit()?;
        }
        action(&mut self.front).map_err(|_| LogError::Full)
    }

    fn check(&self) -> Result<(), LogError> {
        self.back.poisoned().map_or(Ok(()), |cause| Err(LogError::Poisoned(cause.clone())))
    }

    /// The owner needs these records of the stream no more. How many of them lived. Durable with the next commit; after a crash
    /// before that they are told again.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::Poisoned`].
    pub fn release(&mut self, stream: StreamId, sequences: RangeInclusive<Sequence>) -> Result<usize, LogError> {
        self.with_room(|front| front.release(stream, sequences.clone()))
    }

    /// Makes durable all that was added. The new [`Self::durable`].
    ///
    /// # Errors
    /// [`LogError::Poisoned`]: what was not durable before is not guaranteed, now or later.
    pub fn commit(&mut self) -> Result<Sequence, LogError> {
        self.check()?;
        if !self.front.tail.is_empty() {
            let round = self.front.tail.take();
            self.back.commit(&round)?;
            self.front.tail.committed(round);
        }
        let durable = self.durable();
        self.keep_house()?;
        Ok(durable)
    }

    /// What can wait until the waiters were released: the next segment, and a slice of compaction.
    fn keep_house(&mut self) -> Result<(), LogError> {
        if let Some(victim) = self.front.may_retire() {
            self.back.retire(victim)?;
        }
        let prepared = self.back.prepare()?;
        let spare = prepared && self.front.tail.header().number == self.back.current_number();
        self.front.tail.set_spare(spare);
        if let Some(victim) = self.front.wants_compaction(!prepared) {
            match self.back.load(victim) {
                Ok(image) => self.front.begin_compaction(victim, image),
                Err(error) => self.front.hindered = Some(error.to_string().into()),
            }
        }
        // No room: the next commit tries again.
        let _ = self.front.compact();
        if mutated!(RetireEarly)
            && let Some(victim) = self.front.may_retire()
        {
            self.back.retire(victim)?;
        }
        Ok(())
    }

    /// A record that lives. `None`: it does not. Goes on when the log is poisoned.
    ///
    /// # Errors
    /// [`LogError::Io`]; [`LogError::Poisoned`] if it, or a copy that compaction was making of it, was in the commit that failed.
    pub fn read(&mut self, stream: StreamId, sequence: Sequence) -> Result<Option<Vec<u8>>, LogError> {
        let Some(location) = self.front.index.find(stream, sequence) else { return Ok(None) };
        if !self.back.has(location) {
            self.commit()?;
        }
        self.back.read(location).map(Some)
    }

    /// The sequences of a stream that live, the oldest first.
    pub fn live(&self, stream: StreamId) -> impl Iterator<Item = Sequence> {
        self.front.index.of(stream)
    }

    /// All that lives, by stream and sequence.
    pub fn all_live(&self) -> impl Iterator<Item = (StreamId, Sequence)> {
        self.front.index.iter().map(|(stream, sequence, _)| (stream, sequence))
    }

    /// Commits, and notes that nothing is in flight: damage to any record is then noticed, also to the last. Gives the disk back.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn close(mut self) -> Result<D, LogError> {
        self.with_room(Front::close)?;
        self.commit()?;
        Ok(self.back.into_disk())
    }

    /// Gives the disk back and forgets what was not committed.
    #[must_use]
    pub fn abandon(self) -> D {
        self.back.into_disk()
    }
}

/// Where the first batch of a segment begins.
pub(crate) const FIRST_BATCH: u64 = SECTOR_BYTES;
