//! The ID pool of one lane, sending side.
//!
//! Knows: the cycles, how far the receiver has agreed, how far IDs are drawn. Does not know: frames, time, links, payloads.
//! Invariants (checked by `check`, named in protocol.md 12):
//! - an ID is drawn only from an agreed quarter (`pool_verifiers_agree`, `credit_respected`);
//! - at most half of the pool is in use at once;
//! - an ID of the last cycle is never equal to one of this cycle (`id_never_ambiguous`).

use super::packed::PackedCycles;
use super::{Cycles, Turn, is_possible_size};
use crate::error::ProtocolError;
use crate::frame::{QuarterAgree, RangeAccepted, RangeAgree};
use crate::ids::{LaneKind, MessageId, Position};
use crate::marks::mark;
use crate::mutants::mutated;

/// The IDs that a sender draws.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SendPool {
    lane: LaneKind,
    cycles: Cycles,
    /// The next position to draw an ID for.
    next: Position,
    /// The cycle of the next position.
    turn: Turn,
    /// The first position whose ID is not agreed.
    agreed_end: Position,
    /// A range that this side proposed and the receiver has not accepted yet (only the server proposes).
    proposed: Option<RangeAgree>,
}

/// What is kept of a [`SendPool`] while its lane has no link.
#[derive(Clone, Debug)]
pub(crate) struct PackedSendPool {
    cycles: PackedCycles,
    next: Position,
    agreed_end: Position,
    proposed: Option<RangeAgree>,
}

impl PackedSendPool {
    /// The pool of this lane. [`SendPool::derive_orders`] comes before its next message.
    pub(crate) fn unpack(self, lane: LaneKind) -> SendPool {
        let Self { cycles, next, agreed_end, proposed } = self;
        let cycles = cycles.unpack();
        let turn = cycles.turn_of(next);
        SendPool { lane, cycles, next, turn, agreed_end, proposed }
    }

    /// Memory beside itself, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.cycles.heap_bytes()
    }
}

impl SendPool {
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
        let agreed_end = Position(u64::from(range.size / 2));
        let turn = cycles.turn_of(Position(0));
        Ok(Self { lane: range.lane, cycles, next: Position(0), turn, agreed_end, proposed: None })
    }

    pub(crate) fn pack(self) -> PackedSendPool {
        let Self { lane: _, cycles, next, turn: _, agreed_end, proposed } = self;
        PackedSendPool { cycles: cycles.pack(), next, agreed_end, proposed }
    }

    /// A link is up: what was not kept of a packed pool is derived again.
    pub(crate) fn derive_orders(&mut self) {
        self.cycles.derive_orders();
    }

    /// The next position to draw an ID for.
    #[inline]
    pub(crate) fn next(&self) -> Position {
        self.next
    }

    /// The first position whose ID is not agreed.
    #[inline]
    pub(crate) fn agreed_end(&self) -> Position {
        self.agreed_end
    }

    /// How many IDs the pool has at the next position.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        self.turn.size
    }

    /// Whether a new range is stated that the lane has not come to.
    pub(crate) fn has_range_ahead(&self) -> bool {
        self.cycles.last().size != self.size()
    }

    /// Whether [`Self::draw`] would give an ID.
    #[inline]
    pub(crate) fn can_draw(&self, guaranteed: Position) -> bool {
        let in_use_max = if mutated!(WholePoolInUse) { self.size() } else { self.size() / 2 };
        (self.next < self.agreed_end || mutated!(DrawBeyondAgreed))
            && self.next.0 - guaranteed.0 < u64::from(in_use_max)
    }

    /// Draws the next message ID. `None`: no agreed ID is free; the sender says `blocked` on a control frame and waits.
    // spec: protocol.md 5
    #[inline]
    pub(crate) fn draw(&mut self, guaranteed: Position) -> Option<(Position, MessageId)> {
        if !self.can_draw(guaranteed) {
            return None;
        }
        let position = self.next;
        let id = self.cycles.list.get(self.turn.index)?.id_at(position)?;
        self.next.0 += 1;
        if self.next >= self.turn.end {
            self.turn_over();
        }
        Some((position, id))
    }

    /// The position has left its cycle, or the cycles have changed.
    fn turn_over(&mut self) {
        self.cycles.forget_before(self.next);
        self.turn = self.cycles.turn_of(self.next);
    }

    /// The receiver agreed to one more quarter. A quarter that is agreed already is a repetition and changes nothing.
    ///
    /// # Errors
    /// The verifier differs, or the quarter cannot be next.
    pub(crate) fn on_quarter(&mut self, agree: &QuarterAgree) -> Result<(), ProtocolError> {
        let out_of_turn =
            ProtocolError::AgreementOutOfTurn { lane: self.lane, cycle: agree.cycle, quarter: agree.quarter };
        if agree.quarter > 3 {
            return Err(out_of_turn);
        }
        if agree.cycle == self.cycles.last().number.wrapping_add(1) {
            if self.proposed.is_some() {
                mark!(QuarterCrossedProposal);
                return Ok(()); // It crossed with our proposal, which ends the cycle before.
            }
            // At most half a pool ahead of what was sent: the next cycle's first quarters.
            if self.cycles.last().end().0 > self.next.0 + u64::from(self.cycles.last().size) {
                return Err(out_of_turn);
            }
            self.cycles.extend();
            self.turn_over();
        }
        let Some(cycle) = self.cycles.by_number(agree.cycle) else {
            let is_older = self.cycles.first().number.wrapping_sub(agree.cycle) < u32::MAX / 2;
            return if is_older { Ok(()) } else { Err(out_of_turn) };
        };
        let end = Position(cycle.from.0 + u64::from(cycle.quarter_size()) * (u64::from(agree.quarter) + 1));
        if end <= self.agreed_end || end > cycle.end() {
            mark!(QuarterKnown);
            return Ok(());
        }
        if let Some(proposed) = &self.proposed
            && end > proposed.from
        {
            return Ok(());
        }
        let ours = cycle.quarter_crc(agree.quarter);
        if ours != agree.crc && !mutated!(QuarterCrcUnchecked) {
            let (lane, cycle, theirs) = (self.lane, agree.cycle, agree.crc);
            return Err(ProtocolError::PoolOrderDisputed { lane, cycle, ours, theirs });
        }
        self.agreed_end = end;
        Ok(())
    }

    /// The server's down lane: proposes a new range from the end of what is agreed. `None` while a proposal is open.
    pub(crate) fn propose(&mut self, size: u32) -> Option<RangeAgree> {
        if self.proposed.is_some() || !is_possible_size(size) {
            return None;
        }
        let range = self.cycles.next_range(self.lane, self.agreed_end, size)?;
        self.proposed = Some(range);
        Some(range)
    }

    /// The proposal that the receiver has not accepted yet.
    pub(crate) fn proposed(&self) -> Option<RangeAgree> {
        self.proposed
    }

    /// The receiver accepted the proposal.
    ///
    /// # Errors
    /// Its verifier differs from ours.
    pub(crate) fn on_range_accepted(&mut self, accepted: &RangeAccepted) -> Result<(), ProtocolError> {
        let Some(range) = self.proposed.filter(|range| range.cycle == accepted.cycle) else {
            mark!(RangeAcceptedAgain);
            return Ok(()); // A repetition.
        };
        if range.crc != accepted.crc {
            let (lane, cycle, ours, theirs) = (self.lane, range.cycle, range.crc, accepted.crc);
            return Err(ProtocolError::PoolOrderDisputed { lane, cycle, ours, theirs });
        }
        self.proposed = None;
        self.begin(&range);
        Ok(())
    }

    /// The client's up lane: the server states a new range. Everything before it is agreed.
    ///
    /// # Errors
    /// The range is impossible, or its verifier differs.
    pub(crate) fn on_range(&mut self, range: &RangeAgree) -> Result<(), ProtocolError> {
        let bad = ProtocolError::BadRange { lane: self.lane, size: range.size, from: range.from };
        if self.cycles.last().number.wrapping_sub(range.cycle) < u32::MAX / 2
            && self
                .cycles
                .by_number(range.cycle)
                .is_none_or(|known| known.from == range.from && known.size == range.size)
        {
            return Ok(()); // A repetition.
        }
        if !is_possible_size(range.size) || range.from < self.next || range.from < self.agreed_end {
            return Err(bad);
        }
        if range.from > self.cycles.last().end() {
            mark!(QuarterLost);
            self.cycles.extend(); // The agreement to the quarters before was lost.
            self.turn_over();
        }
        let Some(ours) = self.cycles.next_range(self.lane, range.from, range.size) else {
            return Err(bad);
        };
        if ours != *range {
            let (lane, cycle, ours, theirs) = (self.lane, range.cycle, ours.crc, range.crc);
            return Err(ProtocolError::PoolOrderDisputed { lane, cycle, ours, theirs });
        }
        let late = u64::from(mutated!(PoolGrowsAtWrongMessage) && range.from < self.cycles.last().end());
        self.begin(&RangeAgree { from: Position(range.from.0 + late), ..*range });
        Ok(())
    }

    fn begin(&mut self, range: &RangeAgree) {
        self.cycles.begin_range(range);
        self.turn_over();
        self.agreed_end = Position(range.from.0 + u64::from(range.size / 2));
    }

    /// The first statement that does not hold, if any.
    pub(crate) fn check(&self, guaranteed: Position) -> Result<(), &'static str> {
        if self.turn != self.cycles.turn_of(self.next) {
            return Err("id_never_ambiguous: the cycle at hand is not that of the next position");
        }
        if self.next > self.agreed_end {
            return Err("credit_respected: an id was drawn beyond the agreed quarters");
        }
        if guaranteed > self.next {
            return Err("no_false_guarantee: more is guaranteed than was sent");
        }
        if self.next.0 - guaranteed.0 > u64::from(self.cycles.size_max() / 2) {
            return Err("credit_respected: more than half of the pool is in use");
        }
        Ok(())
    }
}
