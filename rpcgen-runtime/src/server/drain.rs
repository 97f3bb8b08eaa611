//! The formal end of a server: nothing new, what was accepted is answered, then silence.
//!
//! Knows: how many are still busy. Does not know: with what.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Server;
use super::session::{Command, LastWords};
use crate::driver::inbox::lock;

/// How long the sessions may take to give up what is left, after the limit: they need one turn each.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Sessions that had handlers running, or answers and broadcasts without a guarantee, when the limit came. Their clients have
    /// their calls in their logs, and bring them to the next server.
    pub cut_short: usize,
    /// Broadcasts that were logged here and are lost: they waited for a node that handles them, or their node had not guaranteed that
    /// it was told to run its handler (it may run all the same). All others were handled, or their `broadcast()` returned an error.
    pub broadcasts_dropped: usize,
}

/// Counts who is busy.
#[derive(Debug, Default)]
pub(super) struct Drain {
    busy: AtomicUsize,
    all_idle: Notify,
}

impl Drain {
    /// One more is busy, until what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    fn busy(&self) -> usize {
        self.busy.load(Ordering::Acquire)
    }

    async fn wait(&self) {
        while self.busy() > 0 {
            // A word that came before this is kept.
            self.all_idle.notified().await;
        }
    }
}

/// One who is busy.
#[derive(Debug)]
pub(super) struct Busy(Arc<Drain>);

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.all_idle.notify_one();
        }
    }
}

/// What a session knows of the drain that it takes part in.
#[derive(Debug, Default)]
pub(super) struct Draining {
    state: Option<(Arc<Drain>, Option<Busy>)>,
}

impl Draining {
    /// The server drains; the session counts as busy until it says otherwise.
    pub(super) fn begin(&mut self, busy: Busy) {
        self.state = Some((Arc::clone(&busy.0), Some(busy)));
    }

    pub(super) fn is_on(&self) -> bool {
        self.state.is_some()
    }

    /// Says whether the server has to wait for this session.
    pub(super) fn set_busy(&mut self, is_busy: bool) {
        if let Some((drain, busy)) = &mut self.state
            && is_busy != busy.is_some()
        {
            *busy = is_busy.then(|| drain.enter());
        }
    }
}

impl Server {
    /// Ends formally: new clients are refused, new actions stay in their clients' logs for the next server, what runs is answered.
    /// Returns when everything is guaranteed, or at the limit; then all links are closed and the addresses are free.
    pub async fn shutdown(self, limit: Duration) -> ShutdownReport {
        let drain = Arc::new(Drain::default());
        {
            let mut hall = lock(&self.shared.hall);
            hall.registry.shutdown();
            hall.tell_all(|| Command::Drain(drain.enter()));
        }
        // At the limit the rest is counted and dropped.
        let _ = tokio::time::timeout(limit, drain.wait()).await;
        let cut_short = drain.busy();
        self.acceptors.close().await;
        self.shared.stop(LastWords::Say, || Some(drain.enter()));
        // A session that does not get its turn has a handler that blocks its thread: nobody can count for it.
        let _ = tokio::time::timeout(STOP_WITHIN, drain.wait()).await;
        if let Some(durable) = &self.shared.durable {
            durable.log().close();
        }
        ShutdownReport { cut_short, broadcasts_dropped: self.shared.lost_broadcasts.load(Ordering::Acquire) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn session_that_was_idle_and_is_busy_again_is_waited_for() {
        let drain = Arc::new(Drain::default());
        let (mut one, mut other) = (Draining::default(), Draining::default());
        one.begin(drain.enter());
        other.begin(drain.enter());
        one.set_busy(false);
        one.set_busy(true);
        other.set_busy(false);
        assert_eq!(drain.busy(), 1);
        one.set_busy(false);
        one.set_busy(false);
        drain.wait().await;
        assert_eq!(drain.busy(), 0);
    }

    #[test]
    fn session_that_ends_is_not_waited_for() {
        let drain = Arc::new(Drain::default());
        let mut session = Draining::default();
        session.begin(drain.enter());
        drop(session);
        assert_eq!(drain.busy(), 0);
    }
}
