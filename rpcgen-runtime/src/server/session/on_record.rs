//! What a session's task does for the log on disk.
//!
//! Knows: which word of the session goes to the log, and which of the log to the session. Does not know: links, handlers.

use std::sync::Arc;
use std::task::Context;

use rpcgen_proto::config::BEGUN_MAX;
use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::record::{Mark, ServerRecord};
use rpcgen_proto::session::{ActionHandle, Input};
use rpcgen_proto::time::Instant;

use super::super::records::{Recorded, Records};
use super::{End, Port, ServerSide, SessionTask};
use crate::carried::Carried;
use crate::durable::Sleeper;

impl Sleeper for Port {
    fn wake(&self) {
        self.inbox.wake();
    }
}

impl SessionTask {
    /// Tells the session what has become durable: 1 if there is news.
    pub(super) fn poll_durable(&mut self, cx: &mut Context<'_>) -> usize {
        let port = &self.port;
        let Some(records) = &mut self.driver.side.records else { return 0 };
        let refused = records.retry(cx);
        let news = records.look(|| Arc::<Port>::clone(port));
        if news.mark.is_none() && news.begun.is_empty() && refused.is_empty() {
            return 0;
        }
        self.driver.command(cx, |side, now| {
            refused.into_iter().for_each(|mark| side.session.handle(now, Input::NoSpace(mark)));
            if let Some(mark) = news.mark {
                side.session.handle(now, Input::Persisted(mark));
            }
            news.begun.into_iter().for_each(|(action, times)| side.session.begun(now, action, times));
        });
        1
    }
}

impl ServerSide {
    /// An action that was found in the log begins. If it had begun before, it may be what killed the server: it waits for its turn.
    // spec: protocol.md 9
    pub(super) fn begin_recovered(&mut self, now: Instant, action: ActionHandle) {
        let begun = self.records.as_ref().map_or(0, |records| records.begun_before(action.number));
        let Some(durable) = self.context.shared.durable.as_ref().filter(|_| begun > 0) else {
            return self.begin_on_record(now, action, begun);
        };
        durable.enter_turn(begun, self.port.session, action);
        self.context.shared.give_turn();
    }

    /// It is put on record that an action begins, for one time more than it had; then it does.
    pub(super) fn begin_on_record(&mut self, now: Instant, action: ActionHandle, begun: u32) {
        let times = begun + 1;
        let Some(records) = self.records.as_mut().filter(|_| times <= BEGUN_MAX) else {
            return self.park(now, action, times);
        };
        if records.begin(action, times) == Recorded::Failed {
            self.session.log_stopped(now, "a record cannot be written");
        }
    }

    /// It is not run once more. Its effect may have been committed by its last run, though: then its answer is in the completion store.
    // spec: protocol.md 9
    fn park(&mut self, now: Instant, action: ActionHandle, times: u32) {
        let is_asked = self.context.shared.completions.is_some();
        self.session.begun(now, action, if is_asked { BEGUN_MAX } else { times });
    }

    /// What an action ends in that only its completion record can answer, if there is none. `None`: it may run.
    pub(super) fn instead(&self, action: ActionHandle, must_not_run: bool) -> Option<Refusal> {
        if must_not_run {
            return Some(Refusal::Unknown);
        }
        let is_parked = self.records.as_ref().is_some_and(|records| records.begun_before(action.number) >= BEGUN_MAX);
        is_parked.then_some(Refusal::Poisoned)
    }

    /// Whether it has ended, and a full disk keeps that, and answers before it, off the record. Nobody may come back to what is left of it
    /// until then: what was answered would run again in the next life.
    pub(super) fn owes_records(&self) -> bool {
        matches!(self.end, Some(End::Ended(_))) && self.records.as_ref().is_some_and(Records::are_blocked)
    }

    /// The next one has its turn.
    pub(super) fn turn_over(&self, number: CallNumber) {
        if let Some(durable) = &self.context.shared.durable {
            durable.turn_over(self.port.session, number);
            self.context.shared.give_turn();
        }
    }

    pub(super) fn put_on_record(&mut self, now: Instant, mark: Mark, record: ServerRecord<Carried>) {
        let Some(records) = &mut self.records else { return };
        match records.persist(mark, record) {
            Recorded::Done => {}
            Recorded::NoSpace => self.session.handle(now, Input::NoSpace(mark)),
            Recorded::Failed => self.session.log_stopped(now, "a record cannot be written"),
        }
    }

    pub(super) fn forget_record(&mut self, number: CallNumber) {
        if let Some(records) = &mut self.records {
            records.forget(number);
        }
    }

    pub(super) fn records_done(&mut self) {
        if let Some(records) = &mut self.records {
            records.batch_done();
        }
    }
}
