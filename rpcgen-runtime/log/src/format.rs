//! The bytes of the log: segment headers, batches, records. The byte map is docs/log-format.md.
//!
//! Knows: where each field is, which CRC covers what. Does not know: files, which segment is the newest, what a torn tail is.
//! Foreign bytes end here: whatever is read was on a disk that may lie.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use crate::ids::{Incarnation, LogId, SegmentNumber, Sequence, StreamId};
use crate::mutants::mutated;

/// What a disk writes as a whole, or not at all: batches begin at multiples of it, so that no later write touches what is durable.
pub const SECTOR_BYTES: u64 = 512;
/// The version of the format that this crate writes, and the only one that it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Before each batch.
pub(crate) const BATCH_HEADER_BYTES: usize = 40;
/// Before each record's payload.
pub(crate) const RECORD_HEADER_BYTES: usize = 24;

const HEADER_BYTES: usize = 512;
const SEGMENT_MAGIC: &[u8] = b"rpcglog\n";
const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"rpcB");

/// Up to the next sector.
pub(crate) fn padded(bytes: u64) -> u64 {
    let unit = if mutated!(SharedSector) { 8 } else { SECTOR_BYTES };
    bytes.div_ceil(unit).saturating_mul(unit)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

fn crc(seed: u32, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// The first sector of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log: LogId,
    pub(crate) incarnation: Incarnation,
    pub(crate) number: SegmentNumber,
    /// The size of the file.
    pub(crate) segment_bytes: u64,
    /// The sequence of the first record that may be here.
    pub(crate) first: Sequence,
    /// Where the batches of the segment before end that count; what follows them there was never promised to anybody.
    pub(crate) previous_end: u64,
    /// The oldest segment that was still needed when this one was begun.
    pub(crate) oldest: SegmentNumber,
}

/// Why a segment header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged,
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(SEGMENT_MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.log.0);
        for number in
            [self.incarnation.0, self.number.0, self.segment_bytes, self.first.0, self.previous_end, self.oldest.0]
        {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(HEADER_BYTES.saturating_sub(4), 0);
        let check = crc(0, &[&bytes]);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let covered = bytes.get(..HEADER_BYTES.saturating_sub(4)).ok_or(HeaderFault::Damaged)?;
        let sound = Some(crc(0, &[covered])) == u32_at(bytes, covered.len()) && covered.starts_with(SEGMENT_MAGIC);
        let version = u32_at(bytes, 8).filter(|_| sound).ok_or(HeaderFault::Damaged)?;
        if version != FORMAT_VERSION {
            return Err(HeaderFault::Version(version));
        }
        let field = |at| u64_at(covered, at).ok_or(HeaderFault::Damaged);
        Ok(Self {
            log: LogId(array(covered, 12).ok_or(HeaderFault::Damaged)?),
            incarnation: Incarnation(field(28)?),
            number: SegmentNumber(field(36)?),
            segment_bytes: field(44)?,
            first: Sequence(field(52)?),
            previous_end: field(60)?,
            oldest: SegmentNumber(field(68)?),
        })
    }
}

/// What the CRCs of a segment's batches begin with, so that a batch of another log, of another life, or of the segment that had
/// this file before is never taken for one of this segment: the CRC of the segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// From the first sector, also a damaged one.
    pub(crate) fn of(first_sector: &[u8]) -> Self {
        if mutated!(StaleBatchAccepted) {
            return Self(0);
        }
        Self(u32_at(first_sector, HEADER_BYTES.saturating_sub(4)).unwrap_or(0))
    }

    fn at(self, offset: u64) -> u32 {
        crc(self.0, &[&offset.to_le_bytes()])
    }
}

/// What is said of a batch: all of its records become durable together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) body_bytes: u32,
    pub(crate) records: u32,
    pub(crate) first: Sequence,
    /// All records before this one were durable when the batch was written: the proof that what is missing there is damage.
    pub(crate) durable: Sequence,
}

impl BatchHeader {
    /// The sequence after its last record.
    pub(crate) fn end(&self) -> Sequence {
        self.first.plus(u64::from(self.records))
    }

    /// How much of the segment it takes.
    pub(crate) fn disk_bytes(&self) -> u64 {
        padded(u64::from(self.body_bytes).saturating_add(BATCH_HEADER_BYTES as u64))
    }
}

/// Completes a batch whose first [`BATCH_HEADER_BYTES`] are free and which is to stand at `offset`; pads it.
pub(crate) fn seal(bytes: &mut Vec<u8>, seed: Seed, offset: u64, batch: &BatchHeader) {
    let at = seed.at(offset);
    let body_crc = crc(at, &[bytes.get(BATCH_HEADER_BYTES..).unwrap_or(&[])]);
    let mut header = Vec::with_capacity(BATCH_HEADER_BYTES);
    header.extend_from_slice(&batch.body_bytes.to_le_bytes());
    header.extend_from_slice(&batch.records.to_le_bytes());
    header.extend_from_slice(&batch.first.0.to_le_bytes());
    header.extend_from_slice(&batch.durable.0.to_le_bytes());
    header.extend_from_slice(&body_crc.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    let header_crc = crc(at, &[&header]);
    for (place, byte) in
        bytes.iter_mut().zip(BATCH_MAGIC.to_le_bytes().into_iter().chain(header_crc.to_le_bytes()).chain(header))
    {
        *place = byte;
    }
    let whole = padded(bytes.len() as u64);
    bytes.resize(usize::try_from(whole).unwrap_or(bytes.len()), 0);
}

/// A batch whose CRCs and structure were found right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) header: BatchHeader,
    body: &'a [u8],
    /// Of the body, in the segment.
    offset: u64,
}

impl<'a> Batch<'a> {
    /// The batch that begins at `offset`. `None`: there is none that can be trusted.
    pub(crate) fn read(segment: &'a [u8], seed: Seed, offset: u64) -> Option<Self> {
        let bytes = segment.get(usize::try_from(offset).ok()?..)?;
        if u32_at(bytes, 0)? != BATCH_MAGIC {
            return None;
        }
        let at = seed.at(offset);
        let covered = bytes.get(8..BATCH_HEADER_BYTES)?;
        if u32_at(bytes, 4)? != crc(at, &[covered]) {
            return None;
        }
        let header = BatchHeader {
            body_bytes: u32_at(covered, 0)?,
            records: u32_at(covered, 4)?,
            first: Sequence(u64_at(covered, 8)?),
            durable: Sequence(u64_at(covered, 16)?),
        };
        let body = bytes.get(BATCH_HEADER_BYTES..)?.get(..usize::try_from(header.body_bytes).ok()?)?;
        if u32_at(covered, 24)? != crc(at, &[body]) && !mutated!(BodyWithoutCrc) {
            return None;
        }
        let batch = Self { header, body, offset: offset.checked_add(BATCH_HEADER_BYTES as u64)? };
        let mut records = batch.records();
        let count = records.by_ref().count() as u64;
        (records.rest.is_empty() && count == u64::from(header.records)).then_some(batch)
    }

    /// Where the next batch begins, in the segment.
    pub(crate) fn end_offset(&self) -> u64 {
        self.offset.saturating_sub(BATCH_HEADER_BYTES as u64).saturating_add(self.header.disk_bytes())
    }

    pub(crate) fn records(&self) -> Records<'a> {
        Records { rest: self.body, offset: self.offset, next: self.header.first }
    }
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// The owner's.
    Data(&'a [u8]),
    /// The owner's, copied forward by compaction or recovery; its sequence is the original one.
    Moved(Sequence, &'a [u8]),
    /// The owner needs these of the stream no more, both ends included.
    Released(Sequence, Sequence),
    /// Segments below this one are needed no more.
    Retired(SegmentNumber),
    /// The log was closed; nothing that went before was in flight.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) sequence: Sequence,
    pub(crate) stream: StreamId,
    pub(crate) content: Content<'a>,
    /// Of the payload, in the segment.
    pub(crate) offset: u64,
}

/// Appends a record to a batch.
pub(crate) fn put_record(batch: &mut Vec<u8>, stream: StreamId, content: Content<'_>) {
    let last;
    let (kind, subject, payload): (u32, u64, &[u8]) = match content {
        Content::Data(payload) => (1, 0, payload),
        Content::Moved(original, payload) => (2, original.0, payload),
        Content::Released(from, to) => {
            last = to.0.to_le_bytes();
            (3, from.0, &last)
        }
        Content::Retired(below) => (4, below.0, &[]),
        Content::Closed => (5, 0, &[]),
    };
    // The writer refuses payloads that do not fit into a segment, and a segment is smaller than 4 GiB.
    batch.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    batch.extend_from_slice(&kind.to_le_bytes());
    batch.extend_from_slice(&stream.0.to_le_bytes());
    batch.extend_from_slice(&subject.to_le_bytes());
    batch.extend_from_slice(payload);
}

/// The records of a batch, in order; ends early where the structure is wrong.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    offset: u64,
    next: Sequence,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let bytes = usize::try_from(u32_at(self.rest, 0)?).ok()?;
        let subject = u64_at(self.rest, 16)?;
        let (payload, rest) = self.rest.get(RECORD_HEADER_BYTES..)?.split_at_checked(bytes)?;
        let content = match u32_at(self.rest, 4)? {
            1 => Content::Data(payload),
            2 => Content::Moved(Sequence(subject), payload),
            3 => Content::Released(Sequence(subject), Sequence(u64_at(payload, 0)?)),
            4 => Content::Retired(SegmentNumber(subject)),
            5 => Content::Closed,
            _ => return None,
        };
        let record = Record {
            sequence: self.next,
            stream: StreamId(u64_at(self.rest, 8)?),
            content,
            offset: self.offset.saturating_add(RECORD_HEADER_BYTES as u64),
        };
        self.next = self.next.plus(1);
        self.offset = record.offset.saturating_add(payload.len() as u64);
        self.rest = rest;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test that counts wrong may panic")]

    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            log: LogId([7; 16]),
            incarnation: Incarnation(3),
            number: SegmentNumber(9),
            segment_bytes: 65_536,
            first: Sequence(100),
            previous_end: 4_096,
            oldest: SegmentNumber(8),
        }
    }

    fn batch(seed: Seed, offset: u64) -> Vec<u8> {
        let mut bytes = vec![0; BATCH_HEADER_BYTES];
        put_record(&mut bytes, StreamId(5), Content::Data(b"one"));
        put_record(&mut bytes, StreamId(6), Content::Released(Sequence(1), Sequence(2)));
        let body_bytes = u32::try_from(bytes.len() - BATCH_HEADER_BYTES).unwrap();
        seal(
            &mut bytes,
            seed,
            offset,
            &BatchHeader { body_bytes, records: 2, first: Sequence(100), durable: Sequence(99) },
        );
        bytes
    }

    #[test]
    fn a_header_reads_as_it_was_written_and_any_flipped_bit_of_it_is_noticed() {
        let bytes = header().encode();
        assert_eq!(bytes.len() as u64, SECTOR_BYTES);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&damaged), Err(HeaderFault::Damaged));
        }
    }

    #[test]
    fn a_version_from_the_future_is_named() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let check = crc(0, &[&bytes[..508]]);
        bytes[508..].copy_from_slice(&check.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Version(2)));
    }

    #[test]
    fn a_batch_is_valid_at_its_own_place_of_its_own_segment_only() {
        let seed = Seed::of(&header().encode());
        let mut segment = vec![0; 512];
        segment.extend(batch(seed, 512));
        segment.extend(batch(seed, 512));
        let records: Vec<_> =
            Batch::read(&segment, seed, 512).unwrap().records().map(|record| record.content).collect();
        assert_eq!(records, [Content::Data(b"one"), Content::Released(Sequence(1), Sequence(2))]);
        assert!(Batch::read(&segment, seed, 1024).is_none());
        let other = Seed::of(&SegmentHeader { incarnation: Incarnation(4), ..header() }.encode());
        assert!(Batch::read(&segment, other, 512).is_none());
    }

    #[test]
    fn a_flipped_bit_of_a_batch_is_noticed_unless_it_is_in_the_padding() {
        let seed = Seed::of(&header().encode());
        let bytes = batch(seed, 0);
        let used = BATCH_HEADER_BYTES + 2 * RECORD_HEADER_BYTES + 3 + 8;
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Batch::read(&damaged, seed, 0).is_some(), bit / 8 >= used, "bit {bit}");
        }
    }
}
