//! What can go wrong, by who has to act.
//!
//! Knows: names and words. Does not know: how it came about.

use std::io;
use std::sync::Arc;

use crate::ids::Sequence;

/// What a log answers instead of doing as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// Another process, or another log of this one, has the directory open.
    #[error("the log in {directory} is in use by another process")]
    Locked {
        /// The directory.
        directory: String,
    },
    /// The disk said no while the log was being opened or read. Nothing was changed.
    #[error("{action} {file}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, in the log's directory.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// Something that was durable cannot be read. The log refuses to open; nothing was changed.
    #[error("the log is damaged: {0}")]
    Corrupt(Damage),
    /// Written by a version of this crate that this one does not know.
    #[error("{file} has format version {version}; this program reads version {known}", known = crate::format::FORMAT_VERSION)]
    Version {
        /// The segment.
        file: String,
        /// Its version.
        version: u32,
    },
    /// A write or a sync failed, and nobody knows what of it is on the disk: nothing is guaranteed any more, and nothing is tried
    /// again. Reading goes on. Open the log anew to go on writing.
    #[error("the log stopped after an error of the disk: {0}")]
    Poisoned(Arc<str>),
    /// No space, beside the reserve. Nothing was written; may be asked again when space was freed.
    #[error("the log is full: the disk has no space for another segment")]
    Full,
    /// Longer than [`crate::Config::record_bytes_max`].
    #[error("a record of {bytes} bytes; the limit is {bytes_max}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A setting outside of its range.
    #[error("{0}")]
    Config(&'static str),
}

/// Where durable data is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, offset {offset}, sequence {sequence}: {what}")]
pub struct Damage {
    /// The segment, in the log's directory.
    pub file: String,
    /// In bytes, from the beginning of the file.
    pub offset: u64,
    /// Of the first record that is affected.
    pub sequence: Sequence,
    /// What is wrong.
    pub what: &'static str,
}

impl LogError {
    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file: file.to_owned(), source }
    }
}
