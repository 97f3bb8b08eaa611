//! Which records may go, and how many at a time.
//!
//! Knows: what clients have retired. Does not know: whether the deletion is committed, until it is told.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rpcgen_runtime::CallKey;
use rpcgen_runtime::completion::RetiredCalls;

use crate::statements::Statements;

/// Rows that go with one group at most: a client that comes back after a long time does not hold up the others.
const ROWS_MAX: u64 = 512;

/// How long nothing is deleted after that failed: a business may have keys that point to the records, and its calls go on.
const PAUSE: Duration = Duration::from_secs(1);

/// Until when nothing is deleted.
#[derive(Debug, Default)]
pub(crate) struct Pause(Cell<Option<Instant>>);

impl Pause {
    /// Deleting has failed.
    pub(crate) fn begin(&self, error: &rusqlite::Error) {
        tracing::warn!(%error, "records that may go stay for a while");
        self.0.set(Some(Instant::now() + PAUSE));
    }

    /// How long it lasts. `None`: there is none.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.get()?.checked_duration_since(Instant::now())
    }
}

/// What the handles add and the writer deletes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retired(Arc<Mutex<RetiredCalls>>);

impl Retired {
    fn lock(&self) -> MutexGuard<'_, RetiredCalls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Whether it is the first that waits: the writer may be asleep.
    pub(crate) fn add(&self, key: CallKey) -> bool {
        let mut calls = self.lock();
        let is_first = calls.is_empty();
        calls.add(key);
        is_first
    }

    /// Notes how far one client has all answers, and deletes some rows of it. What has no more rows, if that is committed.
    pub(crate) fn delete_some(&self, statements: &mut Statements<'_>) -> rusqlite::Result<Option<CallKey>> {
        let Some(key) = self.lock().first() else { return Ok(None) };
        statements.retire(key)?;
        let deleted = statements.delete_below(key, ROWS_MAX)?;
        Ok((deleted < ROWS_MAX).then_some(key))
    }

    /// The deletion is durable.
    pub(crate) fn committed(&self, finished: Option<CallKey>) {
        if let Some(key) = finished {
            self.lock().done(key);
        }
    }
}
