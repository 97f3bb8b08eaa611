//! How a client leaves.
//!
//! Knows: who asked for it, what was dropped. Does not know: how the session drains.

use std::time::Duration;

use rpcgen_proto::session::CallHandle;
use rpcgen_proto::time::Instant;
use tokio::sync::oneshot;

use super::{ClientSide, LEAVE_WITHIN};
use crate::error::{DisconnectReport, DroppedCall, SendError};

impl ClientSide {
    pub(super) fn disconnect(&mut self, now: Instant, limit: Duration, reply: oneshot::Sender<DisconnectReport>) {
        self.reports.push(reply);
        for submission in self.waiting.drain(..) {
            submission.cell.rejected(SendError::Disconnected);
        }
        self.hurry_records();
        self.session.disconnect(now, limit);
    }

    /// Nobody holds the client any more. What was accepted is delivered all the same.
    pub(super) fn leave(&mut self, now: Instant) {
        self.hurry_records();
        self.session.disconnect(now, LEAVE_WITHIN);
    }

    /// The server hears at once which answers are here: it waits for that.
    fn hurry_records(&mut self) {
        if let Some(records) = &mut self.records {
            records.leave();
        }
    }

    pub(super) fn on_disconnected(&mut self, dropped: &[CallHandle]) {
        let calls = dropped.iter().map(|handle| DroppedCall {
            number: handle.number,
            // One that stays on record was not answered.
            action: match self.calls.get(*handle) {
                Some(cell) => self.action_name(cell),
                None => self.unanswered.get(&handle.number).copied().unwrap_or_default(),
            },
        });
        let report = DisconnectReport { dropped: calls.collect() };
        if self.reports.is_empty() && !report.dropped.is_empty() {
            let count = report.dropped.len();
            tracing::warn!(
                service = self.service.name,
                count,
                "calls were dropped: nobody held the client, and no server answered"
            );
        }
        self.report = report;
        self.has_ended = true;
    }
}
