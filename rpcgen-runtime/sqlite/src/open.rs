//! How a database is opened, and who owns it from then on.
//!
//! Knows: what has to be true before the first answer is read from a record. Does not know: calls.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, TransactionBehavior, ffi};
use tokio::sync::{Semaphore, watch};

use crate::retire::{Pause, Retired};
use crate::writer::Writer;
use crate::{OpenError, SCHEMA, Sqlite};

/// How long another process may hold the write lock before that is an error to be told.
const BUSY_AFTER: Duration = Duration::from_secs(10);
/// Calls that the writer has or that wait for it; a further one waits in its handler. Four groups: the writer always finds the next one.
const JOBS_MAX: usize = 4_096;
/// Statements of handlers that are kept compiled.
const STATEMENTS_MAX: usize = 256;

pub(crate) fn open(
    path: &Path,
    prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Sqlite, OpenError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_AFTER)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let mode: String = connection.query_row("pragma journal_mode = wal", (), |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::JournalMode(mode));
    }
    // A commit returns when it is on the disk. What savepoints undo by stays in memory.
    connection.execute_batch("pragma synchronous = full; pragma temp_store = memory; pragma foreign_keys = on")?;
    // What an earlier process left may be in the system's cache only, also after a sync that failed: it is copied into the database
    // and synced there before anybody is answered from it.
    let is_busy: bool = connection.query_row("pragma wal_checkpoint(truncate)", (), |row| row.get(0))?;
    if is_busy {
        let why = "another connection has been reading for ten seconds, so that what an earlier process left cannot be synced";
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(why.to_owned())).into());
    }
    let epoch = take_over(&mut connection, prepare)?;
    let in_handler = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&in_handler);
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if asked.load(Ordering::Relaxed) && is_ours(&context.action) {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }))?;
    // When SQLite has ended the transaction by itself, each statement of the handler would be one of its own, and committed.
    let asked = Arc::clone(&in_handler);
    connection.commit_hook(Some(move || asked.load(Ordering::Relaxed)))?;
    let (jobs, taken) = mpsc::channel();
    let (stopped, when_stopped) = watch::channel(None);
    let retired = Retired::default();
    let writer = Writer { epoch, jobs: taken, in_handler, stopped, retired: retired.clone(), pause: Pause::default() };
    std::thread::Builder::new().name("rpcgen-sqlite".to_owned()).spawn(move || writer.run(&connection))?;
    let room = Arc::new(Semaphore::new(JOBS_MAX));
    Ok(Sqlite { jobs, room, retired, stopped: when_stopped, path: path.into(), epoch })
}

/// From here on a process that was the owner finds another epoch, and commits nothing (trap T9).
fn take_over(
    connection: &mut Connection,
    prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    let epoch: i64 =
        transaction.query_row("update rpcgen_owner set epoch = epoch + 1 returning epoch", (), |row| row.get(0))?;
    transaction.commit()?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    prepare(&transaction)?;
    transaction.commit()?;
    Ok(epoch.cast_unsigned())
}

/// What a handler's statements may not do: end the transaction, change how commits work, write completion records or what happens when they
/// are written.
fn is_ours(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Pragma { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. } => true,
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::CreateTempTrigger { table_name, .. } => table_name.starts_with("rpcgen_"),
        _ => false,
    }
}
