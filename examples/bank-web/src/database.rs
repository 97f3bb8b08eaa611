//! One SQLite file, used from async code.
//!
//! Knows: that SQLite blocks, that a sync costs as much for many as for one, and that a file may be shared by
//! processes. Does not know: what
//! is in it.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ffi};
use tokio::sync::oneshot;

/// How long a writer waits for another process's transaction.
const BUSY_WITHIN: Duration = Duration::from_secs(20);
/// Statements that are kept ready.
const STATEMENTS_KEPT: usize = 64;
/// Between two attempts to begin a transaction.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// What is told where SQLite did not say why.
const UNKNOWN: ffi::Error =
    ffi::Error { code: rusqlite::ErrorCode::OperationAborted, extended_code: ffi::SQLITE_ABORT };
/// So many pieces of work share a commit at most: others want to write as well.
const WORK_AT_ONCE: usize = 64;

/// Tells whoever waits for a piece of work how the commit ended.
type Finish = Box<dyn FnOnce(Result<(), ffi::Error>) + Send>;
/// A piece of work; `None`: it failed, was undone, and whoever waits for it has been told.
type Work = Box<dyn FnOnce(&Connection) -> Option<Finish> + Send>;

/// A database. Clones are the same one. One thread writes: it takes all work that waits, and commits once.
#[derive(Clone, Debug)]
pub struct Database {
    work: Sender<Work>,
    reader: Arc<Mutex<Connection>>,
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WITHIN)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // A commit is on the disk when it returns; readers do not wait for writers.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
    Ok(connection)
}

impl Database {
    /// Opens the file, or makes it. `schema` makes what is not there.
    ///
    /// # Errors
    /// What SQLite says.
    ///
    /// # Panics
    /// The system has no thread left.
    pub fn open(path: &Path, schema: &str) -> rusqlite::Result<Self> {
        let writer = connect(path)?;
        writer.execute_batch(schema)?;
        let reader = Arc::new(Mutex::new(connect(path)?));
        let (work, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new().name("database".to_owned());
        thread.spawn(move || write(&writer, &waiting)).expect("the system has a thread left");
        Ok(Self { work, reader })
    }

    /// Runs `work` in a transaction that it shares with other work. What it did is on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// What SQLite, or `work`, says: nothing of this work remains then.
    pub async fn transaction<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> rusqlite::Result<R> {
        let (reply, outcome) = oneshot::channel();
        let work: Work = Box::new(move |database| match work(database) {
            Ok(value) => Some(Box::new(move |committed: Result<(), ffi::Error>| {
                // Who does not wait any more need not know.
                let _ = reply.send(committed.map(|()| value).map_err(failure));
            })),
            Err(error) => {
                let _ = reply.send(Err(error));
                None
            }
        });
        // Work that is dropped, here or there, was not done.
        let _ = self.work.send(work);
        outcome.await.unwrap_or_else(|_| Err(failure(UNKNOWN)))
    }

    /// Looks something up, on a thread that may block.
    ///
    /// # Errors
    /// What SQLite, or `look`, says.
    pub async fn read<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> rusqlite::Result<R> {
        let reader = Arc::clone(&self.reader);
        let looked = tokio::task::spawn_blocking(move || look(&reader.lock().unwrap_or_else(PoisonError::into_inner)));
        match looked.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down, and with it whoever waits for this.
            Err(_) => std::future::pending().await,
        }
    }
}

fn failure(error: ffi::Error) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(error, None)
}

/// Until the last handle is gone.
fn write(database: &Connection, waiting: &Receiver<Work>) {
    while let Ok(first) = waiting.recv() {
        while let Err(error) = database.execute_batch("BEGIN IMMEDIATE") {
            // Mostly another process is long at work. What waits here goes on waiting.
            eprintln!("the database is busy, and is asked again: {error}");
            std::thread::sleep(BUSY_PAUSE);
        }
        let batch = std::iter::once(first).chain(waiting.try_iter()).take(WORK_AT_ONCE);
        let mut finishing = Vec::new();
        let mut result = Ok(());
        for work in batch {
            match run(database, work) {
                Ok(finish) => finishing.extend(finish),
                Err(error) => result = Err(error),
            }
        }
        let result = result.and_then(|()| database.execute_batch("COMMIT"));
        let error = result.err().map(|error| error.sqlite_error().copied().unwrap_or(UNKNOWN));
        if error.is_some() {
            // Whatever is still open is not to be.
            let _ = database.execute_batch("ROLLBACK");
        }
        for finish in finishing {
            finish(error.map_or(Ok(()), Err));
        }
    }
}

/// One piece of work, which is undone alone if it fails.
///
/// # Errors
/// It could not be: the whole batch must not be committed.
fn run(database: &Connection, work: Work) -> rusqlite::Result<Option<Finish>> {
    database.execute_batch("SAVEPOINT work")?;
    let finish = work(database);
    database.execute_batch(if finish.is_some() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" })?;
    Ok(finish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_fails_is_undone_alone() {
        let path = std::env::temp_dir().join(format!("bank-web-{}.sqlite", crate::clock::random_name()));
        let database = Database::open(&path, "CREATE TABLE numbers (number INTEGER PRIMARY KEY)").unwrap();
        let insert = |number: i64, then: rusqlite::Result<()>| {
            database.transaction(move |numbers| {
                numbers.execute("INSERT INTO numbers VALUES (?)", [number])?;
                then
            })
        };
        let (first, failed, second) =
            tokio::join!(insert(1, Ok(())), insert(2, Err(rusqlite::Error::InvalidQuery)), insert(3, Ok(())));
        assert!(first.is_ok() && failed.is_err() && second.is_ok());
        let sum: i64 =
            database.read(|all| all.query_row("SELECT sum(number) FROM numbers", [], |row| row.get(0))).await.unwrap();
        assert_eq!(sum, 4);
        std::fs::remove_file(path).unwrap();
    }
}
