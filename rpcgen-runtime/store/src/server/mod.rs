//! The book-keepers of a server's log: one for the whole, one for each session.
//!
//! Knows: which sessions have records, for how long what is left of ended ones is kept. Does not know: what a session does, who its client
//! is talking to, clocks: it is told how long the log has been open.

mod broadcasts;
mod recovery;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::ids::{ClientId, Incarnation};
use rpcgen_proto::server::{KnownLog, LogMark, NextMark, OtherMoment};

pub use self::broadcasts::BroadcastHandle;
pub use self::recovery::{RecoveredBroadcast, RecoveredServerLog};
pub use self::session::SessionStore;
use crate::codec::{LogTime, ServerEntry};
use crate::log::{RecordLog, Room};
use crate::stream::{SessionNumber, Stream};

/// How often it is put on record for how long the log was open: a restart loses at most so much of it, to the side of keeping longer.
const CLOCK_EVERY: Duration = Duration::from_secs(3600);

/// For how long what is left of expired sessions is kept, in time that the log is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Answers that their clients have not taken.
    pub answers_for: Duration,
    /// Up to which number actions may have run.
    pub tombstones_for: Duration,
}

/// Whose session it is: a client without a log is another one in each of its lives.
pub type Owner = (ClientId, Incarnation);

/// The records of a server that are not of a session, and those of sessions that are over.
#[derive(Debug)]
pub struct ServerStore {
    next: SessionNumber,
    tombstones: BTreeMap<Owner, SessionStore>,
    retention: Retention,
    clock: Clock,
    /// What the log's time was when it was opened.
    opened_at: LogTime,
    clocks: Stream,
    last_clock: Option<(Sequence, LogTime)>,
    /// In the same stream as the clocks; more than one while the completion store may have the one before.
    marks: Vec<(Sequence, u64, LogMark)>,
}

/// The log's time, as all its book-keepers see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn now(&self) -> LogTime {
        LogTime(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, now: LogTime) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl ServerStore {
    /// The books for a session that begins. What is left of an earlier one of the same client goes on in them.
    pub fn open(&mut self, owner: Owner) -> SessionStore {
        self.tombstones.remove(&owner).unwrap_or_else(|| {
            let number = self.next;
            self.next = SessionNumber(number.0 + 1);
            SessionStore::new(number, self.clock.clone())
        })
    }

    /// A session is over, and that is on record. What is left of it is kept for its client, and for a while.
    pub fn close(&mut self, owner: Owner, session: SessionStore) {
        if session.is_tombstone() {
            self.tombstones.insert(owner, session);
        }
    }

    /// How many sessions that are over have something left.
    #[must_use]
    pub fn tombstones_count(&self) -> usize {
        self.tombstones.len()
    }

    /// The log has been open for so long: forgets what was kept for long enough, and once in an hour puts the time on record. Call it now
    /// and then; each minute, say.
    ///
    /// # Errors
    /// The log says no.
    pub fn tick(&mut self, log: &mut impl RecordLog, open_for: Duration) -> Result<(), LogError> {
        let now = LogTime(self.opened_at.0 + open_for.as_secs());
        self.clock.set(now);
        self.forget_old(now);
        for session in self.tombstones.values_mut() {
            session.flush(log)?;
        }
        self.tombstones.retain(|_, session| session.is_tombstone());
        let last = self.last_clock.map_or(LogTime(0), |(_, at)| at);
        if now.0 - last.0.min(now.0) >= CLOCK_EVERY.as_secs() {
            let mut bytes = Vec::new();
            ServerEntry::<Bytes>::Clock(now).encode(&mut bytes);
            let sequence = self.clocks.append(log, &bytes, Room::Reserved)?;
            if let Some((older, _)) = self.last_clock.replace((sequence, now)) {
                self.clocks.forget(older);
            }
        }
        self.clocks.flush(log)
    }

    /// Whether the log may begin beside a completion store that knows it like that, and which mark both get then.
    ///
    /// # Errors
    /// It may not.
    pub fn next_mark(&self, known: Option<KnownLog>, accepted: Option<u64>) -> Result<NextMark, OtherMoment> {
        NextMark::after(self.marks.iter().map(|(_, number, mark)| (*number, *mark)), known, accepted)
    }

    /// The highest number of a mark; 0: no store has had one.
    #[must_use]
    pub fn last_marked(&self) -> u64 {
        self.marks.iter().map(|(_, number, _)| *number).max().unwrap_or(0)
    }

    /// Marks the log. The marks before stay until [`Self::keep_last_mark`].
    ///
    /// # Errors
    /// The log says no.
    pub fn put_mark(&mut self, log: &mut impl RecordLog, number: u64, mark: LogMark) -> Result<Sequence, LogError> {
        let mut bytes = Vec::new();
        ServerEntry::<Bytes>::Mark { number, mark }.encode(&mut bytes);
        let sequence = self.clocks.append(log, &bytes, Room::Reserved)?;
        self.marks.push((sequence, number, mark));
        Ok(sequence)
    }

    /// The last mark is in the completion store: the others are of no use any more.
    ///
    /// # Errors
    /// The log says no; it may be called again.
    pub fn keep_last_mark(&mut self, log: &mut impl RecordLog) -> Result<(), LogError> {
        let older = self.marks.len().saturating_sub(1);
        self.marks.drain(..older).for_each(|(sequence, ..)| self.clocks.forget(sequence));
        self.clocks.flush(log)
    }

    fn forget_old(&mut self, now: LogTime) {
        let is_over = |at: LogTime, kept_for: Duration| now.0.saturating_sub(at.0) >= kept_for.as_secs();
        for session in self.tombstones.values_mut() {
            let Some(at) = session.ended_at() else { continue };
            if is_over(at, self.retention.tombstones_for) {
                session.forget_all();
            } else if is_over(at, self.retention.answers_for) {
                session.forget_answers();
            }
        }
    }
}

#[cfg(test)]
mod tests;
