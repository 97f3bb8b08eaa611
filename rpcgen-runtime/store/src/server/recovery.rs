//! What a server begins from after a restart.
//!
//! Knows: how the records of a session add up. Does not know: what is done with it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rpcgen_log::Sequence;
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::record::{RecordedSession, RecoveredAction, RecoveredSession, RecoveredState};

use super::{BroadcastHandle, Clock, Retention, ServerStore, SessionStore};
use crate::codec::{BroadcastEntry, LogTime, Owner, Role, ServerEntry};
use crate::error::StoreError;
use crate::found::{FoundRecords, unreadable};
use crate::log::RecordLog;
use crate::stream::{BROADCASTS, CLOCK, Kind, SessionNumber, Stream};

/// What a server finds in its log.
#[derive(Debug)]
pub struct RecoveredServerLog<P> {
    /// The sessions that go on, and their books; in the order in which they began.
    pub sessions: Vec<(RecoveredSession<P>, SessionStore)>,
    /// What is left of sessions that expired; their books are with the [`ServerStore`].
    pub tombstones: Vec<RecoveredSession<P>>,
    /// To be given to nodes, in order.
    pub broadcasts: Vec<RecoveredBroadcast<P>>,
}

/// A broadcast that no node has guaranteed.
#[derive(Debug)]
pub struct RecoveredBroadcast<P> {
    /// What it is.
    pub broadcast: BroadcastEntry<P>,
    /// Its records. [`BroadcastHandle::is_assigned`]: it may have run.
    pub handle: BroadcastHandle,
}

/// One session, while its records are read.
struct Reading<P> {
    store: SessionStore,
    session: Option<RecordedSession>,
    actions: BTreeMap<CallNumber, RecoveredAction<P>>,
    called_below: CallNumber,
    /// What follows from the session's own stream: whether it is over, and in which way.
    end: Option<bool>,
}

impl ServerStore {
    /// Makes the books of what was found.
    ///
    /// # Errors
    /// It is another owner's log, or has a record that this program does not know; or the log cannot be written.
    pub fn recover<P: From<Bytes>>(
        mut found: FoundRecords,
        log: &mut impl RecordLog,
        retention: Retention,
    ) -> Result<(Self, RecoveredServerLog<P>), StoreError> {
        found.claim(log, &Owner { role: Role::Server, service: String::new() })?;
        let clock = Clock::default();
        let mut store = Self {
            next: SessionNumber::FIRST,
            tombstones: BTreeMap::new(),
            retention,
            clock: clock.clone(),
            opened_at: LogTime(0),
            clocks: Stream::new(CLOCK),
            last_clock: None,
            marks: Vec::new(),
        };
        let mut reading: BTreeMap<SessionNumber, Reading<P>> = BTreeMap::new();
        let mut broadcasts = BTreeMap::new();
        // By stream, and in each stream the oldest first: of a session first itself, then its actions, then its answers.
        for (stream, sequence, bytes) in found.into_records() {
            let unreadable = unreadable(stream, sequence);
            let entry = ServerEntry::decode(bytes).map_err(unreadable)?;
            match SessionNumber::of(stream) {
                Some(number) => {
                    let session = reading.entry(number).or_insert_with(|| Reading::new(number, clock.clone()));
                    store.opened_at = store.opened_at.max(session.read(stream, sequence, entry));
                    store.next = store.next.max(SessionNumber(number.0 + 1));
                }
                None if stream == BROADCASTS => read_broadcast(&mut broadcasts, sequence, entry, log)?,
                None => store.read_clock(sequence, &entry),
            }
        }
        clock.set(store.opened_at);
        let mut recovered = RecoveredServerLog {
            sessions: Vec::new(),
            tombstones: Vec::new(),
            broadcasts: broadcasts.into_values().collect(),
        };
        for session in reading.into_values() {
            store.finish(session, log, &mut recovered)?;
        }
        store.tick(log, Duration::ZERO)?;
        recovered.tombstones.retain_mut(|session| {
            let Some(books) = store.tombstones.get(&owner_of(&session.session)) else { return false };
            if books.kept() == (0, 0) {
                session.actions.clear();
            }
            true
        });
        Ok((store, recovered))
    }

    fn read_clock<P>(&mut self, sequence: Sequence, entry: &ServerEntry<P>) {
        self.clocks.found(sequence);
        match *entry {
            ServerEntry::Clock(at) => {
                self.opened_at = self.opened_at.max(at);
                if let Some((older, _)) = self.last_clock.replace((sequence, at)) {
                    self.clocks.forget(older);
                }
            }
            ServerEntry::Mark { number, mark } => self.marks.push((sequence, number, mark)),
            _ => self.clocks.forget(sequence),
        }
    }

    fn finish<P>(
        &mut self,
        reading: Reading<P>,
        log: &mut impl RecordLog,
        recovered: &mut RecoveredServerLog<P>,
    ) -> Result<(), StoreError> {
        let Reading { mut store, session, actions, called_below, end } = reading;
        let expired = end == Some(true);
        let Some(session) = session.filter(|_| end != Some(false)) else {
            // Formally over, and the crash came before all of it was released.
            store.forget_all();
            store.flush(log)?;
            return Ok(());
        };
        store.flush(log)?;
        let owner = owner_of(&session);
        let actions = actions.into_values().filter(|action| !expired || action.is_answered()).collect();
        let session = RecoveredSession { session, actions, called_below, expired };
        if expired {
            self.tombstones.insert(owner, store);
            recovered.tombstones.push(session);
        } else {
            recovered.sessions.push((session, store));
        }
        Ok(())
    }
}

fn owner_of(session: &RecordedSession) -> super::Owner {
    (session.client, session.incarnation)
}

fn read_broadcast<P>(
    broadcasts: &mut BTreeMap<Sequence, RecoveredBroadcast<P>>,
    sequence: Sequence,
    entry: ServerEntry<P>,
    log: &mut impl RecordLog,
) -> Result<(), StoreError> {
    match entry {
        ServerEntry::Broadcast(broadcast) => {
            let handle = BroadcastHandle { record: sequence, assigned: Vec::new() };
            broadcasts.insert(sequence, RecoveredBroadcast { broadcast, handle });
        }
        ServerEntry::Assigned { broadcast } if broadcasts.contains_key(&broadcast) => {
            if let Some(broadcast) = broadcasts.get_mut(&broadcast) {
                broadcast.handle.assigned.push(sequence);
            }
        }
        _ => log.release(BROADCASTS, sequence, sequence)?,
    }
    Ok(())
}

impl<P> Reading<P> {
    fn new(number: SessionNumber, clock: Clock) -> Self {
        let store = SessionStore::new(number, clock);
        Self { store, session: None, actions: BTreeMap::new(), called_below: CallNumber(0), end: None }
    }

    /// Takes in a record. What it says of the log's time.
    fn read(&mut self, stream: rpcgen_log::StreamId, sequence: Sequence, entry: ServerEntry<P>) -> LogTime {
        match entry {
            ServerEntry::Session(session) => {
                self.store.found_session(sequence);
                (self.session, self.end) = (Some(session), None);
            }
            ServerEntry::Ended { expired, called_below, at } => {
                self.store.found_end(sequence, expired, called_below, at);
                self.end = Some(expired);
                self.called_below = self.called_below.max(called_below);
                return at;
            }
            ServerEntry::Action { number, method, digest, payload } => {
                self.store.found_action(number, sequence);
                let state = RecoveredState::Open { payload, begun: 0 };
                self.insert(RecoveredAction { number, method, digest, state });
            }
            ServerEntry::Begun { number } => match self.actions.get_mut(&number) {
                Some(RecoveredAction { state: RecoveredState::Open { begun, .. }, .. }) => {
                    *begun = begun.saturating_add(1);
                    self.store.found_action(number, sequence);
                }
                _ => self.store.found_leftover(Kind::Actions, sequence),
            },
            ServerEntry::Answer { number, method, digest, answer } => {
                self.store.found_answer(number, sequence);
                self.insert(RecoveredAction { number, method, digest, state: RecoveredState::Answered(answer) });
            }
            // In no stream of a session.
            ServerEntry::Broadcast(_)
            | ServerEntry::Assigned { .. }
            | ServerEntry::Clock(_)
            | ServerEntry::Mark { .. } => {
                let kind = [Kind::Session, Kind::Actions, Kind::Answers].get((stream.0 & 3) as usize).copied();
                self.store.found_leftover(kind.unwrap_or(Kind::Session), sequence);
            }
        }
        LogTime(0)
    }

    fn insert(&mut self, action: RecoveredAction<P>) {
        self.called_below = self.called_below.max(CallNumber(action.number.0 + 1));
        self.actions.insert(action.number, action);
    }
}
