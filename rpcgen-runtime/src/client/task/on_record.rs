//! What a client's task does for the log on disk.
//!
//! Knows: which word of the session goes to the log, and which of the log to the session. Does not know: links, callers.

use std::sync::Arc;
use std::task::Context;

use rpcgen_proto::ids::{CallNumber, MethodId};
use rpcgen_proto::record::{ClientRecord, Mark};
use rpcgen_proto::session::Input;
use rpcgen_proto::time::Instant;

use super::super::Command;
use super::super::records::Recorded;
use super::{ClientSide, ClientTask};
use crate::carried::Carried;
use crate::contract::Persist;
use crate::driver::inbox::{Inbox, lock};

impl ClientTask {
    /// Tells the session what has become durable: 1 if there is news.
    pub(super) fn poll_durable(&mut self, cx: &mut Context<'_>) -> usize {
        let inbox = &self.inbox;
        let Some(records) = &mut self.driver.side.records else { return 0 };
        records.retry(cx);
        let news = records.look(|| Arc::<Inbox<Command>>::clone(inbox));
        let Some(mark) = news else { return 0 };
        self.driver.command(cx, |side, now| side.session.handle(now, Input::Persisted(mark)));
        1
    }
}

impl ClientSide {
    /// Whether calls of this action are in the log on disk.
    pub(super) fn is_on_record(&self, method: MethodId) -> bool {
        let persist = self.service.actions.get(method.0 as usize).map(|action| action.persist);
        self.records.is_some() && persist != Some(Persist::Memory)
    }

    /// The application has the answer of this call.
    pub(super) fn claim(&mut self, number: CallNumber) {
        if let Some(records) = &mut self.records {
            records.claim(number);
        }
    }

    /// The log on disk has stopped, and the session with it.
    pub(super) fn log_stopped(&mut self, now: Instant, cause: &str) {
        *lock(&self.shared.last_error) = format!("the durable log has stopped: {cause}");
        self.session.log_stopped(now, cause);
    }

    /// The client is over: everybody who waits is told, and the log on disk is let go. Those who asked for the end are told last: then the
    /// directory is free.
    pub(super) fn end(&mut self) {
        self.abandon_calls();
        if let Some(mut records) = self.records.take() {
            self.broadcasts.take_ran().into_iter().for_each(|sequence| records.ran(sequence));
            records.batch_done();
            records.log().close();
        }
        for reply in self.reports.drain(..) {
            // Whoever asked may be gone.
            let _ = reply.send(self.report.clone());
        }
    }

    pub(super) fn put_on_record(&mut self, now: Instant, mark: Mark, record: ClientRecord<Carried>) {
        let Some(records) = &mut self.records else { return };
        let is_broadcast = matches!(record, ClientRecord::Broadcast(_));
        match records.persist(mark, record) {
            Recorded::At(sequence) => self.newest_broadcast = Some(sequence).filter(|_| is_broadcast),
            Recorded::Waits => self.newest_broadcast = None,
            Recorded::NoSpace => self.session.handle(now, Input::NoSpace(mark)),
            Recorded::Failed => self.log_stopped(now, "a record cannot be written"),
        }
    }

    /// A round is over that took in so much.
    pub(super) fn rest_records(&mut self, work: usize) {
        if let Some(records) = self.records.as_mut().filter(|_| work == 0) {
            records.rest();
        }
    }

    pub(super) fn records_done(&mut self) {
        if let Some(records) = &mut self.records {
            self.broadcasts.take_ran().into_iter().for_each(|sequence| records.ran(sequence));
            records.batch_done();
        }
    }
}
