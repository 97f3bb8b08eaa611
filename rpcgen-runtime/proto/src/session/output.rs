//! What goes into a session and what comes out of it.
//!
//! Knows: the vocabulary between a session and its driver. Does not know: how either side handles it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::frame::{CancelOutcome, FreshReason, LinkFrame, Refusal, Reject};
use crate::ids::{BroadcastNumber, CallKey, CallNumber, MethodId, SessionId, Slot};
use crate::time::Instant;

/// What a session carries without looking at it: bytes on a network, the typed message itself between threads.
pub trait Payload: Clone {
    /// How much memory it takes, in bytes; counts against the limits of the logs.
    fn size_bytes(&self) -> usize;
}

/// From the link or the clock into a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<P> {
    /// Client: a transport is connected. Outputs a hello.
    LinkUp {
        /// Whether the client's end takes it for lossless and ordered.
        reliable_ordered: bool,
    },
    /// A frame arrived on the live link.
    Received(LinkFrame<P>),
    /// The live link is gone.
    LinkDown,
    /// The instant of the last [`Output::Timeout`] has come. Harmless when early.
    Timeout,
}

/// From a session to its driver. Poll until [`Output::Timeout`] after each input and each command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<P, E> {
    /// Put it on the live link.
    Transmit(LinkFrame<P>),
    /// Close the live link after what was transmitted; answer with [`Input::LinkDown`].
    CloseLink(CloseReason),
    /// Tell the application.
    Event(E),
    /// Drained. Call again with [`Input::Timeout`] at this instant, if there is one.
    Timeout(Option<Instant>),
}

/// Why a session wants its link closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The session has ended formally, or for good.
    Done,
    /// The peer broke the protocol; the error names the rule.
    Protocol(crate::error::ProtocolError),
    /// Nothing was heard for `dead_after`.
    Silent,
    /// No welcome within `handshake_within`.
    HandshakeTimeout,
    /// A newer link of the same session has taken over.
    Superseded,
    /// The peer refused the hello or said why it closes.
    Refused(String),
}

/// How a call ended, as the protocol knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer<P> {
    /// The typed response.
    Response(P),
    /// The typed business error.
    Failure(P),
    /// The runtime's own answer.
    Refused(Refusal),
}

/// A call of a client session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallHandle {
    /// Its number, for ever.
    pub number: CallNumber,
    /// Its place in the session's table: small, reused after the call ended. For drivers that keep a table of their own.
    pub index: u32,
}

/// An action at a server session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionHandle {
    /// Its call number.
    pub number: CallNumber,
    /// Its slot: small, reused after its answer was taken.
    pub slot: Slot,
}

/// From a client session to its application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientEvent<P> {
    /// The handshake is done.
    Linked {
        /// The session.
        session: SessionId,
        /// `None`: resumed. Otherwise why it is new; unanswered calls were re-sent under their old keys.
        fresh: Option<FreshReason>,
    },
    /// The link is gone; everything is cached.
    LinkLost,
    /// The hello was refused. The driver reconnects later, or gives up, as [`Reject::is_final`] says.
    Rejected(Reject),
    /// Step 2: the server has taken responsibility.
    Guaranteed(CallHandle),
    /// Step 3. The handle's index is free for a new call from now on.
    Answered(CallHandle, Answer<P>),
    /// What became of a cancel.
    CancelResult(CallHandle, CancelOutcome),
    /// The server says that the handler is slow but alive.
    StillPending(CallHandle),
    /// The call is unanswered for longer than its deadline. It stays logged.
    Overdue(CallHandle),
    /// Run the handler of this broadcast.
    Broadcast {
        /// Which one of the session.
        number: BroadcastNumber,
        /// Which one of the service.
        method: MethodId,
        /// It may have run on another node already.
        redelivered: bool,
        /// The message.
        payload: P,
    },
    /// The session has ended; the handles of what was dropped unanswered (none after a complete drain).
    Disconnected {
        /// Calls without an answer; each was also reported as answered with [`Refusal::Unknown`] or [`Refusal::Cancelled`].
        dropped: Vec<CallHandle>,
    },
}

/// From a server session to its application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerEvent<P> {
    /// A link is up.
    Linked {
        /// Whether the session is new.
        fresh: bool,
    },
    /// The link is gone; everything is cached until the reconnect timeout.
    Parked,
    /// Run the business implementation.
    Action {
        /// To answer with.
        action: ActionHandle,
        /// Its identity for ever.
        key: CallKey,
        /// Which action of the service.
        method: MethodId,
        /// It may have run before.
        redelivered: bool,
        /// The request.
        payload: P,
    },
    /// The client wants an action cancelled that has begun.
    CancelRequested(ActionHandle),
    /// A handler runs for longer than the business deadline.
    Overdue(ActionHandle),
    /// The node has the broadcast and was told to go: it will not be routed elsewhere silently.
    BroadcastAssigned(BroadcastNumber),
    /// The node refused the broadcast (it has no such handler after all): route it elsewhere.
    BroadcastRefused {
        /// Which one.
        number: BroadcastNumber,
        /// Which one of the service.
        method: MethodId,
        /// It may have run on another node before it was offered to this one.
        redelivered: bool,
        /// The message.
        payload: P,
    },
    /// The session has ended. Nothing more comes.
    Ended(crate::session::Ended<P>),
}
