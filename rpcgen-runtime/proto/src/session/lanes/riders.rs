//! What is to ride on the next frame, and how it gets there.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::Lanes;
use crate::frame::{RangeAccepted, RangeAgree, Riders};
use crate::ids::{Position, Slot};
use crate::mutants::mutated;
use crate::session::output::Payload;
use crate::time::Instant;

/// What is to ride on the next frame, or to make one of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Due {
    /// A control frame must go even if nothing else does.
    pub(super) control: bool,
    pub(super) up_range: bool,
    pub(super) down_range: bool,
    pub(super) range_accepted: Option<RangeAccepted>,
    pub(super) blocked: bool,
    pub(super) where_is_from: Option<Position>,
    pub(super) still_pending: Vec<(Slot, u16)>,
    pub(super) heartbeat: Option<bool>,
}

impl Due {
    /// Whether nothing is to ride: almost always.
    #[inline]
    fn is_empty(&self) -> bool {
        let Self { control: _, up_range, down_range, range_accepted, blocked, where_is_from, still_pending, heartbeat } =
            self;
        !(*up_range
            || *down_range
            || *blocked
            || range_accepted.is_some()
            || where_is_from.is_some()
            || heartbeat.is_some()
            || !still_pending.is_empty())
    }
}

impl<P: Payload> Lanes<P> {
    pub(super) fn take_riders(&mut self, now: Instant) -> Option<Box<Riders>> {
        self.stats.frames_sent += 1;
        let has_agreed = self.receive.pool.agreed_end() > self.receive.agreed_sent;
        if !has_agreed && self.due.is_empty() {
            return None;
        }
        let mut riders = Box::<Riders>::default();
        if has_agreed {
            riders.quarter = self.receive.pool.agreement();
            self.receive.agreed_sent = self.receive.pool.agreed_end();
        }
        riders.range = self.take_range();
        riders.range_accepted = self.due.range_accepted.take();
        riders.blocked = mem::take(&mut self.due.blocked);
        riders.still_pending = mem::take(&mut self.due.still_pending);
        riders.heartbeat = self.due.heartbeat.take();
        if let Some(from) = self.due.where_is_from.take() {
            riders.where_is = self.receive.missing(from);
            self.receive.asked_through = self.receive.arrived_through();
            if !riders.where_is.is_empty() {
                self.stats.where_is_sent += 1;
                self.arm_where_is(now);
            }
        }
        (!riders.is_empty()).then_some(riders)
    }

    fn take_range(&mut self) -> Option<RangeAgree> {
        if mem::take(&mut self.due.up_range) && self.open_up_range.is_some() {
            return if mutated!(GrownRangeToldOnce) { self.open_up_range.take() } else { self.open_up_range };
        }
        if mem::take(&mut self.due.down_range) { self.send.pool.proposed() } else { None }
    }
}
