//! The calls of one client that are accepted and not answered.
//!
//! Knows: which call a handle of the session means. Does not know: what becomes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::session::CallHandle;

use super::cell::CallCell;

/// By the index of their handles, which the session uses again.
#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    calls: Vec<Option<OpenCall>>,
    /// Whose index the session has used again, and whose answer is among the events that it has yet to tell.
    displaced: BTreeMap<CallNumber, Arc<CallCell>>,
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
        if let Some(place) = self.calls.get_mut(index)
            && let Some(former) = place.replace(OpenCall { number: handle.number, cell })
        {
            self.displaced.insert(former.number, former.cell);
        }
    }

    pub(super) fn get(&self, handle: CallHandle) -> Option<&CallCell> {
        let call = self.calls.get(handle.index as usize)?.as_ref();
        let call = call.filter(|call| call.number == handle.number).map(|call| &call.cell);
        call.or_else(|| self.displaced.get(&handle.number)).map(|cell| &**cell)
    }

    pub(super) fn take(&mut self, handle: CallHandle) -> Option<Arc<CallCell>> {
        let call = self.calls.get_mut(handle.index as usize)?;
        let call = call.take_if(|call| call.number == handle.number).map(|call| call.cell);
        call.or_else(|| self.displaced.remove(&handle.number))
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Arc<CallCell>> {
        std::mem::take(&mut self.displaced).into_values().chain(self.calls.drain(..).flatten().map(|call| call.cell))
    }

    /// All of them, the one that was sent first in front.
    pub(super) fn in_order(&self) -> Vec<Arc<CallCell>> {
        let calls = self.calls.iter().flatten().map(|call| (&call.number, &call.cell));
        let mut open: Vec<_> = self.displaced.iter().chain(calls).collect();
        open.sort_unstable_by_key(|(number, _)| **number);
        open.into_iter().map(|(_, cell)| Arc::clone(cell)).collect()
    }
}

#[cfg(test)]
mod tests {
    use rpcgen_proto::ids::MethodId;

    use super::*;

    fn cell() -> Arc<CallCell> {
        Arc::new(CallCell::new(MethodId(0)))
    }

    #[test]
    fn call_whose_index_is_used_again_is_there_until_it_is_taken() {
        let mut calls = OpenCalls::default();
        let (former, next) = (cell(), cell());
        let of = |number| CallHandle { number: CallNumber(number), index: 3 };
        calls.keep(of(1), Arc::clone(&former));
        calls.keep(of(2), Arc::clone(&next));
        assert!(calls.get(of(1)).is_some_and(|cell| std::ptr::eq(cell, &*former)));
        assert_eq!(calls.in_order().len(), 2);
        assert!(calls.take(of(1)).is_some_and(|cell| Arc::ptr_eq(&cell, &former)));
        assert!(calls.take(of(1)).is_none());
        assert!(calls.take(of(2)).is_some_and(|cell| Arc::ptr_eq(&cell, &next)));
        assert_eq!(calls.take_all().count(), 0);
    }
}
