//! A queue from many into one task, taken over in batches.
//!
//! Knows: items, one consumer's waker. Does not know: what the items are. A producer locks for a push and wakes the consumer only
//! when it found the queue empty; the consumer takes everything at once, so that neither ever works under the other's lock.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use crate::durable::Sleeper;

/// Locks, whatever happened to an earlier holder: our critical sections leave their data whole at each point where they could panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Send> Sleeper for Inbox<T> {
    fn wake(&self) {
        Self::wake(self);
    }
}

/// What a look into an [`Inbox`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// At least one item was moved out.
    Some,
    /// Nothing is there; the waker is registered.
    Nothing,
    /// Nothing is there and nothing will come.
    Closed,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    waker: Option<Waker>,
    closed: bool,
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { items: VecDeque::new(), waker: None, closed: false }) }
    }

    /// Appends. Returns the item when the inbox is closed.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(item);
        }
        state.items.push_back(item);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Moves a whole batch in; `false` when the inbox is closed (the batch stays where it is).
    pub(crate) fn append(&self, batch: &mut VecDeque<T>) -> bool {
        let mut state = lock(&self.state);
        if state.closed {
            return false;
        }
        if state.items.is_empty() {
            std::mem::swap(&mut state.items, batch);
        } else {
            state.items.append(batch);
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Moves everything into `into`, which must be empty; it gives its buffer in exchange.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, into: &mut VecDeque<T>) -> Taken {
        debug_assert!(into.is_empty(), "a batch is worked off before the next is taken");
        let mut state = lock(&self.state);
        if !state.items.is_empty() {
            std::mem::swap(&mut state.items, into);
            return Taken::Some;
        }
        if state.closed {
            return Taken::Closed;
        }
        match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => state.waker = Some(cx.waker().clone()),
        }
        Taken::Nothing
    }

    /// Whether there is something to take; if not, the waker is registered, and the buffer given back.
    pub(crate) fn poll_some(&self, cx: &Context<'_>) -> bool {
        let mut state = lock(&self.state);
        if !state.items.is_empty() {
            return true;
        }
        (state.items, state.waker) = (VecDeque::new(), Some(cx.waker().clone()));
        false
    }

    /// Has the consumer look at what it looks at beside this inbox.
    pub(crate) fn wake(&self) {
        let waker = lock(&self.state).waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Refuses what comes from now on. What is in stays to be taken.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Closes and takes what is in: for a consumer that ends.
    pub(crate) fn close_and_take(&self) -> VecDeque<T> {
        let mut state = lock(&self.state);
        state.closed = true;
        std::mem::take(&mut state.items)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn consumer_is_woken_once_per_batch() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let inbox = Inbox::new();
        let mut batch = VecDeque::new();
        assert_eq!(inbox.poll_take(&Context::from_waker(&waker), &mut batch), Taken::Nothing);
        for item in 0..100 {
            assert_eq!(inbox.push(item), Ok(()));
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(inbox.poll_take(&Context::from_waker(&waker), &mut batch), Taken::Some);
        assert_eq!(batch.len(), 100);
    }

    #[test]
    fn closed_inbox_returns_the_item_but_keeps_what_is_in() {
        let inbox = Inbox::new();
        assert_eq!(inbox.push(1), Ok(()));
        inbox.close();
        assert_eq!(inbox.push(2), Err(2));
        let mut batch = VecDeque::new();
        let cx = Context::from_waker(Waker::noop());
        assert_eq!(inbox.poll_take(&cx, &mut batch), Taken::Some);
        assert_eq!(batch, [1]);
        batch.clear();
        assert_eq!(inbox.poll_take(&cx, &mut batch), Taken::Closed);
    }
}
