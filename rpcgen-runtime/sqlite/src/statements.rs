//! The writer's own statements, compiled once.
//!
//! Knows: the tables of `schema.sql`. Does not know: groups, handlers.

use std::time::{SystemTime, UNIX_EPOCH};

use rpcgen_runtime::CallKey;
use rpcgen_runtime::completion::{CallRecord, Completion, RecordedAnswer};
use rusqlite::{Connection, OptionalExtension as _, Statement};

pub(crate) struct Statements<'a> {
    begin: Statement<'a>,
    commit: Statement<'a>,
    rollback: Statement<'a>,
    savepoint: Statement<'a>,
    undo: Statement<'a>,
    release: Statement<'a>,
    owner: Statement<'a>,
    find: Statement<'a>,
    insert: Statement<'a>,
    delete_below: Statement<'a>,
}

impl<'a> Statements<'a> {
    pub(crate) fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("begin immediate")?,
            commit: connection.prepare("commit")?,
            rollback: connection.prepare("rollback")?,
            savepoint: connection.prepare("savepoint rpcgen_call")?,
            undo: connection.prepare("rollback to rpcgen_call")?,
            release: connection.prepare("release rpcgen_call")?,
            owner: connection.prepare("select epoch from rpcgen_owner")?,
            find: connection.prepare(
                "select digest, is_failure, answer from rpcgen_completions where client = ?1 and incarnation = ?2 and number = ?3",
            )?,
            insert: connection.prepare("insert into rpcgen_completions values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?,
            // The row after the last one that may go now bounds the batch.
            delete_below: connection.prepare(
                "delete from rpcgen_completions where client = ?1 and incarnation = ?2 and number < min(?3, coalesce(
                     (select number from rpcgen_completions where client = ?1 and incarnation = ?2
                      order by number limit 1 offset ?4), ?3))",
            )?,
        })
    }

    pub(crate) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.execute(()).map(|_| ())
    }

    pub(crate) fn commit(&mut self) -> rusqlite::Result<()> {
        self.commit.execute(()).map(|_| ())
    }

    pub(crate) fn rollback(&mut self) -> rusqlite::Result<()> {
        self.rollback.execute(()).map(|_| ())
    }

    pub(crate) fn savepoint(&mut self) -> rusqlite::Result<()> {
        self.savepoint.execute(()).map(|_| ())
    }

    /// Back to the savepoint, which stays.
    pub(crate) fn undo(&mut self) -> rusqlite::Result<()> {
        self.undo.execute(()).map(|_| ())
    }

    pub(crate) fn release(&mut self) -> rusqlite::Result<()> {
        self.release.execute(()).map(|_| ())
    }

    pub(crate) fn owner(&mut self) -> rusqlite::Result<u64> {
        self.owner.query_row((), |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }

    pub(crate) fn find(&mut self, key: CallKey) -> rusqlite::Result<Option<Completion>> {
        let (client, incarnation, number) = columns(key);
        let found = self.find.query_row((client, incarnation, number), |row| {
            let answer = RecordedAnswer { is_failure: row.get(1)?, bytes: row.get::<_, Vec<u8>>(2)?.into() };
            Ok(Completion { digest: row.get::<_, i64>(0)?.cast_unsigned(), answer })
        });
        found.optional()
    }

    pub(crate) fn insert(&mut self, call: &CallRecord, answer: &RecordedAnswer, epoch: u64) -> rusqlite::Result<()> {
        let (client, incarnation, number) = columns(call.key);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let inserted = self.insert.execute((
            client,
            incarnation,
            number,
            call.method.0,
            call.digest.cast_signed(),
            epoch.cast_signed(),
            now.cast_signed(),
            answer.is_failure,
            &answer.bytes[..],
        ));
        inserted.map(|_| ())
    }

    /// Deletes at most so many records of calls with lower numbers, the oldest first, and returns how many went.
    pub(crate) fn delete_below(&mut self, key: CallKey, rows_max: u64) -> rusqlite::Result<u64> {
        let (client, incarnation, number) = columns(key);
        self.delete_below.execute((client, incarnation, number, rows_max.cast_signed())).map(|count| count as u64)
    }
}

/// A call key as it stands in the table. SQLite's integers are signed: the largest numbers are negative there, and found all the same.
fn columns(key: CallKey) -> ([u8; 16], i64, i64) {
    (key.client.0.to_be_bytes(), key.incarnation.0.cast_signed(), key.number.0.cast_signed())
}
