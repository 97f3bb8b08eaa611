//! Whether a server's log and its completion store are of the same moment.
//!
//! Knows: marks. Each opening, and then each hour, puts one into the log, then into the store. So a log that has the store's mark is the
//! one that the store was last used with, in a state of then or a later one. Does not know: which records the store has (decision 0096).

use std::sync::{Arc, Mutex};

use rpcgen_log::LogError;
use rpcgen_proto::server::OtherMoment;
use rpcgen_store::ServerStore;

use crate::completion::{CompletionStore, KnownLog, LogMark, StoreError};
use crate::driver::inbox::lock;
use crate::durable::{DiskLog, OpenLogError};
use crate::random;

/// A log that is open.
#[derive(Clone, Copy)]
pub(super) struct Opened<'a> {
    pub(super) log: &'a Arc<DiskLog>,
    pub(super) books: &'a Mutex<ServerStore>,
    pub(super) directory: &'a str,
}

impl Opened<'_> {
    /// Whether log and store are of the same moment: they have a new mark in common from now on, and that is durable. `accepted`: the
    /// number of a mark that the store may have from another state of the log.
    pub(super) async fn belong_to(
        self,
        store: &dyn CompletionStore,
        accepted: Option<u64>,
    ) -> Result<(), OpenLogError> {
        let known = store.known_log(self.log.id()).await.map_err(|error| self.unknown(&error))?;
        let next = lock(self.books).next_mark(known, accepted).map_err(|other| self.restored(other))?;
        if let Some(other) = next.accepted {
            tracing::warn!(error = %self.restored(other), "it was accepted");
        }
        let now = KnownLog { number: next.number, mark: LogMark(random::bytes()) };
        let marked = lock(self.books).put_mark(&mut &**self.log, next.first, now.mark);
        marked.map_err(|error| self.failed(&error))?;
        self.settle().await?;
        // From here to the next line that is durable the log has both marks: whichever the store has, the next life finds it.
        let was = known.map(|known| known.mark);
        if !store.take_log(self.log.id(), was, now).await.map_err(|error| self.unknown(&error))? {
            let (log_mark, database_mark) = (lock(self.books).last_marked(), known.unwrap_or(now).number);
            return Err(self.restored(OtherMoment { log_mark, database_mark }));
        }
        if next.first != next.number {
            let marked = lock(self.books).put_mark(&mut &**self.log, next.number, now.mark);
            marked.map_err(|error| self.failed(&error))?;
        }
        lock(self.books).keep_last_mark(&mut &**self.log).map_err(|error| self.failed(&error))?;
        // Before anything begins: a store of before has no mark in common with the log any more.
        self.settle().await
    }

    async fn settle(self) -> Result<(), OpenLogError> {
        let stopped = || LogError::Poisoned("it stopped when it was marked".into());
        self.log.settle().await.map_err(|_| self.failed(&stopped()))
    }

    fn restored(&self, other: OtherMoment) -> OpenLogError {
        let OtherMoment { log_mark, database_mark } = other;
        OpenLogError::Restored { directory: self.directory.to_owned(), log_mark, database_mark }
    }

    fn unknown(&self, error: &StoreError) -> OpenLogError {
        let why = format!("whether it is the one that belongs to the database is not known: {error}");
        OpenLogError::Failed { directory: self.directory.to_owned(), why }
    }

    fn failed(&self, error: &LogError) -> OpenLogError {
        OpenLogError::Failed { directory: self.directory.to_owned(), why: error.to_string() }
    }
}
