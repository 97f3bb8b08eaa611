//! What goes into a session and what comes out of it.
//!
//! Knows: the vocabulary between a session and its driver. Does not know: how either side handles it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::frame::{CancelOutcome, FreshReason, LinkFrame, Refusal, Reject};
use crate::ids::{BroadcastNumber, CallKey, CallNumber, MethodId, SessionId, Slot};
use crate::record::{ClientRecord, Mark, ServerRecord};
use crate::time::Instant;

/// What a session carries without looking at it: bytes on a network, the typed message itself between threads.
pub trait Payload: Clone {
    /// How much memory it takes, in bytes; counts against the limits of the logs.
    fn size_bytes(&self) -> usize;

    /// The same without what it keeps alive beside itself (the block that it was read into, say): it is about to be kept for long.
    #[must_use]
    fn compacted(self) -> Self {
        self
    }

    /// 64 bits of what it says, the same in every process and version ([`crate::digest`]): what tells two requests under one call key
    /// apart (trap T8). Asked for only where a log is durable. 0: not known, and nothing is compared.
    fn digest(&self) -> u64;
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
    /// All records up to this one are durable.
    Persisted(Mark),
    /// The log is full, and this record was not written: said before anything else is asked of the session. Only for records that
    /// say so (`is_refusable`).
    NoSpace(Mark),
}

/// From a session to its driver. Poll until [`Output::Timeout`] after each input and each command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<P, E, R> {
    /// Put it on the live link.
    Transmit(LinkFrame<P>),
    /// Close the live link after what was transmitted; answer with [`Input::LinkDown`].
    CloseLink(CloseReason),
    /// Tell the application.
    Event(E),
    /// Put it on record, in this order, and say [`Input::Persisted`] when it is durable. Only sessions with a durable log ask
    /// ([`crate::config::Config::durable`]).
    Persist(Mark, R),
    /// Only server sessions with a durable log: the answer to this call was guaranteed, or never will be asked for. Its record is
    /// needed no more.
    Forget(CallNumber),
    /// Drained. Call again with [`Input::Timeout`] at this instant, if there is one.
    Timeout(Option<Instant>),
}

/// From a client session to its driver.
pub type ClientOutput<P> = Output<P, ClientEvent<P>, ClientRecord<P>>;
/// From a server session to its driver.
pub type ServerOutput<P> = Output<P, ServerEvent<P>, ServerRecord<P>>;

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
    /// The durable log has stopped: what is not durable yet never will be.
    LogStopped(String),
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

impl<P: Payload> Answer<P> {
    /// How much memory its payload takes, in bytes.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Response(payload) | Self::Failure(payload) => payload.size_bytes(),
            Self::Refused(_) => 0,
        }
    }
}

impl<P> Answer<P> {
    /// What a cancel of the call came to, where nothing but the answer tells: every answer settles the cancel that is still open.
    // spec: protocol.md 1
    #[must_use]
    pub const fn cancel_outcome(&self) -> CancelOutcome {
        match self {
            Self::Refused(Refusal::Cancelled) => CancelOutcome::Cancelled,
            Self::Refused(Refusal::Unknown) => CancelOutcome::MaybeExecuted,
            _ => CancelOutcome::Answered,
        }
    }
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
    /// A server is there whose log is older than what this client has seen of it, or is another one: it was restored, or lost. Loud, and
    /// not the end: what is unanswered is sent again, and may run twice where no completion store knows of it.
    ServerRestored {
        /// The epoch that was seen before.
        seen: crate::ids::Epoch,
        /// The epoch of the server that is there.
        found: crate::ids::Epoch,
    },
    /// The link is gone; everything is cached.
    LinkLost,
    /// The hello was refused, as the server has another version of the schema. It fits: the next hello asks for it. The driver connects
    /// again, at once if that has not failed since the last welcome.
    SchemaFits {
        /// Of the server's version.
        fingerprint: u64,
    },
    /// The hello was refused. The driver reconnects later, or gives up, as [`Reject::is_final`] says.
    Rejected(Reject),
    /// Step 1 of a call that is put on record: it survives this process. Does not come when its answer comes before.
    Accepted(CallHandle),
    /// The log is full: nothing remains of the call, and its handle's index is free.
    NotAccepted(CallHandle),
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
        /// Calls without an answer; each was also reported as answered with [`Refusal::Unknown`] or [`Refusal::Cancelled`], unless it is
        /// on record: then the next life of the log goes on with it.
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
    /// With [`crate::config::Config::begin_records`], and of each action that was found in the log or is sent again: put on record that
    /// it begins, then say so with [`crate::session::ServerSession::begun`], now or, if it had begun before, when its turn among its
    /// likes has come ([`crate::server::Turns`]). It cannot be cancelled any more.
    Begin {
        /// To say so with.
        action: ActionHandle,
        /// Its identity for ever: what the record is about.
        key: CallKey,
        /// Which action of the service.
        method: MethodId,
    },
    /// An action that had begun before is over, and its answer on record: it is the turn of the next one
    /// ([`crate::server::Turns::over`]). Before that the next one might end the server, and this one would be blamed.
    TurnOver(CallNumber),
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
        /// It must not run: it may have in a session that had expired. Only its completion record can answer it, or it is `Unknown`.
        must_not_run: bool,
        /// The request.
        payload: P,
    },
    /// The client wants an action cancelled that has begun.
    CancelRequested(ActionHandle),
    /// A handler runs for longer than the business deadline.
    Overdue(ActionHandle),
    /// The node has the broadcast and was told to go: it will not be routed elsewhere silently.
    BroadcastAssigned(BroadcastNumber),
    /// The node has guaranteed that it was told to go: its record is needed no more. Only of sessions with a durable log.
    BroadcastDelivered(BroadcastNumber),
    /// The first frame has come on the present lanes of a session whose client or server has a durable log: the registry is to be
    /// told ([`crate::server::Registry::used`]).
    Used,
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
    /// The link is closed because one end broke the protocol in the eyes of the other: the registry is to be told
    /// ([`crate::server::Registry::disputed`]).
    Disputed,
    /// The session has ended. Nothing more comes. Where actions have turns, its own are over: [`crate::server::Turns::session_over`].
    Ended(Box<crate::session::Ended<P>>),
    /// The durable log has stopped, and the session with it. Nothing more comes; nothing of it is over.
    Stopped,
}
