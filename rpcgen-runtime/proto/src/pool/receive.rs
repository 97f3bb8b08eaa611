//! The ID pool of one lane, receiving side.
//!
//! Knows: the cycles, which position is expected, how far this side has agreed. Does not know: frames, time, links, payloads.

use super::packed::PackedCycles;
use super::{Cycles, Turn, is_possible_size};
use crate::error::ProtocolError;
use crate::frame::{QuarterAgree, RangeAccepted, RangeAgree};
use crate::ids::{LaneKind, MessageId, Position};
use crate::marks::mark;
use crate::mutants::mutated;

/// What a receiver knows about an ID that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The message of this position, expected or early.
    Position(Position),
    /// A message that was accepted before.
    Old,
    /// Never agreed.
    Unknown,
}

/// The IDs that a receiver expects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReceivePool {
    lane: LaneKind,
    cycles: Cycles,
    expected: Position,
    /// The cycle of the expected position.
    turn: Turn,
    /// Where its quarter ends: there a further one is agreed.
    quarter_end: Position,
    /// The first position whose ID is not agreed.
    agreed_end: Position,
    /// The ID of the expected position, kept at hand.
    expected_id: MessageId,
}

/// What is kept of a [`ReceivePool`] while its lane has no link.
#[derive(Clone, Debug)]
pub(crate) struct PackedReceivePool {
    cycles: PackedCycles,
    expected: Position,
    quarter_end: Position,
    agreed_end: Position,
    expected_id: MessageId,
}

impl PackedReceivePool {
    /// The pool of this lane. [`ReceivePool::derive_orders`] comes before its next message.
    pub(crate) fn unpack(self, lane: LaneKind) -> ReceivePool {
        let Self { cycles, expected, quarter_end, agreed_end, expected_id } = self;
        let cycles = cycles.unpack();
        let turn = cycles.turn_of(expected);
        ReceivePool { lane, cycles, expected, turn, quarter_end, agreed_end, expected_id }
    }

    /// Memory beside itself, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.cycles.heap_bytes()
    }
}

impl ReceivePool {
    /// A pool whose first range is `range`.
    ///
    /// # Errors
    /// The range is impossible, or its verifier differs from what this end derives.
    pub(crate) fn new(lane_seed: u64, range: &RangeAgree) -> Result<Self, ProtocolError> {
        if !is_possible_size(range.size) || range.from != Position(0) {
            return Err(ProtocolError::BadRange { lane: range.lane, size: range.size, from: range.from });
        }
        let cycles = Cycles::new(lane_seed, range);
        let ours = cycles.first().half_crc();
        if ours != range.crc && !mutated!(RangeCrcUnchecked) {
            let (lane, cycle, theirs) = (range.lane, range.cycle, range.crc);
            return Err(ProtocolError::PoolOrderDisputed { lane, cycle, ours, theirs });
        }
        let expected_id = cycles.id_at(Position(0)).expect("a range has at least four ids");
        let agreed_end = Position(u64::from(range.size / 2));
        let (turn, quarter_end) = (cycles.turn_of(Position(0)), Position(u64::from(range.size / 4)));
        Ok(Self { lane: range.lane, cycles, expected: Position(0), turn, quarter_end, agreed_end, expected_id })
    }

    pub(crate) fn pack(self) -> PackedReceivePool {
        let Self { lane: _, cycles, expected, turn: _, quarter_end, agreed_end, expected_id } = self;
        PackedReceivePool { cycles: cycles.pack(), expected, quarter_end, agreed_end, expected_id }
    }

    /// A link is up: what was not kept of a packed pool is derived again.
    pub(crate) fn derive_orders(&mut self) {
        self.cycles.derive_orders();
    }

    /// The position that is accepted next.
    #[inline]
    pub(crate) fn expected(&self) -> Position {
        self.expected
    }

    /// Its ID.
    #[inline]
    pub(crate) fn expected_id(&self) -> MessageId {
        self.expected_id
    }

    /// The first position whose ID is not agreed.
    #[inline]
    pub(crate) fn agreed_end(&self) -> Position {
        self.agreed_end
    }

    /// How many IDs the pool has at the expected position.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        self.turn.size
    }

    /// Which message an ID names.
    pub(crate) fn find(&mut self, id: MessageId) -> Known {
        if id == self.expected_id {
            return Known::Position(self.expected);
        }
        for cycle in &mut self.cycles.list {
            if let Some(position) = cycle.position_of(id) {
                return match position {
                    old if old < self.expected => Known::Old,
                    agreed if agreed < self.agreed_end => Known::Position(agreed),
                    _ => Known::Unknown,
                };
            }
        }
        // Ranges only move on: what lies before the oldest known range was used in a cycle that is over.
        let behind = self.cycles.first().start.0.wrapping_sub(id.0);
        if self.cycles.first().number > 0 && behind < u32::MAX / 2 { Known::Old } else { Known::Unknown }
    }

    /// The expected message was accepted. Agrees to further quarters; whether it did is told.
    // spec: protocol.md 5
    #[inline]
    pub(crate) fn accept(&mut self) -> bool {
        self.expected.0 += 1;
        if self.expected < self.quarter_end {
            self.expected_id = self.id_of_expected();
            return false;
        }
        let agreed_before = self.agreed_end;
        if let Some(cycle) = self.cycles.containing(self.expected) {
            let quarter = u64::from(cycle.quarter_size());
            let quarter_begin = (self.expected.0 - cycle.from.0) / quarter * quarter + cycle.from.0;
            let wanted = Position(quarter_begin + u64::from(cycle.size / 2));
            self.agree_up_to(wanted);
        }
        self.turn_over();
        self.agreed_end != agreed_before
    }

    /// The position has left its quarter, or the cycles have changed.
    fn turn_over(&mut self) {
        self.cycles.forget_before(self.expected);
        self.turn = self.cycles.turn_of(self.expected);
        let cycle = &self.cycles.list[self.turn.index];
        let quarter = u64::from(cycle.quarter_size());
        let quarter_begin = (self.expected.0 - cycle.from.0) / quarter * quarter + cycle.from.0;
        self.quarter_end = Position(quarter_begin + quarter).min(self.turn.end);
        self.expected_id = self.id_of_expected();
    }

    #[inline]
    fn id_of_expected(&self) -> MessageId {
        let cycle = &self.cycles.list[self.turn.index];
        cycle.id_at(self.expected).expect("the agreed positions reach beyond the expected one")
    }

    fn agree_up_to(&mut self, wanted: Position) {
        while self.agreed_end < wanted {
            if self.agreed_end >= self.cycles.last().end() {
                self.cycles.extend();
            }
            let cycle =
                self.cycles.containing(self.agreed_end).expect("the last cycle reaches beyond the agreed positions");
            self.agreed_end = Position(self.agreed_end.0 + u64::from(cycle.quarter_size()));
        }
    }

    /// The newest quarter that is agreed. `None` while only a range's own first half is: the range says that itself.
    pub(crate) fn agreement(&self) -> Option<QuarterAgree> {
        self.cycles.quarter_ending_at(self.agreed_end)
    }

    /// The server's up lane: states a new range from the end of what is agreed.
    pub(crate) fn state_range(&mut self, size: u32) -> Option<RangeAgree> {
        if !is_possible_size(size) {
            return None;
        }
        let range = self.cycles.next_range(self.lane, self.agreed_end, size)?;
        self.begin(&range);
        Some(range)
    }

    /// The client's down lane: the server proposes a new range. Agreements beyond its beginning are taken back: the server has drawn
    /// no ID there.
    ///
    /// # Errors
    /// The range is impossible, or its verifier differs.
    pub(crate) fn on_range(&mut self, range: &RangeAgree) -> Result<RangeAccepted, ProtocolError> {
        if let Some(known) = self.cycles.by_number(range.cycle)
            && known.from == range.from
            && known.size == range.size
        {
            mark!(RangeKnown);
            return Ok(RangeAccepted { cycle: range.cycle, crc: known.half_crc() }); // A repetition.
        }
        let bad = ProtocolError::BadRange { lane: self.lane, size: range.size, from: range.from };
        if self.cycles.last().number.wrapping_sub(range.cycle) < u32::MAX / 2
            && self.cycles.by_number(range.cycle).is_none()
        {
            mark!(RangeLate);
            return Ok(RangeAccepted { cycle: range.cycle, crc: range.crc }); // Late: accepted and used up long ago.
        }
        if !is_possible_size(range.size) || range.from < self.expected || range.from > self.agreed_end {
            return Err(bad);
        }
        let Some(ours) = self.cycles.next_range(self.lane, range.from, range.size) else {
            return Err(bad);
        };
        if ours != *range {
            let (lane, cycle, ours, theirs) = (self.lane, range.cycle, ours.crc, range.crc);
            return Err(ProtocolError::PoolOrderDisputed { lane, cycle, ours, theirs });
        }
        self.begin(range);
        Ok(RangeAccepted { cycle: range.cycle, crc: ours.crc })
    }

    fn begin(&mut self, range: &RangeAgree) {
        self.cycles.begin_range(range);
        self.agreed_end = Position(range.from.0 + u64::from(range.size / 2));
        self.turn_over();
    }
}
