//! Connections: a few, reused, each with its statements.
//!
//! Knows: what a connection has to be before it is used: the owner's, read-only outside of transactions, durable. And which calls have a
//! transaction of which it is not known yet how it ended. Does not know: what calls do.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rpcgen_runtime::CallKey;
use rpcgen_runtime::completion::{Backoff, RetiredCalls};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::Error;
use crate::statements::Statements;
use crate::transaction::run_and_commit;
use crate::words::{ends_transaction, outlives_transaction};

/// Statements that a connection keeps compiled; beyond, it forgets them all.
const STATEMENTS_MAX: usize = 256;

/// How a transaction begins. Outside of one everything is read-only: a statement that was sent behind a `begin` that failed has no effect.
pub(crate) const BEGIN: &str = "begin read write";
/// Process IDs come again; the time of the beginning does not.
const OWN_BACKEND: &str =
    "select pid, extract(epoch from backend_start)::text from pg_stat_activity where pid = pg_backend_pid()";
const END_BACKEND: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where pid = $1 and extract(epoch from backend_start)::text = $2";

/// How long a transaction that was given up may take to be rolled back; then its connection counts as lost.
const ROLLBACK_WITHIN: Duration = Duration::from_secs(10);

/// The process of PostgreSQL behind a connection.
#[derive(Clone, Debug)]
struct Backend {
    pid: i32,
    began: String,
}

/// Whose a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Store,
    Handler,
}

/// A connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    backend: Backend,
    statements: HashMap<String, Statement>,
}

impl Session {
    pub(crate) async fn connect(config: &Config) -> Result<Self, Error> {
        let (client, connection) = config.connect(NoTls).await?;
        // It ends with the client; why it ended is told to whoever uses the client.
        tokio::spawn(connection);
        let row = client.query_one(OWN_BACKEND, &[]).await?;
        let backend = Backend { pid: row.get(0), began: row.get(1) };
        Ok(Self { client, backend, statements: HashMap::new() })
    }

    /// A statement of the store's own that changes something, in one round trip.
    pub(crate) async fn change(&mut self, sql: &str, params: crate::Params<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql, Of::Store).await?;
        run_and_commit(&self.client, true, &statement, params).await
    }

    pub(crate) async fn statement(&mut self, sql: &str, of: Of) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if of == Of::Handler && ends_transaction(sql) {
            return Err(Error::EndsTransaction);
        }
        if of == Of::Handler && outlives_transaction(sql) {
            return Err(Error::OutlivesTransaction);
        }
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// The connections of an owner.
pub(crate) struct Pool {
    pub(crate) config: Config,
    pub(crate) epoch: u64,
    pub(crate) statements: Statements,
    idle: Mutex<Vec<Session>>,
    room: Arc<Semaphore>,
    /// What may be deleted.
    retired: Mutex<RetiredCalls>,
    /// Calls with an attempt whose transaction may be open, or be committed yet: nothing else is done for them until then.
    attempts: watch::Sender<HashSet<CallKey>>,
    /// Why nothing is committed any more.
    pub(crate) stopped: watch::Sender<Option<String>>,
}

/// An attempt at a call, of which there is one at a time. It ends when its transaction has, wherever it was given up.
///
/// Two would not always meet at the record: what one of them sees of the database may be older than that it was written, and that it is
/// gone again.
pub(crate) struct Attempt {
    pool: Arc<Pool>,
    call: CallKey,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.pool.attempts.send_if_modified(|attempts| attempts.remove(&self.call));
    }
}

/// A connection that is in use; nobody else has it.
pub(crate) struct Lent {
    pub(crate) session: Session,
    _room: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(config: Config, epoch: u64, statements: Statements, connections_max: usize) -> Self {
        Self {
            config,
            epoch,
            statements,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(connections_max)),
            retired: Mutex::default(),
            attempts: watch::Sender::default(),
            stopped: watch::Sender::new(None),
        }
    }

    pub(crate) fn retired(&self) -> MutexGuard<'_, RetiredCalls> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, when there is one.
    pub(crate) async fn lend(&self) -> Result<Lent, Error> {
        let room = Arc::clone(&self.room).acquire_owned().await.expect("nobody closes it");
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(session) = idle() {
            if !session.client.is_closed() {
                return Ok(Lent { session, _room: room });
            }
        }
        let session = Session::connect(&self.config).await?;
        session.client.batch_execute(&self.statements.prepare).await?;
        // After that: whoever takes over now finds this connection.
        self.check_owner(&session).await?;
        Ok(Lent { session, _room: room })
    }

    /// Whether this process is still the owner.
    pub(crate) async fn check_owner(&self, session: &Session) -> Result<(), Error> {
        let owner: i64 = session.client.query_one(&self.statements.owner, &[]).await?.get(0);
        if owner.cast_unsigned() == self.epoch {
            return Ok(());
        }
        let error = Error::TakenOver { owner: owner.cast_unsigned(), was: self.epoch };
        if self.stopped.send_replace(Some(error.to_string())).is_none() {
            tracing::error!(%error, "no completion is recorded any more; calls that need one stay open: end this server");
        }
        Err(error)
    }

    /// Begins an attempt when there is no other one at this call, and whether there was one.
    pub(crate) async fn attempt(self: &Arc<Self>, call: CallKey) -> (Attempt, bool) {
        let mut has_waited = false;
        while !self.attempts.send_if_modified(|attempts| attempts.insert(call)) {
            has_waited = true;
            // An error would say that the pool has gone.
            let _ = self.attempts.subscribe().wait_for(|attempts| !attempts.contains(&call)).await;
        }
        (Attempt { pool: Arc::clone(self), call }, has_waited)
    }

    /// A transaction of this call was given up, wherever it stood: it is rolled back, or found out to have ended. A connection that is lost
    /// may have a `commit` on its way: its process at the other end is ended, and has gone, before anything else is done for the call.
    ///
    /// `runs`: a handler's statement is under way, and is cancelled first, as nobody waits for it. A `commit` never is: one that waits
    /// for a replica would be there without. A cancel is not acknowledged, and may arrive late, when the next transaction runs: such a
    /// connection is not used again.
    pub(crate) fn give_up(self: Arc<Self>, mut lent: Lent, attempt: Attempt, runs: bool) {
        // Without a runtime the connection goes, and PostgreSQL rolls back by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let client = &lent.session.client;
            let is_cancelled = runs && !client.is_closed();
            let roll_back = async {
                if is_cancelled {
                    // If it does not arrive, the rollback waits.
                    let _ = client.cancel_token().cancel_query(NoTls).await;
                }
                client.batch_execute("rollback").await
            };
            if matches!(tokio::time::timeout(ROLLBACK_WITHIN, roll_back).await, Ok(Ok(()))) {
                if !is_cancelled {
                    // One of them may be what failed: a plan that does not fit a table any more.
                    lent.session.statements.clear();
                    self.take_back(lent);
                }
            } else {
                let backend = lent.session.backend.clone();
                drop(lent);
                self.end(&backend).await;
            }
            drop(attempt);
        });
    }

    /// Until that process has gone.
    async fn end(&self, backend: &Backend) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.try_to_end(backend).await {
            tracing::warn!(%error, pid = backend.pid, "the process of a lost connection is not ended yet: its call waits");
            backoff.wait().await;
        }
    }

    async fn try_to_end(&self, backend: &Backend) -> Result<(), Error> {
        let session = Session::connect(&self.config).await?;
        let mut backoff = Backoff::default();
        while !session.client.query(END_BACKEND, &[&backend.pid, &backend.began]).await?.is_empty() {
            backoff.wait().await;
        }
        Ok(())
    }

    /// Takes one back that is outside of a transaction.
    pub(crate) fn take_back(&self, lent: Lent) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lent.session);
    }
}
