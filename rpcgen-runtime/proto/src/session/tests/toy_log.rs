//! Logs of both ends for the scripted scenarios: what was not synced is lost with the process, and the power with it.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::ids::*;
use crate::record::*;
use crate::session::Answer;

/// Records in order, of which the first so many are durable.
#[derive(Clone, Debug)]
pub(super) struct ToyLog<R> {
    pub(super) records: Vec<R>,
    durable: usize,
    /// The mark of the last record that was asked for, in this life.
    asked: Mark,
    /// Which life this is, from 1.
    pub(super) life: u64,
    /// Which log it is.
    pub(super) id: [u8; 3],
    /// Whether whatever is asked for is durable at once.
    pub(super) syncs: bool,
    /// Refuses the records that may be refused.
    pub(super) is_full: bool,
}

impl<R: Clone> ToyLog<R> {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), durable: 0, asked: Mark(0), life: 1, id: [0; 3], syncs: true, is_full: false }
    }

    pub(super) fn append(&mut self, mark: Mark, record: R) {
        assert_eq!(mark.0, self.asked.0 + 1, "marks count");
        self.asked = mark;
        self.records.push(record);
    }

    /// Another session in the same process.
    pub(super) fn begin_session(&mut self) {
        self.asked = Mark(0);
    }

    /// The mark was given, and its record refused.
    pub(super) fn refuse(&mut self, mark: Mark) {
        self.asked = mark;
    }

    /// What the driver puts there itself.
    pub(super) fn note(&mut self, record: R) {
        self.records.push(record);
    }

    pub(super) fn sync(&mut self) -> Mark {
        self.durable = self.records.len();
        self.asked
    }

    /// The process is gone, and what was not synced.
    pub(super) fn crash(&mut self) {
        self.records.truncate(self.durable);
        (self.asked, self.life) = (Mark(0), self.life + 1);
    }
}

impl ToyLog<ClientRecord<u64>> {
    /// What a session begins from, and the answers that nobody has claimed.
    pub(super) fn recover(&self) -> (RecoveredClient<u64>, BTreeMap<CallNumber, Answer<u64>>) {
        let (mut client, mut answers) = (RecoveredClient::default(), BTreeMap::new());
        for record in &self.records {
            match record.clone() {
                ClientRecord::Session(established) => client.established = Some(established),
                ClientRecord::Call(call) => client.calls.push(call),
                ClientRecord::Answer { number, answer } => {
                    client.calls.retain(|call| call.number != number);
                    answers.insert(number, answer);
                }
                ClientRecord::Broadcast(_) => {}
            }
        }
        (client, answers)
    }
}

/// A record of the one session that a toy server has, or that a call is forgotten.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Record(ServerRecord<u64>),
    Forget(CallNumber),
}

impl ToyLog<Entry> {
    pub(super) fn recover(&self) -> Option<RecoveredSession<u64>> {
        let mut session = None;
        let (mut open, mut answered) = (BTreeMap::new(), BTreeMap::new());
        let (mut called_below, mut expired) = (CallNumber(0), false);
        let mut forgotten = BTreeSet::new();
        for entry in &self.records {
            match entry.clone() {
                Entry::Record(ServerRecord::Session(recorded)) => {
                    if session.as_ref().is_some_and(|known: &RecordedSession| known.session != recorded.session) {
                        (open, answered, called_below) = (BTreeMap::new(), BTreeMap::new(), CallNumber(0));
                    }
                    session = Some(recorded);
                    expired = false;
                }
                Entry::Record(ServerRecord::Action { number, method, digest, payload, .. }) => {
                    called_below = called_below.max(CallNumber(number.0 + 1));
                    forgotten.remove(&number);
                    open.insert(number, (method, digest, payload, 0));
                }
                Entry::Record(ServerRecord::Begun { number }) => {
                    if let Some((.., begun)) = open.get_mut(&number) {
                        *begun += 1;
                    }
                }
                Entry::Record(ServerRecord::Answer { number, method, digest, answer }) => {
                    called_below = called_below.max(CallNumber(number.0 + 1));
                    open.remove(&number);
                    answered.insert(number, (method, digest, answer));
                }
                Entry::Record(ServerRecord::Assigned { .. }) => {}
                Entry::Record(ServerRecord::Ended { expired: is_expired, called_below: below }) => {
                    (expired, called_below) = (is_expired, called_below.max(below));
                    if !is_expired {
                        session = None;
                    }
                }
                Entry::Forget(number) => {
                    forgotten.insert(number);
                }
            }
        }
        let open = open.into_iter().map(|(number, (method, digest, payload, begun))| RecoveredAction {
            number,
            method,
            digest,
            state: RecoveredState::Open { payload, begun },
        });
        let answered = answered.into_iter().map(|(number, (method, digest, answer))| RecoveredAction {
            number,
            method,
            digest,
            state: RecoveredState::Answered(answer),
        });
        let mut actions: Vec<_> =
            open.chain(answered).filter(|action: &RecoveredAction<u64>| !forgotten.contains(&action.number)).collect();
        actions.sort_by_key(|action| action.number);
        Some(RecoveredSession { session: session?, actions, called_below, expired })
    }
}
