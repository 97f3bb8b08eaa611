//! What can go wrong between sessions and their log.
//!
//! Knows: words. Does not know: how it came about.

use rpcgen_log::{LogError, Sequence, StreamId};

use crate::codec::DecodeError;

/// Why a log cannot be used, or a record is not on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The log says no.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record is whole, and none that this program knows: it was written by a later version, or by something else.
    #[error("record {sequence} of stream {stream} cannot be read: {source}", stream = .stream.0)]
    Record {
        /// In which stream.
        stream: StreamId,
        /// Where.
        sequence: Sequence,
        /// Why.
        source: DecodeError,
    },
    /// The directory has the log of something else.
    #[error("this is the log of {found}, not of {wanted}; give each client and each server a directory of its own")]
    OtherOwner {
        /// Whose it is.
        found: String,
        /// Who wants it.
        wanted: String,
    },
}
