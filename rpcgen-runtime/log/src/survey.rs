//! Looking through a log without changing it, and making a new one of what can be read of a damaged one.
//!
//! Knows: what a lenient scan found. Does not know: what records say.

use crate::config::Config;
use crate::disk::Disk;
use crate::error::LogError;
use crate::format::SegmentHeader;
use crate::front::Front;
use crate::ids::{Incarnation, LogId, Sequence};
use crate::log::{FIRST_BATCH, Log};
use crate::scan::{Found, Loss, Scan, TornTail, scan};
use crate::segments::{Segments, file_name};
use crate::tail::Tail;

/// What was found in a log that was looked through.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The log's identity; `None`: there is no log, or no segment has a header that can be read.
    pub id: Option<LogId>,
    /// The life that it ended in.
    pub incarnation: Option<Incarnation>,
    /// Its segments, the oldest first.
    pub segments: Vec<SurveyedSegment>,
    /// Records that live.
    pub live_count: usize,
    /// Their payloads and record headers.
    pub live_bytes: u64,
    /// It was closed in good order, and nothing came after.
    pub closed: bool,
    /// What the next opening would cut from the end.
    pub torn: Option<TornTail>,
    /// What cannot be read, although it was durable.
    pub losses: Vec<Loss>,
    /// The length of the spare file, if there is one.
    pub spare_bytes: Option<u64>,
}

/// One segment of a log that was looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedSegment {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Where its batches end.
    pub end: u64,
    /// How many of them could be read.
    pub batches: u64,
    /// How many records are in those, the log's own included.
    pub records: u64,
}

impl Survey {
    fn of(scan: &Scan) -> Self {
        let header = newest_header(scan);
        let segments = scan.segments.iter().map(|segment| SurveyedSegment {
            file: file_name(segment.number),
            bytes: segment.file_bytes,
            end: segment.end,
            batches: segment.batches,
            records: segment.records,
        });
        Self {
            id: header.map(|header| header.log),
            incarnation: header.map(|header| header.incarnation),
            segments: segments.collect(),
            live_count: scan.index.len(),
            live_bytes: scan.index.bytes(),
            closed: scan.closed,
            torn: scan.torn.clone(),
            losses: scan.losses.clone(),
            spare_bytes: scan.spare_bytes,
        }
    }

    /// Whether all that was durable can be read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.losses.is_empty()
    }
}

fn newest_header(scan: &Scan) -> Option<SegmentHeader> {
    scan.segments.iter().rev().find_map(|segment| segment.header)
}

/// Looks through the log on a disk: every byte that counts is read, every CRC checked, and nothing is changed. Tells what lives, as far as
/// it can be read. Damage is no error here: it is in [`Survey::losses`].
///
/// A log that is in use may change meanwhile: then a file may be gone ([`LogError::Io`]), and what was appended last is missing or torn.
///
/// # Errors
/// [`LogError::Io`], [`LogError::Version`].
pub fn survey(disk: &mut impl Disk, tell: &mut dyn FnMut(Found<'_>)) -> Result<Survey, LogError> {
    scan(disk, true, tell).map(|scan| Survey::of(&scan))
}

/// Makes a new log, on another disk, of all that can be read of a damaged one: the same identity, the next life, the same sequences.
/// What was released after the damage began and cannot be read is there again. Takes as much memory as lives.
///
/// # Errors
/// The old one has no segment with a header that can be read; the new one is not empty; or as [`Log::open`].
pub fn repair(damaged: &mut impl Disk, repaired: impl Disk) -> Result<Survey, LogError> {
    let mut live = std::collections::BTreeMap::new();
    let scan = scan(damaged, true, &mut |found| match found {
        Found::Record { stream, sequence, payload } => drop(live.insert((stream, sequence), payload.to_vec())),
        Found::Released { stream, first, last } => {
            live.extract_if((stream, first)..=(stream, last), |_, _| true).for_each(drop);
        }
    })?;
    let header = newest_header(&scan).ok_or(LogError::Config("no segment of the log has a header that can be read"))?;
    let mut log = begin_after(header, &scan, repaired)?;
    for ((stream, sequence), payload) in live {
        log.restore(stream, sequence, &payload)?;
        // A commit for each slice, so that a segment is prepared in time.
        if log.front.tail.room() < header.segment_bytes {
            log.commit()?;
        }
    }
    log.close()?;
    Ok(Survey::of(&scan))
}

/// An empty log that is a later life of another.
fn begin_after<D: Disk>(old: SegmentHeader, scan: &Scan, mut disk: D) -> Result<Log<D>, LogError> {
    let files = disk.list().map_err(LogError::io("list", "the new directory"))?;
    if files.iter().any(|file| file.name.ends_with(".segment")) {
        return Err(LogError::Config("the new directory has a log already"));
    }
    let config = Config::with_segment_bytes(old.segment_bytes);
    let number = old.number.next();
    let header = SegmentHeader {
        incarnation: Incarnation(old.incarnation.0 + 1),
        number,
        first: scan.next.unwrap_or(Sequence(0)),
        previous_end: 0,
        oldest: number,
        ..old
    };
    let mut back = Segments::new(disk, config.segment_bytes, old.number, false);
    if !back.prepare()? {
        return Err(LogError::Full);
    }
    back.begin_recovered(&header, None)?;
    let tail = Tail::new(header, FIRST_BATCH, header.first);
    let mut log = Log { front: Front::new(tail, crate::index::Index::default(), config, []), back, torn: None };
    log.back.prepare().map(|spare| log.front.tail.set_spare(spare))?;
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StreamId;
    use crate::testing::SimDisk;

    fn config() -> Config {
        Config::with_segment_bytes(16 << 10)
    }

    fn log_of(count: u64) -> (SimDisk, Vec<Sequence>) {
        let disk = SimDisk::default();
        let mut log = Log::open(disk.clone(), LogId([7; 16]), config(), &mut |_| ()).unwrap();
        let mut sequences = Vec::new();
        for number in 0..count {
            sequences.push(log.append(StreamId(1), &number.to_le_bytes().repeat(20)).unwrap());
            log.commit().unwrap();
        }
        log.release(StreamId(1), sequences[3]..=sequences[5]).unwrap();
        log.close().unwrap();
        (disk, sequences)
    }

    fn told(disk: &SimDisk) -> (Vec<Sequence>, Option<Incarnation>) {
        let mut told = std::collections::BTreeSet::new();
        let log = Log::open(disk.clone(), LogId([9; 16]), config(), &mut |found| match found {
            Found::Record { sequence, .. } => drop(told.insert(sequence)),
            Found::Released { first, last, .. } => told.retain(|it| *it < first || *it > last),
        });
        (told.into_iter().collect(), log.ok().map(|log| log.incarnation()))
    }

    #[test]
    fn whole_log_is_surveyed_without_a_change() {
        let (mut disk, sequences) = log_of(40);
        let mut count = 0;
        let survey =
            survey(&mut disk, &mut |found| count += usize::from(matches!(found, Found::Record { .. }))).unwrap();
        assert!(survey.is_whole() && survey.closed && survey.torn.is_none());
        assert_eq!((count, survey.live_count), (40, sequences.len() - 3));
        assert_eq!((survey.id, survey.incarnation), (Some(LogId([7; 16])), Some(Incarnation(1))));
        assert_eq!(survey.segments.len(), 2);
        assert_eq!(told(&disk).1, Some(Incarnation(2)), "it was not opened");
    }

    #[test]
    fn damaged_log_is_refused_and_repaired_without_what_is_damaged() {
        let (mut disk, sequences) = log_of(40);
        let mut byte = [0];
        let (file, offset) = (file_name(crate::SegmentNumber(1)), 512 * 9 + 100);
        disk.read(&file, offset, &mut byte).unwrap();
        disk.write(&file, offset, &[byte[0] ^ 1]).unwrap();
        assert_eq!(told(&disk).1, None, "it is refused");
        let whole = SimDisk::default();
        let lost = repair(&mut disk, whole.clone()).unwrap();
        assert_eq!(lost.losses.len(), 1);
        assert_eq!((lost.losses[0].damage.file.clone(), lost.losses[0].damage.offset), (file, 512 * 9));
        let expected: Vec<Sequence> = sequences
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, _)| *at != 8 && !(3..=5).contains(at))
            .map(|it| it.1)
            .collect();
        let (kept, incarnation) = told(&whole);
        assert_eq!(kept, expected);
        assert_eq!(incarnation, Some(Incarnation(3)), "a life for the repair, and one for this opening");
        assert!(matches!(repair(&mut disk, whole), Err(LogError::Config(_))), "never over another log");
    }
}
