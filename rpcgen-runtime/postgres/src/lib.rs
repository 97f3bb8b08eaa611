//! Exactly-once effects in PostgreSQL.
//!
//! A handler's work and the record of its answer are one transaction: the effect happens once, however often the call is delivered and
//! whenever a process is killed.
//!
//! ```ignore
//! let db = Postgres::open("host=/run/postgresql user=bank dbname=bank").await?;
//! let server = Server::builder().completions(db.clone()).serve(bank::server(MyBank { db })).listen(..).await?;
//!
//! async fn transfer(&self, call: &Call, app_id: AppId, from: i64, to: i64, amount: i64) -> Result<i64, TransferError> {
//!     self.db
//!         .once(call, async move |tx| {
//!             let paid = "update accounts set balance = balance - $2 where id = $1 and balance >= $2 returning balance";
//!             let Some(row) = tx.query_opt(paid, &[&from, &amount]).await? else {
//!                 return Ok(Effect::Undo(Err(TransferError::TooLittle)));
//!             };
//!             tx.execute("update accounts set balance = balance + $2 where id = $1", &[&to, &amount]).await?;
//!             Ok(Effect::Keep(Ok(row.get(0))))
//!         })
//!         .await
//! }
//! ```
//!
//! # Two servers
//!
//! Who opens the database becomes its owner. Each connection of an owner holds a shared advisory lock; who takes over counts the owner's
//! epoch up, ends the connections of the owner before, also of one that is stopped within a transaction, and only then goes on: nothing of
//! an earlier owner is committed afterwards (trap T9). Each transaction looks at the epoch as well. The lock belongs to a connection: do
//! not put a pooler that shares connections between transactions in between.
//!
//! # Limits
//!
//! No TLS yet: a Unix socket, the loopback, or a network that is your own. `synchronous_commit` is set to on for the store's connections if
//! it was off. A handler's statement that would end the transaction (`commit`, `end`, `abort`, `rollback` but to a savepoint) does not run:
//! nothing remains of the handler's work, and its call ends as "the handler panicked". The same of one that would change the connection for
//! the calls after it (`set` but `set local`, `set transaction` and `set constraints`; `reset`, `discard`, `prepare`, `deallocate`,
//! `listen`, `unlisten`, `load`). What else outlives a transaction is there for the call that has the connection next: a session's advisory
//! lock (`pg_advisory_xact_lock` goes by itself), a temporary table without `on commit drop`, a cursor `with hold`.
#![forbid(unsafe_code)]

mod error;
mod session;
mod statements;
mod store;
mod transaction;
mod words;

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use rpcgen_runtime::Call;
use rpcgen_runtime::completion::StoreError;
use rpcgen_runtime::completion::sql;
pub use rpcgen_runtime::completion::sql::Effect;
use tokio::sync::watch;
pub use tokio_postgres;

pub use crate::error::Error;
use crate::session::{Pool, Session};
use crate::statements::Statements;
pub use crate::transaction::{Params, Transaction};

/// The tables of completion records, as [`Postgres::open`] creates them: for migrations of your own, and to read.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Connections, unless told otherwise: more than a small server has cores, so that some can wait for the disk.
const CONNECTIONS_MAX: usize = 16;

/// A database in which handlers have exactly-once effects. A handle: clones are the same database.
#[derive(Clone)]
pub struct Postgres {
    pool: Arc<Pool>,
    /// Tells that the pool has more to delete.
    news: watch::Sender<()>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("epoch", &self.pool.epoch).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens a database (`host=.. user=.. dbname=..`, or a `postgresql://` address) with 16 connections at most, creates the tables
    /// of [`SCHEMA`], and becomes its owner: what an earlier owner has not committed yet, it never will.
    ///
    /// # Errors
    /// The address makes no sense, nobody is there, or PostgreSQL says no: the user may have to be the one of the earlier owner, or have
    /// `pg_signal_backend`.
    pub async fn open(address: &str) -> Result<Self, Error> {
        Self::open_with(address, CONNECTIONS_MAX).await
    }

    /// The same with another number of connections.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(address: &str, connections_max: usize) -> Result<Self, Error> {
        let config = tokio_postgres::Config::from_str(address)?;
        let session = Session::connect(&config).await?;
        let (epoch, statements) = take_over(&session).await?;
        let pool = Arc::new(Pool::new(config, epoch, statements, connections_max.max(1)));
        let (news, heard) = watch::channel(());
        tokio::spawn(store::clean_up(Arc::downgrade(&pool), heard));
        Ok(Self { pool, news })
    }

    /// Runs a handler's work in a transaction that also records its answer, and returns the answer when both are durable. A call that
    /// was completed before is answered from its record; the work does not run then.
    ///
    /// The work may run several times until a commit succeeds (a deadlock, a lost connection), each time from the beginning, and must
    /// have no effect but in the transaction. An error of the database is nobody's answer. There is one attempt at a call at a time: this
    /// waits for an earlier one that is still open. So it must not be called for the same call within the work.
    ///
    /// # Panics
    /// The work returned an error that will not pass: nothing of it remains, and the caller is told that the handler panicked. Or the
    /// server does not know the store ([`completions`](rpcgen_runtime::server::ServerBuilder::completions)).
    pub async fn once<R, F>(&self, call: &Call, work: F) -> R
    where
        R: Send + 'static,
        F: AsyncFnMut(&mut Transaction) -> Result<Effect<R>, Error>,
    {
        sql::once(self, call, work).await
    }

    /// Waits until another server has taken over, and says so. This one should end then.
    pub async fn stopped(&self) -> StoreError {
        let mut stopped = self.pool.stopped.subscribe();
        let why = stopped.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        StoreError::Stopped(why.unwrap_or_default())
    }

    /// Which owner of the database this one is; counts up.
    #[must_use]
    pub fn owner_epoch(&self) -> u64 {
        self.pool.epoch
    }
}

/// From here on nothing that an earlier owner does is committed.
async fn take_over(session: &Session) -> Result<(u64, Statements), Error> {
    let client = &session.client;
    client.batch_execute(SCHEMA).await?;
    let statements = Statements::of(client).await?;
    // First: whoever connects from now on finds it. Then those who are connected.
    let row = client.query_one(&statements.next_owner, &[]).await?;
    let epoch: i64 = row.get(0);
    let mut pause = Duration::from_millis(1);
    loop {
        client.query(&statements.end_holders, &[]).await?;
        if client.query_one(&statements.is_alone, &[]).await?.get(0) {
            break;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
    client.batch_execute("select pg_advisory_unlock_all()").await?;
    Ok((epoch.cast_unsigned(), statements))
}
