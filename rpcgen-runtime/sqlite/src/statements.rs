//! The writer's own statements, compiled once.
//!
//! Knows: the tables of `schema.sql`. Does not know: groups, handlers.

use std::time::{SystemTime, UNIX_EPOCH};

use rpcgen_runtime::completion::{CallRecord, Completion, Found, KnownLog, LogId, LogMark, RecordedAnswer};
use rpcgen_runtime::{CallKey, CallNumber};
use rusqlite::{Connection, OptionalExtension as _, Statement, ffi};

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
    retired_below: Statement<'a>,
    retire: Statement<'a>,
    delete_below: Statement<'a>,
    known_log: Statement<'a>,
    take_log: Statement<'a>,
}

impl<'a> Statements<'a> {
    /// They name `main`: a temporary table that a handler makes is another one.
    pub(crate) fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("begin immediate")?,
            commit: connection.prepare("commit")?,
            rollback: connection.prepare("rollback")?,
            savepoint: connection.prepare("savepoint rpcgen_call")?,
            undo: connection.prepare("rollback to rpcgen_call")?,
            release: connection.prepare("release rpcgen_call")?,
            owner: connection.prepare("select epoch from main.rpcgen_owner")?,
            find: connection.prepare(
                "select digest, is_failure, answer from main.rpcgen_completions where client = ?1 and incarnation = ?2 and number = ?3",
            )?,
            insert: connection.prepare("insert into main.rpcgen_completions values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?,
            retired_below: connection
                .prepare("select below from main.rpcgen_retired where client = ?1 and incarnation = ?2")?,
            retire: connection.prepare(
                "insert into main.rpcgen_retired values (?1, ?2, ?3, ?4) on conflict do update
                 set below = max(below, excluded.below), retired_at = excluded.retired_at",
            )?,
            // The row after the last one that may go now bounds the batch.
            delete_below: connection.prepare(
                "delete from main.rpcgen_completions where client = ?1 and incarnation = ?2 and number < min(?3, coalesce(
                     (select number from main.rpcgen_completions where client = ?1 and incarnation = ?2
                      order by number limit 1 offset ?4), ?3))",
            )?,
            known_log: connection.prepare("select number, mark from main.rpcgen_logs where log = ?1")?,
            take_log: connection.prepare(
                "insert into main.rpcgen_logs select ?1, ?2, ?3, ?4
                 where ?5 is (select mark from main.rpcgen_logs where log = ?1)
                 on conflict do update set number = excluded.number, mark = excluded.mark, marked_at = excluded.marked_at",
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

    /// What there is of a call: its record, or that its client has had the answer.
    pub(crate) fn find(&mut self, key: CallKey) -> rusqlite::Result<Found> {
        if let Some(completion) = self.record(key)? {
            return Ok(Found::Completed(completion));
        }
        let (client, incarnation, _) = columns(key);
        let below = self.retired_below.query_row((client, incarnation), |row| row.get::<_, i64>(0)).optional()?;
        let is_retired = below.is_some_and(|below| key.number < CallNumber(below.cast_unsigned()));
        Ok(if is_retired { Found::Retired } else { Found::Nothing })
    }

    fn record(&mut self, key: CallKey) -> rusqlite::Result<Option<Completion>> {
        let (client, incarnation, number) = columns(key);
        let found = self.find.query_row((client, incarnation, number), |row| {
            let answer = RecordedAnswer { is_failure: row.get(1)?, bytes: row.get::<_, Vec<u8>>(2)?.into() };
            Ok(Completion { digest: row.get::<_, i64>(0)?.cast_unsigned(), answer })
        });
        found.optional()
    }

    /// Records an answer. Nobody but a trigger takes the row away.
    pub(crate) fn insert(&mut self, call: &CallRecord, answer: &RecordedAnswer, epoch: u64) -> rusqlite::Result<()> {
        let (client, incarnation, number) = columns(call.key);
        let inserted = self.insert.execute((
            client,
            incarnation,
            number,
            call.method.0,
            call.digest.cast_signed(),
            epoch.cast_signed(),
            now(),
            answer.is_failure,
            &answer.bytes[..],
        ));
        if inserted? == 1 { Ok(()) } else { Err(not_recorded()) }
    }

    /// Calls with lower numbers than this one do not run any more.
    pub(crate) fn retire(&mut self, key: CallKey) -> rusqlite::Result<()> {
        let (client, incarnation, number) = columns(key);
        self.retire.execute((client, incarnation, number, now())).map(|_| ())
    }

    /// Deletes at most so many records of calls with lower numbers, the oldest first, and returns how many went.
    pub(crate) fn delete_below(&mut self, key: CallKey, rows_max: u64) -> rusqlite::Result<u64> {
        let (client, incarnation, number) = columns(key);
        self.delete_below.execute((client, incarnation, number, rows_max.cast_signed())).map(|count| count as u64)
    }

    pub(crate) fn known_log(&mut self, log: LogId) -> rusqlite::Result<Option<KnownLog>> {
        let known = self.known_log.query_row([log.0], |row| {
            Ok(KnownLog { number: row.get::<_, i64>(0)?.cast_unsigned(), mark: LogMark(row.get(1)?) })
        });
        known.optional()
    }

    /// Whether the log was still known by the mark `was`.
    pub(crate) fn take_log(&mut self, log: LogId, was: Option<LogMark>, taken: KnownLog) -> rusqlite::Result<bool> {
        let was = was.map(|mark| mark.0);
        let taken = self.take_log.execute((log.0, taken.number.cast_signed(), taken.mark.0, now(), was))?;
        Ok(taken == 1)
    }
}

fn not_recorded() -> rusqlite::Error {
    let what = "a trigger on rpcgen_completions keeps records out of it";
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT_TRIGGER), Some(what.to_owned()))
}

/// Seconds since 1970, for people.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).cast_signed()
}

/// A call key as it stands in the table. SQLite's integers are signed: the largest numbers are negative there, and found all the same.
fn columns(key: CallKey) -> ([u8; 16], i64, i64) {
    (key.client.0.to_be_bytes(), key.incarnation.0.cast_signed(), key.number.0.cast_signed())
}
