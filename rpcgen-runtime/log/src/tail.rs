//! The end of the log in memory: records that wait for the next commit, and where on the disk each will be.
//!
//! Knows: the layout, the numbers, how much prepared space is left. Does not know: disks, what lives.

use crate::format::{
    BATCH_HEADER_BYTES, BatchHeader, Content, RECORD_HEADER_BYTES, SECTOR_BYTES, Seed, SegmentHeader, put_record, seal,
};
use crate::ids::{SegmentNumber, Sequence, StreamId};
use crate::index::Location;
use crate::mutants::mutated;

/// A batch that had more space gives it back to the allocator.
const RECYCLED_BYTES_MAX: usize = 1 << 20;

/// A sealed batch and its place.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Set on the first batch of a segment: begin it with this.
    pub(crate) begins: Option<SegmentHeader>,
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What one commit makes durable.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) chunks: Vec<Chunk>,
    /// All records before it are durable after the commit.
    pub(crate) end: Sequence,
}

/// There is no prepared space for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

#[derive(Debug)]
pub(crate) struct Tail {
    /// Of the segment that is being filled.
    header: SegmentHeader,
    seed: Seed,
    /// Where the open batch begins.
    offset: u64,
    /// The open batch: free space for its header, then its records.
    open: Vec<u8>,
    /// Of a batch that is on the disk: its space, for the next one.
    recycled: Vec<u8>,
    records: u32,
    /// Its segment was not begun yet on the disk.
    begins: bool,
    sealed: Vec<Chunk>,
    next: Sequence,
    durable: Sequence,
    /// Whether another segment is prepared.
    spare: bool,
    /// What the next segment will say of the oldest that is needed.
    oldest: SegmentNumber,
}

impl Tail {
    /// Goes on in a segment that is on the disk up to `offset`, all before `next` durable.
    pub(crate) fn new(header: SegmentHeader, offset: u64, next: Sequence) -> Self {
        let seed = Seed::of(&header.encode());
        let open = vec![0; BATCH_HEADER_BYTES];
        Self {
            header,
            seed,
            offset,
            open,
            recycled: Vec::new(),
            records: 0,
            begins: false,
            sealed: Vec::new(),
            next,
            durable: next,
            spare: false,
            oldest: header.oldest,
        }
    }

    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn next(&self) -> Sequence {
        self.next
    }

    pub(crate) fn durable(&self) -> Sequence {
        self.durable
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0 && self.sealed.is_empty()
    }

    pub(crate) fn set_spare(&mut self, spare: bool) {
        self.spare = spare;
    }

    pub(crate) fn has_spare(&self) -> bool {
        self.spare
    }

    /// Segments begun from now on say that those below are not needed.
    pub(crate) fn set_oldest(&mut self, oldest: SegmentNumber) {
        self.oldest = oldest;
    }

    /// What the segment could still take, padding apart.
    fn left(&self) -> u64 {
        self.header.segment_bytes.saturating_sub(self.offset + self.open.len() as u64)
    }

    /// The same, with the segment that is prepared.
    pub(crate) fn room(&self) -> u64 {
        self.left() + if self.spare { self.header.segment_bytes - SECTOR_BYTES } else { 0 }
    }

    /// Adds a record to the next commit. Its sequence and where its payload will be. `kept`: so much of the space stays free.
    pub(crate) fn push(
        &mut self,
        stream: StreamId,
        content: Content<'_>,
        kept: u64,
    ) -> Result<(Sequence, Location), NoRoom> {
        let payload = match content {
            Content::Data(payload) | Content::Moved(_, payload) => payload.len(),
            Content::Released(..) => 8,
            Content::Retired(_) | Content::Closed => 0,
        };
        let bytes = (RECORD_HEADER_BYTES + payload) as u64;
        let kept = if mutated!(ReserveIgnored) { 0 } else { kept };
        if self.room() < bytes + kept {
            return Err(NoRoom);
        }
        if self.left() < bytes {
            if !self.spare {
                return Err(NoRoom);
            }
            self.roll();
        }
        let offset = self.offset + (self.open.len() + RECORD_HEADER_BYTES) as u64;
        put_record(&mut self.open, stream, content);
        self.records += 1;
        let sequence = self.next;
        self.next = self.next.plus(1);
        let bytes = u32::try_from(payload).expect("a record is smaller than a segment, and that smaller than 4 GiB");
        Ok((sequence, Location { segment: self.header.number, offset, bytes }))
    }

    /// Ends the segment and begins the next, in memory.
    fn roll(&mut self) {
        self.seal();
        self.header.previous_end = self.offset;
        self.header.number = self.header.number.next();
        self.header.first = self.next;
        self.header.oldest = self.oldest;
        self.seed = Seed::of(&self.header.encode());
        self.offset = SECTOR_BYTES;
        self.begins = true;
        self.spare = false;
    }

    fn seal(&mut self) {
        if self.records == 0 {
            return;
        }
        let mut next = std::mem::take(&mut self.recycled);
        next.resize(BATCH_HEADER_BYTES, 0);
        let mut bytes = std::mem::replace(&mut self.open, next);
        let body_bytes = u32::try_from(bytes.len() - BATCH_HEADER_BYTES).expect("a batch is smaller than a segment");
        let first = Sequence(self.next.0 - u64::from(self.records));
        let batch = BatchHeader { body_bytes, records: self.records, first, durable: self.durable };
        seal(&mut bytes, self.seed, self.offset, &batch);
        let begins = std::mem::take(&mut self.begins).then_some(self.header);
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        self.records = 0;
        self.sealed.push(Chunk { begins, offset, bytes });
    }

    /// Takes out what waits, for one commit.
    pub(crate) fn take(&mut self) -> Round {
        self.seal();
        Round { chunks: std::mem::take(&mut self.sealed), end: self.next }
    }

    /// The commit is done.
    pub(crate) fn committed(&mut self, round: Round) {
        self.durable = round.end;
        let largest = round.chunks.into_iter().map(|chunk| chunk.bytes).max_by_key(Vec::capacity);
        if let Some(mut bytes) = largest.filter(|bytes| bytes.capacity() <= RECYCLED_BYTES_MAX) {
            bytes.clear();
            self.recycled = bytes;
        }
    }
}
