//! The bank's control port, for fault pages.
//!
//! Knows: the server's faults and counters. Does not know: accounts.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rpcgen_runtime::{AppId, Call, FaultPlan, Server};

use super::drop_frames;
use crate::clock::random;
use crate::stubs::control::{self, Counters};

/// Does what a fault page asks for.
pub(super) struct Desk {
    server: Arc<Server>,
    epoch: u64,
    is_paused: AtomicBool,
    faults: Mutex<FaultPlan>,
}

impl Desk {
    pub(super) fn new(server: Arc<Server>, drop: f64) -> Self {
        Self { server, epoch: random(), is_paused: AtomicBool::new(false), faults: Mutex::new(drop_frames(drop)) }
    }
}

impl control::Control for Desk {
    async fn set_faults(&self, _call: &Call, _app_id: AppId, drop_answers: f64, drop_broadcasts: f64) {
        let plan = FaultPlan {
            seed: random(),
            drop: share(drop_answers),
            drop_broadcast: share(drop_broadcasts),
            ..FaultPlan::default()
        };
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = plan;
        self.server.set_faults(Some(plan));
    }

    async fn pause_business(&self, _call: &Call, _app_id: AppId, paused: bool) {
        self.is_paused.store(paused, Ordering::Relaxed);
        self.server.pause_business(paused);
    }

    async fn crash(&self, call: &Call, _app_id: AppId) {
        // The next bank is asked again, since nobody answered. That it was asked before, it is told.
        if !call.redelivered() {
            process::abort();
        }
    }

    async fn counters(&self, _call: &Call, _app_id: AppId) -> Counters {
        let stats = self.server.stats();
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        Counters {
            epoch: self.epoch,
            linked: stats.linked_count as u64,
            actions: stats.actions,
            frames_sent: stats.sessions.frames_sent,
            frames_dropped: stats.faults.dropped,
            resent: stats.sessions.resent,
            waiting_broadcasts: stats.waiting_broadcasts as u64,
            paused: self.is_paused.load(Ordering::Relaxed),
            drop_answers: faults.drop,
            drop_broadcasts: faults.drop_broadcast,
        }
    }
}

/// What a share may be: with more than that nothing moves.
fn share(asked: f64) -> f64 {
    if asked.is_finite() { asked.clamp(0.0, 0.9) } else { 0.0 }
}
