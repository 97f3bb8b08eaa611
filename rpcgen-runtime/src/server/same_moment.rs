//! Whether a server's log and its completion store are of the same moment.
//!
//! Knows: marks. Each opening, and then each hour, puts one into the log, then into the store. So a log that has the store's mark is the
//! one that the store was last used with, in a state of then or a later one. Does not know: which records the store has (decision 0096).

use std::sync::{Arc, Mutex};

use rpcgen_log::LogError;
use rpcgen_store::{LogMark, ServerStore};

use crate::completion::{CompletionStore, KnownLog, StoreError};
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
        if let Some(known) = known.filter(|known| !lock(self.books).has_mark(known.mark)) {
            let error = self.restored(known);
            if accepted != Some(known.number) {
                return Err(error);
            }
            tracing::warn!(%error, "it was accepted");
        }
        // Higher than every one before, so that what was accepted once by its number is not accepted again.
        let last = known.map_or(0, |known| known.number).max(lock(self.books).last_marked());
        let now = KnownLog { number: last.saturating_add(1), mark: LogMark(random::bytes()) };
        let marked = lock(self.books).put_mark(&mut &**self.log, now.number, now.mark);
        let marked = marked.map_err(|error| self.failed(&error))?;
        self.log.commit_soon();
        if self.log.wait(marked).await.is_err() {
            return Err(self.failed(&LogError::Poisoned("it stopped when it was marked".into())));
        }
        // From here to the next line that is durable the log has both marks: whichever the store has, the next life finds it.
        let was = known.map(|known| known.mark);
        if !store.take_log(self.log.id(), was, now).await.map_err(|error| self.unknown(&error))? {
            return Err(self.restored(known.unwrap_or(now)));
        }
        lock(self.books).keep_last_mark(&mut &**self.log).map_err(|error| self.failed(&error))?;
        self.log.commit_soon();
        Ok(())
    }

    fn restored(&self, known: KnownLog) -> OpenLogError {
        let (directory, log_mark) = (self.directory.to_owned(), lock(self.books).last_marked());
        OpenLogError::Restored { directory, log_mark, database_mark: known.number }
    }

    fn unknown(&self, error: &StoreError) -> OpenLogError {
        let why = format!("whether it is the one that belongs to the database is not known: {error}");
        OpenLogError::Failed { directory: self.directory.to_owned(), why }
    }

    fn failed(&self, error: &LogError) -> OpenLogError {
        OpenLogError::Failed { directory: self.directory.to_owned(), why: error.to_string() }
    }
}
