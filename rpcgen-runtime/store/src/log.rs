//! What the book-keepers ask of a log: the same of one in this thread and of one that many threads share.
//!
//! Knows: append, release. Does not know: commits; whoever has the log sees to them.

pub use rpcgen_log::Room;
use rpcgen_log::{Disk, Log, LogError, Sequence, SharedLog, StreamId};

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
        self.append_in(stream, payload, room)
    }

    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
        Self::release(self, stream, first..=last).map(|_| ())
    }
}

/// What belongs together is one commit: whoever appends says when it is complete, with [`SharedLog::commit_soon`].
impl<D: Disk + Send + 'static> RecordLog for &SharedLog<D> {
    fn append(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        self.append_later(stream, payload, room)
    }

    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
        SharedLog::release(self, stream, first..=last).map(|_| ())
    }
}
