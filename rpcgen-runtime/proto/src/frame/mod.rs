//! What travels on a link, as plain data.
//!
//! Knows: the shape of frames. Does not know: what is legal *now* (that is the session's), sockets, time.
//!
//! A frame is [`Riders`] (control information that hitchhikes: it takes no ID, is never logged, is superseded instead of re-sent)
//! and at most one [`Sequenced`] message (it takes an ID, lives in a stream log, is delivered once). A frame without a message is a
//! control frame: it never waits for the ID pool (trap T1), and nobody owes it a guarantee (trap T2).

mod codec;
mod decode;
mod encode;
mod fields;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod layout;
mod lent;
pub mod limits;
mod reject;
#[cfg(test)]
mod tests;

pub use codec::FrameCodec;
pub use decode::DecodeError;
pub use lent::FrameRef;
pub use reject::{Reject, RejectReason, ServerSchema};

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bits::BitArray;
use crate::ids::{
    BroadcastNumber, CallNumber, ClientId, Epoch, Incarnation, LaneKind, LinkNumber, MessageId, MethodId, Position,
    SessionId, Slot,
};
use crate::record::Life;
use crate::session::Payload;

/// One frame of a live link, after the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame<P> {
    /// Guarantees for the messages of the other lane. Processed before everything else in the frame.
    pub bits: Option<BitArray>,
    /// Control information that rides along, if any does. Boxed, as it is rare: a frame is moved from hand to hand.
    pub riders: Option<Box<Riders>>,
    /// The message that the frame carries, if any.
    pub message: Option<Sequenced<P>>,
}

/// A payload message: takes a message ID and lives in its lane's stream log until the receiver guaranteed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequenced<P> {
    /// Its number. On a link that is `reliable_ordered` only the lowest byte travels, as a verifier.
    pub id: WireId,
    /// What it says.
    pub body: Body<P>,
}

/// A message ID as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireId {
    /// The whole ID: on links that may lose or reorder, and between threads.
    Full(MessageId),
    /// Its lowest byte: on a reliable, ordered link the order is known and the byte only verifies it.
    Short(u8),
}

/// What a sequenced message says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body<P> {
    /// Up: a call.
    Action {
        /// Where its answer will be expected.
        slot: Slot,
        /// Its call number; `None` if it is the one after the last action's of this lane (the usual case).
        number: Option<CallNumber>,
        /// Which action.
        method: MethodId,
        /// It may have been sent in an earlier session or epoch: a server without that session's state must not run it unless it
        /// lost its memory as a whole (trap T7), and then says `redelivered`.
        maybe_sent: bool,
        /// The encoded request, or the request itself between threads.
        payload: P,
    },
    /// Up: please do not begin this action.
    Cancel {
        /// The slot of the action.
        slot: Slot,
        /// [`CallNumber::check`] of the action.
        check: u16,
    },
    /// Down: the typed answer.
    Response {
        /// The slot of the action.
        slot: Slot,
        /// [`CallNumber::check`] of the action.
        check: u16,
        /// The response.
        payload: P,
    },
    /// Down: the typed business error that the action declares in `fails`.
    Failure {
        /// The slot of the action.
        slot: Slot,
        /// [`CallNumber::check`] of the action.
        check: u16,
        /// The error.
        payload: P,
    },
    /// Down: the runtime's own answer in the place of the business's.
    Refusal {
        /// The slot of the action.
        slot: Slot,
        /// [`CallNumber::check`] of the action.
        check: u16,
        /// Why.
        reason: Refusal,
    },
    /// Down: what became of a [`Body::Cancel`]. Exactly one for each.
    CancelResult {
        /// The slot of the action.
        slot: Slot,
        /// [`CallNumber::check`] of the action.
        check: u16,
        /// What became of it.
        outcome: CancelOutcome,
    },
    /// Down: a broadcast, offered. Its handler runs when [`Body::Go`] arrives.
    Offer {
        /// Which broadcast of this session.
        number: BroadcastNumber,
        /// Which broadcast of the service.
        method: MethodId,
        /// It may have run on another node already.
        redelivered: bool,
        /// The message.
        payload: P,
    },
    /// Down: the offer was guaranteed, the assignment is logged: run the handler.
    Go {
        /// Which broadcast.
        number: BroadcastNumber,
    },
    /// Down: the offer was assigned elsewhere meanwhile: forget it.
    Revoke {
        /// Which broadcast.
        number: BroadcastNumber,
    },
    /// Both: the last message of its lane; a formal disconnect.
    Goodbye,
}

impl<P> Body<P> {
    /// The application's part, if there is one.
    #[must_use]
    pub const fn payload(&self) -> Option<&P> {
        match self {
            Self::Action { payload, .. }
            | Self::Response { payload, .. }
            | Self::Failure { payload, .. }
            | Self::Offer { payload, .. } => Some(payload),
            Self::Cancel { .. }
            | Self::Refusal { .. }
            | Self::CancelResult { .. }
            | Self::Go { .. }
            | Self::Revoke { .. }
            | Self::Goodbye => None,
        }
    }
}

impl<P> Body<P> {
    /// The same, to be put in place.
    pub(super) const fn payload_mut(&mut self) -> Option<&mut P> {
        match self {
            Self::Action { payload, .. }
            | Self::Response { payload, .. }
            | Self::Failure { payload, .. }
            | Self::Offer { payload, .. } => Some(payload),
            _ => None,
        }
    }
}

impl<P: Payload> Body<P> {
    /// How much memory the payload takes, in bytes; 0 without one.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload().map_or(0, Payload::size_bytes)
    }
}

/// The runtime's own answers. Each ends its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The client cancelled it before it began: it never ran and never will.
    Cancelled,
    /// The handler panicked; its effects are unknown to the runtime.
    HandlerPanicked,
    /// The handler dropped its responder without an answer.
    HandlerDropped,
    /// The service has no action of that number. It did not run.
    UnknownAction,
    /// Nobody serves the action's app id here. It did not run.
    UnknownApp,
    /// The request could not be decoded. It did not run.
    Undecodable,
    /// The server is out of room for it (a limit was reached). It did not run.
    Overloaded,
    /// The session's state was lost or expired and no completion record exists: it may or may not have run.
    Unknown,
    /// The call key was used for another request (trap T8): a copied or restored client log.
    CallKeyReused,
    /// It ran, but its answer is larger than a frame may be.
    AnswerTooLarge,
    /// It is larger than a frame to this server may be. It did not run.
    RequestTooLarge,
    /// Its handler failed again when it was run again after a crash: it is parked, not run once more (trap T15). Its effects are
    /// unknown to the runtime.
    Poisoned,
    /// The server's durable log has no space for it. It did not run.
    NoSpace,
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancelOutcome {
    /// It had not begun: it never ran and never will. Its answer is [`Refusal::Cancelled`].
    Cancelled,
    /// It had begun; its answer will come.
    Executing,
    /// It had been answered.
    Answered,
    /// A crash left no begin record: it may have begun.
    MaybeExecuted,
}

/// Control information that hitchhikes on any frame, or makes a frame of its own when nothing travels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Riders {
    /// A quarter of the other lane's pool is agreed: verifier and credit in one.
    pub quarter: Option<QuarterAgree>,
    /// A new range of IDs for one lane. The server's to send.
    pub range: Option<RangeAgree>,
    /// The down lane's new range is agreed. The client's to send.
    pub range_accepted: Option<RangeAccepted>,
    /// The sender of this frame is out of agreed IDs in its own lane.
    pub blocked: bool,
    /// Messages of the other lane that are missing. Only on links that are not `reliable_ordered`.
    pub where_is: Vec<MissingRange>,
    /// Actions whose handlers are slow but alive, by slot and [`CallNumber::check`].
    pub still_pending: Vec<(Slot, u16)>,
    /// A sign of life; `true` asks for one in return.
    pub heartbeat: Option<bool>,
}

impl Riders {
    /// Whether nothing rides.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Agreement on the order of one more quarter of a lane's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuarterAgree {
    /// The cycle that the quarter belongs to.
    pub cycle: u32,
    /// Which quarter of it, 0 to 3. All before it are agreed too.
    pub quarter: u8,
    /// CRC-32 of the quarter's IDs in their order of use, each as four little-endian bytes.
    pub crc: u32,
}

/// Agreement on a new range of a lane's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RangeAgree {
    /// Whose pool.
    pub lane: LaneKind,
    /// The cycle that begins with the range.
    pub cycle: u32,
    /// The first position that draws from it.
    pub from: Position,
    /// First ID of the range; its end is `start + size`, wrapping.
    pub start: MessageId,
    /// How many IDs, a multiple of 4.
    pub size: u32,
    /// CRC-32 of the first half of its order.
    pub crc: u32,
}

/// The receiving side of the down lane agrees to a [`RangeAgree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RangeAccepted {
    /// The cycle that begins with the range.
    pub cycle: u32,
    /// CRC-32 of the first half of its order, as the client derived it.
    pub crc: u32,
}

/// Consecutive missing positions, named by distance: positions are what both sides share without agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MissingRange {
    /// The first that is missing. With a count of 0: nothing from here on has come, and nothing before is on its way.
    pub first: Position,
    /// How many, at least 1.
    pub count: u32,
}

/// The client's first frame on a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// Version of the protocol, [`PROTOCOL_VERSION`].
    pub version: u16,
    /// The service it wants, as `package.Service`.
    pub service: String,
    /// Fingerprint of the service's schema.
    pub fingerprint: u64,
    /// Who.
    pub client: ClientId,
    /// In which life of a client without a durable log; 0 with one.
    pub incarnation: Incarnation,
    /// In which life of its durable log; 0 without one.
    pub life: Life,
    /// The how manyth link of this client in this life. Only grows.
    pub link: LinkNumber,
    /// Whether the client takes this link for lossless and ordered; the link is, if both ends say so.
    pub reliable_ordered: bool,
    /// Client's nonce: half of the seed of the pool orders of a new session, freshness of the proof of a resumed one.
    pub nonce: u64,
    /// The session to resume, if any.
    pub resume: Option<Resume>,
    /// Call numbers below this are answered and taken: their completion records may go.
    pub retired_below: CallNumber,
    /// The broadcasts that it has handlers for, by number.
    pub broadcasts: Vec<MethodId>,
}

/// What a client says of the session that it wants to resume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// The epoch it was made in.
    pub epoch: Epoch,
    /// HMAC-SHA-256 over the rest of the hello, keyed with the session's secret.
    pub proof: [u8; 32],
    /// The next position the client expects in the down lane.
    pub down_expected: Position,
    /// No call with this number or a higher one was ever sent: if the session has expired and nothing of it is left, they can run.
    pub sent_below: CallNumber,
}

/// The server's answer to a hello that it accepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Welcome {
    /// The server group's epoch.
    pub epoch: Epoch,
    /// The session.
    pub session: SessionId,
    /// Whether both ends take this link for lossless and ordered.
    pub reliable_ordered: bool,
    /// What the server did with the client's wish.
    pub begin: Begin,
    /// At most so many actions may be in flight (slots 0 to this minus one).
    pub slots: u32,
    /// At most so many bytes in one frame.
    pub frame_bytes_max: u32,
}

/// How a session begins on a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Begin {
    /// A new session: both lanes start at position 0. The client re-sends what is unanswered under the old call keys.
    Fresh {
        /// Why a wish to resume was not granted.
        reason: FreshReason,
        /// Server's nonce: the other half of the seed of the pool orders.
        nonce: u64,
        /// Key of later resume proofs.
        secret: [u8; 32],
        /// The up lane's first range.
        up: RangeAgree,
        /// The down lane's first range.
        down: RangeAgree,
    },
    /// The session goes on.
    Resumed {
        /// The next position the server expects in the up lane.
        up_expected: Position,
    },
}

/// Why a session is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FreshReason {
    /// The client asked for a new one.
    Asked,
    /// The server lost its memory: a new epoch.
    NewEpoch,
    /// The session had expired: unanswered actions end in their completion record's response or in `Unknown`.
    Expired,
    /// The client was restarted from its durable log: the session is the same, its lanes begin afresh.
    Restarted,
}

/// What an end says before it closes a link because of the other's frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Close {
    /// The error, as the closing end names it.
    pub message: String,
}

/// Everything that may travel on a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkFrame<P> {
    /// Client to server, first.
    Hello(Box<Hello>),
    /// Server to client, first.
    Welcome(Box<Welcome>),
    /// Server to client, first and last.
    Reject(Reject),
    /// The session's traffic.
    Frame(Frame<P>),
    /// Last words.
    Close(Close),
}

/// Version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;
