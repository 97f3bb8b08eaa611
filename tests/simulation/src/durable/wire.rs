//! Links between clients and the server.
//!
//! Knows: what is on its way. Does not know: what it says.

use std::collections::VecDeque;

use rpcgen_proto::frame::LinkFrame;
use rpcgen_proto::time::Instant;

use crate::load::Load;

/// Frames in one direction.
pub(super) type Way = VecDeque<(Instant, LinkFrame<Load>)>;

/// The link of one client. Each end notices its end by itself.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The how manyth link of its client.
    pub(super) number: u64,
    pub(super) up: Way,
    pub(super) down: Way,
    pub(super) is_up: bool,
}

impl Wire {
    pub(super) fn connect(&mut self) {
        let number = self.number + 1;
        *self = Self { number, is_up: true, ..Self::default() };
    }

    pub(super) fn cut(&mut self) {
        self.is_up = false;
        self.up.clear();
        self.down.clear();
    }

    /// When the next frame arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = |way: &Way| way.front().map(|(due, _)| *due);
        [first(&self.up), first(&self.down)].into_iter().flatten().min()
    }
}

/// Takes a frame that has arrived.
pub(super) fn take_due(way: &mut Way, now: Instant) -> Option<LinkFrame<Load>> {
    way.pop_front_if(|(due, _)| *due <= now).map(|(_, frame)| frame)
}
