//! A log that writes down what is done to it, so that each of its prefixes can be read.
//!
//! Knows: appends and releases, in order. Does not know: what they say. The prefixes are what crashes leave: a real log commits in order.

use rpcgen_log::{Found, LogError, Sequence, StreamId};

use crate::found::FoundRecords;
use crate::log::{RecordLog, Room};

#[derive(Clone, Debug)]
enum Op {
    Append(StreamId, Vec<u8>),
    Release(StreamId, Sequence, Sequence),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct RecordingLog {
    ops: Vec<Op>,
}

impl RecordingLog {
    /// How much was done. A prefix of so much contains all that was done before.
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// The log as a crash after `length` leaves it.
    pub(crate) fn prefix(&self, length: usize) -> Self {
        Self { ops: self.ops[..length].to_vec() }
    }

    /// What is told when it is opened.
    pub(crate) fn found(&self) -> FoundRecords {
        let mut found = FoundRecords::default();
        for (at, op) in self.ops.iter().enumerate() {
            found.tell(match op {
                Op::Append(stream, payload) => {
                    Found::Record { stream: *stream, sequence: Sequence(at as u64), payload }
                }
                Op::Release(stream, first, last) => Found::Released { stream: *stream, first: *first, last: *last },
            });
        }
        found
    }
}

impl RecordLog for RecordingLog {
    fn append(&mut self, stream: StreamId, payload: &[u8], _: Room) -> Result<Sequence, LogError> {
        self.ops.push(Op::Append(stream, payload.to_vec()));
        Ok(Sequence(self.ops.len() as u64 - 1))
    }

    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
        self.ops.push(Op::Release(stream, first, last));
        Ok(())
    }
}
