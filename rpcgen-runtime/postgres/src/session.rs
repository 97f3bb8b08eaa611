//! Connections: a few, reused, each with its statements.
//!
//! Knows: what a connection has to be before it is used: the owner's, read-only outside of transactions, durable. And which calls have a
//! transaction of which it is not known yet how it ended. Does not know: what calls do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
    /// Calls with transactions that may still be open, or be committed yet, and how many: nothing else is done for them until then.
    unsettled: watch::Sender<HashMap<CallKey, usize>>,
    /// Why nothing is committed any more.
    pub(crate) stopped: watch::Sender<Option<String>>,
}

/// One of the call's transactions has ended.
fn settle(unsettled: &mut HashMap<CallKey, usize>, call: CallKey) {
    if let Entry::Occupied(mut count) = unsettled.entry(call) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
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
            unsettled: watch::Sender::default(),
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

    /// Until no transaction of this call is open or may be committed yet.
    pub(crate) async fn settled(&self, call: CallKey) {
        // An error would say that the pool has gone.
        let _ = self.unsettled.subscribe().wait_for(|unsettled| !unsettled.contains_key(&call)).await;
    }

    /// A transaction of this call was given up, wherever it stood: it is rolled back, or found out to have ended. A connection that is lost
    /// may have a `commit` on its way: its process at the other end is ended, and has gone, before anything else is done for the call.
    ///
    /// `runs`: a handler's statement is under way, and is cancelled first, as nobody waits for it. A `commit` never is: one that waits
    /// for a replica would be there without.
    pub(crate) fn give_up(self: Arc<Self>, mut lent: Lent, call: CallKey, runs: bool) {
        // Without a runtime the connection goes, and PostgreSQL rolls back by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        self.unsettled.send_modify(|unsettled| *unsettled.entry(call).or_default() += 1);
        runtime.spawn(async move {
            let client = &lent.session.client;
            let roll_back = async {
                if runs && !client.is_closed() {
                    // If it does not arrive, the rollback waits.
                    let _ = client.cancel_token().cancel_query(NoTls).await;
                }
                client.batch_execute("rollback").await
            };
            if matches!(tokio::time::timeout(ROLLBACK_WITHIN, roll_back).await, Ok(Ok(()))) {
                // One of them may be what failed: a plan that does not fit a table any more.
                lent.session.statements.clear();
                self.take_back(lent);
            } else {
                let backend = lent.session.backend.clone();
                drop(lent);
                self.end(&backend).await;
            }
            self.unsettled.send_modify(|unsettled| settle(unsettled, call));
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

#[cfg(test)]
mod tests {
    use rpcgen_runtime::{CallNumber, ClientId, Incarnation};

    use super::*;

    #[test]
    fn a_call_is_settled_when_all_its_transactions_are() {
        let call = CallKey { client: ClientId(1), incarnation: Incarnation(0), number: CallNumber(7) };
        let mut unsettled = HashMap::from([(call, 2)]);
        settle(&mut unsettled, call);
        assert!(unsettled.contains_key(&call), "another one may be committed yet");
        settle(&mut unsettled, call);
        assert!(unsettled.is_empty());
    }
}
