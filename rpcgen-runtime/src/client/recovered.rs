//! Calls that an earlier run of this program left in the client's log.
//!
//! Knows: which there are. Does not know: their types; the stub of their service does.

use std::fmt;
use std::sync::Arc;

use rpcgen_proto::ids::{CallNumber, MethodId};

use super::ClientHandle;
use super::call::Call;
use super::cell::CallCell;
use crate::contract::Action;

/// A call of an earlier run: open, or answered with an answer that nobody has claimed. Dropped, it stays in the log.
#[must_use = "a recovered call that is dropped stays in the log, and is found again by the next run"]
pub struct RecoveredCall {
    cell: Arc<CallCell>,
    handle: Arc<ClientHandle>,
}

impl fmt::Debug for RecoveredCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveredCall").field("number", &self.number()).field("method", &self.method()).finish()
    }
}

impl RecoveredCall {
    pub(super) fn new(cell: Arc<CallCell>, handle: Arc<ClientHandle>) -> Self {
        Self { cell, handle }
    }

    /// Its number: with the client's id its identity for ever.
    #[must_use]
    pub fn number(&self) -> CallNumber {
        self.cell.number().unwrap_or_default()
    }

    /// The number of its action in the service.
    #[must_use]
    pub fn method(&self) -> u32 {
        self.cell.method.0
    }

    /// The call, if it is one of this action: to be awaited or cancelled as one that was just sent.
    ///
    /// # Errors
    /// It is one of another action.
    pub fn into_call<A: Action>(self) -> Result<Call<A>, Self> {
        if self.cell.method == MethodId(A::METHOD) { Ok(Call::new(self.cell, self.handle)) } else { Err(self) }
    }
}
