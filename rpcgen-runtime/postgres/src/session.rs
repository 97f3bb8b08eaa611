//! Connections: a few, reused, each with its statements.
//!
//! Knows: what a connection has to be before it is used: the owner's. Does not know: calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpcgen_runtime::completion::RetiredCalls;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::Error;
use crate::words::ends_transaction;

/// Statements that a connection keeps compiled; beyond, it forgets them all.
const STATEMENTS_MAX: usize = 256;

/// Whose a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Store,
    Handler,
}

/// A connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    statements: HashMap<String, Statement>,
}

impl Session {
    pub(crate) async fn connect(config: &Config) -> Result<Self, Error> {
        let (client, connection) = config.connect(NoTls).await?;
        // It ends with the client; why it ended is told to whoever uses the client.
        tokio::spawn(connection);
        Ok(Self { client, statements: HashMap::new() })
    }

    pub(crate) async fn statement(&mut self, sql: &str, of: Of) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if of == Of::Handler && ends_transaction(sql) {
            return Err(Error::EndsTransaction);
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
    idle: Mutex<Vec<Session>>,
    room: Arc<Semaphore>,
    /// What may be deleted.
    retired: Mutex<RetiredCalls>,
    /// Why nothing is committed any more.
    pub(crate) stopped: watch::Sender<Option<String>>,
}

/// A connection that is in use; nobody else has it.
pub(crate) struct Lent {
    pub(crate) session: Session,
    _room: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(config: Config, epoch: u64, connections_max: usize) -> Self {
        Self {
            config,
            epoch,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(connections_max)),
            retired: Mutex::default(),
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
        // While this connection holds the lock, nobody has taken over: who does so ends it first. So the epoch is looked at after that.
        session
            .client
            .batch_execute("select pg_advisory_lock_shared(1919968103, 'rpcgen_owner'::regclass::oid::int)")
            .await?;
        self.check_owner(&session).await?;
        Ok(Lent { session, _room: room })
    }

    /// Whether this process is still the owner.
    pub(crate) async fn check_owner(&self, session: &Session) -> Result<(), Error> {
        let owner: i64 = session.client.query_one("select epoch from rpcgen_owner", &[]).await?.get(0);
        if owner.cast_unsigned() == self.epoch {
            return Ok(());
        }
        let error = Error::TakenOver { owner: owner.cast_unsigned(), was: self.epoch };
        if self.stopped.send_replace(Some(error.to_string())).is_none() {
            tracing::error!(%error, "no completion is recorded any more; calls that need one stay open: end this server");
        }
        Err(error)
    }

    /// Takes one back that is outside of a transaction.
    pub(crate) fn take_back(&self, lent: Lent) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lent.session);
    }
}
