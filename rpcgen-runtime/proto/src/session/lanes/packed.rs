//! What is kept of the lanes of a session while it has no link.
//!
//! Knows: what a new link begins afresh. Does not know: why they are packed.

use super::Lanes;
use crate::config::Config;
use crate::frame::RangeAgree;
use crate::ids::Position;
use crate::session::output::Payload;
use crate::session::receive_lane::PackedReceiveLane;
use crate::session::send_lane::PackedSendLane;
use crate::session::stats::Stats;

/// See the module. What [`Lanes::link_up`] sets is not in it, nor are limits and counters, which the driver has.
#[derive(Clone, Debug)]
pub(in crate::session) struct PackedLanes<P> {
    send: PackedSendLane<P>,
    receive: PackedReceiveLane,
    open_up_range: Option<RangeAgree>,
    up_range_from: Position,
}

impl<P: Payload> Lanes<P> {
    pub(in crate::session) fn pack(self) -> PackedLanes<P> {
        // Each field by its name: a new one has to be thought of here.
        let Self {
            config: _,
            send,
            receive,
            link: _,
            timers: _,
            round_trip: _,
            stats: _,
            due: _,
            open_up_range,
            up_range_from,
            blocked_at: _,
        } = self;
        PackedLanes { send: send.pack(), receive: receive.pack(), open_up_range, up_range_from }
    }
}

impl<P: Payload> PackedLanes<P> {
    /// The lanes of a server's end.
    pub(in crate::session) fn unpack(self, config: Config, stats: Stats) -> Lanes<P> {
        use crate::ids::LaneKind::{Down, Up};
        let Self { send, receive, open_up_range, up_range_from } = self;
        let lanes = Lanes::new(config, send.unpack(Down), receive.unpack(Up), stats);
        Lanes { open_up_range, up_range_from, ..lanes }
    }

    /// Memory beside itself, in bytes; payloads are not counted.
    pub(in crate::session) fn heap_bytes(&self) -> usize {
        self.send.heap_bytes() + self.receive.heap_bytes()
    }
}
