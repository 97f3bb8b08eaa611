//! What is kept of the receiving side of a lane while it has no link.
//!
//! Knows: what a new link begins afresh. Does not know: why the lane is packed.

use alloc::boxed::Box;

use super::ReceiveLane;
use crate::bits::Gathered;
use crate::ids::{LaneKind, Position};
use crate::pool::PackedReceivePool;
use crate::session::journal::Bit;
use crate::session::output::Payload;

/// See the module. What [`ReceiveLane::resume`] sets is not in it: messages that came early are sent again on the next link.
#[derive(Clone, Debug)]
pub(in crate::session) struct PackedReceiveLane {
    pool: PackedReceivePool,
    bits: Gathered,
    held: Box<[(Bit, u32)]>,
    agreed_sent: Position,
    bytes_owed: usize,
}

impl<P: Payload> ReceiveLane<P> {
    pub(in crate::session) fn pack(self) -> PackedReceiveLane {
        // Each field by its name: a new one has to be thought of here.
        let Self {
            kind: _,
            pool,
            mut bits,
            held,
            early: _,
            early_bytes: _,
            asked_through: _,
            bits_sent: _,
            agreed_sent,
            bytes_owed,
        } = self;
        bits.shrink_to_fit();
        PackedReceiveLane { pool: pool.pack(), bits, held: held.into_iter().collect(), agreed_sent, bytes_owed }
    }
}

impl PackedReceiveLane {
    pub(in crate::session) fn unpack<P: Payload>(self, kind: LaneKind) -> ReceiveLane<P> {
        let Self { pool, bits, held, agreed_sent, bytes_owed } = self;
        let held = held.into_vec().into();
        ReceiveLane { bits, held, agreed_sent, bytes_owed, ..ReceiveLane::new(kind, pool.unpack(kind)) }
    }

    /// Memory beside itself, in bytes.
    pub(in crate::session) fn heap_bytes(&self) -> usize {
        self.pool.heap_bytes() + self.bits.heap_bytes() + size_of_val(&*self.held)
    }
}
