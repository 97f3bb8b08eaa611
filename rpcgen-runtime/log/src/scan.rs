//! Reading a log as it stands on a disk: one pass over its segments, what is live, what is torn, what is damaged.
//!
//! Knows: which of the bytes count. Does not know: how to write; `recovery` acts on what is found here.
//!
//! In a segment that has a successor all must be there up to the end that the successor names. In the newest one the first batch that
//! cannot be read is a torn tail, unless a later one proves that it was durable: that is damage, and never cut.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::disk::{Disk, FileEntry};
use crate::error::{Damage, LogError};
use crate::format::{Batch, Content, HeaderFault, Record, SECTOR_BYTES, Seed, SegmentHeader};
use crate::ids::{SegmentNumber, Sequence, StreamId};
use crate::index::{Index, Location};
use crate::mutants::mutated;
use crate::segments::{SPARE, file_name, number_of};

/// What the owner is told while its log is read: its records, the oldest first, and what was released since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record that was live at this place of the log. One that compaction moved stands where it was moved to, after younger ones.
    Record {
        /// Its stream.
        stream: StreamId,
        /// Its sequence, the one that it had at first.
        sequence: Sequence,
        /// The owner's bytes.
        payload: &'a [u8],
    },
    /// The owner had released these, both ends included; they were told before.
    Released {
        /// Of this stream.
        stream: StreamId,
        /// The first.
        first: Sequence,
        /// The last.
        last: Sequence,
    },
}

/// What was cut from the end of the newest segment: nobody can have been told that it is durable, unless the disk damaged just this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment, in the log's directory.
    pub file: String,
    /// Where it was cut.
    pub offset: u64,
    /// The sequence that the first record there would have.
    pub sequence: Sequence,
}

/// Something that a repair has to do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where, and from which sequence on.
    pub damage: Damage,
    /// The first sequence that can be read again. `None`: nothing after it can be.
    pub until: Option<Sequence>,
}

/// One segment, as read.
#[derive(Clone, Debug)]
pub(crate) struct ScannedSegment {
    pub(crate) number: SegmentNumber,
    /// `None`: it cannot be read.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) file_bytes: u64,
    /// The end of the last batch that counts.
    pub(crate) end: u64,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    /// From what is read here, for salvaging a segment whose header cannot be.
    first_sector: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) segments: Vec<ScannedSegment>,
    pub(crate) index: Index,
    /// After the last record that was read.
    pub(crate) next: Option<Sequence>,
    /// In the newest segment: what is before this place is proven to be on the disk, not merely in the page cache.
    pub(crate) proven_end: u64,
    /// Batches of the newest segment after that place: their bodies have to be written again.
    pub(crate) unproven: Vec<OwnedRecord>,
    pub(crate) torn: Option<TornTail>,
    /// The log was closed in good order, and nothing came after.
    pub(crate) closed: bool,
    /// Files of segments that are needed no more.
    pub(crate) leftover: Vec<String>,
    /// The length of the spare file, if there is one.
    pub(crate) spare_bytes: Option<u64>,
    /// What a lenient scan did without.
    pub(crate) losses: Vec<Loss>,
    retired_below: u64,
    /// Reading goes on after damage, and notes it in `losses`.
    lenient: bool,
}

/// A record that recovery writes again.
#[derive(Debug)]
pub(crate) struct OwnedRecord {
    pub(crate) stream: StreamId,
    pub(crate) content: OwnedContent,
}

#[derive(Debug)]
pub(crate) enum OwnedContent {
    Data(Sequence, Vec<u8>),
    Released(Sequence, Sequence),
}

/// Reads the log. With `lenient` damage is noted, not an error.
pub(crate) fn scan(disk: &mut impl Disk, lenient: bool, tell: &mut dyn FnMut(Found<'_>)) -> Result<Scan, LogError> {
    let mut scan = Scan { lenient, ..Scan::default() };
    scan.find_segments(disk)?;
    let mut image = Vec::new();
    for at in 0..scan.segments.len() {
        scan.read_segment(disk, at, &mut image, tell)?;
    }
    scan.check_oldest()?;
    Ok(scan)
}

impl Scan {
    /// The newest segment.
    pub(crate) fn newest(&self) -> Option<&ScannedSegment> {
        self.segments.last()
    }

    /// Lists the files and reads all headers.
    fn find_segments(&mut self, disk: &mut impl Disk) -> Result<(), LogError> {
        let mut found: Vec<(SegmentNumber, FileEntry)> = Vec::new();
        for file in disk.list().map_err(LogError::io("list", "the directory"))? {
            if file.name == SPARE {
                self.spare_bytes = Some(file.bytes);
            } else if let Some(number) = number_of(&file.name) {
                found.push((number, file));
            }
        }
        found.sort();
        for (number, file) in found {
            let mut first_sector = vec![0; SECTOR_BYTES as usize];
            let readable = file.bytes >= SECTOR_BYTES;
            if readable {
                disk.read(&file.name, 0, &mut first_sector).map_err(LogError::io("read", &file.name))?;
            }
            let header = match SegmentHeader::decode(&first_sector) {
                Ok(header) if header.number == number && header.segment_bytes == file.bytes => Some(header),
                Err(HeaderFault::Version(version)) => return Err(LogError::Version { file: file.name, version }),
                _ => None,
            };
            self.segments.push(ScannedSegment {
                number,
                header,
                file_bytes: file.bytes,
                end: SECTOR_BYTES,
                batches: 0,
                records: 0,
                first_sector,
            });
        }
        // A crash may leave segments whose removal was decided before the newest one was begun.
        let oldest = self.newest().and_then(|newest| newest.header).map_or(0, |header| header.oldest.0);
        let (gone, kept) =
            std::mem::take(&mut self.segments).into_iter().partition(|segment| segment.number.0 < oldest);
        self.leftover = Vec::from_iter(gone).iter().map(|segment: &ScannedSegment| file_name(segment.number)).collect();
        self.segments = kept;
        self.retired_below = oldest;
        Ok(())
    }

    /// Damage: an error, or a loss.
    fn damaged(
        &mut self,
        number: SegmentNumber,
        offset: u64,
        sequence: Sequence,
        what: &'static str,
    ) -> Result<(), LogError> {
        let damage = Damage { file: file_name(number), offset, sequence, what };
        if !self.lenient {
            return Err(LogError::Corrupt(damage));
        }
        self.losses.push(Loss { damage, until: None });
        Ok(())
    }

    /// The last loss ends here, if it has no end yet.
    fn found_again(&mut self, sequence: Sequence) {
        if let Some(loss) = self.losses.last_mut().filter(|loss| loss.until.is_none()) {
            loss.until = Some(sequence);
        }
    }

    fn read_segment(
        &mut self,
        disk: &mut impl Disk,
        at: usize,
        image: &mut Vec<u8>,
        tell: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), LogError> {
        let Some(segment) = self.segments.get(at).cloned() else { return Ok(()) };
        let number = segment.number;
        let mut expected = self.next.unwrap_or(Sequence(0));
        let follows = at.checked_sub(1).and_then(|before| self.segments.get(before));
        if follows.is_some_and(|before| before.number.next() != number) && !mutated!(MissingSegmentIgnored) {
            self.damaged(number, 0, expected, "a segment before this one is missing")?;
        }
        let file = file_name(number);
        image.resize(usize::try_from(segment.file_bytes).unwrap_or(usize::MAX), 0);
        disk.read(&file, 0, image).map_err(LogError::io("read", &file))?;
        if let Some(header) = segment.header {
            if header.first < expected {
                self.damaged(number, 0, expected, "it begins with records of the segment before")?;
            }
            expected = expected.max(header.first);
            let newest = self.newest().and_then(|newest| newest.header);
            if newest.is_some_and(|newest| newest.log != header.log || newest.segment_bytes != header.segment_bytes) {
                self.damaged(number, 0, expected, "it belongs to another log")?;
            }
        } else {
            self.damaged(number, 0, expected, "its header, or its length, is wrong")?;
        }
        let seed = Seed::of(&segment.first_sector);
        match self.segments.get(at.saturating_add(1)).map(|next| next.header.map(|header| header.previous_end)) {
            Some(end) => self.read_sealed(at, image, seed, expected, end, tell),
            None => self.read_newest(at, image, seed, expected, tell),
        }
    }

    /// A segment with a successor; `end` is what that says, unless it cannot be read.
    fn read_sealed(
        &mut self,
        at: usize,
        image: &[u8],
        seed: Seed,
        expected: Sequence,
        end: Option<u64>,
        tell: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), LogError> {
        let (mut offset, mut expected) = (SECTOR_BYTES, expected);
        let whole = image.len() as u64;
        let end_here = if mutated!(SegmentContinued) { whole } else { end.unwrap_or(whole).min(whole) };
        while offset < end_here {
            match Batch::read(image, seed, offset).filter(|batch| batch.header.first == expected) {
                Some(batch) => {
                    expected = self.take(at, &batch, tell);
                    offset = offset.saturating_add(batch.header.disk_bytes());
                }
                None if end.is_none() || mutated!(EndIgnored) || mutated!(SegmentContinued) => break,
                None => {
                    let number = self.segments.get(at).map_or(SegmentNumber(0), |segment| segment.number);
                    self.damaged(number, offset, expected, "a batch that was durable cannot be read")?;
                    let Some(batch) = later_batch(image, seed, offset, expected, end_here) else { break };
                    (offset, expected) = batch;
                    self.found_again(expected);
                }
            }
        }
        self.next = Some(expected);
        Ok(())
    }

    /// The newest segment: its end is where the batches end.
    fn read_newest(
        &mut self,
        at: usize,
        image: &[u8],
        seed: Seed,
        expected: Sequence,
        tell: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), LogError> {
        let (mut offset, mut expected) = (SECTOR_BYTES, expected);
        let number = self.segments.get(at).map_or(SegmentNumber(0), |segment| segment.number);
        // What was read, with what each says of the durability of those before.
        let mut batches: Vec<Batch<'_>> = Vec::new();
        let whole = image.len() as u64;
        loop {
            while let Some(batch) = Batch::read(image, seed, offset).filter(|batch| batch.header.first == expected) {
                expected = self.take(at, &batch, tell);
                offset = offset.saturating_add(batch.header.disk_bytes());
                batches.push(batch);
            }
            // What cannot be read is a torn tail, unless a later batch was written when this one was durable.
            let Some((later, first)) = later_proof(image, seed, offset, expected) else { break };
            if mutated!(SkipDamage) {
                (offset, expected) = (later, first);
                continue;
            }
            if mutated!(CutOnRot) {
                break;
            }
            self.damaged(number, offset, expected, "a batch that was durable cannot be read")?;
            (offset, expected) = (later, first);
            self.found_again(expected);
        }
        let proven = batches.iter().map(|batch| batch.header.durable).max().unwrap_or(Sequence(0));
        let proven = if mutated!(TrustPageCache) { expected } else { proven };
        self.proven_end = SECTOR_BYTES;
        for batch in &batches {
            if batch.header.end() <= proven {
                self.proven_end = batch.end_offset();
            } else {
                self.unproven.extend(batch.records().filter_map(owned));
            }
        }
        let last = batches.last().and_then(|batch| batch.records().last());
        self.closed = last.is_some_and(|record| record.content == Content::Closed);
        let rest = image.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or(&[]);
        if offset < whole && !self.closed && begins_like_a_batch(rest) {
            self.torn = Some(TornTail { file: file_name(number), offset, sequence: expected });
        }
        self.next = Some(expected);
        Ok(())
    }

    /// Enters a batch. The sequence after it.
    fn take(&mut self, at: usize, batch: &Batch<'_>, tell: &mut dyn FnMut(Found<'_>)) -> Sequence {
        let mut number = SegmentNumber(0);
        if let Some(segment) = self.segments.get_mut(at) {
            number = segment.number;
            segment.end = batch.end_offset();
            segment.batches = segment.batches.saturating_add(1);
            segment.records = segment.records.saturating_add(u64::from(batch.header.records));
        }
        for Record { sequence, stream, content, offset } in batch.records() {
            let (sequence, payload) = match content {
                Content::Data(payload) => (sequence, payload),
                Content::Moved(original, payload) => (original, payload),
                Content::Released(first, last) => {
                    if self.index.release(stream, first..=last) > 0 {
                        tell(Found::Released { stream, first, last });
                    }
                    continue;
                }
                Content::Retired(below) => {
                    self.retired_below = self.retired_below.max(below.0);
                    continue;
                }
                Content::Closed => continue,
            };
            let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            if self.index.enter(stream, sequence, Location { segment: number, offset, bytes }) {
                tell(Found::Record { stream, sequence, payload });
            }
        }
        batch.header.end()
    }

    /// All from the first that is needed on must be there; those before are leftovers.
    fn check_oldest(&mut self) -> Result<(), LogError> {
        let Some(first) = self.segments.first().map(|segment| segment.number) else { return Ok(()) };
        if first.0 > self.retired_below.max(1) && !mutated!(MissingSegmentIgnored) {
            self.damaged(first, 0, Sequence(0), "a segment before this one is missing")?;
        }
        let below = self.retired_below;
        let (gone, kept) = std::mem::take(&mut self.segments).into_iter().partition(|segment| segment.number.0 < below);
        self.leftover.extend(Vec::from_iter(gone).iter().map(|segment: &ScannedSegment| file_name(segment.number)));
        self.segments = kept;
        Ok(())
    }
}

fn owned(record: Record<'_>) -> Option<OwnedRecord> {
    let content = match record.content {
        Content::Data(payload) => OwnedContent::Data(record.sequence, payload.to_vec()),
        Content::Moved(original, payload) => OwnedContent::Data(original, payload.to_vec()),
        Content::Released(first, last) => OwnedContent::Released(first, last),
        // Said again by the header of the segment that recovery begins.
        Content::Retired(_) | Content::Closed => return None,
    };
    Some(OwnedRecord { stream: record.stream, content })
}

fn begins_like_a_batch(rest: &[u8]) -> bool {
    rest.iter().take(SECTOR_BYTES as usize).any(|&byte| byte != 0)
}

fn batches_after(image: &[u8], seed: Seed, offset: u64, end: u64) -> impl Iterator<Item = (u64, Batch<'_>)> {
    let mut at = offset;
    std::iter::from_fn(move || {
        loop {
            at = at.saturating_add(SECTOR_BYTES);
            if at >= end {
                return None;
            }
            if let Some(batch) = Batch::read(image, seed, at) {
                return Some((at, batch));
            }
        }
    })
}

/// The next batch that can be read, and its first sequence.
fn later_batch(image: &[u8], seed: Seed, offset: u64, expected: Sequence, end: u64) -> Option<(u64, Sequence)> {
    let mut later = batches_after(image, seed, offset, end);
    later.find(|(_, batch)| batch.header.first >= expected).map(|(at, batch)| (at, batch.header.first))
}

/// The next batch that can be read, if any after `offset` proves that what should be there was durable.
fn later_proof(image: &[u8], seed: Seed, offset: u64, expected: Sequence) -> Option<(u64, Sequence)> {
    let end = image.len() as u64;
    batches_after(image, seed, offset, end).find(|(_, batch)| batch.header.durable > expected)?;
    later_batch(image, seed, offset, expected, end)
}
