//! Work that no call asked for: a timer's, an import's. It shares transactions and syncs with what calls do.
//!
//! Knows: who waits for it. Does not know: calls.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rpcgen_runtime::completion::{CallRecord, Completion, StoreError};
use tokio::sync::oneshot;

use crate::job::{Job, Work, Worked};
use crate::{RunError, Sqlite, Transaction, gone};

impl Sqlite {
    /// Runs work of the program's own in a transaction, as [`once`](Self::once) does for calls, and returns what it gives when that is
    /// durable. Nothing is recorded of it: whoever runs it a second time does it a second time.
    ///
    /// The same holds for it: it runs on the writer's thread while calls wait, may run several times until a commit succeeds, and
    /// is waited for while an error may pass.
    ///
    /// # Errors
    /// The work returned an error that will not pass, or nothing is committed any more.
    ///
    /// # Panics
    /// The work panicked; nothing of it remains.
    pub async fn run<R, F>(&self, work: F) -> Result<R, RunError>
    where
        R: Send + 'static,
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<R> + Send + 'static,
    {
        let (waiting, outcome) = oneshot::channel();
        let room = self.room().await;
        self.push(Job::Work(Box::new(OwnWork { work, outcome: None, waiting }), room));
        match outcome.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Undone::Failed(error))) => Err(RunError::Work(error)),
            Ok(Err(Undone::Panicked(panic))) => std::panic::resume_unwind(panic),
            Ok(Err(Undone::Stopped(why))) => Err(RunError::Store(why)),
            Err(_) => Err(RunError::Store(gone())),
        }
    }
}

/// Why it was not done.
enum Undone {
    Failed(rusqlite::Error),
    Panicked(Box<dyn Any + Send>),
    Stopped(StoreError),
}

struct OwnWork<R, F> {
    work: F,
    outcome: Option<Result<R, Undone>>,
    waiting: oneshot::Sender<Result<R, Undone>>,
}

impl<R, F> Work for OwnWork<R, F>
where
    R: Send + 'static,
    F: FnMut(&Transaction<'_>) -> rusqlite::Result<R> + Send,
{
    fn record(&self) -> Option<&CallRecord> {
        None
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<Worked> {
        let work = &mut self.work;
        let (outcome, worked) = match catch_unwind(AssertUnwindSafe(|| work(transaction))) {
            Ok(done) => (Ok(done?), Worked::Kept),
            Err(panic) => (Err(Undone::Panicked(panic)), Worked::Dropped),
        };
        self.outcome = Some(outcome);
        Ok(worked)
    }

    fn fail(&mut self, error: rusqlite::Error) {
        self.outcome = Some(Err(Undone::Failed(error)));
    }

    /// Nothing is on record of it.
    fn known(&mut self, _completion: Completion) {}

    fn retired(&mut self) {}

    fn settle(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Who does not wait any more need not know.
            let _ = self.waiting.send(outcome);
        }
    }

    fn stop(self: Box<Self>, why: &StoreError) {
        let _ = self.waiting.send(Err(Undone::Stopped(why.clone())));
    }
}
