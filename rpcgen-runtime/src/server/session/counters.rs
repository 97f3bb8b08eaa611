//! What a session did so far, for the server's statistics.
//!
//! Knows: sums. Does not know: when they are taken.

use rpcgen_proto::faults::FaultCounters;
use rpcgen_proto::session::Stats;

/// What one session did so far.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Counters {
    pub(in super::super) session: Stats,
    pub(in super::super) faults: FaultCounters,
    pub(in super::super) actions: u64,
    pub(in super::super) is_linked: bool,
}

impl Counters {
    pub(in super::super) fn add(&mut self, other: &Self) {
        self.session.add(&other.session);
        self.faults.add(&other.faults);
        self.actions += other.actions;
    }
}
