//! What can be seen from outside of the sessions: the only thing that checkers judge by.
//!
//! Knows: names of what happened. Does not know: how it came to be.

use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::ids::{BroadcastNumber, CallKey, SessionId};
use rpcgen_proto::time::Instant;

/// Which call of the run.
pub type Call = u32;
/// Which broadcast of the run.
pub type Broadcast = u32;
/// Which life of which client: a client that crashed and came back is another node.
pub type Node = u32;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With what its handler said.
    Right,
    /// With something else.
    Wrong,
    /// With the runtime's own answer.
    Refused(Refusal),
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A client accepted a call.
    Accepted {
        /// Which.
        call: Call,
        /// Whose.
        node: Node,
    },
    /// The call does not fit in the frames of every server.
    Oversized {
        /// Which.
        call: Call,
    },
    /// The frame of an action reached a server session.
    Arrived {
        /// Which.
        call: Call,
    },
    /// A client was told that its call is guaranteed.
    Guaranteed {
        /// Which.
        call: Call,
    },
    /// A client was told how its call ended.
    Answered {
        /// Which.
        call: Call,
        /// How.
        ending: Ending,
    },
    /// A client asked that a call does not begin.
    CancelAsked {
        /// Which.
        call: Call,
    },
    /// A client was told what became of that.
    CancelSettled {
        /// Which.
        call: Call,
        /// What.
        outcome: CancelOutcome,
    },
    /// The business was told to run an action.
    Executed {
        /// Which.
        call: Call,
        /// Its identity.
        key: CallKey,
        /// For which session.
        session: SessionId,
        /// Whether it was said that it may have run before.
        redelivered: bool,
    },
    /// Its handler's answer is logged.
    Completed {
        /// Which.
        call: Call,
    },
    /// The server logged a broadcast.
    BroadcastLogged {
        /// Which.
        broadcast: Broadcast,
    },
    /// A node was told to run a broadcast.
    BroadcastRun {
        /// Which.
        broadcast: Broadcast,
        /// Of which session.
        session: SessionId,
        /// Its number there.
        number: BroadcastNumber,
        /// Whether it was said that it may have run before.
        redelivered: bool,
    },
    /// A client was asked to disconnect.
    DisconnectAsked {
        /// Which.
        node: Node,
        /// The limit, by its own clock.
        until: Instant,
    },
    /// A client said that it is disconnected.
    Disconnected {
        /// Which.
        node: Node,
        /// How many calls it dropped.
        dropped: usize,
        /// When, by its own clock.
        at: Instant,
    },
    /// A client's process that was stopped goes on.
    Thawed {
        /// Which.
        node: Node,
        /// When, by its own clock.
        at: Instant,
    },
    /// A client died with its memory.
    NodeGone {
        /// Which.
        node: Node,
    },
    /// The server gave a session up: its client was away for too long.
    Expired {
        /// Whose.
        node: Node,
    },
    /// The server lost its memory: a new epoch.
    NewEpoch,
}
