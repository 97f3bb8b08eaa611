//! A server session's part of the durable log: what its task does with it.
//!
//! Knows: which records the session asks for, which actions wait for the record of their beginning. Does not know: why a record is due (the
//! session does), its bytes, whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Context;

use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::ids::{BroadcastNumber, CallNumber};
use rpcgen_proto::record::{Mark, ServerRecord};
use rpcgen_proto::session::{ActionHandle, Answer};
use rpcgen_store::{BroadcastHandle, SessionStore};

use crate::carried::Carried;
use crate::durable::{Blocked, DiskLog, OnTheWay, Sleeper};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// It is on its way, or waits for space.
    Done,
    /// There is no space for it, or its message is gone, and it may be refused.
    NoSpace,
    /// It cannot be written: the log has stopped, or is about to say so.
    Failed,
}

/// The books of a session, and what of them is on its way to the disk.
pub(super) struct Records {
    store: SessionStore,
    on_the_way: OnTheWay,
    blocked: Blocked<ServerRecord<Carried>>,
    /// Of the actions that were found in the log: how often it was on record that they begin.
    begun: BTreeMap<CallNumber, u32>,
    /// Actions whose beginning is on its way to the disk.
    beginning: VecDeque<(Sequence, ActionHandle, u32)>,
    /// Actions whose beginning is among the blocked records, in their order.
    stalled: VecDeque<(ActionHandle, u32)>,
}

/// What has become durable.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The newest record that the session asked for.
    pub(super) mark: Option<Mark>,
    /// Actions that may run now, each for the how manyth time.
    pub(super) begun: Vec<(ActionHandle, u32)>,
}

impl Records {
    /// `begun`: of the actions that were found in the log.
    pub(super) fn new(log: Arc<DiskLog>, store: SessionStore, begun: BTreeMap<CallNumber, u32>) -> Self {
        let (on_the_way, blocked) = (OnTheWay::new(log), Blocked::default());
        Self { store, on_the_way, blocked, begun, beginning: VecDeque::new(), stalled: VecDeque::new() }
    }

    /// Puts a record into the log.
    pub(super) fn persist(&mut self, mark: Mark, record: ServerRecord<Carried>) -> Recorded {
        let (may_be_refused, is_dispensable) = (record.is_refusable(), record.is_dispensable());
        let Some(record) = encoded(record) else {
            // Between threads, sent again: a handler of an earlier server took the message with it. What became of that is not known.
            return if is_dispensable { Recorded::NoSpace } else { Recorded::Failed };
        };
        if !self.blocked.is_empty() {
            if may_be_refused {
                return Recorded::NoSpace;
            }
            self.blocked.push(mark, record);
            return Recorded::Done;
        }
        // What may have to wait is kept: its payload is shared, not copied.
        let kept = if may_be_refused { None } else { Some(record.clone()) };
        match self.store.record(&mut &**self.on_the_way.log(), record) {
            Ok(Some(sequence)) => {
                self.on_the_way.push(mark, sequence);
                Recorded::Done
            }
            // A broadcast that is not on record was assigned: there is none with a durable log.
            Ok(None) => Recorded::Failed,
            Err(LogError::Full) if may_be_refused => Recorded::NoSpace,
            Err(LogError::TooLarge { .. }) if is_dispensable => Recorded::NoSpace,
            Err(error) => match kept.filter(|_| matches!(error, LogError::Full)) {
                Some(record) => {
                    self.blocked.push(mark, record);
                    Recorded::Done
                }
                None => {
                    tracing::error!(%error, "a record of a session cannot be written");
                    Recorded::Failed
                }
            },
        }
    }

    /// Tries again what had no space. What can never be written.
    pub(super) fn retry(&mut self, cx: &mut Context<'_>) -> Vec<Mark> {
        let mut refused = Vec::new();
        while let Some((mark, record)) = self.blocked.take_due(cx) {
            match self.store.record(&mut &**self.on_the_way.log(), record.clone()) {
                Ok(sequence) if matches!(record, ServerRecord::Begun { .. }) => {
                    let begins = self.stalled.pop_front();
                    begins.into_iter().for_each(|(action, times)| self.note_beginning(sequence, action, times));
                }
                Ok(sequence) => sequence.into_iter().for_each(|sequence| self.on_the_way.push(mark, sequence)),
                Err(LogError::TooLarge { .. }) if record.is_dispensable() => refused.push(mark),
                // A log that has stopped says so to everybody.
                Err(_) => self.blocked.put_back(mark, record),
            }
        }
        self.on_the_way.commit_soon();
        refused
    }

    /// How often it was on record, before this server began, that an action begins.
    pub(super) fn begun_before(&self, number: CallNumber) -> u32 {
        self.begun.get(&number).copied().unwrap_or(0)
    }

    /// Puts it on record that an action begins, for the how manyth time. On a full disk it begins when there is space.
    pub(super) fn begin(&mut self, action: ActionHandle, times: u32) -> Recorded {
        let record = ServerRecord::<Carried>::Begun { number: action.number };
        let has_room = self.blocked.is_empty();
        let written = if has_room {
            self.store.record(&mut &**self.on_the_way.log(), record.clone())
        } else {
            Err(LogError::Full)
        };
        match written {
            Ok(sequence) => {
                self.note_beginning(sequence, action, times);
                Recorded::Done
            }
            Err(LogError::Full) => {
                self.stalled.push_back((action, times));
                self.blocked.push(Mark(0), record);
                Recorded::Done
            }
            Err(error) => {
                tracing::error!(%error, "the record of an action's beginning cannot be written");
                Recorded::Failed
            }
        }
    }

    fn note_beginning(&mut self, sequence: Option<Sequence>, action: ActionHandle, times: u32) {
        self.on_the_way.note_appended();
        self.beginning.push_back((sequence.unwrap_or(Sequence(0)), action, times));
    }

    /// The answer to this call is needed no more.
    pub(super) fn forget(&mut self, number: CallNumber) {
        self.begun.remove(&number);
        self.store.forget(number);
    }

    /// The session sends this broadcast under this number.
    pub(super) fn route(&mut self, number: BroadcastNumber, handle: BroadcastHandle) {
        self.store.route(number, handle);
    }

    /// The broadcast is to go elsewhere.
    pub(super) fn take_route(&mut self, number: BroadcastNumber) -> Option<BroadcastHandle> {
        self.store.take_route(number)
    }

    /// The node has guaranteed that it was told to go.
    pub(super) fn delivered(&mut self, number: BroadcastNumber) {
        if let Some(handle) = self.store.take_route(number)
            && let Err(error) = handle.release(&mut &**self.on_the_way.log())
        {
            tracing::warn!(%error, "a delivered broadcast stays in the log, and may be delivered again");
        }
    }

    /// A batch of work is done.
    pub(super) fn batch_done(&mut self) {
        // What cannot be released now is next time.
        let _ = self.store.flush(&mut &**self.on_the_way.log());
        self.on_the_way.commit_soon();
    }

    /// What has become durable since the last look.
    pub(super) fn look(&mut self, sleeper: impl FnOnce() -> Arc<dyn Sleeper>) -> News {
        let news = self.on_the_way.look(!self.beginning.is_empty(), sleeper);
        let count = self.beginning.partition_point(|(sequence, ..)| *sequence < news.below);
        let begun = self.beginning.drain(..count).map(|(_, action, times)| (action, times)).collect();
        News { mark: news.mark, begun }
    }

    /// Whether something has to be written that finds no space.
    pub(super) fn are_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// The session is over: its books, for what is left of it.
    pub(super) fn into_store(self) -> SessionStore {
        self.store
    }
}

/// What is on disk is encoded, also between threads. `None`: a message is gone that cannot be.
fn encoded(record: ServerRecord<Carried>) -> Option<ServerRecord<Carried>> {
    Some(match record {
        ServerRecord::Action { number, method, digest, sent_before, payload } => {
            ServerRecord::Action { number, method, digest, sent_before, payload: payload.converted(false)? }
        }
        ServerRecord::Answer { number, method, digest, answer } => {
            let answer = match answer {
                Answer::Response(payload) => Answer::Response(payload.converted(false)?),
                Answer::Failure(payload) => Answer::Failure(payload.converted(false)?),
                Answer::Refused(refusal) => Answer::Refused(refusal),
            };
            ServerRecord::Answer { number, method, digest, answer }
        }
        other => other,
    })
}
