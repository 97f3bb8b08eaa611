//! The one thread that writes: groups of calls, each in one transaction.
//!
//! Knows: which jobs are committed together, and what becomes of those that were not. Does not know: what handlers do, who waits.
//!
//! Invariants:
//! - nobody hears of an outcome before the transaction that holds it is durable;
//! - a group is committed as a whole or not at all, and what was not committed is run again from its beginning;
//! - a job that cannot be committed keeps no other one from it;
//! - after an error that leaves open what is on the disk, nothing is committed any more.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use rpcgen_runtime::completion::StoreError;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::aside::Aside;
use crate::error::{Meaning, meaning};
use crate::group::{Fault, NotCommitted};
use crate::job::Job;
use crate::retire::{Pause, Retired};
use crate::statements::Statements;

pub(crate) struct Writer {
    pub(crate) epoch: u64,
    pub(crate) jobs: Receiver<Job>,
    /// Whether a handler runs now: then transactions are not its to end, and nothing is committed.
    pub(crate) in_handler: Arc<AtomicBool>,
    pub(crate) stopped: watch::Sender<Option<StoreError>>,
    pub(crate) retired: Retired,
    pub(crate) pause: Pause,
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
        let mut aside = Aside::default();
        loop {
            let (group, is_again) = self.next(&mut aside)?;
            let mut round = Round { parts: vec![group], ..Round::default() };
            if let Err(why) = self.commit_all(connection, statements, &mut round, !is_again) {
                let jobs = round.left.into_iter().chain(round.parts.into_iter().flatten()).chain(aside.into_jobs());
                jobs.for_each(|job| stop(job, &why));
                return Some(why);
            }
            if let Some(error) = round.error {
                tracing::warn!(%error, calls = round.left.len(), "what was not committed is run again");
                aside.put(round.left, is_again);
            }
        }
    }

    /// The next group, and whether it is one that is tried again. `None`: all handles are gone.
    fn next(&self, aside: &mut Aside) -> Option<(Vec<Job>, bool)> {
        let Some(left) = aside.due_in() else {
            return Some((self.first()?.into_iter().collect(), false));
        };
        // What comes meanwhile does not wait for it, nor it for what comes.
        let came = if left.is_zero() { Err(RecvTimeoutError::Timeout) } else { self.jobs.recv_timeout(left) };
        match came {
            Ok(job) => return Some((vec![job], false)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(left),
        }
        Some((aside.take(), true))
    }

    /// The first job of a group. `Some(None)`: there may be none, but something is to be deleted. `None`: all handles are gone.
    fn first(&self) -> Option<Option<Job>> {
        if self.retired.is_empty() {
            return self.jobs.recv().ok().map(Some);
        }
        let Some(left) = self.pause.left() else { return Some(None) };
        match self.jobs.recv_timeout(left) {
            Err(RecvTimeoutError::Disconnected) => None,
            came => Some(came.ok()),
        }
    }

    /// Commits all that can be. A part that fails is divided, until it is known whose fault it is.
    fn commit_all(
        &self,
        connection: &Connection,
        statements: &mut Statements<'_>,
        round: &mut Round,
        mut grows: bool,
    ) -> Result<(), StoreError> {
        while let Some(mut part) = round.parts.pop() {
            match self.commit(connection, statements, &mut part, grows) {
                Ok(()) => part.into_iter().for_each(settle),
                Err(NotCommitted::Job(place, fault)) => round.blame(part, place, fault),
                // What was deleted beside it may be why; then nothing is for a while, and it is no call's fault.
                Err(NotCommitted::Commit(error)) if !self.retired.is_empty() && self.pause.left().is_none() => {
                    self.pause.begin(&error);
                    round.parts.push(part);
                }
                Err(NotCommitted::Commit(error)) => round.halve(part, error),
                Err(NotCommitted::Again(error)) => round.give_up(part, error),
                Err(NotCommitted::Stop(why)) => {
                    round.parts.push(part);
                    return Err(why);
                }
            }
            grows = false;
        }
        Ok(())
    }
}

/// How far a group has come.
#[derive(Default)]
struct Round {
    /// Each to be committed by itself, the last one first. What they have in common failed.
    parts: Vec<Vec<Job>>,
    /// To be run again later, as this error may pass.
    left: Vec<Job>,
    error: Option<rusqlite::Error>,
}

impl Round {
    /// Whoever fails as the first in its transaction does so by itself. Another one may fail for what those before it did: these are
    /// committed without it, and then it has a transaction to itself.
    fn blame(&mut self, mut part: Vec<Job>, place: usize, fault: Fault) {
        let behind = part.split_off(place + 1);
        if !behind.is_empty() {
            self.parts.push(behind);
        }
        let Some(job) = part.pop() else { return };
        match fault {
            _ if !part.is_empty() => self.parts.extend([vec![job], part]),
            Fault::Lasting => settle(job),
            Fault::Passing(error) => {
                self.left.push(job);
                self.error = Some(error);
            }
        }
    }

    /// The commit of a part failed. Of a single job it is known why: its fault, or the disk's.
    fn halve(&mut self, mut part: Vec<Job>, error: rusqlite::Error) {
        if part.len() > 1 {
            let behind = part.split_off(part.len() / 2);
            self.parts.extend([behind, part]);
            return;
        }
        match part.as_mut_slice() {
            [Job::Work(work, _)] if meaning(&error) == Meaning::OfHandler => {
                work.fail(error);
                part.into_iter().for_each(settle);
            }
            _ => self.give_up(part, error),
        }
    }

    /// Nothing will be committed for now. What has failed is the last to be tried the next time: it may not be everybody's error.
    fn give_up(&mut self, part: Vec<Job>, error: rusqlite::Error) {
        let rest: Vec<Job> = self.parts.drain(..).rev().flatten().collect();
        self.left.splice(..0, rest);
        self.left.extend(part);
        self.error = Some(error);
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
