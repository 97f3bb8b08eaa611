//! The ID pool of one lane: which IDs its messages draw, in which order, and how far both ends have agreed on it.
//!
//! Knows: cycles, ranges, orders, agreed quarters. Does not know: frames on a link, time, payloads, what a message says.
//!
//! The order of use is a pure function of the lane's seed and of the ranges agreed, so the position of a message and its ID name
//! each other. A cycle uses each ID of its range once; the next cycle has the range after it, so that an ID of one is never equal
//! to an ID of the other (`id_never_ambiguous`). Agreement moves in quarters: the receiver sends the CRC-32 of a quarter's order,
//! which is verifier and credit in one (`pool_verifiers_agree`, `credit_respected`).

mod order;
mod packed;
mod receive;
mod send;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

pub(crate) use order::lane_seed;
pub(crate) use receive::{Known, PackedReceivePool, ReceivePool};
pub(crate) use send::{PackedSendPool, SendPool};

use crate::frame::{QuarterAgree, RangeAgree};
use crate::ids::{LaneKind, MessageId, Position};
use crate::marks::mark;
use crate::mutants::mutated;

/// One use of a range of IDs.
#[derive(Clone, Debug)]
struct Cycle {
    number: u32,
    /// The first position that draws from it.
    from: Position,
    start: MessageId,
    size: u32,
    /// How many positions draw from it: `size`, or fewer if a new range cut it short.
    used: u32,
    /// Empty while a lane that was packed has no link.
    offsets: Vec<u32>,
    /// Offset to index; built when first asked for (only links that may lose ask).
    inverse: Vec<u32>,
}

/// The order follows from the lane's seed and these; the inverse is only kept at hand. Neither is state of its own.
impl Hash for Cycle {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.number, self.from, self.start, self.size, self.used).hash(hasher);
    }
}

impl PartialEq for Cycle {
    fn eq(&self, other: &Self) -> bool {
        let state = |cycle: &Self| (cycle.number, cycle.from, cycle.start, cycle.size, cycle.used);
        state(self) == state(other) && self.offsets == other.offsets
    }
}

impl Eq for Cycle {}

impl Cycle {
    fn new(lane_seed: u64, number: u32, from: Position, start: MessageId, size: u32) -> Self {
        let offsets = order::shuffled_offsets(lane_seed, number, size);
        Self { number, from, start, size, used: size, offsets, inverse: Vec::new() }
    }

    #[inline]
    fn end(&self) -> Position {
        Position(self.from.0 + u64::from(self.used))
    }

    fn quarter_size(&self) -> u32 {
        self.size / 4
    }

    fn contains(&self, position: Position) -> bool {
        self.from <= position && position < self.end()
    }

    #[inline]
    fn id_at(&self, position: Position) -> Option<MessageId> {
        let index = usize::try_from(position.0.checked_sub(self.from.0)?).ok()?;
        self.offsets.get(index).map(|offset| MessageId(self.start.0.wrapping_add(*offset)))
    }

    fn position_of(&mut self, id: MessageId) -> Option<Position> {
        let offset = id.0.wrapping_sub(self.start.0);
        if offset >= self.size {
            return None;
        }
        if self.inverse.is_empty() {
            self.inverse = alloc::vec![0; self.offsets.len()];
            for (index, offset) in (0_u32..).zip(&self.offsets) {
                self.inverse[*offset as usize] = index;
            }
        }
        let index = *self.inverse.get(offset as usize)?;
        (index < self.used).then(|| Position(self.from.0 + u64::from(index)))
    }

    /// CRC-32 of one quarter's order.
    fn quarter_crc(&self, quarter: u8) -> u32 {
        let first = self.quarter_size() as usize * usize::from(quarter);
        order::order_crc(self.start, &self.offsets[first..first + self.quarter_size() as usize])
    }

    /// CRC-32 of the first half's order.
    fn half_crc(&self) -> u32 {
        order::order_crc(self.start, &self.offsets[..self.offsets.len() / 2])
    }
}

/// The cycle that a lane is in, kept at hand: looking for it would be a part of each message's cost. It follows from the cycles and the
/// position, and is found anew when either leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Turn {
    /// Its place in the list.
    index: usize,
    end: Position,
    size: u32,
}

/// The cycles of a lane that still matter, oldest first. Never empty. Neighbours join without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cycles {
    lane_seed: u64,
    list: VecDeque<Cycle>,
}

impl Cycles {
    fn new(lane_seed: u64, first: &RangeAgree) -> Self {
        let cycle = Cycle::new(lane_seed, first.cycle, first.from, first.start, first.size);
        Self { lane_seed, list: VecDeque::from([cycle]) }
    }

    fn first(&self) -> &Cycle {
        self.list.front().expect("a lane has at least one cycle")
    }

    fn last(&self) -> &Cycle {
        self.list.back().expect("a lane has at least one cycle")
    }

    /// The size of the largest cycle that still matters.
    fn size_max(&self) -> u32 {
        self.list.iter().map(|cycle| cycle.size).max().unwrap_or(0)
    }

    fn containing(&self, position: Position) -> Option<&Cycle> {
        self.list.iter().find(|cycle| cycle.contains(position))
    }

    /// The cycle that holds `position`, or the last one if that is not reached yet: its place in the list, to be kept at hand.
    fn turn_of(&self, position: Position) -> Turn {
        let index = self.list.iter().position(|cycle| cycle.contains(position)).unwrap_or(self.list.len() - 1);
        let cycle = &self.list[index];
        Turn { index, end: cycle.end(), size: cycle.size }
    }

    fn by_number(&self, number: u32) -> Option<&Cycle> {
        self.list.iter().find(|cycle| cycle.number == number)
    }

    fn id_at(&self, position: Position) -> Option<MessageId> {
        self.containing(position)?.id_at(position)
    }

    /// Begins the next cycle at the end of the last one, with the range that follows and the same size.
    fn extend(&mut self) {
        mark!(NextCycle);
        let last = self.last();
        let next = Cycle::new(
            self.lane_seed,
            last.number.wrapping_add(1),
            last.end(),
            MessageId(last.start.0.wrapping_add(if mutated!(NextCycleSameIds) { 0 } else { last.size })),
            last.size,
        );
        self.list.push_back(next);
    }

    /// What a new range from `from` on would be. `from` is a position of a known cycle, or the end of the last one.
    fn next_range(&self, lane: LaneKind, from: Position, size: u32) -> Option<RangeAgree> {
        let before = self.list.iter().rev().find(|cycle| cycle.from < from && from <= cycle.end())?;
        let cycle = before.number.wrapping_add(1);
        let start = MessageId(before.start.0.wrapping_add(before.size));
        let crc = Cycle::new(self.lane_seed, cycle, from, start, size).half_crc();
        Some(RangeAgree { lane, cycle, from, start, size, crc })
    }

    /// Cuts what is known at `range.from` and goes on with the new range.
    fn begin_range(&mut self, range: &RangeAgree) {
        while self.list.len() > 1 && self.last().from >= range.from {
            self.list.pop_back();
        }
        let last = self.list.back_mut().expect("a lane has at least one cycle");
        last.used = u32::try_from(range.from.0 - last.from.0).expect("a range begins inside of a known cycle");
        self.list.push_back(Cycle::new(self.lane_seed, range.cycle, range.from, range.start, range.size));
    }

    /// Forgets cycles before the one before the one that contains `position`.
    fn forget_before(&mut self, position: Position) {
        while self.list.len() > 2 && self.list[1].end() <= position {
            self.list.pop_front();
        }
    }

    /// The quarter that ends at `end`, as it is agreed. `end` is the end of a quarter of a known cycle.
    fn quarter_ending_at(&self, end: Position) -> Option<QuarterAgree> {
        let cycle = self.list.iter().find(|cycle| cycle.from < end && end <= cycle.end())?;
        let quarters = (end.0 - cycle.from.0) / u64::from(cycle.quarter_size());
        let quarter = u8::try_from(quarters.checked_sub(1)?).ok()?;
        Some(QuarterAgree { cycle: cycle.number, quarter, crc: cycle.quarter_crc(quarter) })
    }
}

/// Whether a size is one that a pool can have.
fn is_possible_size(size: u32) -> bool {
    size.is_multiple_of(4) && (crate::config::POOL_SIZE_MIN..=crate::config::POOL_SIZE_MAX).contains(&size)
}

/// The first range of a lane's pool, as the server states it in its welcome.
pub(crate) fn first_range(lane: LaneKind, seed: u64, start: MessageId, size: u32) -> RangeAgree {
    let crc = Cycle::new(seed, 0, Position(0), start, size).half_crc();
    RangeAgree { lane, cycle: 0, from: Position(0), start, size, crc }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap T18.
    #[test]
    fn ids_are_unambiguous_over_the_wrap_of_their_numbers() {
        for size in [4, 8, 64] {
            let start = MessageId(u32::MAX - 20 * size);
            let range = first_range(LaneKind::Up, 5, start, size);
            let (mut send, mut receive) = (SendPool::new(5, &range).unwrap(), ReceivePool::new(5, &range).unwrap());
            let mut wrapped = false;
            for number in 0..u64::from(100 * size) {
                let (position, id) = send.draw(Position(number)).unwrap();
                assert!(matches!(receive.find(id), Known::Position(found) if found == position));
                receive.accept();
                assert!(matches!(receive.find(id), Known::Old));
                if let Some(agree) = receive.agreement() {
                    send.on_quarter(&agree).unwrap();
                }
                wrapped |= id < start;
            }
            assert!(wrapped);
        }
    }
}
