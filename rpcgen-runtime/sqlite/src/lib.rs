//! Exactly-once effects in SQLite.
//!
//! A handler's work and the record of its answer are one transaction: the effect happens once, however often the call is delivered and
//! whenever a process is killed.
//!
//! ```ignore
//! let db = Sqlite::open_with("bank.db", |db| db.execute_batch("create table if not exists accounts (..) strict"))?;
//! let server = Server::builder().completions(db.clone()).serve(bank::server(MyBank { db })).listen(..).await?;
//!
//! async fn transfer(&self, call: &Call, app_id: AppId, from: u64, to: u64, amount: u64) -> Result<u64, TransferError> {
//!     self.db
//!         .once(call, move |tx| {
//!             let paid = tx.execute("update accounts set balance = balance - ?2 where id = ?1 and balance >= ?2", (from, amount))?;
//!             if paid == 0 {
//!                 return Ok(Effect::Undo(Err(TransferError::TooLittle)));
//!             }
//!             let balance = tx.query_row("update accounts set .. returning balance", (to, amount), |row| row.get(0))?;
//!             Ok(Effect::Keep(Ok(balance)))
//!         })
//!         .await
//! }
//! ```
//!
//! One thread writes. It takes all calls that wait, runs each in a savepoint of one transaction, and commits once: so many calls share
//! a sync. Nobody is answered before.
//!
//! # What survives what
//!
//! Everything that was answered: the end of the process, and power loss (write-ahead log, `synchronous = full`, and all that an earlier
//! process left is written again and synced before the first answer is read from it). After an error that leaves open what is on
//! the disk, nothing is committed or answered any more ([`Sqlite::stopped`]): start the server again. A full disk is waited for.
#![forbid(unsafe_code)]

mod aside;
mod error;
mod group;
mod job;
mod open;
mod own;
mod retire;
mod statements;
mod transaction;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

pub use rpcgen_runtime::completion::sql::Effect;
use rpcgen_runtime::completion::sql::{answer_of, leave_open, refuse_retired};
use rpcgen_runtime::completion::{CompletionStore, Found, KnownLog, LogId, LogMark, StoreError, StoreFuture};
use rpcgen_runtime::{Call, CallKey, CallNumber, ClientId, Incarnation};
pub use rusqlite;
use tokio::sync::{Semaphore, oneshot, watch};

pub use crate::error::{OpenError, RunError};
use crate::job::{Asked, HandlerWork, Job, Outcome, Room};
use crate::retire::Retired;
pub use crate::transaction::Transaction;

/// The tables of completion records, as [`Sqlite::open`] creates them: for migrations of your own, and to read.
pub const SCHEMA: &str = include_str!("schema.sql");

/// A database in which handlers have exactly-once effects. A handle: clones are the same database. The last one closes it.
#[derive(Clone)]
pub struct Sqlite {
    /// Bounded by `room`.
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    retired: Retired,
    stopped: watch::Receiver<Option<StoreError>>,
    path: Arc<Path>,
    epoch: u64,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens a database, or creates it, with the tables of [`SCHEMA`], and becomes its owner: a process that was it before commits
    /// nothing any more.
    ///
    /// # Errors
    /// SQLite says no, or the database cannot be durable.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, |_| Ok(()))
    }

    /// The same; `prepare` makes the tables of the business, in a transaction of its own.
    ///
    /// # Errors
    /// As [`Self::open`]; and what `prepare` returns.
    pub fn open_with(
        path: impl AsRef<Path>,
        prepare: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<()>,
    ) -> Result<Self, OpenError> {
        open::open(path.as_ref(), prepare)
    }

    /// Runs a handler's work in a transaction that also records its answer, and returns the answer when both are durable. A call
    /// that was completed before is answered from its record; the work does not run then.
    ///
    /// The work runs on the writer's thread, and all other calls wait for it: statements and arithmetic, nothing slow. It may run several
    /// times until a commit succeeds, each time from the beginning, and must have no effect but in the transaction. It can't end the
    /// transaction by itself. Where SQLite ends it (see [`Transaction`]), nothing of the work remains, whatever it returns.
    ///
    /// Return what this returns: who gives it up, and answers something else, contradicts the record, which may be committed all the same.
    ///
    /// An error of the database is nobody's answer: a call waits while it may pass (a busy database, a full disk), and stays open when
    /// it will not ([`Self::stopped`]).
    ///
    /// # Panics
    /// The work returned an error that will not pass, or panicked: nothing of it remains, and the caller is told that the handler
    /// panicked. Or the server does not know the store ([`completions`](rpcgen_runtime::server::ServerBuilder::completions)).
    pub async fn once<R, F>(&self, call: &Call, work: F) -> R
    where
        R: Send + 'static,
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<Effect<R>> + Send + 'static,
    {
        let record = call.record();
        let (waiting, outcome) = oneshot::channel();
        let room = self.room().await;
        self.push(Job::Work(Box::new(HandlerWork { record, work, outcome: None, waiting }), room));
        match outcome.await {
            Ok(Outcome::Answered(answer)) => answer,
            Ok(Outcome::Known(completion)) => answer_of(&record, &completion),
            Ok(Outcome::Retired) => refuse_retired(&record),
            Ok(Outcome::Failed(error)) => panic!("a handler's transaction failed and was rolled back: {error}"),
            Ok(Outcome::Unfit(error)) => panic!("{error}"),
            Ok(Outcome::Panicked(panic)) => std::panic::resume_unwind(panic),
            Ok(Outcome::Stopped(why)) => leave_open(&record, why.to_string()).await,
            Err(_) => leave_open(&record, gone().to_string()).await,
        }
    }

    /// Waits until no completion can be recorded any more, and says why. A server should end then: its next life goes on.
    pub async fn stopped(&self) -> StoreError {
        let mut stopped = self.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_else(gone),
            Err(_) => gone(),
        }
    }

    /// Which owner of the database this one is; counts up.
    #[must_use]
    pub fn owner_epoch(&self) -> u64 {
        self.epoch
    }

    /// A place in the writer's queue, when there is one.
    async fn room(&self) -> Room {
        Arc::clone(&self.room).acquire_owned().await.expect("nobody closes it")
    }

    fn ask<T: Send + 'static>(&self, job: impl FnOnce(Asked<T>) -> Job) -> StoreFuture<'_, Result<T, StoreError>> {
        let (asked, told) = Asked::new();
        self.push(job(asked));
        Box::pin(async { told.await.unwrap_or_else(|_| Err(gone())) })
    }

    /// A job that nobody takes is dropped, and whoever waits for it hears that.
    fn push(&self, job: Job) {
        let _ = self.jobs.send(job);
    }
}

fn gone() -> StoreError {
    StoreError::Stopped("the writer's thread has ended".to_owned())
}

impl CompletionStore for Sqlite {
    fn find(&self, key: CallKey) -> StoreFuture<'_, Result<Found, StoreError>> {
        Box::pin(async move {
            let room = self.room().await;
            self.ask(|asked| Job::Find(key, asked, room)).await
        })
    }

    fn retire(&self, client: ClientId, incarnation: Incarnation, below: CallNumber) {
        if self.retired.add(CallKey { client, incarnation, number: below }) {
            self.push(Job::Retire);
        }
    }

    fn known_log(&self, log: LogId) -> StoreFuture<'_, Result<Option<KnownLog>, StoreError>> {
        self.ask(|asked| Job::KnownLog(log, asked))
    }

    fn take_log(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.ask(|asked| Job::TakeLog(log, was, now, asked))
    }

    fn stopped(&self) -> StoreFuture<'_, StoreError> {
        Box::pin(self.stopped())
    }
}
