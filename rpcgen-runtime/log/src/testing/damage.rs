//! Damage: each bit of a log flipped, and the log cut at each byte. Opening it is right or a clear error.
//!
//! Knows: a log of one segment of 64 KiB. Does not know: its format.

use super::model::{Content, Violation, told, violated};
use super::{Random, SimDisk};
use crate::{Config, Disk as _, Log, LogError, LogId, StreamId};

const SEGMENT_BYTES: u64 = 64 << 10;

/// A log on a disk, what it holds, and what it held before its last commit.
#[derive(Debug)]
pub struct Sample {
    disk: SimDisk,
    all: Content,
    before_last: Content,
    closed: bool,
    file: String,
}

/// What came of the damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Opened, and all was there.
    pub whole: u64,
    /// Opened, without the last commit of a log that was not closed: such a tail cannot be told from a torn one.
    pub without_last: u64,
    /// Refused with the place of the damage.
    pub refused: u64,
}

impl Sample {
    /// A log that nearly fills its only segment, closed in good order or not.
    #[must_use]
    pub fn new(closed: bool) -> Self {
        Self::make(closed, LogId([3; 16]), 62)
    }

    /// A log whose first segment is full; that is the one that is damaged.
    #[must_use]
    pub fn rolled() -> Self {
        Self::make(true, LogId([3; 16]), 250)
    }

    fn make(closed: bool, id: LogId, records_count: u64) -> Self {
        let disk = SimDisk::default();
        let (mut all, mut before_last) = (Content::new(), Content::new());
        let config = Config::with_segment_bytes(SEGMENT_BYTES);
        let mut log = Log::open(disk.clone(), id, config, &mut |_| ()).expect("the disk is sound");
        let mut random = Random(4);
        for number in 0..records_count {
            before_last.clone_from(&all);
            let payload: Vec<u8> = (0..100 + random.below(900)).map(|at| (at * number) as u8).collect();
            let stream = StreamId(number % 5);
            let sequence = log.append(stream, &payload).expect("there is room");
            all.insert((stream, sequence), payload);
            log.commit().expect("the disk is sound");
        }
        assert_eq!(log.space().segments_count == 1, records_count < 100, "the sample is as it is meant to be");
        if closed {
            log.close().expect("the disk is sound");
        }
        let file = crate::segments::file_name(crate::SegmentNumber(1));
        Self { disk, all, before_last, closed, file }
    }

    /// How many bytes there are to damage.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.disk.content(&self.file).map_or(0, |bytes| bytes.len())
    }

    /// Flips a bit and opens.
    ///
    /// # Errors
    /// Something else than all, all but the last commit of a log that was not closed, or a clear error.
    pub fn flip(&self, bit: usize, outcomes: &mut Outcomes) -> Result<(), Violation> {
        let disk = self.disk.copy();
        disk.flip(&self.file, bit);
        self.check(disk, outcomes)
            .map_err(|violation| Violation { text: format!("bit {bit}: {}", violation.text), ..violation })
    }

    /// Cuts after so many bytes and opens.
    ///
    /// # Errors
    /// As [`Self::flip`].
    pub fn truncate(&self, bytes: usize, outcomes: &mut Outcomes) -> Result<(), Violation> {
        let disk = self.disk.copy();
        disk.truncate(&self.file, bytes);
        self.check(disk, outcomes)
            .map_err(|violation| Violation { text: format!("cut at {bytes}: {}", violation.text), ..violation })
    }

    /// A segment that is gone is missed, and what another log left in the file is never taken for a batch of this one.
    ///
    /// # Errors
    /// What was accepted.
    pub fn strange(outcomes: &mut Outcomes) -> Result<(), Violation> {
        let rolled = Self::rolled();
        for number in 1..3 {
            let mut disk = rolled.disk.copy();
            let file = crate::segments::file_name(crate::SegmentNumber(number));
            let before = outcomes.refused;
            disk.remove(&file).expect("the disk is sound");
            rolled.check(disk, outcomes)?;
            if outcomes.refused == before {
                return violated("guarantee_implies_durable", format!("{file} was not missed"));
            }
        }
        let (ours, theirs) = (Self::make(false, LogId([3; 16]), 60), Self::make(false, LogId([4; 16]), 62));
        let (mut own, other) =
            (ours.disk.content(&ours.file).unwrap_or_default(), theirs.disk.content(&theirs.file).unwrap_or_default());
        // What we wrote last ends where the zeros begin.
        let end = own.iter().rposition(|&byte| byte != 0).unwrap_or(0).next_multiple_of(512);
        own[end..].copy_from_slice(&other[end..]);
        ours.disk.put(&ours.file, own);
        ours.check(ours.disk.copy(), outcomes)
    }

    fn check(&self, disk: SimDisk, outcomes: &mut Outcomes) -> Result<(), Violation> {
        let mut content = Content::new();
        let config = Config::with_segment_bytes(SEGMENT_BYTES);
        let opened = Log::open(disk, LogId([3; 16]), config, &mut told(&mut content));
        match opened {
            Ok(_) if content == self.all => outcomes.whole += 1,
            Ok(log) if !self.closed && content == self.before_last && log.torn_tail().is_some() => {
                outcomes.without_last += 1
            }
            Ok(_) => {
                return violated("guarantee_implies_durable", "it opened without what was durable before the damage");
            }
            Err(LogError::Corrupt(_)) => outcomes.refused += 1,
            Err(error) => return violated("no_refusal", error.to_string()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_segment_is_missed_and_a_foreign_batch_is_not_taken() {
        Sample::strange(&mut Outcomes::default()).unwrap();
    }

    #[test]
    fn a_flipped_bit_or_a_cut_is_harmless_or_refused() {
        for sample in [Sample::new(true), Sample::new(false), Sample::rolled()] {
            let mut outcomes = Outcomes::default();
            (0..sample.bytes() * 8).step_by(997).for_each(|bit| sample.flip(bit, &mut outcomes).unwrap());
            (0..sample.bytes()).step_by(499).for_each(|bytes| sample.truncate(bytes, &mut outcomes).unwrap());
            assert!(outcomes.refused > 100, "{outcomes:?}");
        }
    }
}
