//! The one thread that writes: many calls in one transaction, each in a savepoint, one sync for all.
//!
//! Knows: groups, savepoints, commits, what is on record. Does not know: what handlers do, who waits.
//!
//! Invariants:
//! - nobody hears of an outcome before the transaction that holds it is durable;
//! - a group is committed as a whole or not at all, and what was not committed is run again from its beginning;
//! - after an error that leaves open what is on the disk, nothing is committed any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rpcgen_runtime::CallKey;
use rpcgen_runtime::completion::{Found, StoreError};
use rusqlite::Connection;
use tokio::sync::watch;

use crate::Transaction;
use crate::error::{Meaning, meaning};
use crate::job::{Job, Work, Worked};
use crate::retire::Retired;
use crate::statements::Statements;

/// Calls of one group at most: bounds how long the first of them waits for its commit, and what is run again after a failed one.
const GROUP_MAX: usize = 1_024;
/// Pause before a group is tried again.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// Why a group was not committed.
enum NotCommitted {
    /// To be tried again, from its beginning.
    Again(rusqlite::Error),
    /// Never again.
    Stop(StoreError),
}

impl From<rusqlite::Error> for NotCommitted {
    fn from(error: rusqlite::Error) -> Self {
        match meaning(&error) {
            Meaning::Fatal => Self::Stop(StoreError::Stopped(error.to_string())),
            // Of our own statements; a mistake there would show at once and always.
            Meaning::Transient | Meaning::OfHandler => Self::Again(error),
        }
    }
}

pub(crate) struct Writer {
    pub(crate) epoch: u64,
    pub(crate) jobs: Receiver<Job>,
    /// Whether a handler's statements are compiled now: then transactions are not theirs to end.
    pub(crate) in_handler: Arc<AtomicBool>,
    pub(crate) stopped: watch::Sender<Option<StoreError>>,
    pub(crate) retired: Retired,
}

impl Writer {
    /// Until all handles are gone.
    pub(crate) fn run(self, connection: &Connection) {
        let why = match Statements::prepare(connection) {
            Ok(mut statements) => self.write(connection, &mut statements),
            Err(error) => Some(StoreError::Stopped(error.to_string())),
        };
        let Some(why) = why else { return };
        tracing::error!(%why, "no completion is recorded any more; calls that need one stay open until the server is started again");
        self.stopped.send_replace(Some(why.clone()));
        for job in &self.jobs {
            stop(job, &why);
        }
    }

    /// `None`: all handles are gone.
    fn write(&self, connection: &Connection, statements: &mut Statements<'_>) -> Option<StoreError> {
        loop {
            let mut group = Vec::new();
            if self.retired.is_empty() {
                group.push(self.jobs.recv().ok()?);
            }
            let mut pause = AGAIN_AFTER.0;
            loop {
                match self.commit(connection, statements, &mut group) {
                    Ok(()) => break,
                    Err(NotCommitted::Stop(why)) => {
                        group.into_iter().for_each(|job| stop(job, &why));
                        return Some(why);
                    }
                    Err(NotCommitted::Again(error)) => {
                        tracing::warn!(%error, calls = group.len(), "a group of calls is run again");
                        // Jobs that come meanwhile join the group.
                        match self.jobs.recv_timeout(pause) {
                            Ok(job) => group.push(job),
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(pause),
                        }
                        pause = (pause * 2).min(AGAIN_AFTER.1);
                    }
                }
            }
            group.into_iter().for_each(settle);
        }
    }

    /// Runs the group, and what comes meanwhile, in one transaction. On an error nothing of it remains.
    fn commit(
        &self,
        connection: &Connection,
        statements: &mut Statements<'_>,
        group: &mut Vec<Job>,
    ) -> Result<(), NotCommitted> {
        statements.begin()?;
        let finished = self.work_through(connection, statements, group);
        let result = finished.and_then(|finished| {
            statements.commit()?;
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
                let Some(job) = (done < GROUP_MAX).then(|| self.jobs.try_recv().ok()).flatten() else { break };
                group.push(job);
            }
            match &mut group[done] {
                Job::Work(work, _) => self.work(connection, statements, work.as_mut())?,
                Job::Find(key, asked, _) => asked.found = Some(statements.find(*key)?),
                Job::Retire => {}
                Job::KnownLog(log, asked) => asked.found = Some(statements.known_log(*log)?),
                Job::TakeLog(log, was, taken, asked) => asked.found = Some(statements.take_log(*log, *was, *taken)?),
            }
            done += 1;
        }
        Ok(self.retired.delete_some(statements)?)
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
        self.in_handler.store(true, Ordering::Relaxed);
        let worked = work.run(&Transaction::new(connection));
        self.in_handler.store(false, Ordering::Relaxed);
        match worked {
            Ok(Worked::Recorded { answer, keep }) => {
                if !keep {
                    statements.undo()?;
                }
                if let Some(record) = work.record() {
                    statements.insert(record, &answer, self.epoch)?;
                }
            }
            Ok(Worked::Kept) => {}
            Ok(Worked::Dropped) => statements.undo()?,
            Err(error) if meaning(&error) == Meaning::OfHandler && !connection.is_autocommit() => {
                statements.undo()?;
                work.fail(error);
            }
            Err(error) => return Err(error.into()),
        }
        statements.release()?;
        Ok(())
    }
}

fn settle(job: Job) {
    match job {
        Job::Work(work, _room) => work.settle(),
        Job::Find(_, asked, _room) => asked.settle(),
        Job::Retire => {}
        Job::KnownLog(_, asked) => asked.settle(),
        Job::TakeLog(_, _, _, asked) => asked.settle(),
    }
}

fn stop(job: Job, why: &StoreError) {
    match job {
        Job::Work(work, _room) => work.stop(why),
        Job::Find(_, asked, _room) => asked.stop(why),
        Job::Retire => {}
        Job::KnownLog(_, asked) => asked.stop(why),
        Job::TakeLog(_, _, _, asked) => asked.stop(why),
    }
}
