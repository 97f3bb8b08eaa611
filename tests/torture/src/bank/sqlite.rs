//! The bank in SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpcgen_runtime::Call;
use rpcgen_sqlite::rusqlite::{self, Connection, TransactionBehavior};
use rpcgen_sqlite::{Effect, OpenError, Sqlite};

use super::{Books, Decision, Row, Transfer};
use crate::ledger::TransferError;
use crate::plan::{ACCOUNTS, FIRST_BALANCE, Mistake};

/// The bank's tables. Nothing in the journal is unique: what is there twice shows.
const TABLES: &str = "
    create table if not exists accounts (id integer primary key, balance integer not null) strict;
    create table if not exists journal (
        client blob not null, number integer not null, reference integer not null,
        is_moved integer not null, says integer not null
    ) strict;";

/// Where the database of a run is.
fn file(folder: &Path) -> PathBuf {
    folder.join("bank.db")
}

/// The bank in SQLite.
#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) db: Sqlite,
    /// Where a mistake is made on purpose: a connection of the bank's own.
    careless: Option<Arc<Mutex<Connection>>>,
}

impl Bank {
    pub(crate) fn open(folder: &Path, mistake: Option<Mistake>) -> Result<Self, OpenError> {
        let db = Sqlite::open_with(file(folder), |db| {
            db.execute_batch(TABLES)?;
            for account in 0..ACCOUNTS {
                db.execute("insert or ignore into accounts values (?1, ?2)", (account, FIRST_BALANCE))?;
            }
            Ok(())
        })?;
        let careless = match mistake {
            Some(mistake @ (Mistake::NoRecord | Mistake::NoSync)) => Some(careless(folder, mistake)?),
            Some(Mistake::LogNoSync) | None => None,
        };
        Ok(Self { db, careless: careless.map(|db| Arc::new(Mutex::new(db))) })
    }

    pub(crate) async fn transfer(&self, call: &Call, transfer: Transfer) -> Result<u64, TransferError> {
        if let Some(careless) = &self.careless {
            let mut db = careless.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("others wait");
            let decision = work(transfer, &transaction).expect("the statements are right");
            // A disk that has lost its power says so; a careless bank does not listen.
            let _ = transaction.commit();
            return decision.answer();
        }
        self.db.once(call, move |tx| Ok(Effect::Keep(work(transfer, tx.connection())?.answer()))).await
    }
}

fn careless(folder: &Path, mistake: Mistake) -> rusqlite::Result<Connection> {
    let db = Connection::open(file(folder))?;
    db.busy_timeout(Duration::from_secs(10))?;
    if mistake == Mistake::NoSync {
        db.execute_batch("pragma synchronous = off")?;
    }
    Ok(db)
}

/// Moves the money if it is there, and writes down in any case what is answered.
fn work(transfer: Transfer, db: &Connection) -> rusqlite::Result<Decision> {
    let select = "select balance from accounts where id = ?1";
    let has: u64 = db.prepare_cached(select)?.query_row([transfer.from], |row| row.get(0))?;
    let decision = transfer.decide(has);
    if decision.is_moved {
        let mut add = db.prepare_cached("update accounts set balance = balance + ?2 where id = ?1")?;
        add.execute((transfer.from, -transfer.amount.cast_signed()))?;
        add.execute((transfer.to, transfer.amount))?;
    }
    let number = transfer.key.number.0.cast_signed();
    let row = (transfer.client(), number, transfer.reference, decision.is_moved, decision.says);
    db.prepare_cached("insert into journal values (?1, ?2, ?3, ?4, ?5)")?.execute(row)?;
    Ok(decision)
}

/// Whether nobody is within a transaction.
pub(crate) fn is_free(folder: &Path) -> rusqlite::Result<bool> {
    let connection = Connection::open(file(folder))?;
    connection.busy_timeout(Duration::ZERO)?;
    if connection.execute_batch("begin immediate; rollback").is_err() {
        return Ok(false);
    }
    let is_busy = connection.query_row("pragma wal_checkpoint(truncate)", (), |row| row.get::<_, bool>(0));
    Ok(is_busy.is_ok_and(|is_busy| !is_busy))
}

/// What is in the database.
pub(crate) fn read(folder: &Path) -> rusqlite::Result<Books> {
    let connection = Connection::open(file(folder))?;
    let mut select = connection.prepare("select lower(hex(client)), number, reference, is_moved, says from journal")?;
    let journal = select.query_map((), |row| {
        Ok(Row {
            client: row.get(0)?,
            number: row.get(1)?,
            reference: row.get(2)?,
            is_moved: row.get(3)?,
            says: row.get(4)?,
        })
    })?;
    let journal = journal.collect::<Result<_, _>>()?;
    let sum = connection.query_row("select sum(balance) from accounts", (), |row| row.get(0))?;
    Ok(Books { journal, sum })
}
