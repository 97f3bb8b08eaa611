//! A bank over either database: tests of what holds for both.
//!
//! Knows: both databases. Does not know: what a test does with them.

use std::path::PathBuf;
use std::sync::Arc;

use rpcgen_postgres::Postgres;
use rpcgen_postgres::tokio_postgres::{self, NoTls};
use rpcgen_runtime::completion::sql::Effect;
use rpcgen_runtime::completion::{CompletionStore, Found, KnownLog, LogId, LogMark, StoreError, StoreFuture};
use rpcgen_runtime::{AppId, Call, CallKey, CallNumber, ClientId, Incarnation};
use rpcgen_sqlite::Sqlite;
use rpcgen_sqlite::rusqlite::Connection;

use crate::ledger::{self, BalanceError, TransferError};
use crate::{Folder, Gates, Place, PostgresServer, postgres};

/// A database of a test's own, and a folder for logs.
#[derive(Debug)]
pub struct World {
    folder: Folder,
    /// `None`: a file in the folder.
    server: Option<(Arc<PostgresServer>, String)>,
}

/// One world for each database that there is here. The name is the database's.
#[must_use]
pub fn worlds(name: &str) -> Vec<World> {
    let with_server = postgres().map(|server| {
        let address = server.database(name);
        World { folder: Folder::new(name), server: Some((server, address)) }
    });
    [World { folder: Folder::new(name), server: None }].into_iter().chain(with_server).collect()
}

/// One of the two.
#[derive(Clone, Debug)]
pub enum Db {
    /// A file.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
}

/// A bank whose transfers leave a line in a journal each, answer with their amount, and do nothing else.
#[derive(Clone, Debug)]
pub struct Bank {
    /// Its database, and the completion store.
    pub db: Db,
    /// Where a test holds its handlers.
    pub gates: Gates,
}

impl World {
    /// A folder for a log.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("bank.db")
    }

    /// Opens the database, and becomes its owner.
    ///
    /// # Panics
    /// It cannot.
    pub async fn open(&self) -> Bank {
        let db = match &self.server {
            None => {
                let table = "create table if not exists journal (reference integer not null) strict";
                Db::Sqlite(Sqlite::open_with(self.file(), |db| db.execute_batch(table)).expect("a new file opens"))
            }
            Some((_, address)) => {
                self.run("create table if not exists journal (reference bigint not null)").await;
                Db::Postgres(Postgres::open(address).await.expect("the test's own server is there"))
            }
        };
        Bank { db, gates: Gates::default() }
    }

    /// Runs statements beside the bank.
    ///
    /// # Panics
    /// The database says no.
    pub async fn run(&self, sql: &str) {
        match &self.server {
            None => self.beside().execute_batch(sql).expect("a statement of the test"),
            Some((_, address)) => look(address).await.batch_execute(sql).await.expect("a statement of the test"),
        }
    }

    /// The number that a query gives, beside the bank.
    ///
    /// # Panics
    /// The database says no.
    pub async fn number(&self, sql: &str) -> i64 {
        match &self.server {
            None => self.beside().query_row(sql, (), |row| row.get(0)).expect("a query of the test"),
            Some((_, address)) => look(address).await.query_one(sql, &[]).await.expect("a query of the test").get(0),
        }
    }

    fn beside(&self) -> Connection {
        Connection::open(self.file()).expect("the file is there")
    }

    /// Bytes as a statement has them.
    #[must_use]
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.server.is_some() { format!("'\\x{digits}'") } else { format!("x'{digits}'") }
    }
}

async fn look(address: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.expect("the test's own server is there");
    tokio::spawn(connection);
    client
}

impl ledger::Ledger for Bank {
    async fn transfer(
        &self,
        call: &Call,
        _app_id: AppId,
        _from: u64,
        _to: u64,
        amount: u64,
        reference: u64,
    ) -> Result<u64, TransferError> {
        self.gates.pass(Place::Before, call).await;
        let reference = reference.cast_signed();
        let answer = match &self.db {
            Db::Sqlite(db) => {
                let work = move |tx: &rpcgen_sqlite::Transaction<'_>| {
                    tx.execute("insert into journal values (?1)", [reference])?;
                    Ok(Effect::Keep(Ok(amount)))
                };
                db.once(call, work).await
            }
            Db::Postgres(db) => {
                db.once(call, async move |tx| {
                    tx.execute("insert into journal values ($1)", &[&reference]).await?;
                    Ok(Effect::Keep(Ok(amount)))
                })
                .await
            }
        };
        self.gates.pass(Place::After, call).await;
        answer
    }

    async fn balance(&self, _call: &Call, _app_id: AppId, _account: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

impl Db {
    fn store(&self) -> &dyn CompletionStore {
        match self {
            Self::Sqlite(db) => db,
            Self::Postgres(db) => db,
        }
    }
}

impl CompletionStore for Db {
    fn find(&self, key: CallKey) -> StoreFuture<'_, Result<Found, StoreError>> {
        self.store().find(key)
    }

    fn retire(&self, client: ClientId, incarnation: Incarnation, below: CallNumber) {
        self.store().retire(client, incarnation, below);
    }

    fn known_log(&self, log: LogId) -> StoreFuture<'_, Result<Option<KnownLog>, StoreError>> {
        self.store().known_log(log)
    }

    fn take_log(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.store().take_log(log, was, now)
    }

    fn stopped(&self) -> StoreFuture<'_, StoreError> {
        self.store().stopped()
    }
}
