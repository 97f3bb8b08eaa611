//! Why a database cannot be used, or not any more.

use rpcgen_runtime::completion::StoreError;
use rusqlite::ErrorCode;

/// A database does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// SQLite says no; while another process holds the write lock it says so after ten seconds.
    #[error("the database cannot be opened for exactly-once effects: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Commits would not be durable.
    #[error(
        "the database has the journal mode `{0}`, and only `wal` is supported; is it on a network file system, or in memory?"
    )]
    JournalMode(String),
    /// The system has no thread for it.
    #[error("the writer's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why work of the program's own ([`run`](crate::Sqlite::run)) was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A statement of the work failed, and would fail again. Nothing of it remains.
    #[error("the transaction failed and was rolled back: {0}")]
    Work(#[from] rusqlite::Error),
    /// Nothing is committed any more ([`stopped`](crate::Sqlite::stopped)). If the commit of this work is what failed, the next owner
    /// finds it done or not.
    #[error(transparent)]
    Store(StoreError),
}

/// What an error of SQLite means for a group of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It may pass: another process writes, or there is no room.
    Transient,
    /// What is on the disk is not known any more. PostgreSQL learned it the hard way: a sync that failed is not tried again.
    Fatal,
    /// A mistake of the handler's.
    OfHandler,
}

pub(crate) fn meaning(error: &rusqlite::Error) -> Meaning {
    match error.sqlite_error_code() {
        // Locked is not busy: a handler is in its own way, say with a cursor in a table that it drops.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DiskFull | ErrorCode::OutOfMemory) => Meaning::Transient,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed,
        ) => Meaning::Fatal,
        _ => Meaning::OfHandler,
    }
}
