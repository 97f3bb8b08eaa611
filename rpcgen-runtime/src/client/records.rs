//! A client's durable log: what its task does with it.
//!
//! Knows: which records the session asks for, which answers were claimed. Does not know: why a record is due (the session does), its bytes.

use std::sync::Arc;
use std::task::Context;

use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::record::{ClientRecord, Mark};
use rpcgen_proto::session::Answer;
use rpcgen_store::ClientStore;

use crate::carried::Carried;
use crate::durable::{Blocked, DiskLog, OnTheWay, Sleeper};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// It is on its way; here is its place.
    At(Sequence),
    /// There is no space for it, and it may be refused.
    NoSpace,
    /// There is no space for it, and it waits for some.
    Waits,
    /// It cannot be written: the log has stopped, or is about to say so.
    Failed,
}

/// The books of a client, and what of them is on its way to the disk.
pub(super) struct Records {
    store: ClientStore,
    on_the_way: OnTheWay,
    blocked: Blocked<ClientRecord<Carried>>,
    /// The client leaves: nothing follows with which an answer's record might go.
    is_leaving: bool,
}

impl Records {
    pub(super) fn new(log: Arc<DiskLog>, store: ClientStore) -> Self {
        Self { store, on_the_way: OnTheWay::new(log), blocked: Blocked::default(), is_leaving: false }
    }

    pub(super) fn log(&self) -> &Arc<DiskLog> {
        self.on_the_way.log()
    }

    /// Puts a record into the log.
    pub(super) fn persist(&mut self, mark: Mark, record: ClientRecord<Carried>) -> Recorded {
        let may_be_refused = record.is_refusable();
        let Some(record) = encoded(record) else { return Recorded::Failed };
        if !self.blocked.is_empty() {
            if may_be_refused {
                return Recorded::NoSpace;
            }
            self.blocked.push(mark, record);
            return Recorded::Waits;
        }
        match self.store.record(&mut &**self.on_the_way.log(), &record) {
            Ok(sequence) if is_unhurried(&record) && !self.is_leaving => {
                self.on_the_way.push_unhurried(mark, sequence);
                Recorded::At(sequence)
            }
            Ok(sequence) => {
                self.on_the_way.push(mark, sequence);
                Recorded::At(sequence)
            }
            Err(LogError::Full | LogError::TooLarge { .. }) if may_be_refused => Recorded::NoSpace,
            Err(LogError::Full) => {
                self.blocked.push(mark, record);
                Recorded::Waits
            }
            Err(error) => {
                tracing::error!(%error, "a record of a client cannot be written");
                Recorded::Failed
            }
        }
    }

    /// Tries again what had no space.
    pub(super) fn retry(&mut self, cx: &mut Context<'_>) {
        while let Some((mark, record)) = self.blocked.take_due(cx) {
            match self.store.record(&mut &**self.on_the_way.log(), &record) {
                Ok(sequence) => self.on_the_way.push(mark, sequence),
                // A log that has stopped says so to everybody.
                Err(_) => self.blocked.put_back(mark, record),
            }
        }
        self.on_the_way.commit_soon();
    }

    /// The application has the answer of this call.
    pub(super) fn claim(&mut self, number: CallNumber) {
        self.store.claim(number);
    }

    /// The handler of this broadcast has run.
    pub(super) fn ran(&mut self, sequence: Sequence) {
        self.store.ran(sequence);
    }

    /// A batch of work is done.
    pub(super) fn batch_done(&mut self) {
        // What cannot be released now is next time.
        let _ = self.store.flush(&mut &**self.on_the_way.log());
        self.on_the_way.commit_soon();
    }

    /// There is nothing to do.
    pub(super) fn rest(&mut self) {
        self.on_the_way.rest();
    }

    /// The client leaves.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
        self.on_the_way.hurry();
    }

    /// The newest record that has become durable, if there is news.
    pub(super) fn look(&mut self, sleeper: impl FnOnce() -> Arc<dyn Sleeper>) -> Option<Mark> {
        self.on_the_way.look(false, sleeper).mark
    }
}

/// Whether nobody waits for it who cannot wait for the next call: the caller has the answer, and the server hears later that it is here. An
/// answer without a server is the outcome of a cancel, which is told when it is durable.
const fn is_unhurried(record: &ClientRecord<Carried>) -> bool {
    matches!(record, ClientRecord::Answer { answer: Answer::Response(_) | Answer::Failure(_), .. })
}

/// What is on disk is encoded, also between threads. `None`: a message is gone that cannot be.
fn encoded(record: ClientRecord<Carried>) -> Option<ClientRecord<Carried>> {
    Some(match record {
        ClientRecord::Session(session) => ClientRecord::Session(session),
        ClientRecord::Call(mut call) => {
            call.payload = call.payload.converted(false)?;
            ClientRecord::Call(call)
        }
        ClientRecord::Answer { number, answer } => ClientRecord::Answer { number, answer: encoded_answer(answer)? },
        ClientRecord::Broadcast(mut broadcast) => {
            broadcast.payload = broadcast.payload.converted(false)?;
            ClientRecord::Broadcast(broadcast)
        }
    })
}

fn encoded_answer(answer: Answer<Carried>) -> Option<Answer<Carried>> {
    Some(match answer {
        Answer::Response(payload) => Answer::Response(payload.converted(false)?),
        Answer::Failure(payload) => Answer::Failure(payload.converted(false)?),
        Answer::Refused(refusal) => Answer::Refused(refusal),
    })
}
