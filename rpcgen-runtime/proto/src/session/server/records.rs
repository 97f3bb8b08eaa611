//! What a server session puts on record, what it holds back until that is durable, and how it begins from its records.
//!
//! Knows: which word waits for which record (decision 0026). Does not know: logs.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;

use super::actions::{Action, ActionState};
use super::greet::Greeting;
use super::{Phase, ServerSession};
use crate::config::{Config, Durable};
use crate::frame::{Body, Refusal};
use crate::ids::{BroadcastNumber, CallNumber, Epoch, MethodId};
use crate::mutants::mutated;
use crate::record::{Mark, RecordedSession, RecoveredSession, RecoveredState, ServerRecord};
use crate::session::journal::{Bit, Journal};
use crate::session::output::{ActionHandle, Answer, CloseReason, Output, Payload, ServerEvent};
use crate::session::timers::{Timer, Timers};
use crate::session::{InvariantViolation, Kept, Past};
use crate::time::Instant;

/// What waits for records to be durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Records<P> {
    pub(super) journal: Journal,
    /// The session as it is on record.
    pub(super) session: RecordedSession,
    /// What is to be sent, in the order of its marks.
    pub(super) bodies: VecDeque<(Mark, Body<P>)>,
    /// The welcome of new lanes.
    pub(super) greeting: Option<(Mark, Greeting)>,
    /// Actions that are not on record yet: each may be refused for want of space.
    accepting: VecDeque<(Mark, ActionHandle)>,
    /// Actions that have begun more than once.
    turns: BTreeSet<CallNumber>,
    /// Those of them that are answered, in the order of their marks.
    turns_ending: VecDeque<(Mark, CallNumber)>,
}

impl<P> Records<P> {
    pub(super) fn new(durable: &Durable, session: RecordedSession) -> Self {
        Self {
            journal: Journal::new(durable),
            session,
            bodies: VecDeque::new(),
            greeting: None,
            accepting: VecDeque::new(),
            turns: BTreeSet::new(),
            turns_ending: VecDeque::new(),
        }
    }
}

impl<P> Records<P> {
    pub(super) fn check(&self) -> Result<(), InvariantViolation> {
        let marks = self.bodies.iter().map(|(mark, _)| *mark).filter(|mark| *mark > Mark(0));
        if marks.clone().any(|mark| mark > self.journal.asked()) || !marks.is_sorted() {
            return Err(InvariantViolation("answer_implies_completion: what waits is not in the order of its records"));
        }
        Ok(())
    }
}

impl<P: Payload> ServerSession<P> {
    /// A session that goes on from a durable log ([`Config::durable`] says that there is one): without a link, its lanes gone. Its open
    /// actions begin, each with [`ServerEvent::Begin`] first. `epoch`: that of the registry.
    ///
    /// Broadcasts are the driver's: it routes those again that were not assigned, and those that were to this session, as redelivered.
    // spec: protocol.md 9
    #[must_use]
    pub fn recover(now: Instant, config: Config, epoch: Epoch, recovered: RecoveredSession<P>) -> Self {
        debug_assert!(config.durable.is_some(), "a server with a durable log");
        let RecoveredSession { session, actions, called_below, .. } = recovered;
        let (durable, expired_below) = (config.durable.clone().unwrap_or_default(), session.expired_below);
        let mut recovered = Self::without_lanes(now, config, epoch, &session);
        recovered.records = Some(Box::new(Records::new(&durable, session)));
        recovered.called_below = called_below;
        recovered.ledger.expired_below = expired_below;
        recovered.has_past = true;
        // No number that a life of this log gave to a broadcast is ever given again.
        recovered.next_broadcast = BroadcastNumber(u64::from(epoch.log_life().unwrap_or(0)) << 40);
        for action in actions {
            let (number, method, digest) = (action.number, action.method, action.digest);
            match action.state {
                RecoveredState::Open { payload, .. } if !mutated!(OpenNotRerun) => {
                    let state = ActionState::Queued { redelivered: true, on_record: true, payload };
                    recovered.actions.restore(Action { number, method, digest, state });
                }
                RecoveredState::Open { .. } => {}
                RecoveredState::Answered(answer) => {
                    recovered.ledger.answers.insert(number, Kept { digest, answer });
                }
            }
        }
        recovered.timers.set(Timer::End, now + recovered.lanes.config.reconnect_timeout);
        recovered.begin_actions();
        recovered
    }

    /// The durable log has stopped: what is not durable never will be, so nothing that waits for it is ever said. The session ends
    /// here, and nothing of it is over.
    // spec: protocol.md 4
    pub fn log_stopped(&mut self, now: Instant, cause: &str) {
        self.now = now;
        if self.phase == Phase::Ended || self.records.is_none() {
            return;
        }
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
        self.phase = Phase::Ended;
        self.timers = Timers::default();
        self.lanes.link_down();
        self.event(ServerEvent::Stopped);
        self.outputs.push_back(Output::CloseLink(CloseReason::LogStopped(String::from(cause))));
    }

    /// Whether actions of this kind are put on record.
    pub(super) fn keeps(&self, method: MethodId) -> bool {
        self.records.as_ref().is_some_and(|records| records.journal.keeps(method))
    }

    /// Asks for a record. `None`: there is no durable log.
    pub(super) fn persist(&mut self, record: ServerRecord<P>) -> Option<Mark> {
        let mark = self.records.as_mut()?.journal.ask();
        self.outputs.push_back(Output::Persist(mark, record));
        Some(mark)
    }

    /// The bit of an action waits until it is on record.
    // spec: protocol.md 4
    pub(super) fn record_action(
        &mut self,
        action: ActionHandle,
        method: MethodId,
        digest: u64,
        maybe_sent: bool,
        payload: &P,
    ) -> Bit {
        if !self.keeps(method) {
            return Bit::ONE;
        }
        let (number, payload, sent_before) =
            (action.number, payload.clone(), maybe_sent && !mutated!(SentBeforeRefused));
        let Some(after) = self.persist(ServerRecord::Action { number, method, digest, sent_before, payload }) else {
            return Bit::ONE;
        };
        if let Some(records) = &mut self.records {
            records.accepting.push_back((after, action));
        }
        Bit { is_one: true, after }
    }

    /// An answer is put on record before it is sent.
    // spec: protocol.md 4
    pub(super) fn record_answer(
        &mut self,
        number: CallNumber,
        method: MethodId,
        digest: u64,
        answer: &Answer<P>,
    ) -> Option<Mark> {
        if !self.keeps(method) {
            return None;
        }
        self.persist(ServerRecord::Answer { number, method, digest, answer: answer.clone() })
    }

    /// An action that had begun before begins again: its turn is over when its answer is on record.
    pub(super) fn note_turn(&mut self, number: CallNumber) {
        if mutated!(TurnsOverlap) {
            self.event(ServerEvent::TurnOver(number));
        } else if let Some(records) = &mut self.records {
            records.turns.insert(number);
        }
    }

    /// An action is answered. `mark`: the answer's record.
    // spec: protocol.md 9
    pub(super) fn end_turn(&mut self, number: CallNumber, mark: Option<Mark>) {
        let Some(records) = &mut self.records else { return };
        if !records.turns.remove(&number) {
            return;
        }
        match mark {
            Some(mark) => records.turns_ending.push_back((mark, number)),
            _ => self.event(ServerEvent::TurnOver(number)),
        }
    }

    /// The record that has to be durable before anything may be said of what was asked for so far.
    pub(super) fn unsettled(&self) -> Option<Mark> {
        self.records.as_ref().and_then(|records| records.journal.unsettled()).filter(|_| !mutated!(LedgerBeforeRecord))
    }

    /// Sends a message once this record is durable; and after all that waits before it.
    pub(super) fn log_after(&mut self, mark: Option<Mark>, body: Body<P>) {
        match &mut self.records {
            Some(records) if (mark.is_some() || !records.bodies.is_empty()) && !mutated!(AnswerBeforeRecord) => {
                records.bodies.push_back((mark.unwrap_or_default(), body));
            }
            _ => self.log(body),
        }
    }

    /// A broadcast is told to go once it is on record that it is this node's.
    // spec: protocol.md 10
    pub(super) fn assign(&mut self, number: BroadcastNumber) {
        let mark = self.persist(ServerRecord::Assigned { number });
        match (mark, &mut self.records) {
            (Some(mark), Some(records)) if !mutated!(GoBeforeAssigned) => {
                records.bodies.push_back((mark, Body::Go { number }));
            }
            _ => self.urgent.push_back(Body::Go { number }),
        }
    }

    /// The client has the answer, or never will ask for it.
    pub(super) fn forget(&mut self, number: CallNumber, method: Option<MethodId>) {
        if self.records.is_some() && method.is_none_or(|method| self.keeps(method)) {
            self.outputs.push_back(Output::Forget(number));
        }
    }

    /// A mistake on purpose: an answer is on its way.
    pub(super) fn forget_answered(&mut self, body: &Body<P>) {
        let Body::Response { slot, check, .. } = body else { return };
        if let Some((handle, method)) =
            self.actions.at_slot(*slot, *check).map(|(handle, action)| (handle, action.method))
        {
            self.forget(handle.number, Some(method));
        }
    }

    /// The first frame on these lanes: the client has their secret, so that the one before is of no use any more.
    // spec: protocol.md 8
    pub(super) fn note_used(&mut self) {
        self.is_untouched = false;
        if let Some(records) = &mut self.records {
            records.session.is_used = true;
            if !mutated!(LastSecretKept) {
                records.session.last_secret = None;
            }
            let record = ServerRecord::Session(records.session.clone());
            self.persist(record);
        }
        self.event(ServerEvent::Used);
    }

    pub(super) fn on_persisted(&mut self, mark: Mark) {
        let Some(mut records) = self.records.take() else { return };
        records.journal.note_durable(mark);
        while let Some((_, body)) = records.bodies.pop_front_if(|(mark, _)| records.journal.is_durable(*mark)) {
            match body {
                body @ Body::Go { .. } => self.urgent.push_back(body),
                body => self.log(body),
            }
        }
        while records.accepting.pop_front_if(|(mark, _)| records.journal.is_durable(*mark)).is_some() {}
        while let Some((_, number)) = records.turns_ending.pop_front_if(|(mark, _)| records.journal.is_durable(*mark)) {
            self.event(ServerEvent::TurnOver(number));
        }
        self.lanes.release_bits(self.now, &records.journal);
        let greeting = records.greeting.take_if(|(mark, _)| records.journal.is_durable(*mark));
        self.records = Some(records);
        if let Some((_, greeting)) = greeting {
            self.welcome(&greeting).expect("new lanes resume from their beginning");
        }
    }

    /// There is no space for an action, or it can never be written: it is refused, and was not handed out yet.
    // spec: protocol.md 4
    pub(super) fn on_no_space(&mut self, mark: Mark) {
        let Some(records) = &mut self.records else { return };
        let Some(at) = records.accepting.iter().position(|(asked, _)| *asked == mark) else { return };
        let Some((_, action)) = records.accepting.remove(at) else { return };
        self.outputs.retain(|output| match output {
            Output::Event(ServerEvent::Action { action: begun, .. } | ServerEvent::Begin { action: begun, .. }) => {
                *begun != action
            }
            _ => true,
        });
        self.lanes.receive.refuse(mark);
        let Some(finished) = self.actions.finish(action) else { return };
        // That it did not run can only be said of one that was never sent before.
        let refusal = if finished.redelivered { Refusal::Unknown } else { Refusal::NoSpace };
        self.conclude(action.number, &finished, Answer::Refused(refusal));
        self.begin_actions();
    }

    /// What is left of a session that had expired, for the lanes of its client that has come back.
    // spec: protocol.md 8
    pub(super) fn take_past(&mut self, expired_below: CallNumber, past: Option<Past<P>>) {
        self.has_past = true;
        self.ledger.expired_below = expired_below;
        if let Some(past) = past {
            self.called_below = past.called_below;
            self.ledger.answers = past.answers;
        }
    }
}
