//! The settings of a log.
//!
//! Knows: defaults, units, ranges. Does not know: who uses them.

use crate::error::LogError;
use crate::format::SECTOR_BYTES;

/// Which space a record may use when the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Not the reserve: it begins something, and is refused.
    Ordinary,
    /// Half of the reserve: it goes on with something that may have begun before. The other half is for what ends such things.
    Again,
    /// All of the reserve: it completes something that was accepted.
    Reserved,
}

/// The settings of a log.
#[derive(Clone, Debug)]
pub struct Config {
    /// The size of a segment file: 16 MiB. At least 16 KiB, at most 1 GiB, a multiple of 512. Larger: fewer files, more memory in recovery
    /// and compaction (one segment each), and more space for a small log. It cannot be changed once a log exists; what is there counts.
    pub segment_bytes: u64,
    /// The space that ordinary records leave free when the disk is full, for what was begun before, for releases and for compaction: half a
    /// segment. At most a segment less 4 KiB. [`Room`] says who may use how much of it.
    pub reserve_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self::with_segment_bytes(16 << 20)
    }
}

impl Config {
    /// A log takes at most twice the bytes that live in it, record headers included, and this many segments; the spare file comes on top.
    pub const SLACK_SEGMENTS: u64 = 4;

    /// Segments of this size; the reserve is half of one.
    #[must_use]
    pub const fn with_segment_bytes(segment_bytes: u64) -> Self {
        Self { segment_bytes, reserve_bytes: segment_bytes / 2 }
    }

    /// The longest record: an eighth of a segment, so that little of a segment is left empty at its end.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        (self.segment_bytes / 8) as usize
    }

    /// What a record of this kind leaves free.
    pub(crate) const fn left_free_by(&self, room: Room) -> u64 {
        match room {
            Room::Ordinary => self.reserve_bytes,
            Room::Again => self.reserve_bytes / 2,
            Room::Reserved => 0,
        }
    }

    pub(crate) fn check(&self) -> Result<(), LogError> {
        if !(16 << 10..=1 << 30).contains(&self.segment_bytes) || !self.segment_bytes.is_multiple_of(SECTOR_BYTES) {
            return Err(LogError::Config("segment_bytes must be a multiple of 512 from 16 KiB to 1 GiB"));
        }
        if self.reserve_bytes > self.segment_bytes - 4096 {
            return Err(LogError::Config("reserve_bytes must be smaller than a segment by 4 KiB at least"));
        }
        Ok(())
    }
}
