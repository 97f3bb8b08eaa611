//! What can go wrong, with the blame in the name.

use crate::ids::{LaneKind, MessageId, Position, Slot};

/// A frame that the peer may not send now. Closes the link, never the session: nothing of the frame was processed after the point
/// of the error, and both sides resume from their positions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The two ends derived different orders for the pool of a lane. Nothing was processed on the disputed order. Usual causes:
    /// versions with different generators, or memory corruption.
    #[error("{lane} pool order disputed in cycle {cycle}: ours {ours:08x}, theirs {theirs:08x}")]
    PoolOrderDisputed {
        /// Whose pool.
        lane: LaneKind,
        /// In which cycle.
        cycle: u32,
        /// CRC-32 of the order as we derive it.
        ours: u32,
        /// CRC-32 that the peer sent.
        theirs: u32,
    },
    /// An agreement for a quarter or range that cannot be next.
    #[error("{lane} pool agreement for cycle {cycle} quarter {quarter} is out of turn")]
    AgreementOutOfTurn {
        /// Whose pool.
        lane: LaneKind,
        /// The cycle it names.
        cycle: u32,
        /// The quarter it names.
        quarter: u8,
    },
    /// A range that is no multiple of 4, too large, or begins at a position that was passed.
    #[error("{lane} pool range of {size} ids from {from} is not possible")]
    BadRange {
        /// Whose pool.
        lane: LaneKind,
        /// How many IDs it names.
        size: u32,
        /// From where.
        from: Position,
    },
    /// A message ID that was never agreed.
    #[error("{lane}: {id} was never agreed (expected {expected})")]
    UnknownId {
        /// In which lane.
        lane: LaneKind,
        /// The ID that came.
        id: MessageId,
        /// The position that was expected.
        expected: Position,
    },
    /// On a reliable, ordered link the next message is not the expected one.
    #[error("{lane}: gap on a reliable link: verifier {got:02x} where {expected:02x} was expected at {at}")]
    GapOnReliableLink {
        /// In which lane.
        lane: LaneKind,
        /// The verifier that came.
        got: u8,
        /// The verifier that was due.
        expected: u8,
        /// The position that was expected.
        at: Position,
    },
    /// Guarantee bits that begin after the last bit known: they would guarantee what the peer may not have (trap T3).
    #[error("{lane}: guarantee bits begin at {base:#06x}, at most {expected:#06x} is possible")]
    BitsOutOfPlace {
        /// The lane that they guarantee.
        lane: LaneKind,
        /// Low 16 bits of the base they came with.
        base: u16,
        /// Low 16 bits of the first position without a bit.
        expected: u16,
    },
    /// Guarantee bits for messages that were never sent.
    #[error("{lane}: guarantee bits up to {through}, but only {sent} were sent")]
    BitsForUnsent {
        /// The lane that they guarantee.
        lane: LaneKind,
        /// One past the last position they guarantee.
        through: Position,
        /// One past the last position sent.
        sent: Position,
    },
    /// A whereabouts request for what was never sent, or on a link that cannot lose.
    #[error("{lane}: the peer asks for {first} and {count} more, which is not possible here")]
    BadWhereIs {
        /// The lane it asks about.
        lane: LaneKind,
        /// First position asked for.
        first: Position,
        /// How many.
        count: u32,
    },
    /// An answer, a cancel or a cancel result for a slot and call that are not open (trap T4).
    #[error("{what} for {slot} with check {check:#06x}, which is not open")]
    WrongSlot {
        /// What came.
        what: &'static str,
        /// The slot it names.
        slot: Slot,
        /// The check it names.
        check: u16,
    },
    /// A message that this end never receives, or not now.
    #[error("{what} is not allowed {when}")]
    NotAllowed {
        /// What came.
        what: &'static str,
        /// Why not.
        when: &'static str,
    },
    /// More than the agreed limits allow.
    #[error("the peer exceeds the limit of {limit} {what}")]
    LimitExceeded {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

/// A call that was not accepted: nothing of it remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The stream log is at its limit: the peer is away or slow. Wait for answers, or raise the limit.
    #[error("the stream log is full ({messages} messages, {bytes} bytes): the server is away or slow")]
    LogFull {
        /// Messages in it.
        messages: usize,
        /// Payload bytes in it.
        bytes: usize,
    },
    /// The message alone is larger than a frame may be.
    #[error("a message of {bytes} bytes does not fit in a frame of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The session is disconnecting or has ended.
    #[error("the session is disconnecting or has ended")]
    Closing,
    /// The durable log has stopped after an error of its disk: nothing can be accepted any more.
    #[error("the durable log has stopped after an error of its disk: nothing can be accepted any more")]
    LogStopped,
}
