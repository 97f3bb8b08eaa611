//! The segment files: writing batches, beginning and retiring segments, in an order that a crash at any place does not hurt.
//!
//! Knows: names, what has to be durable before what. Does not know: records, what lives.
//! Invariants:
//! - a file with the name of a segment has a durable header and its whole length: it gets the name last;
//! - a segment is begun only when all before it is durable;
//! - after a failed write or sync nothing is written any more, and nothing tried again.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, is_full};
use crate::error::LogError;
use crate::format::SegmentHeader;
use crate::ids::SegmentNumber;
use crate::index::Location;
use crate::mutants::mutated;
use crate::tail::Round;

/// A prepared file that is no segment yet. Whatever is in it means nothing.
pub(crate) const SPARE: &str = "spare";

/// The name of a segment's file.
pub(crate) fn file_name(number: SegmentNumber) -> String {
    format!("{:016x}.segment", number.0)
}

/// The segment of a file's name.
pub(crate) fn number_of(name: &str) -> Option<SegmentNumber> {
    let digits = name.strip_suffix(".segment").filter(|digits| digits.len() == 16)?;
    let number = SegmentNumber(u64::from_str_radix(digits, 16).ok()?);
    (file_name(number) == name).then_some(number)
}

#[derive(Debug)]
pub(crate) struct Segments<D> {
    disk: D,
    segment_bytes: u64,
    /// The file that is being filled.
    current: String,
    has_spare: bool,
    poisoned: Option<Arc<str>>,
    /// Up to here, in the segment that is being filled, commits have succeeded.
    written: u64,
    /// Syncs of files, directories apart.
    pub(crate) syncs_count: u64,
}

impl<D: Disk> Segments<D> {
    pub(crate) fn new(disk: D, segment_bytes: u64, current: SegmentNumber, has_spare: bool) -> Self {
        Self { disk, segment_bytes, current: file_name(current), has_spare, poisoned: None, written: 0, syncs_count: 0 }
    }

    pub(crate) fn into_disk(self) -> D {
        self.disk
    }

    pub(crate) fn poisoned(&self) -> Option<&Arc<str>> {
        self.poisoned.as_ref()
    }

    /// The segment that is being filled, on the disk.
    pub(crate) fn current_number(&self) -> SegmentNumber {
        number_of(&self.current).expect("it was named after a number")
    }

    fn check(&self) -> Result<(), LogError> {
        self.poisoned.as_ref().map_or(Ok(()), |cause| Err(LogError::Poisoned(Arc::clone(cause))))
    }

    /// Runs steps that change the disk; the first failure is the last thing that happens.
    fn step(&mut self, action: &str, steps: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), LogError> {
        self.check()?;
        let Err(error) = steps(self) else { return Ok(()) };
        let cause: Arc<str> = format!("{action}: {error}").into();
        if !mutated!(PoisonForgotten) {
            self.poisoned = Some(Arc::clone(&cause));
        }
        Err(LogError::Poisoned(cause))
    }

    /// Writes a round and makes it durable.
    // A waiter is released by a sync that began after its record was written, and by nothing else (T14).
    pub(crate) fn commit(&mut self, round: &Round) -> Result<(), LogError> {
        self.step("commit", |this| {
            for chunk in &round.chunks {
                if let Some(header) = &chunk.begins {
                    if !mutated!(RollWithoutSync) {
                        this.sync_current()?;
                    }
                    this.begin(header)?;
                }
                this.disk.write(&this.current, chunk.offset, &chunk.bytes)?;
            }
            if !mutated!(AcknowledgeBeforeSync) {
                this.sync_current()?;
            }
            this.written = round.chunks.last().map_or(this.written, |last| last.offset + last.bytes.len() as u64);
            Ok(())
        })
    }

    /// Whether a payload of this place was committed.
    pub(crate) fn has(&self, location: Location) -> bool {
        let current = self.current_number();
        location.segment < current || (location.segment == current && location.offset < self.written)
    }

    fn sync_current(&mut self) -> io::Result<()> {
        self.syncs_count += 1;
        let result = self.disk.sync(&self.current);
        if result.is_err() && mutated!(RetrySync) { self.disk.sync(&self.current) } else { result }
    }

    /// Makes the spare file a segment.
    fn begin(&mut self, header: &SegmentHeader) -> io::Result<()> {
        let name = file_name(header.number);
        self.disk.write(SPARE, 0, &header.encode())?;
        if !mutated!(HeaderWithoutSync) {
            self.syncs_count += 1;
            self.disk.sync(SPARE)?;
        }
        self.name_spare(&name)?;
        self.current = name;
        self.written = crate::format::SECTOR_BYTES;
        Ok(())
    }

    fn name_spare(&mut self, name: &str) -> io::Result<()> {
        self.disk.rename(SPARE, name)?;
        self.has_spare = false;
        if mutated!(SkipDirectorySync) { Ok(()) } else { self.disk.sync_directory() }
    }

    /// Sees to it that another segment can be begun. Whether it can; a full disk is no failure, all else is.
    pub(crate) fn prepare(&mut self) -> Result<bool, LogError> {
        if !self.has_spare {
            let bytes = self.segment_bytes;
            let mut full = false;
            self.step("prepare a segment", |this| match this.disk.create(SPARE, bytes) {
                Err(error) if is_full(&error) => {
                    full = true;
                    Ok(())
                }
                other => other,
            })?;
            self.has_spare = !full;
        }
        Ok(self.has_spare)
    }

    /// Takes a segment out; its file becomes the spare if there is none.
    pub(crate) fn retire(&mut self, number: SegmentNumber) -> Result<(), LogError> {
        let name = file_name(number);
        self.step("retire a segment", |this| {
            if this.has_spare {
                this.disk.remove(&name)?;
            } else {
                this.disk.rename(&name, SPARE)?;
            }
            this.disk.sync_directory()
        })?;
        self.has_spare = true;
        Ok(())
    }

    /// A whole segment.
    pub(crate) fn load(&mut self, number: SegmentNumber) -> Result<Vec<u8>, LogError> {
        let name = file_name(number);
        let mut bytes = vec![0; usize::try_from(self.segment_bytes).expect("a segment fits into memory")];
        self.disk.read(&name, 0, &mut bytes).map_err(LogError::io("read", &name))?;
        Ok(bytes)
    }

    /// A payload that is on the disk.
    pub(crate) fn read(&mut self, location: Location) -> Result<Vec<u8>, LogError> {
        if !self.has(location) {
            self.check()?;
        }
        let name = file_name(location.segment);
        let mut payload = vec![0; usize::try_from(location.bytes).expect("a record fits into memory")];
        self.disk.read(&name, location.offset, &mut payload).map_err(LogError::io("read", &name))?;
        Ok(payload)
    }

    /// Makes the segment that recovery begins: header, copies, and then the name.
    pub(crate) fn begin_recovered(&mut self, header: &SegmentHeader, batch: Option<&[u8]>) -> Result<(), LogError> {
        self.step("begin a segment", |this| {
            this.disk.write(SPARE, 0, &header.encode())?;
            if let Some(batch) = batch {
                this.disk.write(SPARE, crate::format::SECTOR_BYTES, batch)?;
            }
            if !mutated!(NameBeforeCopies) {
                this.disk.sync(SPARE)?;
            }
            let name = file_name(header.number);
            this.name_spare(&name)?;
            this.current = name;
            this.written = crate::format::SECTOR_BYTES + batch.map_or(0, |batch| batch.len() as u64);
            Ok(())
        })
    }

    /// Removes files that a crash left.
    pub(crate) fn clear(&mut self, names: &[String]) -> Result<(), LogError> {
        if names.is_empty() {
            return Ok(());
        }
        self.step("remove what is not needed", |this| {
            names.iter().try_for_each(|name| this.disk.remove(name))?;
            this.disk.sync_directory()
        })
    }
}
