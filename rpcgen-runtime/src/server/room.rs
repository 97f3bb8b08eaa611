//! What all sessions of a server may take together: handlers that wait, and bytes that are logged for clients.
//!
//! Knows: two counts and their bounds. Does not know: sessions, what a handler waits for. The bounds of one session are the core's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::BroadcastError;

/// What all sessions of a server may take together. Each session has bounds of its own beside: [`Config`](crate::Config).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Handlers that have begun and wait for something; a further one begins when one of them has ended. Default 4,096. A handler that
    /// calls an action of its own server, and waits for the answer, waits for a place that it takes itself: where handlers do that, their
    /// number at once has to stay below this. At least 1.
    pub handlers_max: usize,
    /// Payload bytes of answers and broadcasts that are logged for clients which are away or slow. Default 1 GiB. At the bound a further
    /// action is refused with `Overloaded` and does not run, unless it may have run before, and a further broadcast with
    /// [`BroadcastError::LogsFull`]; there the broadcasts that wait for a node count too. What was promised is kept whatever the bound, and
    /// the count is taken once per batch of a session: so it may be passed by a batch of each. Of a message between threads, which is never
    /// encoded, what it keeps on the heap is not counted: there the numbers of messages are the bounds.
    pub logged_bytes_max: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { handlers_max: 4_096, logged_bytes_max: 1 << 30 }
    }
}

/// How much of it is taken.
#[derive(Debug)]
pub(super) struct Room {
    handlers: Arc<Semaphore>,
    /// In the logs of sessions.
    logged_bytes: Arc<AtomicUsize>,
    /// Of broadcasts that wait for a node, or are on their way to its session.
    waiting_bytes: Arc<AtomicUsize>,
    logged_bytes_max: usize,
}

/// A handler that waits takes one; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(limits: ServerLimits) -> Self {
        let handlers_max = limits.handlers_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            handlers: Arc::new(Semaphore::new(handlers_max)),
            logged_bytes: Arc::default(),
            waiting_bytes: Arc::default(),
            logged_bytes_max: limits.logged_bytes_max,
        }
    }

    /// Whether a handler may begin now.
    pub(super) fn may_begin(&self) -> bool {
        self.handlers.available_permits() > 0
    }

    /// A handler that has begun has to wait. Where another one took the last place since [`Self::may_begin`] said yes, it goes on without:
    /// as many at most as sessions run at once, one for each thread of the runtime.
    pub(super) fn take_place(&self) -> Place {
        Place { _permit: Arc::clone(&self.handlers).try_acquire_owned().ok() }
    }

    /// For a handler that has not begun: its place, when there is one.
    pub(super) fn place(&self) -> impl Future<Output = Place> + Send + 'static {
        let handlers = Arc::clone(&self.handlers);
        // Nobody closes it.
        async move { Place { _permit: handlers.acquire_owned().await.ok() } }
    }

    /// For what the log of a session holds.
    pub(super) fn share_of_logged(&self) -> Share {
        Share::new(&self.logged_bytes, 0)
    }

    /// For a broadcast of so many payload bytes that is in no session's log yet.
    pub(super) fn share_of_waiting(&self, bytes: usize) -> Share {
        Share::new(&self.waiting_bytes, bytes)
    }

    /// Payload bytes in the logs of sessions.
    pub(super) fn logged_bytes(&self) -> usize {
        self.logged_bytes.load(Ordering::Relaxed)
    }

    /// Whether there is no room for what a further action would answer. Broadcasts that nobody handles are no reason to refuse actions.
    pub(super) fn is_full(&self) -> bool {
        self.logged_bytes() >= self.logged_bytes_max
    }

    /// Whether a broadcast may be logged.
    ///
    /// # Errors
    /// [`BroadcastError::LogsFull`].
    pub(super) fn admit(&self) -> Result<(), BroadcastError> {
        let bytes = self.logged_bytes() + self.waiting_bytes.load(Ordering::Relaxed);
        if bytes >= self.logged_bytes_max { Err(BroadcastError::LogsFull { bytes }) } else { Ok(()) }
    }
}

/// What one holder has of the bytes that are kept. Dropped, it has none.
#[derive(Debug)]
pub(super) struct Share {
    sum: Arc<AtomicUsize>,
    bytes: AtomicUsize,
}

impl Share {
    fn new(sum: &Arc<AtomicUsize>, bytes: usize) -> Self {
        let share = Self { sum: Arc::clone(sum), bytes: AtomicUsize::new(0) };
        share.set(bytes);
        share
    }

    /// It has so many now. Only its holder says so.
    pub(super) fn set(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        if bytes > before {
            self.sum.fetch_add(bytes - before, Ordering::Relaxed);
        } else if bytes < before {
            self.sum.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_holder_had_is_free_again_when_it_is_gone() {
        let room = Room::new(ServerLimits { logged_bytes_max: 100, ..ServerLimits::default() });
        let (one, other) = (room.share_of_logged(), room.share_of_logged());
        one.set(60);
        other.set(50);
        assert_eq!((room.logged_bytes(), room.admit()), (110, Err(BroadcastError::LogsFull { bytes: 110 })));
        assert!(room.is_full());
        other.set(39);
        assert_eq!((room.is_full(), room.admit()), (false, Ok(())));
        let waits = room.share_of_waiting(1);
        assert_eq!((room.is_full(), room.admit()), (false, Err(BroadcastError::LogsFull { bytes: 100 })));
        drop((one, other, waits));
        assert_eq!((room.logged_bytes(), room.waiting_bytes.load(Ordering::Relaxed)), (0, 0));
    }
}
