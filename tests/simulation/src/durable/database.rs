//! The database of the server's business, with completion records. It keeps what it has committed, but an older state of it may be put in
//! its place.
//!
//! Knows: what docs/exactly-once.md says of effects, records and marks. Does not know: sessions; of the log, what tells moments apart.

use std::collections::BTreeMap;

use rpcgen_log::{Log, LogError, LogId};
use rpcgen_proto::ids::{CallKey, CallNumber, ClientId, Incarnation};
use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::server::{KnownLog, LogMark, OtherMoment};
use rpcgen_store::ServerStore;

use super::book::Tag;
use super::storage::Moments;

/// What is committed.
#[derive(Clone, Debug, Default)]
struct State {
    /// How often each call has had its effect: a table without unique keys.
    journal: BTreeMap<Tag, u32>,
    records: BTreeMap<CallKey, Tag>,
    retired: BTreeMap<(ClientId, Incarnation), CallNumber>,
    known: BTreeMap<LogId, KnownLog>,
    /// Which time it was that database and log were last used together: what the run knows, and nobody in it.
    moment: u64,
}

/// The database.
#[derive(Debug)]
pub(super) struct Database {
    state: State,
    snapshot: Option<State>,
    /// What was there before an older state was put in its place.
    right: Option<State>,
    moments: u64,
    /// Of all that is decided by chance about databases: worlds without one are what they were.
    pub(super) random: SplitMix64,
}

/// What there is of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// It was answered; the request was that one.
    Completed(Tag),
    /// Its client has had the answer.
    Retired,
}

/// Why a server does not begin.
#[derive(Clone, Debug)]
pub(super) enum BadBegin {
    /// Log and database are of different moments.
    Refused(OtherMoment),
    /// Its process died between log and database.
    CutShort,
    Failed(String),
}

impl From<LogError> for BadBegin {
    fn from(error: LogError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Database {
    pub(super) fn new(seed: u64) -> Self {
        let random = SplitMix64::new(seed ^ 0x6461_7461_6261_7365);
        Self { state: State::default(), snapshot: None, right: None, moments: 0, random }
    }

    /// How often it was used together with a log.
    pub(super) fn moments(&self) -> u64 {
        self.moments
    }

    pub(super) fn moment(&self) -> u64 {
        self.state.moment
    }

    /// How often a call has had its effect.
    pub(super) fn effects(&self, tag: Tag) -> u32 {
        self.state.journal.get(&tag).copied().unwrap_or(0)
    }

    /// Whether an effect was lost: it is not even in what was in use last.
    pub(super) fn has_lost(&self, tag: Tag) -> bool {
        !self.right.as_ref().unwrap_or(&self.state).journal.contains_key(&tag)
    }

    pub(super) fn find(&self, key: CallKey) -> Found {
        let is_below = |below: &CallNumber| key.number < *below;
        match self.state.records.get(&key) {
            Some(tag) => Found::Completed(*tag),
            None if self.state.retired.get(&(key.client, key.incarnation)).is_some_and(is_below) => Found::Retired,
            None => Found::Nothing,
        }
    }

    /// The work of a handler and the record of its answer, in one transaction. What there was of the call before.
    pub(super) fn once(&mut self, key: CallKey, tag: Tag) -> Found {
        let found = self.find(key);
        if found == Found::Nothing {
            *self.state.journal.entry(tag).or_default() += 1;
            self.state.records.insert(key, tag);
        }
        found
    }

    /// The client has the answers of all calls with lower numbers.
    pub(super) fn retire(&mut self, below: CallKey) {
        let life = (below.client, below.incarnation);
        let known = self.state.retired.entry(life).or_default();
        if *known < below.number {
            *known = below.number;
            let is_over = |key: &CallKey| (key.client, key.incarnation) == life && key.number < below.number;
            self.state.records.retain(|key, _| !is_over(key));
        }
    }

    /// A server begins with this log, or marks it again. Now and then its process dies on the way.
    pub(super) fn meet(
        &mut self,
        books: &mut ServerStore,
        log: &mut Log<rpcgen_log::testing::SimDisk>,
        moments: &mut Moments,
        accepted: Option<u64>,
    ) -> Result<(), BadBegin> {
        let known = self.state.known.get(&log.id()).copied();
        let next = books.next_mark(known, accepted).map_err(BadBegin::Refused)?;
        let mut mark = [0; 16];
        mark[..8].copy_from_slice(&self.random.next_u64().to_le_bytes());
        let now = KnownLog { number: next.number, mark: LogMark(mark) };
        books.put_mark(log, next.first, now.mark)?;
        log.commit()?;
        if self.random.chance(0.05) {
            return Err(BadBegin::CutShort);
        }
        self.moments += 1;
        self.state.known.insert(log.id(), now);
        (self.state.moment, moments.last) = (self.moments, self.moments);
        moments.possible.insert(self.moments);
        if self.random.chance(0.05) {
            return Err(BadBegin::CutShort);
        }
        if next.first != next.number {
            books.put_mark(log, next.number, now.mark)?;
        }
        books.keep_last_mark(log)?;
        // Before anything begins: a database of before has no mark in common with the log any more.
        log.commit()?;
        moments.possible = [self.moments].into();
        Ok(())
    }

    pub(super) fn take_snapshot(&mut self) {
        self.snapshot = Some(self.state.clone());
    }

    /// Puts the snapshot in the place of what is there. `false`: there is none.
    pub(super) fn restore(&mut self) -> bool {
        let Some(snapshot) = &self.snapshot else { return false };
        let right = std::mem::replace(&mut self.state, snapshot.clone());
        self.right.get_or_insert(right);
        true
    }

    /// Whether an older state is in its place.
    pub(super) fn is_older(&self) -> bool {
        self.right.is_some()
    }

    /// What was in use last is there again.
    pub(super) fn put_right(&mut self) {
        if let Some(right) = self.right.take() {
            self.state = right;
        }
    }

    /// What is there is what counts from now on.
    pub(super) fn keep(&mut self) {
        self.right = None;
    }
}
