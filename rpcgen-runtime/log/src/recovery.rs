//! Opening a log: what was found is made certain, and a new life begins.
//!
//! Knows: the first segment of a life. Does not know: how what is on the disk is judged; that is `scan`.
//!
//! The segment that a former life ended in is never continued: the page cache may show what never reached the disk. What nobody proved
//! to be there is copied into a new segment, that is made durable, and only then gets its name (T12).

use crate::config::Config;
use crate::disk::Disk;
use crate::error::LogError;
use crate::format::{BATCH_HEADER_BYTES, BatchHeader, Content, Seed, SegmentHeader, put_record, seal};
use crate::front::Front;
use crate::ids::{Incarnation, LogId, SegmentNumber, Sequence};
use crate::index::Location;
use crate::log::{FIRST_BATCH, Log};
use crate::mutants::mutated;
use crate::scan::{Found, OwnedContent, OwnedRecord, Scan, scan};
use crate::segments::Segments;
use crate::tail::Tail;

pub(crate) fn open<D: Disk>(
    mut disk: D,
    id: LogId,
    config: Config,
    tell: &mut dyn FnMut(Found<'_>),
) -> Result<Log<D>, LogError> {
    config.check()?;
    let found = scan(&mut disk, false, tell)?;
    begin(disk, id, config, found)
}

/// Begins a new life after what was found.
pub(crate) fn begin<D: Disk>(disk: D, id: LogId, mut config: Config, mut found: Scan) -> Result<Log<D>, LogError> {
    let newest = found.segments.iter().rev().find_map(|segment| segment.header);
    if let Some(newest) = newest {
        // What is there counts.
        config.segment_bytes = newest.segment_bytes;
        config.reserve_bytes = config.reserve_bytes.min(newest.segment_bytes.saturating_sub(4096));
    }
    let number = found.newest().map_or(SegmentNumber(1), |newest| newest.number.next());
    let unproven = std::mem::take(&mut found.unproven);
    // What was moved keeps its own sequence; only the numbers of the copies themselves are new.
    let first = found.next.unwrap_or(Sequence(0));
    let header = SegmentHeader {
        log: newest.map_or(id, |newest| newest.log),
        incarnation: Incarnation(
            newest.map_or(1, |newest| newest.incarnation.0 + u64::from(!mutated!(IncarnationKept))),
        ),
        number,
        segment_bytes: config.segment_bytes,
        first,
        previous_end: if newest.is_some() { found.proven_end } else { 0 },
        oldest: found.segments.first().map_or(number, |oldest| oldest.number),
    };
    let batch = copies(&header, &unproven);
    let has_spare = found.spare_bytes == Some(config.segment_bytes);
    let newest_number = found.newest().map_or(number, |newest| newest.number);
    let mut back = Segments::new(disk, config.segment_bytes, newest_number, has_spare);
    if !back.prepare()? {
        return Err(LogError::Full);
    }
    let (bytes, next) = batch.unwrap_or((Vec::new(), first));
    back.begin_recovered(&header, (!bytes.is_empty()).then_some(&bytes))?;
    back.clear(&found.leftover)?;

    let mut index = found.index;
    move_entries(&mut index, &header, &unproven);
    let ends = found.segments.iter().map(|segment| {
        let newest = segment.number == newest_number;
        (segment.number, if newest { found.proven_end.min(segment.end) } else { segment.end })
    });
    let tail = Tail::new(header, FIRST_BATCH + bytes.len() as u64, next);
    Ok(Log { front: Front::new(tail, index, config, ends), back, torn: found.torn })
}

/// The batch of copies, and the sequence after it.
fn copies(header: &SegmentHeader, unproven: &[OwnedRecord]) -> Option<(Vec<u8>, Sequence)> {
    if unproven.is_empty() {
        return None;
    }
    let mut bytes = vec![0; BATCH_HEADER_BYTES];
    for record in unproven {
        put_record(&mut bytes, record.stream, record.content.as_copy());
    }
    let next = Sequence(header.first.0 + unproven.len() as u64);
    let batch = BatchHeader {
        body_bytes: u32::try_from(bytes.len() - BATCH_HEADER_BYTES)
            .expect("less than a segment, as it came out of one"),
        records: u32::try_from(unproven.len()).expect("fewer than the bytes of a segment"),
        first: header.first,
        // The name that the segment gets last is the proof.
        durable: next,
    };
    seal(&mut bytes, Seed::of(&header.encode()), FIRST_BATCH, &batch);
    Some((bytes, next))
}

/// The copies are where their records live from now on.
fn move_entries(index: &mut crate::index::Index, header: &SegmentHeader, unproven: &[OwnedRecord]) {
    let mut offset = FIRST_BATCH + BATCH_HEADER_BYTES as u64;
    for record in unproven {
        offset += crate::format::RECORD_HEADER_BYTES as u64;
        match &record.content {
            OwnedContent::Data(sequence, payload) => {
                let bytes = u32::try_from(payload.len()).expect("it was read from a segment");
                if index.find(record.stream, *sequence).is_some() {
                    index.enter(record.stream, *sequence, Location { segment: header.number, offset, bytes });
                }
                offset += payload.len() as u64;
            }
            OwnedContent::Released(..) => offset += 8,
        }
    }
}

impl OwnedContent {
    fn as_copy(&self) -> Content<'_> {
        match self {
            Self::Data(sequence, payload) => Content::Moved(*sequence, payload),
            Self::Released(first, last) => Content::Released(*first, *last),
        }
    }
}
