//! The formal end of a server: nothing new, what was accepted is answered, then silence.
//!
//! Knows: who is still busy. Does not know: with what.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Server;
use super::session::{Command, LastWords};
use crate::driver::inbox::lock;

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Sessions that had handlers running, or answers and broadcasts without a guarantee, when the limit came. Their clients have
    /// their calls in their logs, and bring them to the next server.
    pub cut_short: usize,
    /// Broadcasts that still waited for a node that handles them; they are lost.
    pub broadcasts_dropped: usize,
}

impl Server {
    /// Ends formally: new clients are refused, new actions stay in their clients' logs for the next server, what runs is answered.
    /// Returns when everything is guaranteed, or at the limit; then all links are closed and the addresses are free.
    pub async fn shutdown(self, limit: Duration) -> ShutdownReport {
        let (busy, mut all_idle) = mpsc::channel(1);
        {
            let mut hall = lock(&self.shared.hall);
            hall.registry.shutdown();
            hall.tell_all(|| Command::Drain(busy.clone()));
        }
        drop(busy);
        // `None` once the last busy session has dropped its sender.
        let _ = tokio::time::timeout(limit, all_idle.recv()).await;
        let cut_short = {
            let hall = lock(&self.shared.hall);
            hall.ports.values().filter(|port| !port.is_idle.load(Ordering::Relaxed)).count()
        };
        self.acceptors.close().await;
        self.shared.stop(LastWords::Say);
        ShutdownReport { cut_short, broadcasts_dropped: lock(&self.shared.router).waiting_count() }
    }
}
