//! What the book-keepers ask of a log: the same of one in this thread and of one that many threads share.
//!
//! Knows: append, release. Does not know: commits; whoever has the log sees to them.

use rpcgen_log::{Disk, Log, LogError, Sequence, SharedLog, StreamId};

/// Which space a record may use when the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Not the reserve: it begins something, and is refused.
    Ordinary,
    /// The reserve too: it completes something that was accepted.
    Reserved,
}

/// A log that takes records and forgets them.
pub trait RecordLog {
    /// Adds a record to the next commit.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::TooLarge`], [`LogError::Poisoned`]: nothing happened.
    fn append(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError>;

    /// Forgets the records of the stream from `first` to `last`, both included.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::Poisoned`]: nothing happened.
    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError>;
}

impl<D: Disk> RecordLog for Log<D> {
    fn append(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        match room {
            Room::Ordinary => Self::append(self, stream, payload),
            Room::Reserved => self.append_reserved(stream, payload),
        }
    }

    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
        Self::release(self, stream, first..=last).map(|_| ())
    }
}

/// What belongs together is one commit: whoever appends says when it is complete, with [`SharedLog::commit_soon`].
impl<D: Disk + Send + 'static> RecordLog for &SharedLog<D> {
    fn append(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        match room {
            Room::Ordinary => self.append_later(stream, payload, false),
            Room::Reserved => self.append_later(stream, payload, true),
        }
    }

    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
        SharedLog::release(self, stream, first..=last).map(|_| ())
    }
}
