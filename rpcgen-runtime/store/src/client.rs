//! The book-keeper of a client's log.
//!
//! Knows: which records of a client are needed for what. Does not know: sessions, callers.
//!
//! **Invariant:** a call is forgotten before its answer, never after: an answer without its call was claimed, a call without an answer is
//! open. A crash between the two leaves one of these, and both are true.

use bytes::Bytes;
use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::ids::{CallNumber, MethodId};
use rpcgen_proto::record::{ClientRecord, RecordedBroadcast, RecoveredClient};
use rpcgen_proto::session::Answer;

use crate::codec::{Owner, Role, decode_client, encode_client};
use crate::error::StoreError;
use crate::found::{FoundRecords, unreadable};
use crate::log::{RecordLog, Room};
use crate::ring::Ring;
use crate::stream::{CLIENT_ANSWERS, CLIENT_BROADCASTS, CLIENT_CALLS, CLIENT_SESSION, Stream};

/// Where a call's records are.
#[derive(Clone, Copy, Debug)]
struct Kept {
    call: Sequence,
    answer: Option<Sequence>,
}

/// The records of one client.
#[derive(Clone, Debug)]
pub struct ClientStore {
    session: Stream,
    calls: Stream,
    answers: Stream,
    broadcasts: Stream,
    newest_session: Option<Sequence>,
    /// By call number.
    kept: Ring<Kept>,
    answered: usize,
    scratch: Vec<u8>,
}

/// The answer of a call that nobody has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnclaimedAnswer<P> {
    /// Of this call.
    pub number: CallNumber,
    /// Of this action.
    pub method: MethodId,
    /// What was asked.
    pub request: P,
    /// How it ended.
    pub answer: Answer<P>,
}

/// What a client finds in its log.
#[derive(Clone, Debug)]
pub struct RecoveredClientLog<P> {
    /// For the session.
    pub client: RecoveredClient<P>,
    /// For the application, in order of call numbers.
    pub answers: Vec<UnclaimedAnswer<P>>,
    /// To be handled, in order: [`ClientStore::ran`] with their sequence. Their handlers may have run.
    pub broadcasts: Vec<(Sequence, RecordedBroadcast<P>)>,
}

impl ClientStore {
    /// Makes the books of what was found. `service`: as `package.Service`.
    ///
    /// # Errors
    /// It is another owner's log, or has a record that this program does not know; or the log cannot be written.
    pub fn recover<P: From<Bytes>>(
        mut found: FoundRecords,
        log: &mut impl RecordLog,
        service: &str,
    ) -> Result<(Self, RecoveredClientLog<P>), StoreError> {
        found.claim(log, &Owner { role: Role::Client, service: service.to_owned() })?;
        let mut store = Self::new();
        let mut recovered =
            RecoveredClientLog { client: RecoveredClient::default(), answers: Vec::new(), broadcasts: Vec::new() };
        // By stream: calls come before answers, and of each stream the oldest first.
        for (stream, sequence, bytes) in found.into_records() {
            let record = decode_client(bytes).map_err(unreadable(stream, sequence))?;
            store.found(sequence, record, &mut recovered);
        }
        recovered.answers.sort_by_key(|unclaimed| unclaimed.number);
        store.flush(log)?;
        Ok((store, recovered))
    }

    fn new() -> Self {
        Self {
            session: Stream::new(CLIENT_SESSION),
            calls: Stream::new(CLIENT_CALLS),
            answers: Stream::new(CLIENT_ANSWERS),
            broadcasts: Stream::new(CLIENT_BROADCASTS),
            newest_session: None,
            kept: Ring::default(),
            answered: 0,
            scratch: Vec::new(),
        }
    }

    fn found<P>(&mut self, sequence: Sequence, record: ClientRecord<P>, recovered: &mut RecoveredClientLog<P>) {
        match record {
            ClientRecord::Session(established) => {
                self.session.found(sequence);
                if let Some(older) = self.newest_session.replace(sequence) {
                    self.session.forget(older);
                }
                recovered.client.established = Some(established);
            }
            ClientRecord::Call(call) => {
                self.calls.found(sequence);
                self.kept.insert(call.number.0, Kept { call: sequence, answer: None });
                recovered.client.calls.push(call);
            }
            ClientRecord::Answer { number, answer } => {
                self.answers.found(sequence);
                let calls = &mut recovered.client.calls;
                let call = calls.binary_search_by_key(&number, |call| call.number).map(|at| calls.remove(at));
                match (self.kept.get_mut(number.0), call) {
                    (Some(kept), Ok(call)) => {
                        kept.answer = Some(sequence);
                        self.answered += 1;
                        let (method, request) = (call.method, call.payload);
                        recovered.answers.push(UnclaimedAnswer { number, method, request, answer });
                    }
                    // Claimed, and the crash came between.
                    _ => self.answers.forget(sequence),
                }
            }
            ClientRecord::Broadcast(broadcast) => {
                self.broadcasts.found(sequence);
                recovered.broadcasts.push((sequence, RecordedBroadcast { redelivered: true, ..broadcast }));
            }
        }
    }

    /// Puts a record into the log. It is durable when the log has passed the sequence that is returned.
    ///
    /// # Errors
    /// The log says no; nothing happened.
    pub fn record<P: AsRef<[u8]>>(
        &mut self,
        log: &mut impl RecordLog,
        record: &ClientRecord<P>,
    ) -> Result<Sequence, LogError> {
        self.scratch.clear();
        encode_client(record, &mut self.scratch);
        let room = if record.is_refusable() { Room::Ordinary } else { Room::Reserved };
        match record {
            ClientRecord::Session(_) => {
                let sequence = self.session.append(log, &self.scratch, room)?;
                if let Some(older) = self.newest_session.replace(sequence) {
                    self.session.forget(older);
                }
                Ok(sequence)
            }
            ClientRecord::Call(call) => {
                let sequence = self.calls.append(log, &self.scratch, room)?;
                self.kept.insert(call.number.0, Kept { call: sequence, answer: None });
                Ok(sequence)
            }
            ClientRecord::Answer { number, .. } => {
                let sequence = self.answers.append(log, &self.scratch, room)?;
                match self.kept.get_mut(number.0) {
                    Some(kept) => {
                        kept.answer = Some(sequence);
                        self.answered += 1;
                    }
                    // A call without a record has an answer without a use for one.
                    None => self.answers.forget(sequence),
                }
                Ok(sequence)
            }
            ClientRecord::Broadcast(_) => self.broadcasts.append(log, &self.scratch, room),
        }
    }

    /// The application has the answer of this call, or wants none: call and answer are needed no more. `false`: it is not on record.
    pub fn claim(&mut self, number: CallNumber) -> bool {
        let Some(kept) = self.kept.remove(number.0) else { return false };
        self.calls.forget(kept.call);
        if let Some(answer) = kept.answer {
            self.answers.forget(answer);
            self.answered -= 1;
        }
        true
    }

    /// The handler of this broadcast has run. `sequence`: what [`Self::record`] returned for it, or recovery told.
    pub fn ran(&mut self, sequence: Sequence) {
        self.broadcasts.forget(sequence);
    }

    /// Releases what was forgotten since the last time. After a crash before that is durable, it is found again. Call it when a batch of
    /// work is done.
    ///
    /// # Errors
    /// The log says no. What is not released yet is kept in mind for the next time.
    pub fn flush(&mut self, log: &mut impl RecordLog) -> Result<(), LogError> {
        // The order is the invariant.
        self.calls.flush(log)?;
        self.answers.flush(log)?;
        self.broadcasts.flush(log)?;
        self.session.flush(log)
    }

    /// How many calls are on record whose answers nobody has claimed: (open, answered).
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        (self.kept.len() - self.answered, self.answered)
    }
}

#[cfg(test)]
mod tests;
