//! What the writer's thread is asked to do, and how who asked hears of it.
//!
//! Knows: a call's work, its answer, who waits. Does not know: when anything is committed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rpcgen_runtime::CallKey;
use rpcgen_runtime::completion::sql::Effect;
use rpcgen_runtime::completion::{
    AnswerError, CallRecord, Completion, Found, KnownLog, LogId, LogMark, RecordedAnswer, StoreError,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::Transaction;

/// How a call's work ended in the writer's thread.
pub(crate) enum Outcome<R> {
    /// Committed.
    Answered(R),
    /// Committed by an earlier delivery.
    Known(Completion),
    /// By one whose answer the client has had: the record is gone.
    Retired,
    /// Rolled back: the handler's statement failed.
    Failed(rusqlite::Error),
    /// Rolled back: the answer is none.
    Unfit(AnswerError),
    /// Rolled back: the handler panicked.
    Panicked(Box<dyn Any + Send>),
    /// Nothing was committed and nothing will be.
    Stopped(StoreError),
}

/// What a call's work came to, as far as the writer need know.
pub(crate) enum Worked {
    /// To be recorded; the effect is kept, or undone.
    Recorded { answer: RecordedAnswer, keep: bool },
    /// Kept, with no call whose answer it would be.
    Kept,
    /// Nothing of it remains; who waits for it will hear why.
    Dropped,
}

/// A call's work, or work of the program's own. It may be run several times, until a commit succeeds.
pub(crate) trait Work: Send {
    /// Which call it is done for. `None`: nobody's.
    fn record(&self) -> Option<&CallRecord>;
    /// Runs it in a savepoint. An error is SQLite's, and may be more than the call's own.
    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<Worked>;
    /// The statement's error is the handler's fault.
    fn fail(&mut self, error: rusqlite::Error);
    /// The call was completed before.
    fn known(&mut self, completion: Completion);
    /// It was, and the record is gone.
    fn retired(&mut self);
    /// What it came to is durable: tell.
    fn settle(self: Box<Self>);
    /// Nothing will be committed any more.
    fn stop(self: Box<Self>, why: &StoreError);
}

/// A place in the queue, as long as the job is there.
pub(crate) type Room = OwnedSemaphorePermit;

/// A job for the writer's thread. Calls and questions about calls are bounded by their room, retirements by what they are one word for;
/// logs are asked for by servers that begin.
pub(crate) enum Job {
    Work(Box<dyn Work>, Room),
    Find(CallKey, Asked<Found>, Room),
    /// Something may be deleted.
    Retire,
    KnownLog(LogId, Asked<Option<KnownLog>>),
    TakeLog(LogId, Option<LogMark>, KnownLog, Asked<bool>),
}

/// What the store itself was asked: what it found, and who waits for that.
pub(crate) struct Asked<T> {
    pub(crate) found: Option<T>,
    waiting: oneshot::Sender<Result<T, StoreError>>,
}

impl<T> Asked<T> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (waiting, told) = oneshot::channel();
        (Self { found: None, waiting }, told)
    }

    /// What was found is durable. Whoever has gone meanwhile need not know.
    pub(crate) fn settle(self) {
        if let Some(found) = self.found {
            let _ = self.waiting.send(Ok(found));
        }
    }

    pub(crate) fn stop(self, why: &StoreError) {
        let _ = self.waiting.send(Err(why.clone()));
    }
}

/// The work of a handler that returns `R`.
pub(crate) struct HandlerWork<R, F> {
    pub(crate) record: CallRecord,
    pub(crate) work: F,
    pub(crate) outcome: Option<Outcome<R>>,
    pub(crate) waiting: oneshot::Sender<Outcome<R>>,
}

impl<R, F> Work for HandlerWork<R, F>
where
    R: Send + 'static,
    F: FnMut(&Transaction<'_>) -> rusqlite::Result<Effect<R>> + Send,
{
    fn record(&self) -> Option<&CallRecord> {
        Some(&self.record)
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<Worked> {
        let work = &mut self.work;
        // A panic is the handler's own: it is caught here, the savepoint undone, and goes on where the handler waits.
        let effect = match catch_unwind(AssertUnwindSafe(|| work(transaction))) {
            Ok(effect) => effect?,
            Err(panic) => {
                self.outcome = Some(Outcome::Panicked(panic));
                return Ok(Worked::Dropped);
            }
        };
        let (answer, keep) = effect.into_parts();
        match self.record.encode(answer) {
            Ok((recorded, answer)) => {
                self.outcome = Some(Outcome::Answered(answer));
                Ok(Worked::Recorded { answer: recorded, keep })
            }
            Err(error) => {
                self.outcome = Some(Outcome::Unfit(error));
                Ok(Worked::Dropped)
            }
        }
    }

    fn fail(&mut self, error: rusqlite::Error) {
        self.outcome = Some(Outcome::Failed(error));
    }

    fn known(&mut self, completion: Completion) {
        self.outcome = Some(Outcome::Known(completion));
    }

    fn retired(&mut self) {
        self.outcome = Some(Outcome::Retired);
    }

    fn settle(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Its session has ended meanwhile: the record is there when the call comes again.
            let _ = self.waiting.send(outcome);
        }
    }

    fn stop(self: Box<Self>, why: &StoreError) {
        let _ = self.waiting.send(Outcome::Stopped(why.clone()));
    }
}
