//! Many calls in one transaction, each in a savepoint, one sync for all.
//!
//! Knows: savepoints, what is on record, whose fault it is that a group was not committed. Does not know: what happens to it then.
//!
//! Invariants:
//! - an effect is committed with its record or not at all, also where SQLite ends the transaction by itself in a handler's statement;
//! - nothing is committed while a handler runs (the commit hook in `open.rs`).

use std::sync::atomic::Ordering;

use rpcgen_runtime::CallKey;
use rpcgen_runtime::completion::{Found, RecordedAnswer, StoreError};
use rusqlite::Connection;

use crate::Transaction;
use crate::error::{Meaning, meaning};
use crate::job::{Job, Work, Worked};
use crate::statements::Statements;
use crate::transaction::{Ended, ended};
use crate::writer::Writer;

/// Calls of one group at most: bounds how long the first of them waits for its commit, and what is run again after a failed one.
const GROUP_MAX: usize = 1_024;

/// Why a group was not committed. Nothing of it remains.
pub(crate) enum NotCommitted {
    /// The job at that place is why.
    Job(usize, Fault),
    /// The commit failed; it may be one job's fault (a deferred constraint, more than the disk has room for).
    Commit(rusqlite::Error),
    /// Nobody's fault: to be tried again.
    Again(rusqlite::Error),
    /// Never again.
    Stop(StoreError),
}

/// What was wrong with one job.
pub(crate) enum Fault {
    /// It may pass.
    Passing(rusqlite::Error),
    /// It will not: the job has its outcome.
    Lasting,
}

impl From<rusqlite::Error> for NotCommitted {
    fn from(error: rusqlite::Error) -> Self {
        match meaning(&error) {
            Meaning::Fatal => Self::Stop(StoreError::Stopped(error.to_string())),
            // Of our own statements, but for the record's; a mistake there would show at once and always.
            Meaning::Transient | Meaning::OfHandler => Self::Again(error),
        }
    }
}

impl NotCommitted {
    /// The same, in the course of one job.
    fn at(self, place: usize) -> Self {
        match self {
            Self::Again(error) => Self::Job(place, Fault::Passing(error)),
            Self::Job(_, fault) => Self::Job(place, fault),
            other => other,
        }
    }

    fn commit(error: rusqlite::Error) -> Self {
        match Self::from(error) {
            Self::Again(error) => Self::Commit(error),
            other => other,
        }
    }
}

impl Writer {
    /// Runs the group, and what comes meanwhile if it `grows`, in one transaction.
    pub(crate) fn commit(
        &self,
        connection: &Connection,
        statements: &mut Statements<'_>,
        group: &mut Vec<Job>,
        grows: bool,
    ) -> Result<(), NotCommitted> {
        statements.begin()?;
        let finished = self.work_through(connection, statements, group, grows);
        let result = finished.and_then(|finished| {
            statements.commit().map_err(NotCommitted::commit)?;
            Ok(finished)
        });
        if result.is_err() && !connection.is_autocommit() {
            // What cannot be rolled back cannot be gone on with either.
            statements.rollback().map_err(|error| NotCommitted::Stop(StoreError::Stopped(error.to_string())))?;
        }
        self.retired.committed(result?);
        Ok(())
    }

    /// What has no more rows, if it is committed.
    fn work_through(
        &self,
        connection: &Connection,
        statements: &mut Statements<'_>,
        group: &mut Vec<Job>,
        grows: bool,
    ) -> Result<Option<CallKey>, NotCommitted> {
        let owner = statements.owner()?;
        if owner != self.epoch {
            let why =
                format!("another server has taken over the database: it is owner {owner}, this one was {}", self.epoch);
            return Err(NotCommitted::Stop(StoreError::Stopped(why)));
        }
        let mut done = 0;
        loop {
            if done == group.len() {
                let Some(job) = (grows && done < GROUP_MAX).then(|| self.jobs.try_recv().ok()).flatten() else { break };
                group.push(job);
            }
            self.job(connection, statements, &mut group[done]).map_err(|why| why.at(done))?;
            done += 1;
        }
        self.delete_some(statements)
    }

    /// In a savepoint of its own: if it fails, no call does.
    fn delete_some(&self, statements: &mut Statements<'_>) -> Result<Option<CallKey>, NotCommitted> {
        if self.retired.is_empty() || self.pause.left().is_some() {
            return Ok(None);
        }
        statements.savepoint()?;
        let finished = match self.retired.delete_some(statements) {
            Ok(finished) => finished,
            Err(error) if meaning(&error) == Meaning::Fatal => return Err(error.into()),
            Err(error) => {
                statements.undo()?;
                self.pause.begin(&error);
                None
            }
        };
        statements.release()?;
        Ok(finished)
    }

    fn job(&self, connection: &Connection, statements: &mut Statements<'_>, job: &mut Job) -> Result<(), NotCommitted> {
        match job {
            Job::Work(work, _) => self.work(connection, statements, work.as_mut())?,
            Job::Find(key, asked, _) => asked.found = Some(statements.find(*key)?),
            Job::Retire => {}
            Job::KnownLog(log, asked) => asked.found = Some(statements.known_log(*log)?),
            Job::TakeLog(log, was, taken, asked) => asked.found = Some(statements.take_log(*log, *was, *taken)?),
        }
        Ok(())
    }

    /// One piece of work, in a savepoint.
    fn work(
        &self,
        connection: &Connection,
        statements: &mut Statements<'_>,
        work: &mut dyn Work,
    ) -> Result<(), NotCommitted> {
        // The database's write lock is held: nobody else inserts this row meanwhile. It is inserted when the answer is known.
        let found = match work.record() {
            Some(record) => statements.find(record.key)?,
            None => Found::Nothing,
        };
        match found {
            Found::Nothing => {}
            Found::Completed(completion) => {
                work.known(completion);
                return Ok(());
            }
            Found::Retired => {
                work.retired();
                return Ok(());
            }
        }
        statements.savepoint()?;
        let transaction = Transaction::new(connection);
        self.in_handler.store(true, Ordering::Relaxed);
        let worked = work.run(&transaction);
        self.in_handler.store(false, Ordering::Relaxed);
        // A handler cannot begin a transaction: there is none only if SQLite has rolled back ours, with what the others did in it.
        if connection.is_autocommit() {
            return Err(without_transaction(work, worked, transaction.into_ended()));
        }
        match worked {
            Ok(Worked::Recorded { answer, keep }) => {
                if !keep {
                    statements.undo()?;
                }
                self.record(connection, statements, work, &answer)?;
            }
            Ok(Worked::Kept) => {}
            Ok(Worked::Dropped) => statements.undo()?,
            Err(error) if transaction.meaning(&error) == Meaning::OfHandler => {
                statements.undo()?;
                work.fail(error);
            }
            Err(error) => return Err(error.into()),
        }
        statements.release()?;
        Ok(())
    }

    /// Records what it came to. Where that can never be, nothing of the work remains, and it has failed; the others go on.
    fn record(
        &self,
        connection: &Connection,
        statements: &mut Statements<'_>,
        work: &mut dyn Work,
        answer: &RecordedAnswer,
    ) -> Result<(), NotCommitted> {
        let recorded = work.record().map_or(Ok(()), |record| statements.insert(record, answer, self.epoch));
        match recorded {
            Ok(()) => Ok(()),
            // A trigger on the table, or a full disk, has ended the transaction.
            Err(error) if connection.is_autocommit() => Err(without_transaction(work, Err(error), None)),
            Err(error) if meaning(&error) == Meaning::OfHandler => {
                statements.undo()?;
                work.fail(error);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What it means that SQLite rolled back the transaction in this work. Where nobody knows the error, as the handler kept it to itself, it
/// is taken for the handler's fault: it cannot be known to pass.
fn without_transaction(work: &mut dyn Work, worked: rusqlite::Result<Worked>, by: Option<Ended>) -> NotCommitted {
    let why = by.as_ref().map(|by| by.meaning);
    // A panic, or an answer that cannot be sent, is what is told.
    let has_outcome = matches!(worked, Ok(Worked::Dropped));
    let error = match (worked, by) {
        (Err(error), _) => error,
        (Ok(_), Some(by)) => by.to_error(),
        (Ok(_), None) => ended("at a statement whose error the handler kept to itself"),
    };
    match why.unwrap_or_else(|| meaning(&error)) {
        Meaning::Fatal => NotCommitted::Stop(StoreError::Stopped(error.to_string())),
        Meaning::Transient => NotCommitted::Job(0, Fault::Passing(error)),
        Meaning::OfHandler => {
            if !has_outcome {
                work.fail(error);
            }
            NotCommitted::Job(0, Fault::Lasting)
        }
    }
}
