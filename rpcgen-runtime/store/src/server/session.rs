//! The book-keeper of one session of a server.
//!
//! Knows: which records of the session are needed for what. Does not know: the session.
//!
//! **Invariants:** an action's own records are released after its answer was written, so that a crash leaves at least one of them; the
//! record with the highest number stays, so that it is known up to where actions were taken.

use bytes::Bytes;
use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::ids::{BroadcastNumber, CallNumber};
use rpcgen_proto::record::{RecordedSession, ServerRecord};

use super::{BroadcastHandle, Clock};
use crate::codec::{LogTime, ServerEntry};
use crate::log::{RecordLog, Room};
use crate::ring::Ring;
use crate::stream::{Kind, SessionNumber, Stream};

/// Where the records of an action are.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// Its own one and those of its beginnings.
    action: Vec1,
    answer: Option<Sequence>,
}

/// Mostly one.
#[derive(Clone, Debug, Default)]
struct Vec1 {
    first: Option<Sequence>,
    more: Vec<Sequence>,
}

impl Vec1 {
    fn push(&mut self, sequence: Sequence) {
        if self.first.is_none() {
            self.first = Some(sequence);
        } else {
            self.more.push(sequence);
        }
    }

    fn drain(&mut self) -> impl Iterator<Item = Sequence> {
        self.first.take().into_iter().chain(std::mem::take(&mut self.more))
    }
}

/// Where the record of an end is, and what it says.
#[derive(Clone, Copy, Debug)]
struct End {
    sequence: Sequence,
    called_below: CallNumber,
    at: LogTime,
}

/// The records of one session.
#[derive(Clone, Debug)]
pub struct SessionStore {
    clock: Clock,
    session: Stream,
    actions: Stream,
    answers: Stream,
    newest_session: Option<Sequence>,
    ended: Option<End>,
    /// An end that was none, because the client came back: kept for its number until a higher one is on record.
    past_end: Option<End>,
    /// By call number.
    kept: Ring<Kept>,
    /// The answer with the highest number, although nobody asks for it any more.
    youngest: Option<(CallNumber, Sequence)>,
    /// By their number in the session: what is on its way to the node.
    broadcasts: Ring<BroadcastHandle>,
    scratch: Vec<u8>,
}

impl SessionStore {
    pub(super) fn new(number: SessionNumber, clock: Clock) -> Self {
        Self {
            clock,
            session: Stream::new(number.stream(Kind::Session)),
            actions: Stream::new(number.stream(Kind::Actions)),
            answers: Stream::new(number.stream(Kind::Answers)),
            newest_session: None,
            ended: None,
            past_end: None,
            kept: Ring::default(),
            youngest: None,
            broadcasts: Ring::default(),
            scratch: Vec::new(),
        }
    }

    /// Puts a record into the log. It is durable when the log has passed the sequence that is returned. `None`: the record says nothing
    /// that has to be kept (a broadcast that is not on record is assigned).
    ///
    /// # Errors
    /// The log says no; nothing happened.
    pub fn record<P: AsRef<[u8]>>(
        &mut self,
        log: &mut impl RecordLog,
        record: ServerRecord<P>,
    ) -> Result<Option<Sequence>, LogError> {
        match record {
            ServerRecord::Session(session) => self.begin(log, session).map(Some),
            ServerRecord::Action { number, method, digest, sent_before, payload } => {
                let bytes = self.encode(&ServerEntry::Action { number, method, digest, payload });
                let room = if sent_before { Room::Again } else { Room::Ordinary };
                let sequence = self.actions.append(log, &bytes, room)?;
                self.scratch = bytes;
                self.entered(number, |kept| kept.action.push(sequence));
                Ok(Some(sequence))
            }
            ServerRecord::Begun { number } => {
                let bytes = self.encode(&ServerEntry::<Bytes>::Begun { number });
                let sequence = self.actions.append(log, &bytes, Room::Reserved)?;
                self.scratch = bytes;
                match self.kept.get_mut(number.0) {
                    Some(kept) => kept.action.push(sequence),
                    // An action without a record of its own is not run again: its beginning means nothing.
                    None => self.actions.forget(sequence),
                }
                Ok(Some(sequence))
            }
            ServerRecord::Answer { number, method, digest, answer } => {
                let bytes = self.encode(&ServerEntry::Answer { number, method, digest, answer });
                let sequence = self.answers.append(log, &bytes, Room::Reserved)?;
                self.scratch = bytes;
                self.answered(number, sequence);
                Ok(Some(sequence))
            }
            ServerRecord::Assigned { number } => {
                self.broadcasts.get_mut(number.0).map(|handle| handle.assign(log)).transpose()
            }
            ServerRecord::Ended { expired, called_below } => self.end(log, expired, called_below).map(Some),
        }
    }

    fn encode<P: AsRef<[u8]>>(&mut self, entry: &ServerEntry<P>) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        entry.encode(&mut bytes);
        bytes
    }

    fn begin(&mut self, log: &mut impl RecordLog, session: RecordedSession) -> Result<Sequence, LogError> {
        let bytes = self.encode(&ServerEntry::<Bytes>::Session(session));
        let sequence = self.session.append(log, &bytes, Room::Reserved)?;
        self.scratch = bytes;
        self.begun(sequence);
        Ok(sequence)
    }

    fn begun(&mut self, sequence: Sequence) {
        if let Some(older) = self.newest_session.replace(sequence) {
            self.session.forget(older);
        }
        if let Some(end) = self.ended.take() {
            self.past_end = Some(end);
        }
    }

    /// Notes a record of this action, and lets an older one go that was kept for its number alone.
    fn entered(&mut self, number: CallNumber, note: impl FnOnce(&mut Kept)) {
        if self.youngest.is_some_and(|(youngest, _)| youngest < number)
            && let Some((_, sequence)) = self.youngest.take()
        {
            self.answers.forget(sequence);
        }
        if let Some(end) = self.past_end.take_if(|end| end.called_below <= number) {
            self.session.forget(end.sequence);
        }
        match self.kept.get_mut(number.0) {
            Some(kept) => note(kept),
            None => {
                let mut kept = Kept::default();
                note(&mut kept);
                self.kept.insert(number.0, kept);
            }
        }
    }

    fn answered(&mut self, number: CallNumber, sequence: Sequence) {
        let mut over = Vec1::default();
        self.entered(number, |kept| {
            over = std::mem::take(&mut kept.action);
            kept.answer = Some(sequence);
        });
        over.drain().for_each(|sequence| self.actions.forget(sequence));
    }

    pub(super) fn found_action(&mut self, number: CallNumber, sequence: Sequence) {
        self.actions.found(sequence);
        self.entered(number, |kept| kept.action.push(sequence));
    }

    pub(super) fn found_answer(&mut self, number: CallNumber, sequence: Sequence) {
        self.answers.found(sequence);
        self.answered(number, sequence);
    }

    pub(super) fn found_session(&mut self, sequence: Sequence) {
        self.session.found(sequence);
        self.begun(sequence);
    }

    pub(super) fn found_end(&mut self, sequence: Sequence, expired: bool, called_below: CallNumber, at: LogTime) {
        self.session.found(sequence);
        self.ended(End { sequence, called_below, at }, expired);
    }

    /// A record that means nothing.
    pub(super) fn found_leftover(&mut self, kind: Kind, sequence: Sequence) {
        let stream = match kind {
            Kind::Session => &mut self.session,
            Kind::Actions => &mut self.actions,
            Kind::Answers => &mut self.answers,
        };
        stream.found(sequence);
        stream.forget(sequence);
    }

    /// The client has guaranteed the answer of this action, or never will ask for it: the record is needed no more.
    pub fn forget(&mut self, number: CallNumber) {
        let Some(mut kept) = self.kept.remove(number.0) else { return };
        kept.action.drain().for_each(|sequence| self.actions.forget(sequence));
        let Some(answer) = kept.answer else { return };
        let is_youngest = self.kept.last().is_none_or(|last| last < number.0)
            && self.youngest.is_none_or(|(youngest, _)| youngest < number)
            && self.past_end.is_none_or(|end| end.called_below <= number);
        if !is_youngest {
            return self.answers.forget(answer);
        }
        if let Some((_, older)) = self.youngest.replace((number, answer)) {
            self.answers.forget(older);
        }
    }

    fn end(&mut self, log: &mut impl RecordLog, expired: bool, called_below: CallNumber) -> Result<Sequence, LogError> {
        let at = self.clock.now();
        let bytes = self.encode(&ServerEntry::<Bytes>::Ended { expired, called_below, at });
        let sequence = self.session.append(log, &bytes, Room::Reserved)?;
        self.scratch = bytes;
        self.ended(End { sequence, called_below, at }, expired);
        Ok(sequence)
    }

    /// Actions that have not been answered are over too. A formal end leaves nothing.
    fn ended(&mut self, end: End, expired: bool) {
        for older in [self.ended.replace(end), self.past_end.take()].into_iter().flatten() {
            self.session.forget(older.sequence);
        }
        if expired {
            self.actions.forget_all();
            self.kept.retain(|kept| kept.answer.is_some());
        } else {
            self.forget_all();
        }
    }

    /// Whether something is left of a session that is over.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.ended.is_some()
    }

    pub(super) fn ended_at(&self) -> Option<LogTime> {
        self.ended.map(|end| end.at)
    }

    pub(super) fn forget_answers(&mut self) {
        self.kept = Ring::default();
        self.youngest = None;
        self.answers.forget_all();
    }

    pub(super) fn forget_all(&mut self) {
        self.forget_answers();
        self.actions.forget_all();
        self.session.forget_all();
        (self.newest_session, self.ended, self.past_end) = (None, None, None);
    }

    /// This broadcast goes to the session's node under this number.
    pub fn route(&mut self, number: BroadcastNumber, handle: BroadcastHandle) {
        self.broadcasts.insert(number.0, handle);
    }

    /// Takes a broadcast back, to give it to another node, or to release it. `None`: it is not on record.
    pub fn take_route(&mut self, number: BroadcastNumber) -> Option<BroadcastHandle> {
        self.broadcasts.remove(number.0)
    }

    /// Takes all of them back.
    pub fn take_routes(&mut self) -> impl Iterator<Item = (BroadcastNumber, BroadcastHandle)> {
        self.broadcasts.take().map(|(number, handle)| (BroadcastNumber(number), handle))
    }

    /// Releases what was forgotten since the last time. After a crash before that is durable, it is found again, and forgotten again.
    /// Call it when a batch of work is done.
    ///
    /// # Errors
    /// The log says no. What is not released yet is kept in mind for the next time.
    pub fn flush(&mut self, log: &mut impl RecordLog) -> Result<(), LogError> {
        self.actions.flush(log)?;
        self.answers.flush(log)?;
        // Last: without it nobody would know whose the others were.
        self.session.flush(log)
    }

    /// How many actions are on record: (without an answer, with one).
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        let answered = self.kept.iter().filter(|(_, kept)| kept.answer.is_some()).count();
        (self.kept.len() - answered, answered)
    }
}
