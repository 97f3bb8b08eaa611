//! Exactly-once effects in any SQL database with asynchronous transactions.
//!
//! Knows: the order of things: let the handler work, write the record of its answer, commit, and only then answer. Does not know: a
//! database; a [`SqlDatabase`] does, in four functions.
//!
//! A table that serves has one row for each call key, and a unique index over it:
//!
//! ```sql
//! create table rpcgen_completions (
//!     client bytea not null, incarnation bigint not null, number bigint not null,   -- the call key
//!     digest bigint not null, owner_epoch bigint not null, is_failure boolean, answer bytea,
//!     primary key (client, incarnation, number)
//! );
//! ```
//!
//! and one with a row for each life of a client, which stays when the others are deleted ([`Found::Retired`](super::Found::Retired)).

use std::error::Error;
use std::fmt;

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::CallKey;

use super::{AnswerError, Backoff, CallRecord, Completion, RecordedAnswer};
use crate::server::Call;

/// How a handler's work in a transaction ends. Either way the answer is written into the same transaction, and is the answer for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "give it back to `once`, which writes the completion record and commits"]
pub enum Effect<R> {
    /// What the handler did is committed.
    Keep(R),
    /// What the handler did is rolled back: for typed errors that leave nothing behind.
    Undo(R),
}

impl<R> Effect<R> {
    /// The answer, and whether the effect is kept.
    pub fn into_parts(self) -> (R, bool) {
        match self {
            Self::Keep(answer) => (answer, true),
            Self::Undo(answer) => (answer, false),
        }
    }
}

/// A transaction that was begun for a call.
#[derive(Debug)]
pub enum Begun<T> {
    /// As far as anybody looked there is no record of the call: it may run.
    New(T),
    /// The call was completed before; nothing is open.
    Completed(Completion),
    /// It was, and the record is gone ([`Found::Retired`](super::Found::Retired)); nothing is open.
    Retired,
}

/// What an error of a database means for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same may work later: a lost connection, a deadlock, no room. Also when it is not known whether a commit
    /// succeeded: the next attempt
    /// finds the record if it did.
    Transient,
    /// Never again in this process: another server has taken over.
    Stopped,
    /// The same would fail again: a mistake in a statement, a constraint that the handler did not look after.
    Permanent,
}

/// A database that completion records can live in, beside the effects.
pub trait SqlDatabase: Send + Sync {
    /// An open transaction. Dropping it rolls back.
    type Transaction: Send;
    /// The driver's error.
    type Error: Error + Send + 'static;

    /// Begins a transaction. `may_have_run`: waits until no earlier transaction of this call can be committed any more, wherever it was
    /// lost or given up; then looks for the call's record, and fails with an error that is [`Failure::Stopped`] unless this process still
    /// owns the records (trap T9). Otherwise there is no need to look: [`Self::commit`] does. Any other error is waited for.
    fn begin(
        &self,
        call: &CallRecord,
        may_have_run: bool,
    ) -> impl Future<Output = Result<Begun<Self::Transaction>, Self::Error>> + Send;

    /// Rolls back what was done in the transaction; what follows is a new one.
    fn undo(&self, transaction: &mut Self::Transaction) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Inserts the call's row, with its answer, and commits. Returns when that is durable. Nothing of the transaction remains, and the
    /// error is [`Failure::Transient`], where there is such a row (so of two attempts one has its effect), where the client has retired
    /// it, and where this process is no owner any more ("where owner_epoch = mine"): the next attempt looks, and says which.
    fn commit(
        &self,
        transaction: Self::Transaction,
        call: &CallRecord,
        answer: &RecordedAnswer,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// What an error means.
    fn failure(error: &Self::Error) -> Failure;
}

/// Runs a handler's work in a transaction that also records its answer: the effect happens once, however often the call is delivered.
///
/// The work may begin several times, each time in a new transaction, until one is committed; it must have no effect but in the
/// transaction. A call that was completed before is answered from its record, and the work does not run.
///
/// An error of the database is nobody's answer. While it may pass, the call waits; when this process is no owner any more, it stays open
/// for the one that is.
///
/// # Panics
/// The work failed in a way that will not pass: nothing of it remains, and the caller is told that the handler panicked. Or the answer is
/// of another type than the handler returns, or breaks a limit of its type.
pub async fn once<D, R, F>(database: &D, call: &Call, mut work: F) -> R
where
    D: SqlDatabase,
    R: Send + 'static,
    F: AsyncFnMut(&mut D::Transaction) -> Result<Effect<R>, D::Error>,
{
    let record = call.record();
    let mut may_have_run = call.redelivered();
    let mut backoff = Backoff::default();
    loop {
        let transaction = match database.begin(&record, may_have_run).await {
            Ok(Begun::New(transaction)) => transaction,
            Ok(Begun::Completed(completion)) => return answer_of(&record, &completion),
            Ok(Begun::Retired) => refuse_retired(&record),
            Err(error) if D::failure(&error) == Failure::Stopped => leave_open(&record, error.to_string()).await,
            // Not the handler's: it did not run. Nor does it say whether there is a record, so the call cannot end with that; who looks
            // after the database can mend it.
            Err(error) => {
                tracing::warn!(key = %record.key, %error, "a transaction cannot begin, and is tried again");
                backoff.wait().await;
                continue;
            }
        };
        let error = match attempt(database, transaction, &record, &mut work).await {
            Ok(answer) => return answer,
            Err(error) => error,
        };
        // A first attempt may have met what another has left: its rows, say. Who has looked for the record is not misled by them.
        let has_looked = std::mem::replace(&mut may_have_run, true);
        match D::failure(&error) {
            Failure::Permanent if has_looked => {
                panic!("a handler's transaction failed and was rolled back: {}", chain(&error))
            }
            Failure::Permanent => {}
            Failure::Transient => {
                tracing::warn!(key = %record.key, %error, "a transaction is tried again");
                backoff.wait().await;
            }
            Failure::Stopped => leave_open(&record, error.to_string()).await,
        }
    }
}

async fn attempt<D, R, F>(
    database: &D,
    mut transaction: D::Transaction,
    record: &CallRecord,
    work: &mut F,
) -> Result<R, D::Error>
where
    D: SqlDatabase,
    R: Send + 'static,
    F: AsyncFnMut(&mut D::Transaction) -> Result<Effect<R>, D::Error>,
{
    let (answer, keep) = work(&mut transaction).await?.into_parts();
    if !keep {
        database.undo(&mut transaction).await?;
    }
    let (recorded, answer) = record.encode(answer).unwrap_or_else(|error| unfit(&error));
    database.commit(transaction, record, &recorded).await?;
    Ok(answer)
}

/// The answer of a call that was completed before, for its handler. For stores.
///
/// # Panics
/// As [`once`]; and a record of another request ends the call as [`Refusal::CallKeyReused`], never with that one's answer (trap T8).
pub fn answer_of<R: Send + 'static>(record: &CallRecord, completion: &Completion) -> R {
    if completion.digest != record.digest {
        tracing::error!(key = %record.key, "a call's key was used for another request before");
        // Caught by whoever runs the handler, and answered as what it is.
        std::panic::resume_unwind(Box::new(Refusal::CallKeyReused));
    }
    record.decode(&completion.answer).unwrap_or_else(|error| unfit(&error))
}

/// The call was answered before, and the record is gone: it does not run again, and what it was answered nobody knows any more. For stores.
///
/// # Panics
/// Always: whoever runs the handler catches that, and answers [`Refusal::Unknown`].
pub fn refuse_retired(record: &CallRecord) -> ! {
    say_retired(record.key);
    std::panic::resume_unwind(Box::new(Refusal::Unknown));
}

pub(crate) fn say_retired(key: CallKey) {
    tracing::error!(
        %key,
        "a call whose client had the answer has come again, and does not run: a log is older than the database, or a copy"
    );
}

/// The call is not answered in this process. For stores.
pub async fn leave_open<R>(record: &CallRecord, why: String) -> R {
    tracing::error!(key = %record.key, why, "a call stays open: it may be answered after a restart, or by another server");
    std::future::pending().await
}

fn unfit(error: &AnswerError) -> ! {
    panic!("{error}")
}

fn chain(error: &dyn Error) -> impl fmt::Display {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
