//! What is kept of the sending side of a lane while it has no link.
//!
//! Knows: what a new link begins afresh. Does not know: why the lane is packed.

use alloc::boxed::Box;

use super::{Entry, SendLane};
use crate::ids::{LaneKind, Position};
use crate::pool::PackedSendPool;
use crate::session::output::Payload;
use crate::session::receive_lane::compacted;
use crate::stream_log::StreamLog;
use crate::time::Instant;

/// See the module. What [`SendLane::resume`] sets is not in it.
#[derive(Clone, Debug)]
pub(in crate::session) struct PackedSendLane<P> {
    pool: PackedSendPool,
    guaranteed: Position,
    log: Box<[Entry<P>]>,
    free_resend_at: Instant,
}

impl<P: Payload> SendLane<P> {
    pub(in crate::session) fn pack(self) -> PackedSendLane<P> {
        // Each field by its name: a new one has to be thought of here.
        let Self {
            kind: _,
            pool,
            log,
            bytes_in_flight: _,
            replay: _,
            resend: _,
            twice: _,
            seen_through: _,
            seen_sent_at: _,
            window: _,
            resend_tokens: _,
            oldest_tries: _,
            free_resend_at,
            tail_backoff: _,
        } = self;
        let guaranteed = log.first();
        let log = log.into_entries().map(|entry| Entry { body: compacted(entry.body), ..entry });
        PackedSendLane { pool: pool.pack(), guaranteed, log: log.collect(), free_resend_at }
    }
}

impl<P: Payload> PackedSendLane<P> {
    pub(in crate::session) fn unpack(self, kind: LaneKind) -> SendLane<P> {
        let Self { pool, guaranteed, log, free_resend_at } = self;
        let bytes_in_flight = log.iter().map(|entry| entry.bytes).sum();
        let log = StreamLog::new(guaranteed, log);
        SendLane { log, bytes_in_flight, free_resend_at, ..SendLane::new(kind, pool.unpack(kind)) }
    }

    /// Memory beside itself, in bytes; payloads are not counted.
    pub(in crate::session) fn heap_bytes(&self) -> usize {
        self.pool.heap_bytes() + size_of_val(&*self.log)
    }
}
