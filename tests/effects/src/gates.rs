//! Places in a handler where a test holds it.
//!
//! Knows: who waits where. Does not know: why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rpcgen_runtime::{Call, CallKey};
use tokio::sync::{Semaphore, watch};

/// A place in a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nothing has happened yet.
    Before,
    /// The effect and its record are committed; the answer is not given yet.
    After,
}

/// Holds handlers, and counts them.
#[derive(Clone, Debug)]
pub struct Gates {
    closed: Arc<Mutex<BTreeMap<Place, Arc<Semaphore>>>>,
    /// Handlers that have come to each place, and their keys.
    seen: watch::Sender<BTreeMap<Place, Vec<(CallKey, bool)>>>,
}

impl Default for Gates {
    fn default() -> Self {
        Self { closed: Arc::default(), seen: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Gates {
    /// Handlers that come there wait.
    pub fn close(&self, place: Place) {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).insert(place, Arc::new(Semaphore::new(0)));
    }

    /// They go on, and so do those that come later.
    pub fn open(&self, place: Place) {
        if let Some(gate) = self.closed.lock().unwrap_or_else(PoisonError::into_inner).remove(&place) {
            gate.close();
        }
    }

    /// Handlers that come there later pass. Those that wait go on when what is returned is closed.
    #[must_use]
    pub fn forget(&self, place: Place) -> Arc<Semaphore> {
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&place)
            .unwrap_or_else(|| Arc::new(Semaphore::new(0)))
    }

    /// A handler is there: waits if the place is closed.
    pub async fn pass(&self, place: Place, call: &Call) {
        self.seen.send_modify(|seen| seen.entry(place).or_default().push((call.key(), call.redelivered())));
        let gate = self.closed.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some(gate) = gate {
            // Open means closed for good.
            let _ = gate.acquire().await;
        }
    }

    /// Waits until so many handlers have come there, and returns their keys and whether they were redelivered.
    ///
    /// # Panics
    /// Never: a sender lives.
    pub async fn seen(&self, place: Place, count: usize) -> Vec<(CallKey, bool)> {
        let mut seen = self.seen.subscribe();
        let seen = seen.wait_for(|seen| seen.get(&place).map_or(0, Vec::len) >= count).await.expect("a sender lives");
        seen.get(&place).cloned().unwrap_or_default()
    }

    /// How many came there.
    #[must_use]
    pub fn count(&self, place: Place) -> usize {
        self.seen.borrow().get(&place).map_or(0, Vec::len)
    }
}
