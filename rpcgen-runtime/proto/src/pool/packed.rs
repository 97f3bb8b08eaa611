//! What is kept of a pool's cycles while its lane has no link: their orders follow from the seed and from these.
//!
//! Knows: ranges. Does not know: positions of the lane, agreement.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Cycle, Cycles, order};
use crate::ids::{MessageId, Position};
use crate::marks::mark;

/// A [`Cycle`] without its order.
#[derive(Clone, Debug)]
struct Range {
    number: u32,
    from: Position,
    start: MessageId,
    size: u32,
    used: u32,
}

/// [`Cycles`] without their orders.
#[derive(Clone, Debug)]
pub(super) struct PackedCycles {
    lane_seed: u64,
    ranges: Box<[Range]>,
}

impl PackedCycles {
    /// The same cycles. Their orders are derived when a link is up.
    pub(super) fn unpack(self) -> Cycles {
        let cycle = |Range { number, from, start, size, used }| {
            let (offsets, inverse) = (Vec::new(), Vec::new());
            Cycle { number, from, start, size, used, offsets, inverse }
        };
        Cycles { lane_seed: self.lane_seed, list: self.ranges.into_iter().map(cycle).collect() }
    }

    /// Memory beside itself, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.ranges)
    }
}

impl Cycles {
    pub(super) fn pack(self) -> PackedCycles {
        let range = |Cycle { number, from, start, size, used, offsets: _, inverse: _ }| Range {
            number,
            from,
            start,
            size,
            used,
        };
        PackedCycles { lane_seed: self.lane_seed, ranges: self.list.into_iter().map(range).collect() }
    }

    /// Derives the orders that are not at hand.
    pub(super) fn derive_orders(&mut self) {
        for cycle in self.list.iter_mut().filter(|cycle| cycle.offsets.is_empty()) {
            mark!(OrdersDerivedAgain);
            cycle.offsets = order::shuffled_offsets(self.lane_seed, cycle.number, cycle.size);
        }
    }
}
