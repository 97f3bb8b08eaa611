//! The calls of one client that are accepted and not answered.
//!
//! Knows: which call a handle of the session means. Does not know: what becomes of it.

use std::sync::Arc;

use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::session::CallHandle;

use super::cell::CallCell;

/// By the index of their handles, which the session uses again.
#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    calls: Vec<Option<OpenCall>>,
}

#[derive(Clone, Debug)]
struct OpenCall {
    number: CallNumber,
    cell: Arc<CallCell>,
}

impl OpenCalls {
    pub(super) fn keep(&mut self, handle: CallHandle, cell: Arc<CallCell>) {
        let index = handle.index as usize;
        if index >= self.calls.len() {
            self.calls.resize(index + 1, None);
        }
        if let Some(place) = self.calls.get_mut(index) {
            *place = Some(OpenCall { number: handle.number, cell });
        }
    }

    pub(super) fn get(&self, handle: CallHandle) -> Option<&CallCell> {
        let call = self.calls.get(handle.index as usize)?.as_ref()?;
        (call.number == handle.number).then_some(&*call.cell)
    }

    pub(super) fn take(&mut self, handle: CallHandle) -> Option<Arc<CallCell>> {
        let call = self.calls.get_mut(handle.index as usize)?;
        call.take_if(|call| call.number == handle.number).map(|call| call.cell)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Arc<CallCell>> {
        self.calls.drain(..).flatten().map(|call| call.cell)
    }

    /// All of them, the one that was sent first in front.
    pub(super) fn in_order(&self) -> Vec<Arc<CallCell>> {
        let mut open: Vec<&OpenCall> = self.calls.iter().flatten().collect();
        open.sort_unstable_by_key(|call| call.number);
        open.into_iter().map(|call| Arc::clone(&call.cell)).collect()
    }
}
