//! A call as a list of pending calls shows it: without the type of its answer.
//!
//! Knows: where a call stands, since when, how to cancel it. Does not know: what it asks; its answer is its caller's.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use rpcgen_proto::frame::CancelOutcome;
use rpcgen_proto::ids::CallNumber;

use super::cell::CallCell;
use super::{ClientHandle, Command};
use crate::error::NotGuaranteed;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It is in this client's log.
    Accepted,
    /// The server has it in its log too.
    Guaranteed,
    /// It has ended: with an answer, or with an error that says how.
    Answered,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Guaranteed => "guaranteed",
            Self::Answered => "answered",
        })
    }
}

/// An accepted call, seen from outside: from [`Client::pending_calls`](super::Client::pending_calls), or from a call's own
/// [`observer`](super::Call::observer). Clones speak of the same call. Dropping one changes nothing about it.
#[derive(Clone)]
pub struct PendingCall {
    cell: Arc<CallCell>,
    handle: Arc<ClientHandle>,
}

impl fmt::Debug for PendingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("PendingCall");
        call.field("number", &self.number()).field("action", &self.action()).field("step", &self.step()).finish()
    }
}

impl PendingCall {
    pub(super) fn new(cell: Arc<CallCell>, handle: Arc<ClientHandle>) -> Self {
        Self { cell, handle }
    }

    /// The call's number: with the client's id and incarnation it is its identity for ever.
    #[must_use]
    pub fn number(&self) -> CallNumber {
        self.cell.number().unwrap_or_default()
    }

    /// The name of its action.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.handle.shared.service.actions.get(self.cell.method.0 as usize).map_or("", |action| action.name)
    }

    /// How far it has come.
    #[must_use]
    pub fn step(&self) -> Step {
        self.cell.step()
    }

    /// How long ago it was accepted.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.cell.accepted_at().map_or(Duration::ZERO, |at| self.handle.shared.clock.now() - at)
    }

    /// Step 2, as [`Call::guaranteed`](super::Call::guaranteed).
    ///
    /// # Errors
    /// The call ended without that; awaiting it says how.
    pub async fn guaranteed(&self) -> Result<(), NotGuaranteed> {
        poll_fn(|cx| self.cell.poll_guaranteed(cx)).await
    }

    /// Asks that it does not begin, and returns what became of that, as [`Call::cancel`](super::Call::cancel).
    pub async fn cancel(&self) -> CancelOutcome {
        if self.handle.inbox.push(Command::Cancel(Arc::clone(&self.cell))).is_err() {
            self.cell.abandoned();
        }
        poll_fn(|cx| self.cell.poll_cancelled(cx)).await
    }
}
