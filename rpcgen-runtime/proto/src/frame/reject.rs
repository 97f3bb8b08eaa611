//! A hello that is refused: why, and what the server has instead.
//!
//! Knows: reasons, and which of them are final. Does not know: who decides, what a schema says.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

/// The server's answer to a hello that it refuses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// Why, for programs.
    pub reason: RejectReason,
    /// Why, for people: names what differs.
    pub message: String,
    /// How long to wait before the next attempt, in whole milliseconds, if that is not for the client to choose. Zero: it is.
    pub pause: Duration,
    /// What the server serves instead, of a schema mismatch: the client judges whether it fits.
    pub schema: Option<Box<ServerSchema>>,
}

/// The version of a service's schema that a server has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerSchema {
    /// Its fingerprint: what a client that it fits says in its next hello.
    pub fingerprint: u64,
    /// What decides the wire, as text ([`crate::shape`]).
    pub shape: String,
}

impl Reject {
    /// One that says nothing of a schema.
    #[must_use]
    pub fn new(reason: RejectReason, message: impl Into<String>, pause: Duration) -> Self {
        Self { reason, message: message.into(), pause, schema: None }
    }

    /// Whether there is no point in trying again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(
            self.reason,
            RejectReason::Overloaded
                | RejectReason::ShuttingDown
                | RejectReason::TooManyErrors
                | RejectReason::ServerRestored
        )
    }
}

/// Why a hello was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// Another protocol version. Final.
    Version,
    /// No such service here. Final.
    UnknownService,
    /// The service's schema differs. Final, unless the client finds that it fits.
    SchemaMismatch,
    /// The client id has a live session and the proof is missing or wrong. Final.
    BadProof,
    /// A newer link or incarnation of this client is here. Final: stop reconnecting.
    Superseded,
    /// The client remembers more than the server sent, or less than it kept: one of the two was restored. Final.
    ResumeGone,
    /// Too many sessions, or too many that come at once. Try again later.
    Overloaded,
    /// The server is shutting down. Try again later.
    ShuttingDown,
    /// The hello made no sense. Final.
    Malformed,
    /// Links of this client were closed by protocol errors again and again (trap T24). Try again after the pause.
    TooManyErrors,
    /// A later life of this client's durable log was here: this one is an older copy. Final.
    OlderCopy,
    /// The client has seen a later life of this server's durable log, and its proof is of then: the server was restored. Try again
    /// later: the session that the server remembers expires.
    ServerRestored,
}
