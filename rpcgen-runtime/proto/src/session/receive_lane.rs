//! The receiving side of one lane: which message is next, which came early, which are missing, and the bits that are owed.
//!
//! Knows: order. Does not know: what a message means, timers.

mod packed;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::journal::{Bit, Journal};
use super::output::Payload;
use crate::bits::{BitArray, Gathered};
use crate::config::{ASK_FOR_ALL_MAX, NEWS_EVERY};
use crate::error::ProtocolError;
use crate::frame::limits::MISSING_RANGES_MAX;
use crate::frame::{Body, MissingRange, Sequenced, WireId};
use crate::ids::{LaneKind, MessageId, Position};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::pool::{Known, ReceivePool};
use crate::record::Mark;

pub(super) use self::packed::PackedReceiveLane;

/// A message that came before its turn. Its bits wait with it: bits are processed in lane order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Early<P> {
    bits: Option<BitArray>,
    body: Body<P>,
    bytes: usize,
}

/// The message whose turn has come, with the bits that rode on it.
pub(super) struct Next<P> {
    pub(super) bits: Option<BitArray>,
    pub(super) body: Body<P>,
    pub(super) bytes: usize,
}

/// What became of a message that arrived.
pub(super) enum Filed<P> {
    /// It is the expected one: process it now.
    Next(Option<BitArray>, Body<P>),
    /// Kept until its turn. `is_news`: the sender should hear of it soon.
    Early { is_news: bool },
    /// There is no room to keep it; it will be asked for.
    NoRoom,
    /// Accepted before: the guarantee is to be repeated.
    Duplicate,
}

/// The receiving side of one lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ReceiveLane<P> {
    pub(super) kind: LaneKind,
    pub(super) pool: ReceivePool,
    pub(super) bits: Gathered,
    /// Bits that wait for a record to be durable, and those behind them, each with the size of the pool then: bits are told in lane
    /// order. Empty where there is no durable log.
    held: VecDeque<(Bit, u32)>,
    early: BTreeMap<Position, Early<P>>,
    early_bytes: usize,
    /// Missing positions below this were asked for; [`super::timers::Timer::WhereIs`] asks again.
    pub(super) asked_through: Position,
    /// One past the last position whose bit was put on this link.
    pub(super) bits_sent: Position,
    /// How far the peer was told of agreed IDs on this link.
    pub(super) agreed_sent: Position,
    /// Payload bytes accepted since bits were last put on the link.
    pub(super) bytes_owed: usize,
}

impl<P: Payload> ReceiveLane<P> {
    pub(super) fn new(kind: LaneKind, pool: ReceivePool) -> Self {
        let agreed_sent = pool.agreed_end();
        Self {
            kind,
            pool,
            bits: Gathered::default(),
            held: VecDeque::new(),
            early: BTreeMap::new(),
            early_bytes: 0,
            asked_through: Position(0),
            bits_sent: Position(0),
            agreed_sent,
            bytes_owed: 0,
        }
    }

    /// Decides what a message is by its ID.
    ///
    /// # Errors
    /// A gap on a reliable, ordered link; an ID that was never agreed.
    // spec: protocol.md 7
    pub(super) fn file(
        &mut self,
        message: Sequenced<P>,
        bits: Option<BitArray>,
        bytes: usize,
        reliable_ordered: bool,
        early_bytes_max: usize,
    ) -> Result<Filed<P>, ProtocolError> {
        let expected = self.pool.expected_id();
        let is_expected = match message.id {
            WireId::Full(id) => id == expected,
            WireId::Short(low) => low == low_byte(expected),
        };
        if is_expected {
            return Ok(Filed::Next(bits, message.body));
        }
        let id = match message.id {
            WireId::Full(id) if !reliable_ordered => id,
            WireId::Full(MessageId(id)) => return Err(self.gap(low_byte(MessageId(id)))),
            WireId::Short(low) => return Err(self.gap(low)),
        };
        match self.pool.find(id) {
            Known::Old if mutated!(DuplicateAcceptedAgain) => Ok(Filed::Next(bits, message.body)),
            Known::Old => Ok(Filed::Duplicate),
            Known::Unknown => Err(ProtocolError::UnknownId { lane: self.kind, id, expected: self.pool.expected() }),
            Known::Position(position) if self.early.contains_key(&position) => Ok(Filed::Duplicate),
            Known::Position(_) if mutated!(EarlyAcceptedAtOnce) => Ok(Filed::Next(bits, message.body)),
            Known::Position(_)
                if self.early_bytes.saturating_add(bytes) > early_bytes_max && !mutated!(EarlyBytesUnlimited) =>
            {
                mark!(EarlyWithoutRoom);
                Ok(Filed::NoRoom)
            }
            Known::Position(position) => {
                self.early_bytes += bytes;
                // A gap, or enough behind the last word that the sender is to know what is no longer on its way.
                let is_news =
                    position > self.arrived_through() || position.0.saturating_sub(self.asked_through.0) >= NEWS_EVERY;
                let bits = bits.filter(|_| !mutated!(BitsOfEarlyMessagesLost));
                self.early.insert(position, Early { bits, body: compacted(message.body), bytes });
                Ok(Filed::Early { is_news })
            }
        }
    }

    fn gap(&self, got: u8) -> ProtocolError {
        ProtocolError::GapOnReliableLink {
            lane: self.kind,
            got,
            expected: low_byte(self.pool.expected_id()),
            at: self.pool.expected(),
        }
    }

    /// The expected message was processed; its bit is owed. Whether it may be told now.
    // spec: protocol.md 4
    pub(super) fn accept(&mut self, bit: Bit, bytes: usize) -> bool {
        let is_free = self.held.is_empty() && bit.after == Mark(0);
        if is_free || mutated!(BitBeforeRecord) {
            self.bits.push(bit.is_one, self.pool.size());
        } else {
            self.held.push_back((bit, self.pool.size()));
        }
        self.bytes_owed += bytes;
        self.pool.accept();
        is_free
    }

    /// Some records are durable: the bits that waited for them, and those behind, may be told. Whether there are any.
    pub(super) fn release_bits(&mut self, journal: &Journal) -> bool {
        let mut any = false;
        while let Some((bit, pool_size)) = self.held.front()
            && journal.is_durable(bit.after)
        {
            self.bits.push(bit.is_one, *pool_size);
            self.held.pop_front();
            any = true;
        }
        any
    }

    /// There was no space for this record: its message is refused after all.
    pub(super) fn refuse(&mut self, mark: Mark) {
        if let Some((bit, _)) = self.held.iter_mut().rev().find(|(bit, _)| bit.after == mark) {
            *bit = Bit::ZERO;
        }
    }

    /// How many bits wait for records.
    pub(super) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// The message whose turn has come, if it came early.
    pub(super) fn take_next(&mut self) -> Option<Next<P>> {
        let entry = self.early.first_entry()?;
        if *entry.key() != self.pool.expected() {
            return None;
        }
        mark!(EarlyItsTurn);
        let early = entry.remove();
        self.early_bytes -= early.bytes;
        Some(Next { bits: early.bits, body: early.body, bytes: early.bytes })
    }

    /// From where on the next question names what is missing: all of it while little came early, else what was not asked for yet.
    pub(super) fn ask_from(&self) -> Position {
        if self.early.len() <= ASK_FOR_ALL_MAX { Position(0) } else { self.asked_through }
    }

    /// Whether messages are missing before the last that came.
    pub(super) fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// The missing positions from `from` on, and that behind them nothing has come yet: at most [`MISSING_RANGES_MAX`] ranges.
    pub(super) fn missing(&self, from: Position) -> Vec<MissingRange> {
        let mut ranges = Vec::new();
        let mut next = self.pool.expected().max(from);
        for position in self.early.range(next..).map(|(position, _)| *position) {
            if position > next {
                let count = u32::try_from(position.0 - next.0).unwrap_or(u32::MAX);
                ranges.push(MissingRange { first: next, count });
                if ranges.len() == MISSING_RANGES_MAX {
                    break;
                }
            }
            next = Position(position.0 + 1);
        }
        if ranges.len() < MISSING_RANGES_MAX && self.has_gap() {
            ranges.push(MissingRange { first: self.arrived_through(), count: 0 });
        }
        ranges
    }

    /// The last position that came, plus one.
    pub(super) fn arrived_through(&self) -> Position {
        self.early.last_key_value().map_or_else(|| self.pool.expected(), |(position, _)| Position(position.0 + 1))
    }

    /// A new link: the peer sends again from the expected position on, and is told all that it may have missed.
    pub(super) fn resume(&mut self) {
        self.early.clear();
        self.early_bytes = 0;
        self.asked_through = Position(0);
        self.bits_sent = Position(0);
        if self.bits.end() > Position(0) {
            self.agreed_sent = Position(0); // In a new session the peer knows the first half from the range itself.
        }
    }

    /// Whether the peer will soon wait for bits or for agreed IDs, so that they must not wait for something to ride on.
    // spec: protocol.md 5
    pub(super) fn is_owing(&self, bytes_owed_max: usize) -> bool {
        let eighth = u64::from(self.pool.size() / 8);
        let owed = self.bits.end().0 - self.bits_sent.0.min(self.bits.end().0);
        owed > 0
            && (owed >= 3 * eighth.max(1)
                || self.agreed_sent.0.saturating_sub(self.pool.expected().0) <= eighth
                || self.bytes_owed >= bytes_owed_max)
    }

    pub(super) fn early_bytes(&self) -> usize {
        self.early_bytes
    }

    pub(super) fn early_count(&self) -> usize {
        self.early.len()
    }
}

fn low_byte(id: MessageId) -> u8 {
    id.0.to_le_bytes()[0]
}

/// The body with a payload that keeps nothing else alive.
pub(super) fn compacted<P: Payload>(body: Body<P>) -> Body<P> {
    match body {
        Body::Action { slot, number, method, maybe_sent, payload } => {
            Body::Action { slot, number, method, maybe_sent, payload: payload.compacted() }
        }
        Body::Response { slot, check, payload } => Body::Response { slot, check, payload: payload.compacted() },
        Body::Failure { slot, check, payload } => Body::Failure { slot, check, payload: payload.compacted() },
        Body::Offer { number, method, redelivered, payload } => {
            Body::Offer { number, method, redelivered, payload: payload.compacted() }
        }
        body => body,
    }
}
