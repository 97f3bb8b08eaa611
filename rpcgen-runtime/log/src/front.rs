//! The half of a log that lives in memory: what waits for the next commit, what lives, what compaction has to do.
//!
//! Knows: `tail`, `index`, the rule of space. Does not know: disks, threads. `Log` and `SharedLog` bring it together with the other half.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::config::{Config, Room};
use crate::format::{Batch, Content, SECTOR_BYTES, Seed};
use crate::ids::{SegmentNumber, Sequence, StreamId};
use crate::index::Index;
use crate::mutants::mutated;
use crate::segments::file_name;
use crate::tail::{NoRoom, Tail};

/// How much compaction adds to one commit, so that nobody waits long for a commit that carries it.
const SLICE_BYTES: u64 = 256 * 1024;

/// A segment that is being emptied.
#[derive(Debug)]
struct Compaction {
    victim: SegmentNumber,
    image: Vec<u8>,
    seed: Seed,
    /// The next batch.
    offset: u64,
    /// Of the last batch of the victim.
    end: u64,
}

#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) tail: Tail,
    pub(crate) index: Index,
    config: Config,
    oldest: SegmentNumber,
    compaction: Option<Compaction>,
    /// The victim may go when this is durable.
    retiring: Option<(SegmentNumber, Sequence)>,
    /// Where the batches of closed segments end; the newest one is not among them.
    ends: std::collections::BTreeMap<SegmentNumber, u64>,
    /// Why compaction cannot go on: the log works, and grows.
    pub(crate) hindered: Option<Arc<str>>,
    /// What compaction has copied, payloads alone.
    pub(crate) copied_bytes: u64,
}

impl Front {
    pub(crate) fn new(
        tail: Tail,
        index: Index,
        config: Config,
        ends: impl IntoIterator<Item = (SegmentNumber, u64)>,
    ) -> Self {
        let oldest = tail.header().oldest;
        let ends = ends.into_iter().collect();
        Self { tail, index, config, oldest, compaction: None, retiring: None, ends, hindered: None, copied_bytes: 0 }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn oldest(&self) -> SegmentNumber {
        self.oldest
    }

    /// How many segments the log has.
    pub(crate) fn segments_count(&self) -> u64 {
        self.tail.header().number.0 - self.oldest.0 + 1
    }

    fn push(&mut self, stream: StreamId, content: Content<'_>, room: Room) -> Result<Sequence, NoRoom> {
        let before = self.tail.header().number;
        let (sequence, location) = self.tail.push(stream, content, self.config.left_free_by(room))?;
        if self.tail.header().number != before {
            self.ends.insert(before, self.tail.header().previous_end);
        }
        match content {
            Content::Data(_) => self.index.enter(stream, sequence, location),
            Content::Moved(_, _) if mutated!(IdentityLost) => self.index.enter(stream, sequence, location),
            Content::Moved(original, _) => self.index.enter(stream, original, location),
            _ => false,
        };
        Ok(sequence)
    }

    pub(crate) fn append(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, NoRoom> {
        self.push(stream, Content::Data(payload), room)
    }

    /// A record that had its sequence in another log.
    pub(crate) fn restore(&mut self, stream: StreamId, sequence: Sequence, payload: &[u8]) -> Result<Sequence, NoRoom> {
        self.push(stream, Content::Moved(sequence, payload), Room::Ordinary)
    }

    /// Releases, in memory at once; on the disk with the next commit.
    pub(crate) fn release(&mut self, stream: StreamId, sequences: RangeInclusive<Sequence>) -> Result<usize, NoRoom> {
        let (first, last) = (*sequences.start(), *sequences.end());
        if !self.index.has_any(stream, &sequences) {
            return Ok(0);
        }
        if !mutated!(ReleaseNotWritten) {
            self.push(stream, Content::Released(first, last), Room::Reserved)?;
        }
        Ok(self.index.release(stream, sequences))
    }

    pub(crate) fn close(&mut self) -> Result<(), NoRoom> {
        self.push(StreamId(0), Content::Closed, Room::Reserved).map(|_| ())
    }

    /// Whether less than half of a segment that is closed lives.
    fn has_garbage(&self, segment: SegmentNumber) -> bool {
        self.ends.get(&segment).is_some_and(|end| self.index.bytes_in(segment) * 2 < *end)
    }

    /// Whether the log takes more space than it may: twice what lives, and [`Config::SLACK_SEGMENTS`] segments.
    fn is_too_big(&self) -> bool {
        let whole = self.segments_count() * self.config.segment_bytes;
        whole > self.index.bytes() * 2 + Config::SLACK_SEGMENTS * self.config.segment_bytes
    }

    /// The segment to load and give to [`Self::begin_compaction`], if compaction should begin. On a full disk any garbage is worth it.
    pub(crate) fn wants_compaction(&self, is_full: bool) -> Option<SegmentNumber> {
        let busy = self.compaction.is_some() || self.retiring.is_some() || self.hindered.is_some();
        let fits = self.tail.has_spare() || self.index.bytes_in(self.oldest) <= self.tail.room() / 2;
        let is_wanted = self.is_too_big() || is_full && self.has_garbage(self.oldest);
        (!busy && fits && self.oldest < self.tail.header().number && is_wanted).then_some(self.oldest)
    }

    /// Whether a segment could be emptied soon: the caller need not give up for want of space.
    pub(crate) fn is_compacting(&self) -> bool {
        self.compaction.is_some() || self.retiring.is_some()
    }

    pub(crate) fn begin_compaction(&mut self, victim: SegmentNumber, image: Vec<u8>) {
        let seed = Seed::of(&image);
        let end = self.ends.get(&victim).copied().unwrap_or(SECTOR_BYTES);
        self.compaction = Some(Compaction { victim, image, seed, offset: SECTOR_BYTES, end });
    }

    /// Copies a slice of what lives in the victim to the next commit. With the last one goes the word that the victim may go.
    pub(crate) fn compact(&mut self) -> Result<(), NoRoom> {
        if self.hindered.is_some() {
            return Ok(());
        }
        let Some(mut work) = self.compaction.take() else { return Ok(()) };
        let result = self.copy_slice(&mut work);
        if result.is_err() || work.offset < work.end {
            self.compaction = Some(work);
            return result;
        }
        let below = work.victim.next();
        match self.push(StreamId(0), Content::Retired(below), Room::Reserved) {
            Ok(sequence) => self.retiring = Some((work.victim, sequence)),
            Err(no_room) => {
                self.compaction = Some(work);
                return Err(no_room);
            }
        }
        Ok(())
    }

    fn copy_slice(&mut self, work: &mut Compaction) -> Result<(), NoRoom> {
        let mut copied = 0;
        while work.offset < work.end && copied < SLICE_BYTES {
            // The segment was sealed by us or read by recovery: a batch that cannot be read now is rot, and stays where it is.
            let Some(batch) = Batch::read(&work.image, work.seed, work.offset) else {
                self.hindered =
                    Some(format!("{}, offset {}: cannot be read any more", file_name(work.victim), work.offset).into());
                return Err(NoRoom);
            };
            for record in batch.records() {
                let (sequence, payload) = match record.content {
                    Content::Data(payload) => (record.sequence, payload),
                    Content::Moved(original, payload) => (original, payload),
                    _ => continue,
                };
                let lives = self
                    .index
                    .find(record.stream, sequence)
                    .is_some_and(|location| location.segment == work.victim && location.offset == record.offset);
                let forgotten = mutated!(LiveForgotten) && sequence.0 % 7 == 3;
                if (lives && !forgotten) || mutated!(DeadRevived) {
                    self.push(record.stream, Content::Moved(sequence, payload), Room::Reserved)?;
                    copied += payload.len() as u64;
                    self.copied_bytes += payload.len() as u64;
                }
            }
            work.offset = batch.end_offset();
        }
        Ok(())
    }

    /// The segment that may go now.
    pub(crate) fn may_retire(&mut self) -> Option<SegmentNumber> {
        let (victim, sequence) = self.retiring?;
        if self.tail.durable() <= sequence && !mutated!(RetireEarly) {
            return None;
        }
        self.retiring = None;
        self.oldest = victim.next();
        self.ends.remove(&victim);
        self.tail.set_oldest(self.oldest);
        Some(victim)
    }
}
